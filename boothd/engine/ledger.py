"""A call in its job's journal: it stands there before it leaves, and how it ended, with what it cost."""

from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from boothd.base.aio import ended
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import Charged
from boothd.engine.order import Order
from boothd.engine.services import Service
from boothd.providers.interfaces import Call, Preset
from boothd.spool import Disk, Spool
from boothd.spool.journal import Attempt, AttemptEnded, Queued, Role

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One service's part in a slot's preset.

    preset: what the service is asked for. revision: of the whole preset. credit_provider, credit_model: whom the picture
    counts for, where the service renders for another provider."""

    service: Service
    preset: Preset
    revision: str
    role: Role = "make"
    credit_provider: str = ""
    credit_model: str = ""


@dataclass(frozen=True, slots=True)
class Announced:
    """A call that stands in the journal. price: as listed when it left. began_s: monotonic."""

    part: Part
    number: int
    model: str
    price: Decimal
    began_s: float


class Ledger:
    """Writes the calls of jobs into their journals."""

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool, self._clock = spool, clock

    async def announce(self, order: Order, part: Part) -> Announced:
        """Write into the journal that a call is about to leave. Raises DiskFull or SpoolUnhealthy; then none may."""
        service = part.service
        number, model, price = order.tally.next_number(), service.provider.model(part.preset), service.settings.price
        await self._spool.append(
            order.job,
            Attempt(
                at=self._clock.now(),
                number=number,
                provider=service.name,
                model=model,
                revision=part.revision,
                price=price,
                paid=service.paid,
                role=part.role,
                credit_provider=part.credit_provider,
                credit_model=part.credit_model,
            ),
        )
        return Announced(part, number, model, price, self._clock.seconds())

    def call(self, order: Order, announced: Announced, budget: Budget) -> Call:
        """What the provider is given."""
        job, number = order.job, announced.number

        async def queued(queue_number: str) -> None:
            await self._spool.append(job, Queued(at=self._clock.now(), number=number, queue_number=queue_number))

        return Call(job.id, budget, job.directory / f"answer-{number}", queued)

    def end(
        self,
        order: Order,
        announced: Announced,
        *,
        outcome: str,
        message: str = "",
        charged: Charged,
        cost: Decimal | None,
        model: str = "",
    ) -> AttemptEnded:
        """The entry that ends a call; what it cost is noted in the job's tally. cost: None = the listed price."""
        part = announced.part
        order.tally.charge(charged, part.role)
        return AttemptEnded(
            at=self._clock.now(),
            number=announced.number,
            provider=part.service.name,
            model=model or announced.model,
            outcome=outcome,
            message=message,
            charged=charged,
            cost=Decimal(0) if charged is Charged.NO else announced.price if cost is None else cost,
            seconds=round(self._clock.seconds() - announced.began_s, 3),
            role=part.role,
            credit_provider=part.credit_provider,
            credit_model=part.credit_model,
        )

    async def clear(self, call: Call) -> None:
        """Remove what a provider left beside and at `Call.answer`; what resists goes when the job moves."""
        await self._spool.in_thread(_clear, call.answer, self._spool.disk)


def _clear(answer: Path, disk: Disk) -> None:
    with suppress(OSError):
        for path in answer.parent.iterdir():
            left = path.name.removeprefix(answer.name)
            # answer-12 belongs to another call than answer-1.
            if left != path.name and not left[:1].isdigit():
                disk.unlink(path)


async def heeding_cancel(work: Coroutine[Any, Any, T]) -> T:
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
