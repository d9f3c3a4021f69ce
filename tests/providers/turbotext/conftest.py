"""What the tests of Turbotext share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from boothd.base.clock import Clock
from boothd.base.threads import Threads
from tests.providers.turbotext.turbotext_support import JOB, Booth, Public
from tests.sandbox.fakes_support import client_of, wait_for
from tests.support.tools import Workbench


@pytest.fixture
def booth(disk_threads: Threads, picture_threads: Threads, tmp_path: Path) -> Iterator[Booth]:
    """A job, a fake Turbotext, and our side of the internet."""
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    folder = tmp_path / "active" / JOB
    folder.mkdir(parents=True)
    clients, clock = Threads(reactor, "clients", 8), Clock(reactor)
    client = client_of(reactor, clients, "turbotext")
    public = wait_for(Deferred.fromCoroutine(Public.open(reactor, clock, disk_threads, folder.parent)))
    benches: list[Workbench] = []

    def bench(**more: Any) -> Workbench:
        benches.append(Workbench(reactor, clock, disk_threads, picture_threads, **more))
        return benches[-1]

    yield Booth(client, public, folder, clock, bench)
    for each in benches:
        wait_for(Deferred.fromCoroutine(each.close()))
    wait_for(Deferred.fromCoroutine(client.running.stop()))
    wait_for(Deferred.fromCoroutine(public.port.stop()))
    clients.stop()
