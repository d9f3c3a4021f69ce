"""One attempt: journalled before it leaves, its answer checked, made durable and remembered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from boothd.base import imaging
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadAnswer, BadRequest, Charged, DiskFull, RequestError, SpoolUnhealthy, WorkError
from boothd.base.threads import Threads
from boothd.engine.ledger import Announced, Ledger, Part, heeding_cancel
from boothd.engine.order import Order
from boothd.providers.interfaces import Call, Direction, Picture, Preset, Resumes
from boothd.spool import Kept, ResultIndex, Spool
from boothd.spool.journal import Result, Role, Undirected

T = TypeVar("T")

Invoke = Callable[[Call], Awaitable[T]]


class GivenUp(WorkError):
    """Nobody waited for the picture any more, so the call was ended."""

    code, usually_charged = "given-up", Charged.MAYBE


@dataclass(frozen=True, slots=True)
class Resumption:
    """A call that an earlier run of boothd began and that the service still has under its queue number.

    role, credit_provider, credit_model: the attempt's."""

    number: int
    model: str
    revision: str
    queue_number: str
    role: Role = "make"
    credit_provider: str = ""
    credit_model: str = ""


class Attempts:
    """Makes single attempts for flights.

    max_pixels: the most that an answer may have. pictures: the threads that decode."""

    log = Logger()

    def __init__(
        self, spool: Spool, index: ResultIndex, pictures: Threads, clock: Clock, max_pixels: Callable[[], int]
    ) -> None:
        self._spool, self._index, self._pictures, self._clock = spool, index, pictures, clock
        self._max_pixels = max_pixels
        self._ledger = Ledger(spool, clock)

    async def announce(self, order: Order, part: Part) -> Announced:
        """Write into the journal that a call is about to leave. Raises DiskFull or SpoolUnhealthy; then none may."""
        return await self._ledger.announce(order, part)

    async def make(self, order: Order, announced: Announced, budget: Budget, waited_s: float) -> Kept:
        """Call the provider once. Raises WorkError; DiskFull or SpoolUnhealthy when nothing can be kept."""
        part = announced.part

        async def edit(call: Call) -> Picture:
            if part.service.edits is None:
                raise BadRequest(f"{part.service.name} does not edit photos.", charged=Charged.NO)
            return await part.service.edits.edit(order.photo, part.preset, call)

        return await self._picture(order, announced, budget, waited_s, edit)

    async def resume(self, order: Order, part: Part, budget: Budget, resumption: Resumption) -> Kept:
        """Go on polling a call that is journalled already. Raises as `make` does."""
        service = part.service

        async def go_on(call: Call) -> Picture:
            if not isinstance(service.provider, Resumes):
                raise WorkError(f"{service.name} cannot be asked for an earlier call any more.", charged=Charged.MAYBE)
            await self._ledger.clear(call)  # what the earlier run had of the answer is in the way
            return await service.provider.resume(resumption.queue_number, part.preset, call)

        price, now_s = service.settings.price, self._clock.seconds()
        announced = Announced(part, resumption.number, resumption.model, price, now_s)
        return await self._picture(order, announced, budget, 0.0, go_on)

    async def direct(
        self, order: Order, announced: Announced, budget: Budget, unwanted: Callable[[], bool]
    ) -> Direction:
        """Have the prompt written. Raises as `make` does.

        unwanted: asked when it is cancelled, whether only because nobody waits any more: then the journal says its end."""
        part = announced.part

        async def ask(call: Call) -> Direction:
            if part.service.directs is None:
                raise BadRequest(f"{part.service.name} does not direct.", charged=Charged.NO)
            direction = await part.service.directs.direct(order.photo, part.preset, call)
            if not direction.prompt.strip():
                charged = Charged.YES if part.service.paid else Charged.NO
                raise BadAnswer(f"{part.service.name} wrote no prompt.", charged=charged, cost=direction.cost)
            return direction

        call = self._ledger.call(order, announced, budget)
        try:
            direction = await budget.limit(heeding_cancel(_invoked(ask, call)))
        except CancelledError:
            if unwanted():
                await self._failed(order, announced, call, GivenUp())
            raise
        except (DiskFull, SpoolUnhealthy):
            self._lost(order, announced)
            raise
        except Exception as error:  # noqa: BLE001 (raised again, in our words)
            await self._fail(order, announced, call, error)
        charged = Charged.YES if part.service.paid else Charged.NO
        entry = self._ledger.end(
            order, announced, outcome="ok", charged=charged, cost=direction.cost, model=direction.model
        )
        await self._spool.append(order.job, entry)
        await self._ledger.clear(call)
        return direction

    async def undirected(self, order: Order, provider: str, error: WorkError) -> None:
        """Journal that the slot's own prompt is used as it is."""
        entry = Undirected(at=self._clock.now(), provider=provider, code=error.code, message=error.message)
        await self._spool.append(order.job, entry)

    async def _picture(
        self, order: Order, announced: Announced, budget: Budget, waited_s: float, invoke: Invoke[Picture]
    ) -> Kept:
        job, part = order.job, announced.part
        preset, paid = part.preset, part.service.paid
        call = self._ledger.call(order, announced, budget)
        try:
            with self._spool.guard():  # the answer is written into the job's directory
                picture = await budget.limit(heeding_cancel(_invoked(invoke, call)))
            answered_s = self._clock.seconds()
            with order.tally.result_name(imaging.EXTENSIONS[preset.format]) as name:
                written = await self._finish(picture, preset, job.directory / name, budget, paid=paid)
        except CancelledError:
            raise  # nobody needs it, or boothd stops: the journal's open attempt tells the next start
        except (DiskFull, SpoolUnhealthy):
            self._lost(order, announced)
            raise
        except Exception as error:  # noqa: BLE001 (raised again, in our words)
            await self._fail(order, announced, call, error)
        rendered = part.role == "render"
        result = Result(
            at=self._clock.now(),
            file=name,
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            format=preset.format,
            provider=part.credit_provider if rendered else part.service.name,
            model=f"{part.service.name}/{picture.model}" if rendered else picture.model,
            revision=part.revision,
            wait_ms=round(waited_s * 1000, 1),
            work_ms=round((answered_s - announced.began_s) * 1000, 1),
            encode_ms=round((self._clock.seconds() - answered_s) * 1000, 1),
        )
        entry = self._ledger.end(
            order,
            announced,
            outcome="ok",
            charged=Charged.YES if paid else Charged.NO,
            cost=picture.cost,
            model=picture.model,
        )
        # The result first: when the append is torn between the two, the picture is known all the same.
        await self._spool.keep_file(job, name, result, entry)
        kept = Kept(job, result)
        self._index.add(order.photo.sha256, kept)
        await self._ledger.clear(call)
        return kept

    def _lost(self, order: Order, announced: Announced) -> None:
        """Nothing can be kept, not even in the journal what the call cost."""
        charged = Charged.MAYBE if announced.part.service.paid else Charged.NO
        order.tally.charge(charged, announced.part.role)

    async def _fail(self, order: Order, announced: Announced, call: Call, error: Exception) -> NoReturn:
        """Journal why a call failed, and raise it as a WorkError."""
        if isinstance(error, WorkError):
            await self._failed(order, announced, call, error)
            raise error
        name = announced.part.service.name
        self.log.failure("{job}: {provider} failed in an unforeseen way", job=order.job.id, provider=name)
        known = WorkError(f"{name} failed in an unforeseen way; the log has it.", charged=Charged.MAYBE)
        await self._failed(order, announced, call, known)
        raise known from error

    async def _failed(self, order: Order, announced: Announced, call: Call, error: WorkError) -> None:
        error.charged = error.charged if announced.part.service.paid else Charged.NO
        entry = self._ledger.end(
            order, announced, outcome=error.code, message=error.message, charged=error.charged, cost=error.cost
        )
        await self._spool.append(order.job, entry)
        await self._ledger.clear(call)

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
            said = f"The answer is not a usable picture: {error.message}"
            raise BadAnswer(said, charged=charged, cost=picture.cost) from error


async def _invoked(invoke: Invoke[T], call: Call) -> T:
    return await invoke(call)


def _go_on() -> None:
    """A picture that is paid for is finished, however late."""


def _take(answer: Path, target: Path) -> imaging.Written:
    answer.rename(target)
    return imaging.measure(target)
