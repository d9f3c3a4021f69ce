"""A Gemini provider before its fake, for these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from boothd.base.clock import utc_now
from boothd.base.threads import Threads
from tests.providers.gemini.gemini_support import Booth, Make
from tests.sandbox.fakes_support import wait_for
from tests.support.clock import FakeClock


@pytest.fixture
def gemini_threads() -> Iterator[Threads]:
    from twisted.internet import reactor  # noqa: TID251

    threads = Threads(reactor, "clients", 4)
    yield threads
    threads.stop()


@pytest.fixture
def make(tmp_path: Path, disk_threads: Threads, picture_threads: Threads, gemini_threads: Threads) -> Iterator[Make]:
    """`make(keys=(…), fake={…}, **settings)`: a booth; it and its fake are stopped after the test."""
    from twisted.internet import reactor  # noqa: TID251

    booths: list[Booth] = []

    def begin(
        *, keys: tuple[str, ...] = ("good-1",), fake: dict[str, object] | None = None, **settings: object
    ) -> Booth:
        clock = FakeClock(utc_now())
        threads = (disk_threads, picture_threads, gemini_threads)
        booths.append(Booth(reactor, clock, tmp_path, threads, keys, fake or {}, settings))
        return booths[-1]

    yield begin
    for booth in booths:
        wait_for(Deferred.fromCoroutine(booth.stop()))
