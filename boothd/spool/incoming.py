"""A photo on its way in: written behind the reactor's back while it arrives, then made durable in one commit."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from boothd.base.aio import Background
from boothd.base.errors import RequestError
from boothd.base.imaging import EXTENSIONS, SNIFF_BYTES, known_format
from boothd.spool.disk import Disk
from boothd.spool.job import JOURNAL, Job, State
from boothd.spool.journal import Received, dump

if TYPE_CHECKING:
    from boothd.spool.spool import Spool

HIGH_WATER = 256 << 10
"""Bytes that may wait for the disk before the sender is paused."""

COPY_BYTES = 1 << 20


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

    def __init__(self, spool: "Spool", background: Background, id: str, directory: Path, disk: Disk) -> None:
        self.id = id
        self.directory = directory
        self._spool, self._background, self._disk = spool, background, disk
        self._resume: Callable[[], None] = lambda: None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._head: bytes | None = b""
        self._hash = hashlib.sha256()
        self._fd = -1
        self._format = ""
        self._size_bytes = 0
        self._pump: Deferred[None] | None = None
        self._error: RequestError | None = None
        self._discarded = False
        self._idle: list[Deferred[None]] = []

    def write(self, data: bytes) -> bool:
        """Take the next bytes. Raises NotAPicture or UnlistedFormat at the first ones; later what the disk said."""
        if self._error is not None:
            raise self._error
        if self._head is not None:
            self._head += data
            if len(self._head) < SNIFF_BYTES:
                return True
            data, self._head = self._head, None
            self._format = known_format(data)
        self._queue(data)
        return self._waiting_bytes < HIGH_WATER

    def on_drain(self, resume: Callable[[], None]) -> None:
        self._resume = resume

    async def close(self) -> None:
        """Wait until every byte is written. Raises NotAPicture, UnlistedFormat, DiskFull, SpoolUnhealthy."""
        if self._head is not None:
            data, self._head = self._head, None
            self._format = known_format(data)
            self._queue(data)
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
            self._background.start("discard an upload", self._remove())

    async def copy_from(self, path: Path) -> None:
        """Take a whole file instead of `write` and `close`. Raises as `close` does, and OSError for `path` itself."""
        self._head = None
        await self._spool.in_thread(self._copy, path)

    # what runs in a disk thread

    def _copy(self, path: Path) -> None:
        with path.open("rb") as file:
            piece = file.read(COPY_BYTES)
            self._format = known_format(piece[:SNIFF_BYTES])
            while piece:
                self.store([piece])
                piece = file.read(COPY_BYTES)

    def store(self, pieces: Sequence[bytes]) -> None:
        """Write and hash. The directory and the file are made with the first bytes."""
        if self._fd < 0:
            self._disk.make_dir(self.directory)
            self._fd = self._disk.create(self.directory / self._file_name)
        self._disk.write(self._fd, pieces)
        for piece in pieces:
            self._hash.update(piece)
            self._size_bytes += len(piece)

    def commit(self, received: Received, active: Path) -> Job:
        """The write order of DESIGN §5: photo, journal, their names, then the rename that is the promise."""
        try:
            self._disk.sync(self._fd)
        finally:
            self._close_file()
        self._disk.append(self.directory / JOURNAL, dump([received]))
        self._disk.sync_dir(self.directory)
        self._disk.rename(self.directory, active / self.id)
        self._disk.sync_dir(active)
        self._discarded = True
        return Job(self.id, active / self.id, State.ACTIVE, received.slot)

    def remove(self) -> None:
        self._close_file()
        self._disk.remove_tree(self.directory)

    # the pump: at most one write is with the disk, the rest waits

    def _queue(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._pump is None:
            self._pump = self._background.start("write an upload", self._pump_all(), upload=self.id)

    async def _pump_all(self) -> None:
        try:
            while self._waiting and not self._discarded:
                pieces, self._waiting = self._waiting, []
                await self._spool.in_thread(self.store, pieces)
                was_full = self._waiting_bytes >= HIGH_WATER
                self._waiting_bytes = sum(map(len, self._waiting))
                if was_full and self._waiting_bytes < HIGH_WATER:
                    self._resume()
        except RequestError as error:
            self._error = error
            self._waiting.clear()
            self._resume()
        finally:
            self._pump = None
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)

    async def _drained(self) -> None:
        if self._pump is not None:
            waiter: Deferred[None] = Deferred()
            self._idle.append(waiter)
            await waiter

    async def _remove(self) -> None:
        await self._drained()
        await self._spool.in_thread(self.remove)

    @property
    def _file_name(self) -> str:
        return "source" + EXTENSIONS[self._format]

    def _close_file(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
