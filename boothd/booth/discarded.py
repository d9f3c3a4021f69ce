"""One job of trash/ as its journal tells it, and the list of those whose photos a person has deleted.

A deleted job keeps its journal: the statistics are the sum of the journals, and are counted anew from them after a crash.
Its photo, its results and its thumbnails go at once, and it is shown no more; what is left goes with its day.

Everything here blocks and belongs into the disk threads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from boothd.base.errors import Charged
from boothd.booth.thumbnails import forget_thumbnails
from boothd.spool import Disk, Job
from boothd.spool.job import JOURNAL, is_id
from boothd.spool.journal import Answered, AttemptEnded, Damaged, Entry, Finished, read, received
from boothd.spool.spool import DAMAGED_NOTE

DELETED = "deleted"
"""In a day's folder: the ids of the jobs that are deleted, a line each."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One call that has ended. code: "ok" or the error's. cost: what it cost, for sure or perhaps."""

    provider: str
    model: str
    code: str
    seconds: float
    charged: Charged
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Discarded:
    """One job in trash/. photo: whether its source is still there, so that it can be tried again. told: the status that
    the booth was answered with; None: nobody was."""

    job: str
    day: date
    at: datetime | None
    slot: str
    code: str
    reason: str
    charged: Charged
    photo: bool
    told: int | None = None
    attempts: tuple[Tried, ...] = ()


def describe(job: Job, day: date) -> Discarded:
    """What a job's journal says of its end."""
    try:
        entries = read(job.journal)
    except Damaged as damaged:
        note = _text(job.directory / DAMAGED_NOTE).strip() or str(damaged)
        return Discarded(job.id, day, None, "", "damaged", note, Charged.MAYBE, photo=False)
    came = received(entries)
    last = next((e for e in reversed(entries) if isinstance(e, Finished)), None)
    told = next((e.status for e in reversed(entries) if isinstance(e, Answered)), None)
    return Discarded(
        job=job.id,
        day=day,
        at=came.at if last is None else last.at,
        slot=came.slot,
        code="unknown" if last is None else last.code,
        reason="The disk was full." if last is None else last.reason,
        charged=Charged.MAYBE if last is None else last.charged,
        photo=(job.directory / came.file).is_file(),
        told=told,
        attempts=_attempts(entries),
    )


def _attempts(entries: Sequence[Entry]) -> tuple[Tried, ...]:
    ended = (e for e in entries if isinstance(e, AttemptEnded))
    return tuple(Tried(e.provider, e.model, e.outcome, e.seconds, e.charged, e.cost) for e in ended)


def shown(folder: Path, jobs: Iterable[Job]) -> list[Job]:
    """Those of a day's jobs that are not deleted, newest first."""
    gone = deleted(folder)
    return [job for job in reversed(list(jobs)) if job.id not in gone]


def deleted(folder: Path) -> set[str]:
    """The ids of a day's deleted jobs."""
    return {line for line in _text(folder / DELETED).splitlines() if is_id(line)}


def delete(folder: Path, ids: Sequence[str], disk: Disk) -> int:
    """Remove all of these jobs but their journals; returns how many were there. Raises OSError."""
    gone = [id for id in ids if _emptied(folder / id, disk)]
    for id in gone:
        forget_thumbnails(folder, id)
    if gone:
        # Each id begins a line of its own: what a crash has left of one spoils no other.
        disk.append(folder / DELETED, "".join(f"\n{id}" for id in gone).encode())
    return len(gone)


def _emptied(directory: Path, disk: Disk) -> bool:
    try:
        for path in list(directory.iterdir()):
            if path.name != JOURNAL:
                disk.remove_tree(path)
    except FileNotFoundError:
        return False  # it is being tried again
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
