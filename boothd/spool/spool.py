"""The file queue. A job is a directory; which directory it lies in is its state; a rename is the transition.

Every method that touches the disk runs in the disk threads and is durable when it returns. One process owns a spool.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import ParamSpec, TypeVar

from twisted.logger import Logger

from boothd.base.aio import Background, in_any_case
from boothd.base.clock import Clock
from boothd.base.errors import DiskFull, SpoolUnhealthy
from boothd.base.threads import Threads
from boothd.spool.disk import FULL, Disk, unsafe
from boothd.spool.incoming import Incoming
from boothd.spool.job import Job, State, new_id
from boothd.spool.journal import Entry, Received, parse
from boothd.spool.steps import DAMAGED_NOTE, SpoolInUse, Steps

__all__ = ["DAMAGED_NOTE", "Spool", "SpoolInUse", "mend"]

P = ParamSpec("P")
T = TypeVar("T")


class Spool:
    """The jobs of one home.

    day_of: the operator's day of a moment; it names the folders in done/ and trash/. floor_bytes: below so much free
    space no new upload is taken."""

    log = Logger()

    def __init__(
        self,
        root: Path,
        trash: Path,
        *,
        disk: Disk,
        threads: Threads,
        clock: Clock,
        random: Random,
        day_of: Callable[[datetime], date],
        floor_bytes: Callable[[], int],
    ) -> None:
        self.root = root
        self._places = {
            State.INCOMING: root / "incoming",
            State.ACTIVE: root / "active",
            State.DONE: root / "done",
            State.TRASH: trash,
        }
        self.disk = disk
        self._threads, self._clock, self._random = threads, clock, random
        self._day_of, self._floor_bytes = day_of, floor_bytes
        self._background = Background()
        self._steps = Steps(root, self._places, disk, self.today)
        self.free_bytes = 0
        self.unhealthy: str | None = None
        self.journaled: list[Callable[[Job, Sequence[Entry]], None]] = []
        """Told of every entry once it is durable; statistics, metrics and pages live on it."""

    async def start(self) -> None:
        """Make the folders, take the lock, sweep incoming/. Raises SpoolInUse, OSError."""
        await self._threads.run(self._steps.prepare)
        await self.look_for_room()

    async def stop(self) -> None:
        """Wait for writes under way, then let the lock go."""
        await self._background.idle()
        self._steps.let_go()

    def today(self) -> date:
        """The operator's day that it is now."""
        return self._day_of(self._clock.now())

    def place(self, state: State) -> Path:
        """The folder of a state; in done/ and trash/ the days lie in it."""
        return self._places[state]

    def check_room(self, size_bytes: int) -> None:
        """Raise DiskFull or SpoolUnhealthy when so large an upload cannot be taken now. Reads memory only."""
        if self.unhealthy:
            raise SpoolUnhealthy()
        if self.free_bytes - size_bytes < self._floor_bytes():
            raise DiskFull()

    async def look_for_room(self) -> None:
        """Measure the free space anew."""
        self.free_bytes = await self._threads.run(self.disk.free_bytes, self.root)

    def receive(self) -> Incoming:
        """Begin a photo. Nothing is on disk before its first bytes."""
        id = new_id(self._clock.now(), self._random)
        return Incoming(self.in_thread, self._background, id, self._places[State.INCOMING] / id, self.disk)

    async def accept(self, incoming: Incoming, received: Received) -> Job:
        """The promise: once this returns, no crash loses the photo. Raises DiskFull, SpoolUnhealthy."""
        if self.unhealthy:
            raise SpoolUnhealthy()
        job = await self.in_thread(incoming.commit, received, self._places[State.ACTIVE])
        self._background.start("measure the free space", self.look_for_room())
        self._tell(job, (received,))
        return job

    async def append(self, job: Job, *entries: Entry) -> None:
        """Add to a job's journal, durably."""
        await self._journal(job, entries, self._steps.append, job, entries)

    async def keep_file(self, job: Job, name: str, *entries: Entry) -> None:
        """Make a file of the job that is written but not durable durable, then journal it."""
        await self._journal(job, entries, self._steps.keep_file, job, name, entries)

    async def link_file(self, job: Job, name: str, other: Job, other_name: str, *entries: Entry) -> bool:
        """Give `job` a file of `other` by a second name. False: that file is gone."""

        async def linked() -> bool:
            there = await self.in_thread(self._steps.link_file, job, name, other, other_name, entries)
            if there:
                self._tell(job, entries)
            return there

        return await in_any_case(linked())

    async def move(self, job: Job, to: State, *entries: Entry, drop: Sequence[str] = ()) -> None:
        """Journal `entries`, then rename the job to its next state. drop: names of its files that are not kept.

        Raises ForbiddenMove. When the disk is too full to write the entries, the job moves all the same."""
        journaled = await self._journal(job, entries, self._steps.move, job, to, entries, drop)
        if not journaled:
            self.log.error("{job}: the disk is too full for its journal", job=job.id)

    async def quarantine(self, directory: Path, reason: str) -> None:
        """Move what cannot be read to trash/, with a note saying why."""
        await self.in_thread(self._steps.quarantine, directory, reason)

    async def _journal(
        self, job: Job, entries: Sequence[Entry], call: Callable[P, T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """Write, then tell who listens. A cancel waits for both: what is on disk is counted."""

        async def written() -> T:
            done = await self.in_thread(call, *args, **kw)
            self._tell(job, entries)
            return done

        return await in_any_case(written())

    async def in_thread(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        """Run a disk operation in a disk thread; what the disk says becomes DiskFull or SpoolUnhealthy.

        A failed fsync or an I/O error makes the spool unhealthy until boothd is started anew."""
        with self.guard():
            return await self._threads.run(call, *args, **kw)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around whatever writes into the spool: judges what the disk says, as `in_thread` does."""
        try:
            yield
        except OSError as error:
            if unsafe(error):
                if self.unhealthy is None:
                    self.unhealthy = f"{error.strerror or error}"
                    self.log.critical("the spool is unhealthy: {reason}", reason=self.unhealthy)
                raise SpoolUnhealthy() from error
            if error.errno in FULL:
                self.free_bytes = 0
                self._background.start("measure the free space", self.look_for_room())
                raise DiskFull() from error
            raise

    async def active(self) -> list[Job]:
        """All jobs in active/, oldest first."""
        return await self._threads.run(self._steps.jobs, self._places[State.ACTIVE], State.ACTIVE)

    async def days(self, state: State) -> list[date]:
        """The days that have a folder in done/ or trash/, oldest first."""
        return await self._threads.run(self._steps.days, state)

    async def jobs_of(self, state: State, day: date) -> list[Job]:
        """The jobs of a day in done/ or trash/, oldest first."""
        return await self._threads.run(self._steps.jobs, self._places[state] / day.isoformat(), state)

    async def remove(self, directory: Path) -> None:
        """Remove a job for good."""
        await self.in_thread(self.disk.remove_tree, directory)

    def _tell(self, job: Job, entries: Sequence[Entry]) -> None:
        for listener in self.journaled:
            try:
                listener(job, entries)
            except Exception:  # noqa: BLE001 (who listens cannot undo what is on disk)
                self.log.failure("{job}: a listener to the journals failed", job=job.id)


def mend(job: Job, disk: Disk) -> None:
    """Cut a journal's torn last line, which a crash leaves, so that the next append begins on a line of its own.

    Blocks. Raises Damaged, OSError."""
    data = job.journal.read_bytes()
    _, whole = parse(data)
    if whole != len(data):
        disk.truncate(job.journal, whole)
