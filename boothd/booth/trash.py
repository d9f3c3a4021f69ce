"""What lies in trash/ and why, and the way back: one click tries a photo again, or deletes it for good."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.errors import BoothdError, NoSuchSlot, NotFound
from boothd.base.threads import Threads
from boothd.booth.desk import Desk
from boothd.booth.discarded import Discarded, delete, deleted, describe, shown
from boothd.booth.slots import LiveSlot
from boothd.booth.thumbnails import forget_thumbnails
from boothd.engine.order import Tally
from boothd.spool import Job, State
from boothd.spool.job import is_id
from boothd.spool.journal import Attempt, Damaged, Entry, Received, Retried, read, received
from boothd.spool.spool import mend

T = TypeVar("T")
PAGE = 50
"""So many jobs are read and shown at a time."""
AT_ONCE = 100
"""So many jobs are deleted before others get the disk thread."""
_GONE = "This job is not in the trash any more."


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of a day's jobs, newest first. total: how many the day has; newest: the first one's id, "" when it has none."""

    jobs: Sequence[Discarded]
    number: int
    pages: int
    total: int
    newest: str


class _Broken(BoothdError):
    """Something went wrong inside boothd; its log says what."""


class Trash:
    """The jobs of trash/, by day."""

    def __init__(self, desk: Desk, threads: Threads) -> None:
        self._desk, self._threads = desk, threads
        self._background = Background()
        self._claimed: set[str] = set()  # jobs that are being moved or deleted this moment

    async def stop(self) -> None:
        """Leave retries under way to the next start."""
        await self._background.stop()

    # what lies there

    async def newest(self, count: int) -> list[Discarded]:
        """The newest jobs, newest first; reads the journals of these only."""
        found: list[Discarded] = []
        for day in reversed(await self._desk.spool.days(State.TRASH)):
            jobs = (await self._shown(day))[: count - len(found)]
            found += await self._threads.run(_describe_all, jobs, day)
            if len(found) == count:
                break
        return found

    async def days(self) -> dict[date, int]:
        """How many jobs each day has, newest day first; days without any are left out."""
        days = reversed(await self._desk.spool.days(State.TRASH))
        counts = {day: len(await self._shown(day)) for day in days}
        return {day: count for day, count in counts.items() if count}

    async def sheet(self, day: date, number: int) -> Sheet:
        """One page, from 1, of a day; the nearest that there is."""
        jobs = await self._shown(day)
        pages = max(1, -(-len(jobs) // PAGE))
        number = min(max(1, number), pages)
        described = await self._threads.run(_describe_all, jobs[(number - 1) * PAGE : number * PAGE], day)
        return Sheet(described, number, pages, len(jobs), jobs[0].id if jobs else "")

    async def find(self, day: date, id: str) -> Discarded:
        """One job. Raises NotFound."""
        return await self._threads.run(describe, await self._job(day, id), day)

    async def photo(self, day: date, id: str) -> tuple[Path, Received]:
        """The photo as it was received. Raises NotFound."""
        job = await self._job(day, id)
        try:
            came = received(await self._threads.run(read, job.journal))
        except Damaged:
            raise NotFound("This job is damaged; its photo cannot be told from its other files.") from None
        path = job.directory / came.file
        if not await self._threads.run(path.is_file):
            raise NotFound("This job's photo was not kept.")
        return path, came

    async def _shown(self, day: date) -> list[Job]:
        jobs = await self._desk.spool.jobs_of(State.TRASH, day)
        return await self._threads.run(shown, self._folder(day), jobs)

    async def _job(self, day: date, id: str) -> Job:
        folder = self._folder(day)
        if not is_id(id) or id in self._claimed or not await self._threads.run((folder / id).is_dir):
            raise NotFound(_GONE)
        if id in await self._threads.run(deleted, folder):
            raise NotFound(_GONE)
        return Job(id, folder / id, State.TRASH)

    def _folder(self, day: date) -> Path:
        return self._desk.spool.place(State.TRASH) / day.isoformat()

    # deleting

    async def delete(self, day: date, id: str) -> None:
        """Delete a job's photo for good. Raises NotFound, DiskFull, SpoolUnhealthy."""
        await self._job(day, id)
        if not await self._delete(self._folder(day), [id]):
            raise NotFound(_GONE)

    async def empty(self, day: date, newest: str) -> int:
        """Delete a day's jobs up to `newest`: what has failed since somebody looked stays. Returns how many went.

        It goes on when the caller is cancelled. Raises DiskFull, SpoolUnhealthy."""
        ids = [job.id for job in await self._shown(day) if job.id <= newest]
        return await self._started("empty a day of the trash", self._empty(self._folder(day), ids))

    async def _empty(self, folder: Path, ids: Sequence[str]) -> int:
        return sum([await self._delete(folder, ids[at : at + AT_ONCE]) for at in range(0, len(ids), AT_ONCE)])

    async def _delete(self, folder: Path, ids: Sequence[str]) -> int:
        mine = [id for id in ids if id not in self._claimed]
        self._claimed.update(mine)
        try:
            return await self._desk.spool.in_thread(delete, folder, mine, self._desk.spool.disk)
        finally:
            self._claimed.difference_update(mine)

    # trying again

    async def retry(self, day: date, id: str, slot: str = "") -> str:
        """Try a job again, with fresh money and no cached answer; returns where it ended ("done" or the error's code).

        slot: by another slot's preset ("studio-1"). What it costs counts for the slot that the photo came to, and for the
        provider and model that were asked: numbers by slot are about the guests of a link. It goes on when the caller is
        cancelled. Raises NotFound, NoSuchSlot when its slot is gone."""
        job = await self._job(day, id)
        if id in self._claimed:  # somebody else was quicker
            raise NotFound(_GONE)
        self._claimed.add(id)
        try:
            making = await self._prepared(job, slot)
        except BaseException:
            self._claimed.discard(id)
            raise
        try:
            return await self._started("try a photo again", making, job=id)
        except _Broken as broken:
            return broken.code

    async def _prepared(self, job: Job, slot: str) -> Coroutine[Any, Any, str]:
        try:
            entries = await self._threads.run(_read_mended, job, self._desk)
        except Damaged as damaged:
            raise NotFound(f"This job is damaged and cannot be tried again: {damaged}") from None
        came = received(entries)
        live = self._desk.book().get(slot or came.slot)
        if live is None:
            raise NoSuchSlot(f"The slot {slot or came.slot} is gone; set it up again, then retry.")
        if not await self._threads.run((job.directory / came.file).is_file):
            raise NotFound("This slot does not keep failed photos, so there is nothing to try again.")
        job.slot = came.slot
        numbers = [entry.number for entry in entries if isinstance(entry, Attempt)]
        results = await self._threads.run(lambda: len(list(job.directory.glob("result*"))))
        tally = Tally(live.slot.paid_attempts, number=max(numbers, default=0), results=results)
        return self._made_again(job, came, live, tally)

    async def _made_again(self, job: Job, came: Received, slot: LiveSlot, tally: Tally) -> str:
        folder = job.directory.parent
        try:
            await self._desk.spool.move(job, State.ACTIVE, Retried(at=self._desk.clock.now()))
        except FileNotFoundError:
            raise NotFound(_GONE) from None
        finally:
            self._claimed.discard(job.id)
        await self._desk.spool.in_thread(forget_thumbnails, folder, job.id)
        budget = Budget.of(self._desk.clock, self._desk.config().hot.budget)
        try:
            await self._desk.make(job, came, slot, budget, tally=tally, fresh=True)
        except BoothdError as error:
            await self._desk.close_failed(job, error, tally.charged, answered=None, received=came)
            return error.code
        await self._desk.close_retried(job)
        return "done"

    async def _started(self, name: str, work: Coroutine[Any, Any, T], **fields: Any) -> T:
        """What `work` comes to; it goes on in the background when the caller is cancelled."""
        outcome: Deferred[T] = Deferred()
        self._background.start(name, _told(work, outcome), **fields)
        return await outcome


async def _told(work: Coroutine[Any, Any, T], outcome: "Deferred[T]") -> None:
    """Tell how `work` ends, unless nobody waits for it any more."""
    try:
        result = await work
    except BoothdError as error:
        if not outcome.called:
            outcome.errback(error)
    except Exception:
        if not outcome.called:
            outcome.errback(_Broken())
        raise  # for the log
    else:
        if not outcome.called:
            outcome.callback(result)


# what runs in a disk thread


def _read_mended(job: Job, desk: Desk) -> Sequence[Entry]:
    entries = read(job.journal)
    mend(job, desk.spool.disk)
    return entries


def _describe_all(jobs: Sequence[Job], day: date) -> list[Discarded]:
    return [describe(job, day) for job in jobs]
