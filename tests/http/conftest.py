"""What the tests of http share."""

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher

from tests.http.http_support import FakeRoom, Port, wait_for


@pytest.fixture
def reactor() -> Any:
    """The asyncio reactor that pytest-twisted installed."""
    from twisted.internet import reactor  # noqa: TID251

    return reactor


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """Every log event of the test."""
    found: list[LogEvent] = []
    publisher: Any = globalLogPublisher
    publisher.addObserver(found.append)
    yield found
    publisher.removeObserver(found.append)


@pytest.fixture
def logged(events: list[LogEvent]) -> "Failures":
    return Failures(events)


class Failures:
    """The failures among the log events."""

    def __init__(self, events: list[LogEvent]) -> None:
        self._events = events

    def __len__(self) -> int:
        return sum("log_failure" in event for event in self._events)

    def __iter__(self) -> Iterator[Any]:
        return (event["log_failure"].value for event in self._events if "log_failure" in event)


@pytest.fixture
def open_port(reactor: Any) -> Iterator[Any]:
    """`await open_port(*routes)` starts a site on a loopback port; it is stopped after the test."""
    ports: list[Port] = []

    async def start(*routes: Any, room: FakeRoom | None = None, **options: Any) -> Port:
        port = Port(reactor, room or FakeRoom(), routes, **options)
        ports.append(port)
        await port.listener.start()
        return port

    yield start
    for port in ports:
        wait_for(Deferred.fromCoroutine(port.stop()))
