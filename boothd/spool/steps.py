"""What the spool does on the disk, step by step; every method blocks and runs in a disk thread."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from itertools import count
from pathlib import Path

from boothd.base.errors import SpoolUnhealthy
from boothd.spool.disk import FULL, Disk, FsyncError, unsafe
from boothd.spool.job import MOVES, ForbiddenMove, Job, State, is_id
from boothd.spool.journal import Entry, dump

DAMAGED_NOTE = "damaged.txt"
SCRATCH = ("answer-*", "upright.jpg")
"""What the work leaves beside photo, journal and results; it does not outlive the job's time in active/."""


class SpoolInUse(Exception):
    """Another boothd works on this spool. Stop it first, or use another home."""


class Steps:
    """The write order of DESIGN §5.

    places: the folder of each state. today: the operator's day, which names the folders in done/ and trash/."""

    def __init__(self, root: Path, places: Mapping[State, Path], disk: Disk, today: Callable[[], date]) -> None:
        self._root, self._places, self.disk, self._today = root, places, disk, today
        self._lock = -1
        self._durable: set[Path] = set()  # day folders whose names are on disk for certain

    def prepare(self) -> None:
        """Make the folders, take the lock, sweep incoming/. Raises SpoolInUse, OSError."""
        for place in (self._root, *self._places.values()):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.disk.sync_dir(place.parent)
        self._take_lock()
        try:
            if os.stat(self._places[State.TRASH]).st_dev != os.stat(self._root).st_dev:
                raise OSError(errno.EXDEV, f"{self._root} and {self._places[State.TRASH]} must lie on one file system")
            for left_over in self._places[State.INCOMING].iterdir():
                self.disk.remove_tree(left_over)
        except OSError:
            self.let_go()
            raise

    def _take_lock(self) -> None:
        lock = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise SpoolInUse(f"another boothd works on {self._root}; stop it first, or use another home") from None
        except OSError:
            os.close(lock)
            raise
        self._lock = lock

    def let_go(self) -> None:
        """Unlock the spool."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @contextmanager
    def _writing(self, job: Job) -> Iterator[None]:
        """One at a time in a job's directory; and never again once what was written there may be lost."""
        with job.lock:
            if job.unsafe:
                raise SpoolUnhealthy()
            try:
                yield
            except OSError as error:
                job.unsafe = unsafe(error)
                raise

    def append(self, job: Job, entries: Sequence[Entry]) -> None:
        """Journal `entries`."""
        with self._writing(job):
            self.disk.append(job.journal, dump(entries))

    def keep_file(self, job: Job, name: str, entries: Sequence[Entry]) -> None:
        """Make a file of the job durable, then journal it."""
        with self._writing(job):
            self.disk.sync_file(job.directory / name)
            self.disk.sync_dir(job.directory)
            self.disk.append(job.journal, dump(entries))

    def link_file(self, job: Job, name: str, other: Job, other_name: str, entries: Sequence[Entry]) -> bool:
        """Give `job` a file of `other`, then journal it. False: that file is gone."""
        target = job.directory / name
        self.disk.unlink(target)  # no journal knows it: a crash left it
        try:
            with other.lock:  # it may be on its way to done/ this very moment
                self.disk.link(other.directory / other_name, target)
        except FileNotFoundError:
            return False
        with self._writing(job):
            self.disk.sync_dir(job.directory)
            self.disk.append(job.journal, dump(entries))
        return True

    def move(self, job: Job, to: State, entries: Sequence[Entry], drop: Sequence[str]) -> bool:
        """Journal `entries`, then rename the job. False: the disk was too full for `entries`."""
        if to not in MOVES[job.state]:
            raise ForbiddenMove(f"{job.id}: {job.state.value} to {to.value}")
        with self._writing(job):
            if to not in MOVES[job.state]:  # somebody else was faster
                raise ForbiddenMove(f"{job.id}: {job.state.value} to {to.value}")
            journaled = self._append_if_it_fits(job.journal, dump(entries))
            scratch = [path for pattern in SCRATCH for path in job.directory.glob(pattern)]
            for path in [*scratch, *(job.directory / name for name in drop)]:
                self.disk.unlink(path)
            folder = self._day_folder(to) if to in {State.DONE, State.TRASH} else self._places[to]
            self.disk.rename(job.directory, folder / job.id)
            job.directory, job.state = folder / job.id, to
            self.disk.sync_dir(folder)
        return journaled

    def _append_if_it_fits(self, path: Path, data: bytes) -> bool:
        try:
            if data:
                self.disk.append(path, data)
        except OSError as error:
            if isinstance(error, FsyncError) or error.errno not in FULL:
                raise
            return False
        return True

    def quarantine(self, directory: Path, reason: str) -> None:
        """Move what cannot be read to trash/ with a note; a file that is no job at all goes there as it is."""
        if directory.is_dir():
            self._append_if_it_fits(directory / DAMAGED_NOTE, f"{reason}\n".encode())
        folder = self._day_folder(State.TRASH)
        names = (directory.name + (f"-{number}" if number else "") for number in count())
        self.disk.rename(directory, next(folder / name for name in names if not os.path.lexists(folder / name)))
        self.disk.sync_dir(folder)

    def _day_folder(self, state: State) -> Path:
        folder = self._places[state] / self._today().isoformat()
        if folder not in self._durable or not folder.is_dir():
            with suppress(FileExistsError):
                self.disk.make_dir(folder)
            self.disk.sync_dir(folder.parent)
            self._durable.add(folder)
        return folder

    def days(self, state: State) -> list[date]:
        """The days that have a folder, oldest first."""
        found = []
        for name in os.listdir(self._places[state]):
            try:
                day = date.fromisoformat(name)
            except ValueError:
                continue
            if day.isoformat() == name:  # 20261120 is a date, too, but no folder of ours
                found.append(day)
        return sorted(found)

    @staticmethod
    def jobs(folder: Path, state: State) -> list[Job]:
        """The jobs in a folder, oldest first; in active/ whatever lies there, so that it is judged."""
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        return [Job(name, folder / name, state) for name in names if is_id(name) or state is State.ACTIVE]
