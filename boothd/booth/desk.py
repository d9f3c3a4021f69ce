"""The booth's rules: what becomes of an accepted photo, whoever brought it."""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from boothd.base import imaging
from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, Charged, NotAPicture, WorkError
from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.booth.slots import LiveSlot, SlotBook
from boothd.config import DaemonConfig
from boothd.engine.engine import Engine
from boothd.engine.flight import Flight
from boothd.engine.order import Made, Order, Tally, worst
from boothd.spool import Incoming, Job, Spool, State
from boothd.spool.journal import Answered, Entry, Finished, Received

UPRIGHT = "upright.jpg"


class ClientGone(WorkError):
    """The booth was gone before its picture was ready."""

    code, status = "client-gone", 499


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a photo beside its bytes. receive_ms: how long it took to come."""

    room: str
    name: str = ""
    form: tuple[tuple[str, str], ...] = ()
    query: str = ""
    receive_ms: float = 0


class Desk:
    """Accepts photos, has them worked on, and files them under done or trash.

    config, book: asked for every photo, so that a reload takes effect on the next one."""

    log = Logger()

    def __init__(
        self,
        spool: Spool,
        engine: Engine,
        pictures: Threads,
        clock: Clock,
        config: Callable[[], DaemonConfig],
        book: Callable[[], SlotBook],
    ) -> None:
        self.spool, self.engine, self.clock = spool, engine, clock
        self.config, self.book = config, book
        self._pictures = pictures
        self._background = Background()

    async def stop(self) -> None:
        """Leave late answers to the next start."""
        await self._background.stop()

    async def accept(self, incoming: Incoming, slot: LiveSlot, arrival: Arrival) -> tuple[Job, Received]:
        """Judge the picture and make the promise.

        Raises NotAPicture, UnlistedFormat, TooManyPixels; DiskFull, SpoolUnhealthy. Nothing is kept then."""
        try:
            arrived = incoming.arrived
            with self.spool.guard():
                measures = await self._pictures.run(imaging.inspect, arrived.path, self.config().upload.max_pixels)
            received = Received(
                at=self.clock.now(),
                room=arrival.room,
                slot=slot.id,
                provider=slot.provider,
                file=arrived.file,
                name=arrival.name,
                sha256=arrived.sha256,
                size_bytes=arrived.size_bytes,
                width=measures.width,
                height=measures.height,
                format=measures.format,
                orientation=measures.orientation,
                form=arrival.form,
                query=arrival.query,
                receive_ms=arrival.receive_ms,
                keep_failures=slot.slot.keep_failures,
            )
            job = await self.spool.accept(incoming, received)
            # What the client said stands in the journal; while hundreds of photos wait it need not be held as well.
            return job, received.model_copy(update={"form": (), "query": ""})
        except BaseException:
            incoming.discard()
            raise

    async def order(
        self, job: Job, received: Received, slot: LiveSlot, budget: Budget, *, tally: Tally, fresh: bool = False
    ) -> Order:
        """What the engine is asked for. Raises WorkError when the photo cannot be decoded."""
        return Order(
            job=job,
            photo=await self._photo(job, received),
            presets=slot.presets,
            budget=budget,
            tally=tally,
            original=slot.original,
            fresh=fresh,
        )

    async def make(
        self, job: Job, received: Received, slot: LiveSlot, budget: Budget, *, tally: Tally, fresh: bool = False
    ) -> Made:
        """The picture, durable in the job's directory. Raises BoothdError."""
        order = await self.order(job, received, slot, budget, tally=tally, fresh=fresh)
        return await self.engine.run(order)

    async def close_ok(self, job: Job, answered: Answered, delivered: Deferred[None] | None = None) -> None:
        """The client is told 200: file the job under done, or leave it active while a late answer comes.

        delivered: fires when the picture has left; until then a job with an answer to come does not move."""
        finished = Finished(at=self.clock.now(), code="ok")
        await self._close(job, [answered], State.DONE, finished, delivered=delivered)

    async def close_retried(self, job: Job) -> None:
        """A retry succeeded; no client waits for it."""
        await self._close(job, [], State.DONE, Finished(at=self.clock.now(), code="ok", late=True))

    async def close_failed(
        self, job: Job, error: BoothdError, charged: Charged, *, answered: Answered | None, received: Received
    ) -> None:
        """The client is told an error: file the job under trash with its reason, unless a paid answer still comes."""
        finished = Finished(at=self.clock.now(), code=error.code, reason=error.message, charged=charged)
        told = [] if answered is None else [answered]
        await self._close(job, told, State.TRASH, finished, received)

    def settle_late(
        self,
        job: Job,
        flight: Flight,
        otherwise: State,
        finished: Finished,
        received: Received | None,
        delivered: Deferred[None] | None = None,
    ) -> None:
        """Once `flight` has landed: done and late when it brought a picture, else `otherwise`."""
        settled = self._settle(job, flight, otherwise, finished, received, delivered)
        self._background.start("wait for a late answer", settled, job=job.id)

    async def _close(
        self,
        job: Job,
        told: list[Answered],
        to: State,
        finished: Finished,
        received: Received | None = None,
        delivered: Deferred[None] | None = None,
    ) -> None:
        flight = self.engine.flight_of(job)
        if flight is None:
            await self._file(job, to, [*told, finished], received)
            return
        await self.spool.append(job, *told)
        self.settle_late(job, flight, to, finished, received, delivered)

    async def _settle(
        self,
        job: Job,
        flight: Flight,
        otherwise: State,
        finished: Finished,
        received: Received | None,
        delivered: Deferred[None] | None,
    ) -> None:
        late = otherwise is State.TRASH
        if delivered is not None:
            await delivered
        try:
            await flight.landed()
        except CancelledError:
            raise  # boothd stops; the next start judges by the journal
        except BoothdError as error:
            self.log.info("{job}: no late answer either ({code})", job=job.id, code=error.code)
            if late and isinstance(error, WorkError):
                finished = finished.model_copy(update={"charged": worst(finished.charged, error.charged)})
            await self._file(job, otherwise, [finished.model_copy(update={"at": self.clock.now()})], received)
            return
        done = Finished(at=self.clock.now(), code="ok", late=late)
        await self._file(job, State.DONE, [done], received)

    async def _file(self, job: Job, to: State, entries: list[Entry], received: Received | None) -> None:
        unkept = to is State.TRASH and received is not None and not received.keep_failures
        drop = [received.file] if unkept and received is not None else []
        await self.spool.move(job, to, *entries, drop=drop)

    async def _photo(self, job: Job, received: Received) -> Photo:
        """The photo as providers take it: an upright JPEG or PNG, under the sha256 of what was received."""
        path, size_bytes = job.directory / received.file, received.size_bytes
        upright = received.orientation == 1 and received.format in {"JPEG", "PNG"}
        if not upright:
            try:
                with self.spool.guard():
                    copy = await self._pictures.run(imaging.copy_as, path, job.directory / UPRIGHT, "JPEG", None)
            except NotAPicture as error:
                raise WorkError(error.message) from error
            size_bytes = copy.size_bytes
        turned = received.orientation >= 5
        return Photo(
            path=path if upright else job.directory / UPRIGHT,
            sha256=received.sha256,
            size_bytes=size_bytes,
            width=received.height if turned else received.width,
            height=received.width if turned else received.height,
            format=received.format if upright else "JPEG",
        )
