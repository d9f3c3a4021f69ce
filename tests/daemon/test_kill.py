"""kill -9, again and again, while eight booths send photos: nothing that was promised is lost, nothing is paid twice.

The booths keep a ledger of what they sent and what they got; the provider keeps one of what it charged; the journals are
boothd's own. In the end the three must agree.
"""

import hashlib
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from boothd.base.errors import Charged
from boothd.spool.journal import Answered, Attempt, AttemptEnded, Result
from tests.support.booth import Answer, Broken, Upload, photo
from tests.support.daemon import LIMIT_S, Daemon, make_home, wait_until
from tests.support.jobs import Found, counted, folded, incoming, jobs
from tests.support.scripted.fixture import ScriptedServer, scripted_server

BOOTHS = 8
KINDS = ("receiving", "calling", "charged", "answering", "answered")
ROUNDS = 5 * len(KINDS)
SEED = 20261120
PAID_ATTEMPTS = 2

PLAIN, QUEUED, BUSY, BIG, CHARGED_ERROR, REFUSED, DROPPED = 1, 2, 3, 4, 5, 6, 7
PROMPTS = {
    PLAIN: "delay=0.05 cost=0.04",
    QUEUED: "delay=0.05 queue=2 poll-after=0.05",
    BUSY: "delay=0.05 fail-first=1 status=429 retry-after=0.05",
    BIG: "delay=0.05 charge-first size=600000",
    CHARGED_ERROR: "delay=0.05 fail-first=1 status=503 charged retry-after=0.05",
    REFUSED: "delay=0.05 status=422",
    DROPPED: "delay=0.05 charge-then-drop",
}
OFTEN = (*[PLAIN, QUEUED, BUSY, BIG, CHARGED_ERROR] * 4, REFUSED, DROPPED)


@dataclass
class Sent:
    """A line of the booths' ledger. stage: how far it came ("connecting" … "reading", then "whole" or "left")."""

    number: int
    slot: int
    sha256: str
    round: int
    stage: str = "connecting"
    answer: Answer | None = None


@dataclass
class Ledger:
    """What the booths know. to_resend: photos whose reply broke, and which a guest would bring again."""

    sent: list[Sent] = field(default_factory=list)
    answered: list[Sent] = field(default_factory=list)
    to_resend: list[Sent] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_number: int = 0

    def next(self, random: Random, kind: str, round_number: int) -> tuple[Sent, bool]:
        """What a booth does next; True: it was answered before, so it must cost nothing."""
        with self.lock:
            dice, again, cached = random.random(), None, False
            if dice < 0.15 and self.answered:
                again, cached = random.choice(self.answered), True
            elif dice < 0.3 and self.to_resend:
                again = self.to_resend.pop(random.randrange(len(self.to_resend)))
            if again is None:
                slot = BIG if kind == "answering" and random.random() < 0.4 else random.choice(OFTEN)
                number, self.next_number = self.next_number, self.next_number + 1
            else:
                slot, number = again.slot, again.number
            sent = Sent(number, slot, hashlib.sha256(picture(number)).hexdigest(), round_number)
            self.sent.append(sent)
            return sent, cached


@dataclass
class Killer:
    """Ends the daemon at the n-th report of `kind`, in the thread that reports it."""

    daemon: Daemon
    kind: str
    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    fired: threading.Event = field(default_factory=threading.Event)

    def report(self, kind: str) -> None:
        if kind != self.kind:
            return
        with self.lock:
            self.left -= 1
            met = self.left == 0
        if met:
            if kind == "receiving":  # half the photo has left the booth; boothd is to have begun with it
                wait_until(lambda: incoming(self.daemon.home), "an upload is being received")
            self.kill()

    def kill(self) -> None:
        self.fired.set()
        self.daemon.send(signal.SIGKILL)


def picture(number: int) -> bytes:
    return photo(number, 20_000 + number % 7 * 10_000)


def booth(daemon: Daemon, killer: Killer, ledger: Ledger, random: Random, round_number: int) -> None:
    """Send one photo after the other until boothd is killed."""
    port = daemon.port
    while not killer.fired.is_set():
        sent, cached = ledger.next(random, killer.kind, round_number)
        try:
            answer = visit(port, sent, killer, leaves=random.random() < 0.04)
        except Broken:
            assert killer.fired.is_set(), f"a connection broke while boothd ran: {sent}"
            with ledger.lock:
                ledger.to_resend.append(sent)
            return
        if answer is None:
            continue
        sent.answer = answer
        if answer.status == 200:
            assert not cached or answer.headers.get("x-boothd-cached") == "yes", sent
            with ledger.lock:
                ledger.answered.append(sent)


def visit(port: int, sent: Sent, killer: Killer, *, leaves: bool) -> Answer | None:
    with Upload(port, Daemon.path("scripted", sent.slot), picture(sent.number), receive_bytes=4096) as upload:
        sent.stage = "sending"
        upload.send_half()
        killer.report("receiving")
        upload.send_rest()
        if leaves:
            sent.stage = "left"
            return None
        sent.stage = "waiting"
        upload.await_reply()
        sent.stage = "reading"
        if sent.slot == BIG:
            killer.report("answering")
        answer = upload.answer()
        sent.stage = "whole"
        killer.report("answered")
        return answer


