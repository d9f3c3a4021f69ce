"""A photo on its way in: written behind the reactor's back while it arrives, then made durable in one commit."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred

from boothd.base.aio import Background
from boothd.base.errors import BrokenUpload, RequestError
from boothd.base.imaging import EXTENSIONS, SNIFF_BYTES, known_format
from boothd.spool.disk import Disk
from boothd.spool.job import JOURNAL, Job, State
from boothd.spool.journal import Received, dump

P = ParamSpec("P")
T = TypeVar("T")

GATHER = 128 << 10
"""Bytes that are gathered before a disk thread is woken for them: a hop costs more than their copying."""

HIGH_WATER = 512 << 10
"""Bytes that may wait for the disk before the sender is paused."""

COPY_BYTES = 1 << 20


class InThread(Protocol):
    """Runs a disk operation in a disk thread, as `Spool.in_thread` does."""

    async def __call__(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T: ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is whole, not yet promised. file: its name inside the job."""

    path: Path
    file: str
    format: str
    sha256: str
    size_bytes: int


class Incoming:
    """One photo's directory under incoming/. Bytes in, then `close`, then the spool's `accept`; or `discard`.

    Every byte is written and hashed in a disk thread. `write` returns False when the sender should pause until the
    function given to `on_drain` is called."""

    def __init__(self, in_thread: InThread, background: Background, id: str, directory: Path, disk: Disk) -> None:
        self.id = id
        self.directory = directory
        self._in_thread, self._background, self._disk = in_thread, background, disk
        self._resume: Callable[[], None] = lambda: None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._head: bytes | None = b""
        self._hash = hashlib.sha256()
        self._fd = -1
        self._format = ""
        self._size_bytes = 0
        self._pumping = False
        self._closing = False
        self._error: Exception | None = None
        self._discarded = False
        self._over = False  # committed or removed; asked and set in disk threads only, under the lock
        self._lock = Lock()
        self._idle: list[Deferred[None]] = []

    def write(self, data: bytes) -> bool:
        """Take the next bytes. Raises NotAPicture or UnlistedFormat at the first ones; later what the disk said."""
        if self._error is not None:
            raise self._error
        if self._discarded:
            return True
        if self._head is not None:
            self._head += data
            if len(self._head) < SNIFF_BYTES:
                return True
            data = self._recognise()
        self._queue(data)
        return self._waiting_bytes < HIGH_WATER

    def on_drain(self, resume: Callable[[], None]) -> None:
        self._resume = resume

    async def close(self) -> None:
        """Wait until every byte is written. Raises NotAPicture, UnlistedFormat, DiskFull, SpoolUnhealthy."""
        if self._error is None and self._head is not None:
            self._queue(self._recognise())
        self._closing = True
        self._pump()
        await self._drained()
        if self._error is not None:
            raise self._error

    @property
    def arrived(self) -> Arrived:
        """What came; only after `close`."""
        name = self._file_name
        return Arrived(self.directory / name, name, self._format, self._hash.hexdigest(), self._size_bytes)

    def discard(self) -> None:
        """Keep nothing. Harmless when it was accepted or discarded before."""
        if not self._discarded:
            self._discarded = True
            self._waiting.clear()
            self._head = None
            self._background.start("discard an upload", self._remove())

    async def copy_from(self, path: Path) -> None:
        """Take a whole file instead of `write` and `close`. Raises as `close` does, and OSError for `path` itself."""
        self._head = None
        unreadable = await self._in_thread(self._copy, path)
        if unreadable is not None:
            raise unreadable

    # what runs in a disk thread

    def _copy(self, path: Path) -> OSError | None:
        """What is wrong with `path` is returned: it may lie on another disk, whose faults are not the spool's."""
        try:
            file = path.open("rb")
        except OSError as error:
            return error
        with file:
            while not self._discarded:
                try:
                    piece = file.read(COPY_BYTES)
                except OSError as error:
                    return error
                self._format = self._format or known_format(piece[:SNIFF_BYTES])
                if not piece:
                    break
                self.store([piece])
        return None

    def store(self, pieces: Sequence[bytes]) -> None:
        """Write and hash. The directory and the file are made with the first bytes."""
        with self._lock:
            if self._over:
                return
            if self._fd < 0:
                self._disk.make_dir(self.directory)
                self._fd = self._disk.create(self.directory / self._file_name)
            self._disk.write(self._fd, pieces)
            for piece in pieces:
                self._hash.update(piece)
                self._size_bytes += len(piece)

    def commit(self, received: Received, active: Path) -> Job:
        """The write order of DESIGN §5: photo, journal, their names, then the rename that is the promise."""
        with self._lock:
            if self._over or self._discarded or self._fd < 0:
                raise BrokenUpload("There is no photo to accept.")
            try:
                self._disk.sync(self._fd)
            finally:
                self._close_file()
            self._disk.append(self.directory / JOURNAL, dump([received]))
            self._disk.sync_dir(self.directory)
            self._disk.rename(self.directory, active / self.id)
            self._disk.sync_dir(active)
            self._over = True
        return Job(self.id, active / self.id, State.ACTIVE, received.slot)

    def remove(self) -> None:
        with self._lock:
            if not self._over:
                self._over = True
                self._close_file()
                self._disk.remove_tree(self.directory)

    # the pump: at most one write is with the disk, the rest waits

    def _recognise(self) -> bytes:
        """Judge the first bytes and hand them on. What they are not is said once and for all."""
        data, self._head = self._head or b"", None
        try:
            self._format = known_format(data)
        except RequestError as error:
            self._error = error
            raise
        return data

    def _queue(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._pump()

    def _pump(self) -> None:
        if not self._pumping and self._enough:
            self._background.start("write an upload", self._pump_all(), upload=self.id)

    @property
    def _enough(self) -> bool:
        return self._waiting_bytes >= GATHER or (self._closing and self._waiting_bytes > 0)

    async def _pump_all(self) -> None:
        self._pumping = True
        try:
            while self._enough and not self._discarded:
                pieces, self._waiting = self._waiting, []
                await self._in_thread(self.store, pieces)
                was_full = self._waiting_bytes >= HIGH_WATER
                self._waiting_bytes = sum(map(len, self._waiting))
                if was_full and self._waiting_bytes < HIGH_WATER:
                    self._resume()
        except Exception as error:
            # Whatever it was, bytes are missing now: the upload cannot be accepted any more.
            self._error = error
            self._waiting.clear()
            self._waiting_bytes = 0
            self._resume()
            if not isinstance(error, RequestError):
                raise
        finally:
            self._pumping = False
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)

    async def _drained(self) -> None:
        if self._pumping:
            waiter: Deferred[None] = Deferred()
            self._idle.append(waiter)
            await waiter

    async def _remove(self) -> None:
        await self._drained()
        await self._in_thread(self.remove)

    @property
    def _file_name(self) -> str:
        return "source" + EXTENSIONS[self._format]

    def _close_file(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
