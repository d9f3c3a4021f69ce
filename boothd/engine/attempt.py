"""One attempt: journalled before it leaves, its answer checked, made durable and remembered."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from boothd.base import imaging
from boothd.base.aio import ended
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadAnswer, BadRequest, Charged, DiskFull, RequestError, SpoolUnhealthy, WorkError
from boothd.base.threads import Threads
from boothd.engine.order import Order
from boothd.engine.services import Service
from boothd.providers.interfaces import Call, Picture, Preset, Resumes
from boothd.spool import Kept, ResultIndex, Spool
from boothd.spool.journal import Attempt, AttemptEnded, Queued, Result

T = TypeVar("T")

Invoke = Callable[[Call], Awaitable[Picture]]


@dataclass(frozen=True, slots=True)
class Announced:
    """A call that stands in the journal. revision: its preset's."""

    number: int
    model: str
    revision: str


@dataclass(frozen=True, slots=True)
class Resumption:
    """A call that an earlier run of boothd began and that the service still has under its queue number."""

    number: int
    model: str
    revision: str
    queue_number: str


class Attempts:
    """Makes single attempts for flights.

    max_pixels: the most that an answer may have. pictures: the threads that decode."""

    log = Logger()

    def __init__(
        self, spool: Spool, index: ResultIndex, pictures: Threads, clock: Clock, max_pixels: Callable[[], int]
    ) -> None:
        self._spool, self._index, self._pictures, self._clock = spool, index, pictures, clock
        self._max_pixels = max_pixels

    async def announce(self, order: Order, preset: Preset, service: Service) -> Announced:
        """Write into the journal that a call is about to leave. Raises DiskFull or SpoolUnhealthy; then none may."""
        announced = Announced(order.tally.next_number(), service.provider.model(preset), preset.revision)
        await self._spool.append(
            order.job,
            Attempt(
                at=self._clock.now(),
                number=announced.number,
                provider=service.name,
                model=announced.model,
                revision=announced.revision,
                price=service.settings.price,
                paid=service.paid,
            ),
        )
        return announced

    async def make(
        self, order: Order, preset: Preset, service: Service, budget: Budget, announced: Announced, waited_s: float
    ) -> Kept:
        """Call the provider once. Raises WorkError; DiskFull or SpoolUnhealthy when nothing can be kept."""

        async def edit(call: Call) -> Picture:
            if service.edits is None:
                raise BadRequest(f"{service.name} does not edit photos.", charged=Charged.NO)
            return await service.edits.edit(order.photo, preset, call)

        return await self._call(order, preset, service, budget, announced, waited_s, edit)

    async def resume(
        self, order: Order, preset: Preset, service: Service, budget: Budget, resumption: Resumption
    ) -> Kept:
        """Go on polling a call that is journalled already. Raises as `make` does."""

        async def go_on(call: Call) -> Picture:
            if not isinstance(service.provider, Resumes):
                raise WorkError(f"{service.name} cannot be asked for an earlier call any more.", charged=Charged.MAYBE)
            # What the earlier run had of the answer is in the way.
            await self._spool.in_thread(self._spool.disk.unlink, call.answer)
            return await service.provider.resume(resumption.queue_number, preset, call)

        announced = Announced(resumption.number, resumption.model, resumption.revision)
        return await self._call(order, preset, service, budget, announced, 0.0, go_on)

    async def _call(
        self,
        order: Order,
        preset: Preset,
        service: Service,
        budget: Budget,
        announced: Announced,
        waited_s: float,
        invoke: Invoke,
    ) -> Kept:
        job, number, began_s = order.job, announced.number, self._clock.seconds()
        paid, price = service.paid, service.settings.price

        async def queued(queue_number: str) -> None:
            await self._spool.append(job, Queued(at=self._clock.now(), number=number, queue_number=queue_number))

        def over(outcome: str, message: str, charged: Charged, cost: Decimal | None, model: str) -> AttemptEnded:
            order.tally.charge(charged)
            return AttemptEnded(
                at=self._clock.now(),
                number=number,
                provider=service.name,
                model=model,
                outcome=outcome,
                message=message,
                charged=charged,
                cost=Decimal(0) if charged is Charged.NO else price if cost is None else cost,
                seconds=round(self._clock.seconds() - began_s, 3),
            )

        call = Call(job.id, budget, job.directory / f"answer-{number}", queued)
        try:
            with self._spool.guard():  # the answer is written into the job's directory
                picture = await budget.limit(_heeding_cancel(_invoked(invoke, call)))
            answered_s = self._clock.seconds()
            with order.tally.result_name(imaging.EXTENSIONS[preset.format]) as name:
                written = await self._finish(picture, preset, job.directory / name, budget, paid=paid)
        except CancelledError:
            raise  # nobody needs it, or boothd stops: the journal's open attempt tells the next start
        except (DiskFull, SpoolUnhealthy):
            order.tally.charge(Charged.MAYBE if paid else Charged.NO)
            raise  # nothing can be kept, not even this in the journal
        except Exception as error:
            known = error if isinstance(error, WorkError) else self._unforeseen(order, service)
            known.charged = known.charged if paid else Charged.NO
            entry = over(known.code, known.message, known.charged, None, announced.model)
            await self._spool.append(job, entry)
            if known is error:
                raise
            raise known from error
        result = Result(
            at=self._clock.now(),
            file=name,
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            format=preset.format,
            provider=service.name,
            model=picture.model,
            revision=announced.revision,
            wait_ms=round(waited_s * 1000, 1),
            work_ms=round((answered_s - began_s) * 1000, 1),
            encode_ms=round((self._clock.seconds() - answered_s) * 1000, 1),
        )
        charged = Charged.YES if paid else Charged.NO
        # The result first: when the append is torn between the two, the picture is known all the same.
        await self._spool.keep_file(job, name, result, over("ok", "", charged, picture.cost, picture.model))
        kept = Kept(job, result)
        self._index.add(order.photo.sha256, kept)
        return kept

    def _unforeseen(self, order: Order, service: Service) -> WorkError:
        self.log.failure("{job}: {provider} failed in an unforeseen way", job=order.job.id, provider=service.name)
        return WorkError(f"{service.name} failed in an unforeseen way; the log has it.", charged=Charged.MAYBE)

    async def _finish(
        self, picture: Picture, preset: Preset, target: Path, budget: Budget, *, paid: bool
    ) -> imaging.Written:
        try:
            with self._spool.guard():
                if picture.finished:
                    return await self._pictures.run(_take, picture.path, target)
                return await self._pictures.run(
                    imaging.finish_into,
                    picture.path,
                    target,
                    preset.format,
                    preset.size,
                    self._max_pixels(),
                    _go_on if paid else budget.check,
                )
        except RequestError as error:
            if isinstance(error, DiskFull | SpoolUnhealthy):
                raise
            charged = Charged.YES if paid else Charged.NO
            raise BadAnswer(f"The answer is not a usable picture: {error.message}", charged=charged) from error


async def _invoked(invoke: Invoke, call: Call) -> Picture:
    return await invoke(call)


async def _heeding_cancel(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; when the caller is cancelled, let it clean up, then raise CancelledError whatever it made of that.

    A provider's library may turn the cancelling into an error of its own (treq: ResponseNeverReceived), which must not
    look like the service's failure."""
    running = Deferred.fromCoroutine(work)
    cancelled = False

    def cancel(_: object) -> None:
        nonlocal cancelled
        cancelled = True
        running.cancel()

    def tell(outcome: T | Failure) -> None:
        over.callback(None)
        if not answer.called and not cancelled:
            answer.callback(outcome)  # a Failure is raised where it is awaited

    answer: Deferred[T] = Deferred(cancel)
    over: Deferred[None] = Deferred()
    running.addBoth(tell)
    try:
        return await answer
    except CancelledError:
        await ended(over)  # it is still cleaning up
        raise


def _go_on() -> None:
    """A picture that is paid for is finished, however late."""


def _take(answer: Path, target: Path) -> imaging.Written:
    answer.rename(target)
    return imaging.measure(target)
