"""One attempt: journalled before it leaves, its answer checked, made durable and remembered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from boothd.base import imaging
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadAnswer, BadRequest, Charged, RequestError, WorkError
from boothd.base.threads import Threads
from boothd.engine.order import Order
from boothd.engine.services import Service
from boothd.providers.interfaces import Call, Picture, Preset, Resumes
from boothd.spool import Kept, ResultIndex, Spool
from boothd.spool.journal import Attempt, AttemptEnded, Queued, Result

Invoke = Callable[[Call], Awaitable[Picture]]


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

    async def make(self, order: Order, preset: Preset, service: Service, budget: Budget, waited_s: float) -> Kept:
        """Call the provider once. Raises WorkError; DiskFull or SpoolUnhealthy when nothing can be kept."""
        edits = service.edits
        if edits is None:
            raise BadRequest(f"{service.name} does not edit photos.")
        number = order.tally.next_number()
        model = service.provider.model(preset)
        await self._spool.append(
            order.job,
            Attempt(
                at=self._clock.now(),
                number=number,
                provider=service.name,
                model=model,
                revision=preset.revision,
                price=service.settings.price,
                paid=service.paid,
            ),
        )
        return await self._call(
            order,
            preset,
            service,
            budget,
            waited_s,
            number,
            model,
            preset.revision,
            lambda call: edits.edit(order.photo, preset, call),
        )

    async def resume(
        self, order: Order, preset: Preset, service: Service, budget: Budget, resumption: Resumption
    ) -> Kept:
        """Go on polling a call that is journalled already. Raises as `make` does."""
        provider = service.provider
        if not isinstance(provider, Resumes):
            raise WorkError(f"{service.name} cannot be asked for an earlier call any more.", charged=Charged.MAYBE)
        number, queue_number = resumption.number, resumption.queue_number
        return await self._call(
            order,
            preset,
            service,
            budget,
            0.0,
            number,
            resumption.model,
            resumption.revision,
            lambda call: provider.resume(queue_number, preset, call),
        )

    async def _call(
        self,
        order: Order,
        preset: Preset,
        service: Service,
        budget: Budget,
        waited_s: float,
        number: int,
        model: str,
        revision: str,
        invoke: Invoke,
    ) -> Kept:
        job, began_s = order.job, self._clock.seconds()

        async def queued(queue_number: str) -> None:
            await self._spool.append(job, Queued(at=self._clock.now(), number=number, queue_number=queue_number))

        def ended(outcome: str, message: str, charged: Charged, cost: Decimal | None, model: str) -> AttemptEnded:
            order.tally.charge(charged)
            price = service.settings.price if cost is None else cost
            return AttemptEnded(
                at=self._clock.now(),
                number=number,
                provider=service.name,
                model=model,
                outcome=outcome,
                message=message,
                charged=charged,
                cost=Decimal(0) if charged is Charged.NO else price,
                seconds=round(self._clock.seconds() - began_s, 3),
            )

        call = Call(job.id, budget, job.directory / f"answer-{number}", queued)
        try:
            picture = await budget.limit(_deferred(invoke, call))
            answered_s = self._clock.seconds()
            name = order.tally.next_result() + imaging.EXTENSIONS[preset.format]
            written = await self._finish(picture, preset, job.directory / name, budget, paid=service.paid)
        except CancelledError:
            raise  # nobody needs it, or boothd stops: the journal's open attempt tells the next start
        except WorkError as error:
            charged = error.charged if service.paid else Charged.NO
            await self._spool.append(job, ended(error.code, error.message, charged, None, model))
            raise
        except RequestError:
            raise  # the spool cannot keep anything
        except Exception as error:
            self.log.failure("{job}: {provider} failed in an unforeseen way", job=job.id, provider=service.name)
            charged = Charged.MAYBE if service.paid else Charged.NO
            await self._spool.append(job, ended(WorkError.code, "unforeseen", charged, None, model))
            raise WorkError(f"{service.name} failed in an unforeseen way; the log has it.", charged=charged) from error
        result = Result(
            at=self._clock.now(),
            file=name,
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            format=preset.format,
            provider=service.name,
            model=picture.model,
            revision=revision,
            wait_ms=round(waited_s * 1000, 1),
            work_ms=round((answered_s - began_s) * 1000, 1),
            encode_ms=round((self._clock.seconds() - answered_s) * 1000, 1),
        )
        charged = Charged.YES if service.paid else Charged.NO
        await self._spool.keep_file(job, name, ended("ok", "", charged, picture.cost, picture.model), result)
        kept = Kept(job, result)
        self._index.add(order.photo.sha256, kept)
        return kept

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
                    budget.check,
                )
        except RequestError as error:
            if error.status >= 500:
                raise  # the disk's fault
            charged = Charged.YES if paid else Charged.NO
            raise BadAnswer(f"The answer is not a usable picture: {error.message}", charged=charged) from error


def _deferred(invoke: Invoke, call: Call) -> Deferred[Picture]:
    async def run() -> Picture:
        return await invoke(call)

    return Deferred.fromCoroutine(run())


def _take(answer: Path, target: Path) -> imaging.Written:
    answer.rename(target)
    return imaging.measure(target)