def one_round(daemon: Daemon, server: ScriptedServer, ledger: Ledger, kind: str, round_number: int) -> None:
    """Let the booths loose, and kill boothd in the middle of it."""
    random = Random(f"{SEED} {round_number}")
    killer = Killer(daemon, kind, random.randint(1, 12) if kind != "answering" else random.randint(1, 3))
    with ThreadPoolExecutor(BOOTHS) as pool:
        running = [
            pool.submit(booth, daemon, killer, ledger, Random(f"{SEED} {round_number} {n}"), round_number)
            for n in range(BOOTHS)
        ]
        try:
            if kind == "calling":
                server.calls(at_least=len(server.calls()) + killer.left)
            elif kind == "charged":
                server.wait_for_charges(len(server.ledger) + killer.left)
            else:
                assert killer.fired.wait(LIMIT_S), f"round {round_number}: no {kind}"
        finally:
            killer.kill()
            daemon.wait()
        for future in running:
            future.result()


def interrupted(home: Path, ledger: Ledger, round_number: int) -> Counter[str]:
    """What the kill fell into, as the disk and the booths saw it."""
    found: Counter[str] = Counter(receiving=len(incoming(home)))
    for job in jobs(home, "active"):
        found["calling"] += bool(job.open_attempts) and job.last(Result) is None
        found["filing"] += job.last(Result) is not None
    found["answering"] = sum(s.round == round_number and s.stage == "reading" for s in ledger.sent)
    return found


def test_a_kill_at_any_moment_loses_nothing_and_pays_nothing_twice(tmp_path: Path) -> None:
    ledger, fell = Ledger(), Counter[str]()
    with scripted_server(tmp_path / "charges.jsonl") as server:
        slots = {n: {"prompt": prompt, "paid_attempts": PAID_ATTEMPTS} for n, prompt in PROMPTS.items()}
        settings = {"url": server.url, "concurrency": 6, "breaker_failures": 10_000, "price": "0.03"}
        home = make_home(tmp_path / "home", {"scripted": slots}, {"scripted": settings})
        with Daemon(home) as daemon:
            for round_number in range(ROUNDS):
                if round_number % 4 == 3:
                    daemon.launch()
                    fell["recovering"] += "found in active" in daemon.wait_for_log("found in active", "listening at")
                    daemon.kill()
                daemon.start()
                one_round(daemon, server, ledger, KINDS[round_number % len(KINDS)], round_number)
                fell += interrupted(home, ledger, round_number)
            daemon.start()
            wait_until(lambda: not list((home / "spool/active").iterdir()), "active is empty")
            daemon.stop()
            assert "Traceback" not in daemon.log
        charges = server.ledger

    print(f"seed {SEED}: {len(ledger.sent)} uploads, {len(ledger.answered)} answered 200, kills fell into {dict(fell)}")
    assert all(fell[phase] > 0 for phase in ("receiving", "calling", "answering", "recovering")), fell
    assert not incoming(home)
    found = jobs(home)
    check_promises(ledger.sent, {job.id: job for job in found})
    check_trash([job for job in found if job.state == "trash"])
    check_money(found, charges)
    assert "stopped cleanly: true" in (home / "spool/stats.yaml").read_text()
    assert counted(home) == folded(home)


def check_promises(sent: Sequence[Sent], found: dict[str, Found]) -> None:
    """Whatever was answered lies where it must, with the bytes that were sent and the bytes that were got."""
    told = [(s, s.answer) for s in sent if s.answer is not None]
    assert sum(answer.status == 200 for _, answer in told) > 50
    for visit, answer in told:
        job = found[answer.job]
        assert job.received.sha256 == visit.sha256
        assert answer.status in [e.status for e in job.all(Answered)], visit
        if job.state == "done" or answer.status == 200:
            assert job.source_sha256 == visit.sha256
        if answer.status == 200:
            assert job.state == "done", visit
            assert job.result_sha256 == hashlib.sha256(answer.body).hexdigest(), visit
    answered = Counter(answer.job for _, answer in told)
    assert set(answered.values()) == {1}, "each reply is a job of its own"


def check_trash(discarded: Sequence[Found]) -> None:
    """Every job in the trash says why, and still has its photo."""
    for job in discarded:
        assert job.finished is not None, job.directory
        assert job.finished.reason, job.directory
        assert job.finished.code not in {"", "ok"}, job.directory
        assert job.source_sha256 == job.received.sha256


def check_money(found: Sequence[Found], charges: Sequence[dict[str, Any]]) -> None:
    """The provider's ledger against the journals."""
    of_photo: dict[str, list[Found]] = defaultdict(list)
    for job in found:
        of_photo[job.received.sha256].append(job)
    charged: dict[str, list[datetime]] = defaultdict(list)
    for entry in charges:
        charged[entry["photo"]].append(datetime.fromisoformat(entry["at"]))
    assert charged.keys() <= of_photo.keys(), "charged for a photo that boothd knows nothing of"
    for sha256, its_jobs in of_photo.items():
        begun = ended_free = ended_charged = 0
        for job in its_jobs:
            ended = job.all(AttemptEnded)
            free = sum(e.charged is Charged.NO for e in ended)
            paid = len(job.all(Attempt)) - free
            assert paid <= PAID_ATTEMPTS, job.directory
            begun, ended_free = begun + len(job.all(Attempt)), ended_free + free
            ended_charged += sum(e.charged is Charged.YES for e in ended)
            assert job.finished is not None
            assert job.state == "done" or paid == 0 or job.finished.charged is not Charged.NO, job.directory
        assert ended_charged <= len(charged[sha256]) <= begun - ended_free, its_jobs
        results = [result.at for job in its_jobs for result in job.all(Result)]
        if results:
            late = [at for at in charged[sha256] if at > min(results)]
            assert not late, f"charged again although the answer existed: {its_jobs}"
