"""The wall clock jumps by an hour while photos are under way: no deadline comes early, none comes late."""

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from boothd.spool.journal import Answered, Queued
from tests.support.booth import get, photo, post
from tests.support.daemon import LIMIT_S, Daemon, make_home
from tests.support.jobs import job
from tests.support.scripted.fixture import scripted_server

POLLED, HANGING = 1, 2
TOTAL_S = 3.0


class Clock:
    """The wall clock of the processes that are started with `environ` (libfaketime); the monotonic one stays true."""

    def __init__(self, file: Path) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        assert libraries, "This test needs libfaketime: apt-get install faketime"
        self._file = file
        self.jump(0)
        self.environ: Mapping[str, str] = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def jump(self, seconds: int) -> None:
        """How far the wall clock is ahead from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self._file)


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_jump_of_the_wall_clock_changes_no_deadline(jump_s: int, tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    slots = {POLLED: {"prompt": "queue-hold poll-after=0.1"}, HANGING: {"prompt": "hang"}}
    with scripted_server(tmp_path / "charges.jsonl") as server, ThreadPoolExecutor(2) as pool:
        settings = {"url": server.url, "late_s": 0}
        budget = {"total": 30, "reserve": 0.5}
        home = make_home(tmp_path / "home", {"scripted": slots}, {"scripted": settings}, budget=budget)
        with Daemon(home, environ=clock.environ) as daemon:
            # While boothd polls a provider's queue, by its own timers.
            daemon.start()
            polled = pool.submit(post, daemon.port, daemon.path("scripted", POLLED), photo(1))
            server.wait_for_charges(1)
            clock.jump(jump_s)
            for _ in range(20):
                assert get(daemon.port, "/livez").status == 200  # the reactor turns, and looks at its timers
            assert not polled.done()
            server.release()
            answer = polled.result()
            assert answer.status == 200
            daemon.stop()

        its = job(home, answer.job)
        answered = its.last(Answered)
        assert answered is not None
        jumped = answered.at - its.received.at
        assert abs(jumped - timedelta(seconds=jump_s)) < timedelta(minutes=5), "the daemon did see the jump"
        assert len(its.all(Queued)) == 1


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_the_budget_ends_when_it_ends(jump_s: int, tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    with scripted_server(tmp_path / "charges.jsonl") as server, ThreadPoolExecutor(1) as pool:
        home = make_home(
            tmp_path / "home",
            {"scripted": {HANGING: {"prompt": "hang"}}},
            {"scripted": {"url": server.url, "late_s": 0}},
            budget={"total": TOTAL_S, "reserve": 0.2},
        )
        with Daemon(home, environ=clock.environ) as daemon:
            daemon.start()
            hanging = pool.submit(post, daemon.port, daemon.path("scripted", HANGING), photo(1))
            server.calls(at_least=1)
            clock.jump(jump_s)
            answer = hanging.result(LIMIT_S)
            assert (answer.status, answer.code) == (504, "out-of-time")
            daemon.stop()
        [answered] = job(home, answer.job).all(Answered)
        assert answered.seconds > TOTAL_S - 0.5, "not before its time"


SLEEPER = """
import sys
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import reactor
from twisted.internet.stdio import StandardIO
from twisted.internet.protocol import Protocol
reactor.callLater(1800, lambda: (print("fired", flush=True), reactor.stop()))
class Turns(Protocol):
    def dataReceived(self, data): reactor.callLater(0, print, "turned", flush=True)
StandardIO(Turns())
reactor.callWhenRunning(print, "ready", flush=True)
reactor.run()
"""


def test_the_jump_is_one_that_a_reactor_on_the_wall_clock_falls_for(tmp_path: Path) -> None:
    """boothd's reactor, without the line that gives it a monotonic clock: half an hour passes in no time."""
    clock = Clock(tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER],
        env={**os.environ, **clock.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            clock.jump(3600)
            process.stdin.write("turn\n")
            process.stdin.flush()
            assert "fired" in [process.stdout.readline().strip() for _ in range(2)]
            process.wait(LIMIT_S)
        finally:
            process.kill()
