"""Hot folders: a photo dropped into `spool/hot/<provider>-<slot>/` is worked on like an upload.

The result lands in `out/`, a failure in `failed/` with a text that says why. A file is taken once its size and time have
stood still; it is removed only after its job is on disk, so a crash may do it twice but never lose it.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, Charged, DiskFull, RequestError, SpoolUnhealthy, WorkError
from boothd.base.threads import Threads
from boothd.base.units import size_text
from boothd.base.watch import Watch
from boothd.booth import folders
from boothd.booth.desk import Arrival, Desk
from boothd.booth.folders import Look
from boothd.booth.slots import LiveSlot
from boothd.engine.flight import Flight
from boothd.engine.order import Tally
from boothd.spool import Job
from boothd.spool.journal import Answered, Received, Result

ROOM = "hot"
AT_ONCE = 8
"""Photos taken from the folders at the same time; the others wait where they lie."""
RETRY_S = 5.0
"""How long a full disk or a folder that cannot be written is left alone."""


class HotFolders:
    """Watches one folder per enabled slot. `refresh` is called when slots have changed."""

    log = Logger()

    def __init__(self, root: Path, desk: Desk, *, reactor: Any, clock: Clock, threads: Threads) -> None:
        self._root, self._desk = root, desk
        self._reactor, self._clock, self._threads = reactor, clock, threads
        self._background = Background()
        self._watch: Watch | None = None
        self._folders: dict[Path, str] = {}
        self._seen: dict[Path, Look] = {}
        self._busy: set[Path] = set()
        self._looking = self._look_again = False
        self._opening = self._open_again = False
        self._stopped = False

    async def start(self) -> None:
        """Raises OSError when the folders cannot be made or watched."""
        await self._open_until_current()

    async def stop(self) -> None:
        """Photos being worked on are left in the spool; the next start goes on with them."""
        self._stopped = True
        await self._background.stop()
        if self._watch is not None:
            await self._watch.stop()

    def refresh(self) -> None:
        """Slots came or went."""
        if self._opening:
            self._open_again = True
        elif not self._stopped:
            self._background.start("open the hot folders", self._open_until_current())

    # what recovery asks: `boothd.booth.recovery.Room`

    async def again(self, job: Job, received: Received, tally: Tally) -> bool:
        """Take a job on that had not been answered. False: its slot is gone."""
        slot = self._desk.book().get(received.slot)
        if slot is None:
            return False
        tally.paid_attempts = slot.slot.paid_attempts
        self._background.start("a hot folder's photo", self._work(slot, job, received, tally), job=job.id)
        return True

    def go_on(self, job: Job, received: Received, flight: Flight) -> None:
        """A call of an earlier run is on its way again: put into the folder what it brings. It is paid for."""

        async def landed() -> Result:
            return (await flight.landed()).result

        work = self._finish(job, received, landed(), lambda: Charged.YES)
        self._background.start("a hot folder's photo", work, job=job.id)

    def deliver(self, job: Job, received: Received, result: Result) -> None:
        """The picture is there, but perhaps not in its folder."""

        async def ready() -> Result:
            return result

        work = self._finish(job, received, ready(), lambda: Charged.NO)
        self._background.start("a hot folder's photo", work, job=job.id)

    # the folders

    async def _open_until_current(self) -> None:
        """One opening at a time; a change during it brings another."""
        self._opening = True
        try:
            while True:
                self._open_again = False
                await self._open()
                if not self._open_again:
                    return
        finally:
            self._opening = False

    async def _open(self) -> None:
        config = self._desk.config().hot
        slots = [s for s in self._desk.book() if s.slot.enabled] if config.enabled else []
        self._folders = {self._root / slot.id: slot.id for slot in slots}
        await self._threads.run(folders.make, list(self._folders))
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
                found = await self._threads.run(folders.look, list(self._folders))
                ready = [path for path, look in found.items() if self._seen.get(path) == look]
                self._seen = found
                for path in ready:
                    if len(self._busy) < AT_ONCE and path not in self._busy:
                        self._busy.add(path)
                        taking = self._take(path, found[path])
                        self._background.start("take a photo from a hot folder", taking, file=path.name)
                if not (found.keys() - self._busy) and not self._look_again:
                    return
                await self._clock.sleep(self._desk.config().hot.settle)
        finally:
            self._looking = False

    async def _take(self, path: Path, look: Look) -> None:
        try:
            slot = self._desk.book().get(self._folders.get(path.parent, ""))
            taken = None if slot is None else await self._accept(path, look, slot)
            if taken is not None and slot is not None:
                await self._work(slot, *taken, Tally(slot.slot.paid_attempts))
        finally:
            self._busy.discard(path)
            self._seen.pop(path, None)
            self._look_soon()

    async def _accept(self, path: Path, look: Look, slot: LiveSlot) -> tuple[Job, Received] | None:
        """Make the promise for a file, then remove it. None: it is not taken now, or has been put into failed/."""
        incoming = self._desk.spool.receive()
        try:
            limit = self._desk.config().upload.max_size
            if look.size_bytes > limit:
                raise WorkError(f"The file has {size_text(look.size_bytes)}; boothd takes at most {size_text(limit)}.")
            self._desk.spool.check_room(look.size_bytes)
            await self._threads.run(folders.check_writable, path.parent)
            await incoming.copy_from(path)
            if await self._threads.run(folders.changed, path, look):
                incoming.discard()  # somebody still writes
                return None
            accepted = await self._desk.accept(incoming, slot, Arrival(room=ROOM, name=folders.text_of(path)))
        except FileNotFoundError:
            incoming.discard()  # taken away again before we came to it
            return None
        except (DiskFull, SpoolUnhealthy, OSError) as error:
            incoming.discard()
            reason = error.message if isinstance(error, BoothdError) else str(error)
            self.log.warn("{file} waits: {reason}", file=path.name, reason=reason)
            await self._clock.sleep(RETRY_S)
            return None
        except (RequestError, WorkError) as error:
            incoming.discard()
            await self._refuse(path, look, error.message)
            return None
        except BaseException:
            incoming.discard()
            raise
        await self._threads.run(folders.remove, path, look)
        return accepted

    async def _refuse(self, path: Path, look: Look, reason: str) -> None:
        try:
            await self._threads.run(folders.refuse, path, look, reason)
        except OSError as error:
            self.log.warn("{file} cannot be put into failed/: {reason}", file=path.name, reason=str(error))
            await self._clock.sleep(RETRY_S)

    # a photo's work

    async def _work(self, slot: LiveSlot, job: Job, received: Received, tally: Tally) -> None:
        budget = Budget.of(self._clock, self._desk.config().hot.budget)

        async def make() -> Result:
            return (await self._desk.make(job, received, slot, budget, tally=tally)).result

        await self._finish(job, received, make(), lambda: tally.charged)

    async def _finish(
        self, job: Job, received: Received, making: Awaitable[Result], charged: Callable[[], Charged]
    ) -> None:
        """Wait for the picture, put it (or the photo with the reason) into the folder, and file the job."""
        began_s = self._clock.seconds()
        folder = self._root / received.slot

        def answered(status: int, code: str, message: str) -> Answered:
            took_s = round(self._clock.seconds() - began_s, 3)
            return Answered(at=self._clock.now(), status=status, code=code, message=message, seconds=took_s)

        try:
            result = await making
        except BoothdError as error:
            source = job.directory / received.file
            await self._until_written(job, folders.fail, source, folder, received.name, error.message)
            told = answered(error.status, error.code, error.message)
            await self._desk.close_failed(job, error, charged(), answered=told, received=received)
            return
        picture = job.directory / result.file
        await self._until_written(job, folders.deliver, picture, folder, received.name)
        await self._desk.close_ok(job, answered(200, "ok", ""))

    async def _until_written(self, job: Job, write: Callable[..., object], *args: object) -> None:
        """Call `write` in a disk thread until it succeeds; a full disk is waited out."""
        while True:
            try:
                await self._threads.run(write, *args)
            except FileNotFoundError:
                self.log.failure("{job}: there is nothing to put into the hot folder", job=job.id)
            except OSError as error:
                self.log.warn("{job}: the hot folder cannot be written: {reason}", job=job.id, reason=str(error))
                await self._clock.sleep(RETRY_S)
                continue
            return
