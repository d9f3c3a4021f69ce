"""A spool and its statistics that live through an evening, crash, and start again; nothing of it has to be waited for."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, ParamSpec, TypeVar

import yaml
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as FakeTime

from boothd.base.clock import Clock
from boothd.base.threads import Threads
from boothd.config import DayConfig
from boothd.engine.stats import NOT_ACCEPTED, Stats, numbers
from boothd.spool import Disk, Job, Spool, State
from boothd.spool.journal import (
    Entry,
    Received,
)
from tests.support.engine import photo_bytes

P = ParamSpec("P")
T = TypeVar("T")

BERLIN = DayConfig(time_zone="Europe/Berlin", starts="06:00")
EVENING = datetime(2026, 11, 20, 18, tzinfo=UTC)
TODAY = date(2026, 11, 20)


class Inline(Threads):
    """Threads that are none: everything is done at once, or when `release` lets it."""

    def __init__(self) -> None:
        self.held: Deferred[None] | None = None

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        if self.held is not None:
            await self.held
        return call(*args, **kw)

    def hold(self) -> None:
        self.held = Deferred()

    def release(self) -> None:
        held, self.held = self.held, None
        assert held is not None
        held.callback(None)


def now(work: Any) -> Any:
    """What a coroutine returns that has nothing to wait for."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    assert results, "it waits for something"
    if isinstance(results[0], BaseException) or hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


class Evening:
    """A spool, its statistics, and the time; both may crash and start again."""

    def __init__(self, home: Path) -> None:
        self.home, self.file = home, home / "stats.yaml"
        self.time = FakeTime()
        self.clock = Clock(self.time, lambda: EVENING + timedelta(seconds=self.time.seconds()))
        self.threads = Inline()
        self.started = 0
        self.jobs: list[Job] = []
        self.told: dict[str, list[Entry]] = {}
        self.open()

    def open(self) -> None:
        self.started += 1
        self.spool = Spool(
            self.home / "spool",
            self.home / "trash",
            disk=Disk(),
            threads=Inline(),
            clock=self.clock,
            random=Random(self.started),
            day_of=BERLIN.day_of,
            floor_bytes=lambda: 0,
        )
        now(self.spool.start())
        self.stats = Stats(self.file, self.spool, self.threads, self.clock, BERLIN.day_of)
        now(self.stats.start())

    def stop(self) -> None:
        now(self.stats.stop())
        now(self.spool.stop())

    def crash(self) -> None:
        """The process is gone; what was on disk is there."""
        self.clock.stop()
        now(self.spool.stop())  # the kernel lets the lock go

    def job(self, slot: str = "fake-1") -> Job:
        incoming = self.spool.receive()
        now(incoming.copy_from(self._photo()))
        arrived = incoming.arrived
        came = Received(
            at=self.clock.now(),
            room="booth",
            slot=slot,
            provider="fake",
            file=arrived.file,
            sha256=arrived.sha256,
            size_bytes=arrived.size_bytes,
            width=256,
            height=256,
            format="JPEG",
        )
        job: Job = now(self.spool.accept(incoming, came))
        self.jobs.append(job)
        self.told[job.id] = [came]
        return job

    def add(self, job: Job, *entries: Entry) -> None:
        now(self.spool.append(job, *entries))
        self.told[job.id] += entries

    def move(self, job: Job, to: State, *entries: Entry) -> None:
        now(self.spool.move(job, to, *entries))
        self.told[job.id] += entries

    def after(self, seconds: float) -> None:
        self.time.advance(seconds)

    @property
    def saved(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = yaml.safe_load(self.file.read_text())
        return data

    def sum(self) -> dict[str, dict[tuple[str, ...], Decimal]]:
        """What all journals add up to, by day."""
        days: dict[str, dict[tuple[str, ...], Decimal]] = {}
        for entries in self.told.values():
            came = entries[0]
            assert isinstance(came, Received)
            for entry in entries:
                counts = days.setdefault(BERLIN.day_of(entry.at).isoformat(), {})
                for key, amount in numbers(came.slot, entry):
                    counts[key] = counts.get(key, Decimal(0)) + amount
        return {day: counts for day, counts in days.items() if counts}

    def counted(self) -> dict[str, dict[tuple[str, ...], Decimal]]:
        """What the statistics say, without the uploads that were not accepted."""
        found = {}
        for place in range(-2, 12):
            day = TODAY + timedelta(days=place)
            counts = {key: amount for key, amount in flat(self.stats.day(day)) if key[0] != NOT_ACCEPTED}
            if counts:
                found[day.isoformat()] = counts
        return found

    def _photo(self) -> Path:
        path = self.home / "photo.jpg"
        if not path.exists():
            path.write_bytes(photo_bytes(1))
        return path


def flat(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Decimal]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, (*above, key))
        else:
            yield (*above, key), value


@contextmanager
def an_evening() -> Iterator[Evening]:
    with tempfile.TemporaryDirectory() as home:
        evening = Evening(Path(home))
        yield evening
        evening.crash()
