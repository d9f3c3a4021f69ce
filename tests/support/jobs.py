"""What lies in a home's spool and trash, for tests that look at the disk and not through boothd's eyes."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml

from boothd.config import Home, read_daemon_config
from boothd.engine.stats import NOT_ACCEPTED, numbers
from boothd.spool.job import JOURNAL
from boothd.spool.journal import Attempt, AttemptEnded, Entry, Finished, Received, Result, read, received

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Found:
    """One job on the disk. state: the folder that it lies in."""

    directory: Path
    state: str
    entries: Sequence[Entry]

    @property
    def id(self) -> str:
        return self.directory.name

    @property
    def received(self) -> Received:
        return received(self.entries)

    def all(self, kind: type[E]) -> list[E]:
        return [entry for entry in self.entries if isinstance(entry, kind)]

    def last(self, kind: type[E]) -> E | None:
        return next(iter(reversed(self.all(kind))), None)

    @property
    def finished(self) -> Finished | None:
        return self.last(Finished)

    @property
    def source_sha256(self) -> str:
        return sha256_of((self.directory / self.received.file).read_bytes())

    @property
    def result_sha256(self) -> str:
        """Of the last result, as it lies there."""
        result = self.last(Result)
        assert result is not None
        return sha256_of((self.directory / result.file).read_bytes())

    @property
    def open_attempts(self) -> list[Attempt]:
        ended = {entry.number for entry in self.all(AttemptEnded)}
        return [attempt for attempt in self.all(Attempt) if attempt.number not in ended]


def directories(home: Path, *states: str) -> dict[Path, str]:
    """Every job's directory of these states (active, done, trash; all unless given), and the state."""
    places = {"active": home / "spool/active", "done": home / "spool/done", "trash": home / "trash"}
    patterns = {state: "*" if state == "active" else "*/*" for state in states or places}
    return {job: state for state, pattern in patterns.items() for job in places[state].glob(pattern)}


def jobs(home: Path, *states: str, leave_out: Collection[str] = ()) -> list[Found]:
    """The jobs of these states, oldest first. leave_out: ids. Raises Damaged."""
    lying = directories(home, *states).items()
    found = [Found(job, state, read(job / JOURNAL)) for job, state in lying if job.name not in leave_out]
    return sorted(found, key=lambda job: job.id)


def job(home: Path, id: str) -> Found:
    """One job; it must be there, once."""
    [(directory, state)] = [(d, s) for d, s in directories(home).items() if d.name == id]
    return Found(directory, state, read(directory / JOURNAL))


def incoming(home: Path) -> list[Path]:
    """What is being received."""
    return list((home / "spool/incoming").glob("*"))


Numbers = dict[tuple[str, ...], Decimal]
"""By (day, *key)."""


def folded(home: Path) -> Numbers:
    """The sum of all journals."""
    day_of = read_daemon_config(Home(home)).day.day_of
    total: Numbers = defaultdict(Decimal)
    for job in jobs(home):
        for entry in job.entries:
            for key, amount in numbers(job.received.slot, entry):
                total[day_of(entry.at).isoformat(), *key] += amount
    return dict(total)


def counted(home: Path) -> Numbers:
    """What stats.yaml says, as `folded` does, without the uploads that were not accepted."""
    data = yaml.safe_load((home / "spool/stats.yaml").read_text())
    total: Numbers = {}

    def walk(tree: Any, above: tuple[str, ...]) -> None:
        if isinstance(tree, dict):
            for key, below in tree.items():
                walk(below, (*above, str(key)))
        elif above[1] != NOT_ACCEPTED:
            total[above] = Decimal(str(tree))

    walk(data["days"], ())
    return total


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
