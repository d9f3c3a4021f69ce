"""What all tests may use."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from boothd.base.threads import Threads
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """Every log event of the test."""
    found: list[LogEvent] = []
    observer = cast(ILogObserver, found.append)
    globalLogPublisher.addObserver(observer)
    yield found
    globalLogPublisher.removeObserver(observer)


def _pool(name: str, size: int) -> Iterator[Threads]:
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    threads = Threads(reactor, name, size)
    yield threads
    threads.stop()


@pytest.fixture
def disk_threads() -> Iterator[Threads]:
    yield from _pool("disk", 4)


@pytest.fixture
def picture_threads() -> Iterator[Threads]:
    yield from _pool("pictures", 2)
