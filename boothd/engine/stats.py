"""The evening in numbers: the sum of the journals, by day, slot, provider and model.

Counted live from every journal entry as it becomes durable, kept in `stats.yaml`, and mended from the journals when
boothd did not stop cleanly.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from boothd.base.aio import Background
from boothd.base.clock import Clock
from boothd.base.errors import Charged
from boothd.base.threads import Threads
from boothd.spool import Job, Spool, State
from boothd.spool.journal import (
    Answered,
    AttemptEnded,
    Damaged,
    Entry,
    FellBack,
    Finished,
    Received,
    Shared,
    read,
    received,
)

Key = tuple[str, ...]
"""Where a number stands, from below its day: ("slots", "studio-1", "answered")."""

KEPT_DAYS = 400
NOT_ACCEPTED = "uploads not accepted"
MONEY = "money"
SAVE_EVERY_S = 1.0
MARGIN = timedelta(hours=1)
"""How much older than the last save an uncounted entry may be: far more than a write takes."""


def numbers(slot: str, entry: Entry) -> Iterable[tuple[Key, Decimal]]:
    """What one journal entry adds, as (place below its day, amount)."""
    one = Decimal(1)
    if isinstance(entry, Received):
        yield ("slots", slot, "received"), one
    elif isinstance(entry, Answered):
        if entry.status == 200:
            yield ("slots", slot, "answered"), one
            yield ("slots", slot, "seconds"), Decimal(str(entry.seconds))
        else:
            yield ("slots", slot, "failed", entry.code), one
    elif isinstance(entry, FellBack):
        yield ("slots", slot, "fell back"), one
    elif isinstance(entry, Shared):
        yield ("slots", slot, "cached" if entry.how == "exists" else "shared"), one
    elif isinstance(entry, Finished):
        if entry.late:
            yield ("slots", slot, "late"), one
    elif isinstance(entry, AttemptEnded):
        yield from _attempt_numbers(slot, entry)


_MADE = {"make": "pictures", "direct": "directed", "render": "rendered"}
_CHARGED = {Charged.YES: "charged", Charged.MAYBE: "maybe charged", Charged.NO: "not charged"}


def _attempt_numbers(slot: str, entry: AttemptEnded) -> Iterable[tuple[Key, Decimal]]:
    one, model = Decimal(1), ("models", entry.provider, entry.model)
    yield (*model, "attempts"), one
    yield (*model, "seconds"), Decimal(str(entry.seconds))
    if entry.outcome != "ok":
        yield (*model, "failed", entry.outcome), one
    else:
        yield (*model, _MADE[entry.role]), one
        if entry.role == "render":
            yield ("models", entry.credit_provider, entry.credit_model, "pictures"), one
    for place in (model, ("slots", slot)):
        yield (*place, _CHARGED[entry.charged]), one
        if entry.cost:
            yield (*place, MONEY), entry.cost


class Stats:
    """Counters by day. `file` is written at most once a second, atomically, and at stop."""

    log = Logger()

    def __init__(
        self, file: Path, spool: Spool, threads: Threads, clock: Clock, day_of: Callable[[datetime], date]
    ) -> None:
        self._file, self._spool, self._threads, self._clock, self._day_of = file, spool, threads, clock, day_of
        self._days: dict[str, dict[Key, Decimal]] = {}
        self._texts: dict[str, str] = {}  # each day as it stands in the file; only days that changed are dumped anew
        self._changed: set[str] = set()
        self._spent: dict[tuple[str, str], Decimal] = {}  # by day and provider: the sum of its models' money
        self._background = Background()
        self._saving = False
        self._pause: Deferred[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Read the file; mend the days that it may not know whole. Call before the spool takes its first photo."""
        saved_at, clean = await self._threads.run(self._load)
        if not clean:
            await self._mend(None if saved_at is None else self._day_of(saved_at - MARGIN))
        self._spent = {}
        for day, counts in self._days.items():
            for key, amount in counts.items():
                self._spend(day, key, amount)
        await self._save(clean=False)
        self._spool.journaled.append(self.count)

    async def stop(self) -> None:
        """Save a last time, after what is being saved: two must not write at once."""
        self._spool.journaled.remove(self.count)
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        await self._background.idle()
        await self._save(clean=True)

    def count(self, job: Job, entries: Sequence[Entry]) -> None:
        """Add what a job's new entries say."""
        for entry in entries:
            day = self._day_of(entry.at).isoformat()
            for key, amount in numbers(job.slot, entry):
                self._add(day, key, amount)
        self._save_soon()

    def count_upload(self, code: str) -> None:
        """Count an upload that was not accepted; no journal knows of it."""
        self._add(self._day_of(self._clock.now()).isoformat(), (NOT_ACCEPTED, code), Decimal(1))
        self._save_soon()

    def day(self, day: date) -> Mapping[str, Any]:
        """One day's numbers, nested as in the file; empty when nothing happened."""
        return _nested(self._days.get(day.isoformat(), {}))

    def spent_today(self, provider: str) -> Decimal:
        """What a provider's calls have cost since the operator's day began, for sure or perhaps."""
        return self._spent.get((self._day_of(self._clock.now()).isoformat(), provider), Decimal(0))

    def _add(self, day: str, key: Key, amount: Decimal) -> None:
        counts = self._days.setdefault(day, {})
        counts[key] = counts.get(key, Decimal(0)) + amount
        self._changed.add(day)
        self._spend(day, key, amount)

    def _spend(self, day: str, key: Key, amount: Decimal) -> None:
        if len(key) == 4 and key[0] == "models" and key[3] == MONEY:
            at = day, key[1]
            self._spent[at] = self._spent.get(at, Decimal(0)) + amount

    def _save_soon(self) -> None:
        if not self._saving and not self._stopped:
            self._saving = True
            self._background.start("save the statistics", self._save_until_unchanged())

    async def _save_until_unchanged(self) -> None:
        try:
            while self._changed and not self._stopped:
                await self._save(clean=False)
                if not self._stopped:
                    self._pause = Deferred.fromCoroutine(self._clock.sleep(SAVE_EVERY_S))
                    await self._pause
        except CancelledError:
            pass  # of the pause: `stop` saves the rest
        finally:
            self._saving, self._pause = False, None

    async def _save(self, *, clean: bool) -> None:
        saved_at = self._clock.now()
        changed = {day: dict(self._days[day]) for day in self._changed}
        self._changed.clear()
        try:
            await self._threads.run(self._write, changed, saved_at, clean)
        except OSError:
            self._changed |= changed.keys()
            self.log.failure("the statistics could not be saved")

    async def _mend(self, first: date | None) -> None:
        """Count `first` and all later days anew from the journals; None: every day that has any."""
        for day, counts in self._days.items():
            if first is None or day >= first.isoformat():
                self._days[day] = {key: amount for key, amount in counts.items() if key[0] == NOT_ACCEPTED}
                self._changed.add(day)
        jobs = list(await self._spool.active())
        for state in (State.DONE, State.TRASH):
            for folder in await self._spool.days(state):
                if first is None or folder >= first:
                    jobs += await self._spool.jobs_of(state, folder)
        for job in jobs:
            for day, key, amount in await self._threads.run(self._of_journal, job):
                if first is None or day >= first.isoformat():
                    self._add(day, key, amount)
        if jobs:
            self.log.info("statistics mended from {jobs} journals", jobs=len(jobs))

    # what runs in a disk thread

    def _of_journal(self, job: Job) -> list[tuple[str, Key, Decimal]]:
        try:
            entries = read(job.journal)
        except Damaged:
            return []
        slot = received(entries).slot
        return [
            (self._day_of(entry.at).isoformat(), key, amount)
            for entry in entries
            for key, amount in numbers(slot, entry)
        ]

    def _load(self) -> tuple[datetime | None, bool]:
        try:
            data = yaml.load(self._file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
            days = {date.fromisoformat(str(day)).isoformat(): dict(_flat(tree)) for day, tree in data["days"].items()}
            saved_at, clean = datetime.fromisoformat(data["saved at"]), data["stopped cleanly"] is True
            self._days = dict(sorted(days.items())[-KEPT_DAYS:])
            self._changed.update(self._days)
            return saved_at, clean
        except FileNotFoundError:
            return None, False
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            self.log.failure("{file} cannot be read; the statistics are counted anew", file=str(self._file))
            return None, False

    def _write(self, changed: Mapping[str, Mapping[Key, Decimal]], saved_at: datetime, clean: bool) -> None:
        for day, counts in changed.items():
            self._texts[day] = _dump({day: _plain(_nested(counts))})
        new = self._file.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.write("# Written by boothd; the sum of the journals.\n")
            file.write(_dump({"saved at": saved_at.isoformat(), "stopped cleanly": clean}))
            file.write("days:\n" if self._texts else "days: {}\n")
            for _, text in sorted(self._texts.items()):
                file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._file)
        self._spool.disk.sync_dir(self._file.parent)


def _dump(data: Mapping[str, Any]) -> str:
    """A day is indented below `days:` by its own two blanks."""
    text = yaml.dump(data, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True, sort_keys=False)
    return text if "saved at" in data else "".join(f"  {line}\n" for line in text.splitlines())


def _nested(counts: Mapping[Key, Decimal]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, amount in sorted(counts.items()):
        branch = tree
        for part in key[:-1]:
            branch = branch.setdefault(part, {})
        branch[key[-1]] = amount
    return tree


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Whole numbers as they are; others as text, exactly."""
    return {
        key: _plain(value)
        if isinstance(value, Mapping)
        else (int(value) if value == value.to_integral_value() else str(value))
        for key, value in tree.items()
    }


def _flat(tree: Mapping[str, Any], above: Key = ()) -> Iterable[tuple[Key, Decimal]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*above, str(key)))
        else:
            yield (*above, str(key)), Decimal(str(value))
