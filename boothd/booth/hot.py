"""Hot folders: a photo dropped into `spool/hot/<provider>-<slot>/` is worked on like an upload.

The result lands in `out/`, a failure in `failed/` with a text that says why. A file is taken once its size and time have
stood still; it is removed only after its job is on disk, so a crash may do it twice but never lose it.
"""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, DiskFull, RequestError, SpoolUnhealthy, WorkError
from boothd.base.threads import Threads
from boothd.base.watch import Watch
from boothd.booth.desk import Arrival, Desk
from boothd.booth.slots import LiveSlot
from boothd.engine.order import Tally
from boothd.spool import Job
from boothd.spool.journal import Answered, Received

ROOM = "hot"
AT_ONCE = 8
"""Photos taken from the folders at the same time; the others wait where they lie."""
_NOT_PHOTOS = (".part", ".tmp", ".crdownload", ".filepart", ".txt", "~")
_RETRY_S = 5.0


class HotFolders:
    """Watches one folder per enabled slot. `refresh` is called when slots have changed."""

    log = Logger()

    def __init__(self, root: Path, desk: Desk, *, reactor: Any, clock: Clock, threads: Threads) -> None:
        self._root, self._desk = root, desk
        self._reactor, self._clock, self._threads = reactor, clock, threads
        self._background = Background()
        self._watch: Watch | None = None
        self._folders: dict[Path, str] = {}
        self._seen: dict[Path, tuple[int, int]] = {}  # size and time at the last look
        self._busy: set[Path] = set()
        self._looking = False
        self._look_again = False
        self._stopped = False

    async def start(self) -> None:
        await self._open()

    async def stop(self) -> None:
        """Photos being worked on are left in the spool; the next start goes on with them."""
        self._stopped = True
        if self._watch is not None:
            await self._watch.stop()
        await self._background.stop()

    def refresh(self) -> None:
        """Slots came or went."""
        if not self._stopped:
            self._background.start("open the hot folders", self._open())

    async def again(self, job: Job, received: Received, tally: Tally) -> bool:
        """After a restart: take a job on that had not been answered. False: its slot is gone."""
        slot = self._desk.book().get(received.slot)
        if slot is None:
            return False
        tally.paid_attempts = slot.slot.paid_attempts
        folder = self._root / slot.id
        self._background.start("a hot folder's photo", self._work(folder, slot, job, received, tally), job=job.id)
        return True

    async def _open(self) -> None:
        config = self._desk.config().hot
        slots = [s for s in self._desk.book() if s.slot.enabled] if config.enabled else []
        self._folders = {self._root / slot.id: slot.id for slot in slots}
        await self._threads.run(_make_folders, list(self._folders))
        old, self._watch = self._watch, None
        if old is not None:
            await old.stop()
        if self._folders and not self._stopped:
            self._watch = Watch(
                list(self._folders),
                lambda _: self._look_soon(),
                reactor=self._reactor,
                clock=self._clock,
                threads=self._threads,
                quiet_s=0.1,
            )
            await self._watch.start()
        self._look_soon()

    def _look_soon(self) -> None:
        if self._looking:
            self._look_again = True
        elif not self._stopped:
            self._looking = True
            self._background.start("look into the hot folders", self._look_until_still())

    async def _look_until_still(self) -> None:
        """Look until every file has been taken or is being written no more."""
        try:
            while True:
                self._look_again = False
                found = await self._threads.run(_list, list(self._folders))
                ready = [path for path, what in found.items() if self._seen.get(path) == what]
                self._seen = found
                for path in ready:
                    if len(self._busy) < AT_ONCE and path not in self._busy:
                        self._busy.add(path)
                        self._background.start("take a photo from a hot folder", self._take(path), file=path.name)
                if not (found.keys() - self._busy) and not self._look_again:
                    return
                await self._clock.sleep(self._desk.config().hot.settle)
        finally:
            self._looking = False

    async def _take(self, path: Path) -> None:
        try:
            slot = self._desk.book().get(self._folders.get(path.parent, ""))
            if slot is not None:
                await self._take_for(path, slot)
        except (DiskFull, SpoolUnhealthy) as error:
            self.log.warn("{file} waits: {reason}", file=path.name, reason=error.message)
            await self._clock.sleep(_RETRY_S)
        finally:
            self._busy.discard(path)
            self._seen.pop(path, None)
            self._look_soon()

    async def _take_for(self, path: Path, slot: LiveSlot) -> None:
        incoming = self._desk.spool.receive()
        try:
            limit = self._desk.config().upload.max_size
            size = await self._threads.run(lambda: path.stat().st_size)
            if size > limit:
                raise WorkError(f"The file has {size / 1e6:.1f} MB; boothd takes at most {limit / 1e6:.1f} MB.")
            self._desk.spool.check_room(size)
            await incoming.copy_from(path)
            job, received = await self._desk.accept(incoming, slot, Arrival(room=ROOM, name=path.name))
        except FileNotFoundError:
            incoming.discard()  # taken away again before we came to it
            return
        except (DiskFull, SpoolUnhealthy):
            incoming.discard()
            raise
        except (RequestError, WorkError, OSError) as error:
            incoming.discard()
            reason = error.message if isinstance(error, BoothdError) else f"It cannot be read: {error}"
            await self._threads.run(_fail, path, path, reason)
            return
        await self._threads.run(lambda: path.unlink(missing_ok=True))
        await self._work(path.parent, slot, job, received, Tally(slot.slot.paid_attempts))

    async def _work(self, folder: Path, slot: LiveSlot, job: Job, received: Received, tally: Tally) -> None:
        began_s = self._clock.seconds()
        budget = Budget.of(self._clock, self._desk.config().hot.budget)

        def answered(status: int, code: str, message: str) -> Answered:
            took_s = round(self._clock.seconds() - began_s, 3)
            return Answered(at=self._clock.now(), status=status, code=code, message=message, seconds=took_s)

        try:
            made = await self._desk.make(job, received, slot, budget, tally=tally)
        except BoothdError as error:
            source = job.directory / received.file
            await self._threads.run(_fail, source, folder / received.name, error.message, move=False)
            told = answered(error.status, error.code, error.message)
            await self._desk.close_failed(job, error, tally.charged, answered=told, received=received)
            return
        result = job.directory / made.result.file
        await self._threads.run(_deliver, result, folder / "out", Path(received.name).stem)
        await self._desk.close_ok(job, answered(200, "ok", ""))


