"""What the tests of the sandbox share."""

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from boothd.base.threads import Threads
from tests.sandbox.fakes_support import Client, Start, client_of, wait_for


@pytest.fixture
def client_threads() -> Iterator[Threads]:
    """Where blocking clients run."""
    from twisted.internet import reactor  # noqa: TID251

    threads = Threads(reactor, "clients", 24)
    yield threads
    threads.stop()


@pytest.fixture
def start(client_threads: Threads) -> Iterator[Start]:
    """`start("gemini", settings={…})` starts a fake on a loopback port; it is stopped after the test."""
    from twisted.internet import reactor  # noqa: TID251

    clients: list[Client] = []

    def begin(name: str, **options: Any) -> Client:
        clients.append(client_of(reactor, client_threads, name, **options))
        return clients[-1]

    yield begin
    for client in clients:
        wait_for(Deferred.fromCoroutine(client.running.stop()))
