"""boothd ends at every single step that one upload makes on the disk, and is started again: the promises hold.

Every step is met three times: killed before it, killed when half of it is written (a write), and with the power cut after
it, so that all is gone that was not synced by then.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from boothd.base.errors import Charged
from boothd.spool.journal import Attempt, AttemptEnded, Queued, Result
from tests.support.booth import Answer, Broken, photo, post
from tests.support.crashing import CRASHED, Order, When, is_of_day
from tests.support.daemon import Daemon, make_home, wait_until
from tests.support.jobs import Found, counted, directories, folded, incoming, jobs, sha256_of
from tests.support.jobs import job as job_of
from tests.support.scripted.fixture import ScriptedServer, environment, scripted_server

SLOT = 1


@dataclass(frozen=True)
class Scenario:
    """One way that an upload can go. status: of its reply. again: the photo has been answered before."""

    prompt: str
    status: int = 200
    again: bool = False


SCENARIOS = {
    "answered": Scenario("ok"),
    "queued": Scenario("queue=1 poll-after=0.01"),
    "paid-twice": Scenario("fail-first=1 status=503 charged retry-after=0.1"),
    "refused": Scenario("status=422", status=422),
    "answered-again": Scenario("ok", again=True),
}


class Crasher:
    """One crashing boothd after the other on the same home."""

    def __init__(self, home: Path, process: "subprocess.Popen[str]") -> None:
        self.home, self._process = home, process
        self.pid = 0
        self.steps: list[str] = []

    def start(self, order: Order) -> int:
        """Start one; its port."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        said = self._said()
        self.pid = said["pid"]
        return int(said["port"])

    def ended(self, status: int) -> None:
        """It has ended, or does it now, with this exit status."""
        while "ended" not in (said := self._said()):
            self.steps = said["steps"]
        assert said["ended"] == status

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"ended": "the crasher itself"}')
        return found