# what runs in a disk thread


def _make_folders(folders: Iterable[Path]) -> None:
    for folder in folders:
        for path in (folder, folder / "out", folder / "failed"):
            path.mkdir(parents=True, exist_ok=True)


def _list(folders: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    found = {}
    for folder in folders:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_NOT_PHOTOS):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    what = entry.stat(follow_symlinks=False)
                    found[Path(entry.path)] = (what.st_size, what.st_mtime_ns)
            except FileNotFoundError:
                continue
    return found


def _deliver(result: Path, folder: Path, stem: str) -> None:
    _link_as(result, lambda number: folder / f"{stem}{number}{result.suffix}")


def _fail(source: Path, named: Path, reason: str, *, move: bool = True) -> None:
    """Put the photo into failed/ under the name it came with, and a text with the reason beside it."""
    folder = named.parent / "failed"
    folder.mkdir(parents=True, exist_ok=True)
    placed = _link_as(source, lambda number: folder / f"{named.stem}{number}{named.suffix}")
    placed.with_name(placed.name + ".txt").write_text(reason + "\n", encoding="utf-8")
    if move:
        source.unlink()


def _link_as(source: Path, name: Callable[[str], Path]) -> Path:
    """Link `source` as the first of name(""), name("-2"), … that is free; a copy where links are not to be had."""
    number = 1
    while True:
        target = name("" if number == 1 else f"-{number}")
        try:
            os.link(source, target)
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK}:
                raise
            with target.open("xb") as file:
                file.write(source.read_bytes())
        return target
