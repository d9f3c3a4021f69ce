"""What lies in trash/ and why, and the way back: one click tries a photo again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from twisted.internet.defer import Deferred

from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.errors import BoothdError, Charged, NoSuchSlot, NotFound
from boothd.base.threads import Threads
from boothd.booth.desk import Desk
from boothd.booth.slots import LiveSlot
from boothd.engine.order import Tally
from boothd.spool import Job, State
from boothd.spool.job import is_id
from boothd.spool.journal import Attempt, Damaged, Entry, Finished, Received, Retried, read, received
from boothd.spool.spool import DAMAGED_NOTE, mend

_GONE = "This job is not in the trash any more."


@dataclass(frozen=True, slots=True)
class Discarded:
    """One job in trash/. photo: whether its source is still there, so that it can be tried again."""

    job: str
    day: date
    at: datetime | None
    slot: str
    code: str
    reason: str
    charged: Charged
    photo: bool


class Trash:
    """The jobs of trash/, by day."""

    def __init__(self, desk: Desk, threads: Threads) -> None:
        self._desk, self._threads = desk, threads
        self._background = Background()

    async def stop(self) -> None:
        """Leave retries under way to the next start."""
        await self._background.stop()

    async def newest(self, count: int) -> list[Discarded]:
        """The newest jobs, newest first; reads the journals of these only."""
        found: list[Discarded] = []
        for day in reversed(await self._desk.spool.days(State.TRASH)):
            jobs = await self._desk.spool.jobs_of(State.TRASH, day)
            for job in reversed(jobs):
                if len(found) == count:
                    return found
                found.append(await self._threads.run(_describe, job, day))
        return found

    async def retry(self, day: date, id: str) -> str:
        """Try a job again, with fresh money and no cached answer; returns where it ended ("done" or the error's code).

        It goes on when the caller is cancelled. Raises NotFound, NoSuchSlot when its slot is gone."""
        directory = self._desk.spool.place(State.TRASH) / day.isoformat() / id
        if not is_id(id) or not await self._threads.run(directory.is_dir):
            raise NotFound(_GONE)
        job = Job(id, directory, State.TRASH)
        try:
            entries = await self._threads.run(_read_mended, job, self._desk)
        except Damaged as damaged:
            raise NotFound(f"This job is damaged and cannot be tried again: {damaged}") from None
        came = received(entries)
        slot = self._desk.book().get(came.slot)
        if slot is None:
            raise NoSuchSlot(f"The slot {came.slot} is gone; set it up again, then retry.")
        if not await self._threads.run((directory / came.file).is_file):
            raise NotFound("This slot does not keep failed photos, so there is nothing to try again.")
        job.slot = came.slot
        numbers = [entry.number for entry in entries if isinstance(entry, Attempt)]
        results = await self._threads.run(lambda: len(list(directory.glob("result*"))))
        tally = Tally(slot.slot.paid_attempts, number=max(numbers, default=0), results=results)
        outcome: Deferred[str] = Deferred()
        self._background.start("try a photo again", self._retry(job, came, slot, tally, outcome), job=job.id)
        return await outcome

    async def _retry(self, job: Job, came: Received, slot: LiveSlot, tally: Tally, outcome: "Deferred[str]") -> None:
        try:
            code = await self._made_again(job, came, slot, tally)
        except BoothdError as error:
            if not outcome.called:  # else nobody waits for it any more
                outcome.errback(error)
        except Exception:
            if not outcome.called:
                outcome.callback(BoothdError.code)
            raise  # for the log
        else:
            if not outcome.called:
                outcome.callback(code)

    async def _made_again(self, job: Job, came: Received, slot: LiveSlot, tally: Tally) -> str:
        try:
            await self._desk.spool.move(job, State.ACTIVE, Retried(at=self._desk.clock.now()))
        except FileNotFoundError:
            raise NotFound(_GONE) from None  # somebody else was quicker
        budget = Budget.of(self._desk.clock, self._desk.config().hot.budget)
        try:
            await self._desk.make(job, came, slot, budget, tally=tally, fresh=True)
        except BoothdError as error:
            await self._desk.close_failed(job, error, tally.charged, answered=None, received=came)
            return error.code
        await self._desk.close_retried(job)
        return "done"


# what runs in a disk thread


def _read_mended(job: Job, desk: Desk) -> Sequence[Entry]:
    entries = read(job.journal)
    mend(job, desk.spool.disk)
    return entries


def _describe(job: Job, day: date) -> Discarded:
    try:
        entries = read(job.journal)
    except Damaged as damaged:
        note = _text(job.directory / DAMAGED_NOTE) or str(damaged)
        return Discarded(job.id, day, None, "", "damaged", note, Charged.MAYBE, photo=False)
    came = received(entries)
    last = next((e for e in reversed(entries) if isinstance(e, Finished)), None)
    photo = (job.directory / came.file).is_file()
    if last is None:
        return Discarded(job.id, day, came.at, came.slot, "unknown", "The disk was full.", Charged.MAYBE, photo)
    return Discarded(job.id, day, last.at, came.slot, last.code, last.reason, last.charged, photo)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