@contextmanager
def crasher(home: Path) -> Iterator[Crasher]:
    command = [sys.executable, "-m", "tests.support.crashing", str(home)]
    with (
        (home / "crasher.log").open("w") as log,
        subprocess.Popen(
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        found = Crasher(home, process)
        try:
            yield found
        except BaseException:
            if found.pid and Path(f"/proc/{found.pid}/status").is_file():
                os.kill(found.pid, signal.SIGKILL)
            print((home / "crasher.log").read_text()[-5000:])
            raise


@contextmanager
def a_home(tmp_path: Path, scenario: Scenario) -> Iterator[tuple[Path, ScriptedServer]]:
    with scripted_server(tmp_path / "charges.jsonl") as server:
        settings = {"url": server.url, "breaker_failures": 10_000}
        yield (
            make_home(tmp_path / "home", {"scripted": {SLOT: {"prompt": scenario.prompt}}}, {"scripted": settings}),
            server,
        )


def send(port: int, number: int) -> Answer:
    return post(port, Daemon.path("scripted", SLOT), photo(number))


@dataclass(frozen=True)
class Crash:
    """One crash. left: the job as the crash left it, if it left one."""

    name: str
    number: int
    left: Found | None

    @property
    def photo(self) -> str:
        return sha256_of(photo(self.number))

    @property
    def answered(self) -> bool:
        """Whether there is an answer, or one that is paid for and can be asked for."""
        return self.left is not None and (self.left.last(Result) is not None or bool(self.left.all(Queued)))


class Evening:
    """Crash after crash on one home, every one judged once boothd runs again."""

    def __init__(self, home: Path, server: ScriptedServer, boothd: Crasher, scenario: Scenario) -> None:
        self._home, self._server, self._boothd, self._scenario = home, server, boothd, scenario
        self._numbers = iter(range(1, 10_000))
        self.crashes: list[Crash] = []

    def steps(self, *, days: bool) -> list[str]:
        """Upload without a crash: which steps there are."""
        scenario = self._scenario
        port = self._boothd.start(Order(photo=1 + (scenario.again and not days), days=days))
        for _ in range(2 if scenario.again and not days else 1):
            assert send(port, self._photo()).status == scenario.status
        self.end()
        return self._boothd.steps

    def end(self) -> None:
        os.kill(self._boothd.pid, signal.SIGTERM)
        self._boothd.ended(0)

    def crash(self, steps: Sequence[str], step: int, *, days: bool) -> None:
        """Crash at this step in every way."""
        ways: list[tuple[When, bool]] = [("before", False), ("middle", False), ("after", True)]
        for when, power in ways:
            if when == "middle" and not steps[step - 1].startswith("write"):
                continue
            if days:  # a daemon that has filed nothing yet
                self._boothd.start(Order())
                self.check_last()
                self.end()
            port, number = self._boothd.start(Order(step, when, power=power, days=days)), self._photo()
            self.check_last()
            known = {directory.name for directory in directories(self._home)}
            with pytest.raises(Broken):
                send(port, number)
            self._boothd.ended(CRASHED)
            assert self._boothd.steps == steps[:step], "the same steps in the same order"
            left = jobs(self._home, leave_out=known)
            assert len(left) <= 1
            title = f"{'power cut' if power else 'killed'} {when} step {step}: {steps[step - 1]}"
            renamed, promised = (steps.index(s) + 1 for s in ("rename spool/active/ID", "sync_dir spool/active"))
            reached = step + (when == "after")
            assert bool(left) == (reached > (promised if power else renamed)), title
            self.crashes.append(Crash(title, number, left[0] if left else None))

    def check_last(self) -> None:
        if self.crashes:
            check(self._home, self._server, self.crashes[-1], self._scenario)

    def _photo(self) -> int:
        return 1 if self._scenario.again else next(self._numbers)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_step(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    with a_home(tmp_path, scenario) as (home, server), crasher(home) as boothd:
        evening = Evening(home, server, boothd, scenario)
        steps = evening.steps(days=False)
        check_order(steps, called=not scenario.again)
        for step in range(1, len(steps) + 1):
            evening.crash(steps, step, days=False)
        with_days = evening.steps(days=True)
        for step in [number for number, what in enumerate(with_days, 1) if is_of_day(what)]:
            evening.crash(with_days, step, days=True)

        with Daemon(home) as daemon:
            daemon.start()
            evening.check_last()
            check_again(daemon.port, server, [crash for crash in evening.crashes if crash.answered])
            daemon.stop()
        assert counted(home) == folded(home)
        print(f"{name}: {len(evening.crashes)} crashes at {len(steps)} steps")


def check_order(steps: Sequence[str], *, called: bool) -> None:
    """The write order of DESIGN §5, as far as every upload goes it."""
    journal, order = "spool/active/ID/journal.jsonl", iter(steps)
    wanted = [
        "write spool/incoming/ID/source.jpg",
        "sync spool/incoming/ID/source.jpg",
        "write spool/incoming/ID/journal.jsonl",
        "sync spool/incoming/ID/journal.jsonl",
        "sync_dir spool/incoming/ID",
        "rename spool/active/ID",
        "sync_dir spool/active",  # the promise
    ]
    if called:
        wanted += [f"write {journal}", f"sync {journal}"]  # the attempt; then the call
    wanted += [f"write {journal}", f"sync {journal}"]
    for step in wanted:
        assert step in order, f"{step} is missing, or not at its place: {steps}"
    assert steps[-2].startswith("rename ")
    assert steps[-1].startswith("sync_dir ")


def check(home: Path, server: ScriptedServer, crash: Crash, scenario: Scenario) -> None:
    """What must be so once boothd has been started again."""
    wait_until(lambda: not list((home / "spool/active").iterdir()), f"active is empty; {crash.name}")
    assert not incoming(home), crash.name
    charges = server.charges(crash.photo)
    if crash.left is None:
        assert charges == scenario.again, crash.name
        return
    job = job_of(home, crash.left.id)
    assert job.state in {"done", "trash"}, crash.name
    assert job.source_sha256 == crash.photo, crash.name
    if scenario.again:
        assert charges == 1, crash.name
    else:
        ended = crash.left.all(AttemptEnded)
        most = len(crash.left.all(Attempt)) - sum(e.charged is Charged.NO for e in ended)
        assert sum(e.charged is Charged.YES for e in ended) <= charges <= most, crash.name
    if crash.answered:
        assert job.state == "done", crash.name
    if (result := crash.left.last(Result)) is not None:
        assert job.result_sha256 == result.sha256, crash.name
    if job.state == "trash":
        assert job.finished is not None, crash.name
        assert job.finished.reason, crash.name
        expected = crash.left.finished.code if crash.left.finished is not None else "interrupted"
        assert job.finished.code == expected, crash.name
        assert scenario.again or charges == 0 or job.finished.charged is not Charged.NO, crash.name


def check_again(port: int, server: ScriptedServer, crashes: Sequence[Crash]) -> None:
    """An answer that exists is not paid for again."""
    for crash in crashes:
        charges = server.charges(crash.photo)
        answer = send(port, crash.number)
        assert (answer.status, answer.headers.get("x-boothd-cached")) == (200, "yes"), crash.name
        assert server.charges(crash.photo) == charges, crash.name


@pytest.mark.parametrize("careless", [False, True], ids=["as-it-is", "without-fsync"])
def test_a_power_cut_after_the_reply(careless: bool, tmp_path: Path) -> None:
    """Without fsync the same test must see the loss, or it would prove nothing."""
    with a_home(tmp_path, Scenario("ok")) as (home, _), crasher(home) as boothd:
        port = boothd.start(Order(power=True, careless=careless))
        answer = send(port, 1)
        assert answer.status == 200
        os.kill(boothd.pid, signal.SIGUSR1)
        boothd.ended(CRASHED)
        with Daemon(home) as daemon:
            daemon.start()
            if careless:
                assert answer.job not in {directory.name for directory in directories(home)}
                return
            job = job_of(home, answer.job)
            assert job.state == "done"
            assert job.source_sha256 == sha256_of(photo(1))
            assert job.result_sha256 == sha256_of(answer.body)
            assert send(daemon.port, 1).headers.get("x-boothd-cached") == "yes"
