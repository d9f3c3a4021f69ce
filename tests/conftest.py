"""What all tests may use."""

import os
from collections.abc import Iterator
from typing import Any, cast

import pytest
from _pytest.terminal import TerminalReporter
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from boothd.base.threads import Threads
from tests.support.clock import FakeClock


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """On CI a test that was skipped proves nothing, so it fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and isinstance(reporter, TerminalReporter) and reporter.stats.get("skipped"):
        reporter.write_line("Skipped tests count as failed on CI.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
