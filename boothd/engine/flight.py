"""One photo on one preset, on its way: attempts, retries, and those who wait for it."""

from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from boothd.base.aio import Background, ended
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, OutOfTime, WorkError
from boothd.engine.attempt import Attempts, Resumption
from boothd.engine.order import Order
from boothd.engine.services import Service
from boothd.providers.interfaces import Preset
from boothd.spool import Kept

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0


class PaidAttemptsUsedUp(WorkError):
    """As many calls as the slot allows to cost money have been made for this photo."""

    code = "paid-attempts-used-up"


class Flight:
    """Runs until there is a result, no attempt is left, or nobody has any use for one.

    Whoever asks for the same photo on the same preset joins. One who leaves ends the flight only when he was the last,
    and not while a paid answer is on its way: that is waited for, up to the provider's `late_s`, and kept.
    reserve_s: kept back at the end of everybody's budget for checking, encoding and the reply."""

    log = Logger()

    def __init__(
        self,
        order: Order,
        preset: Preset,
        service: Service,
        attempts: Attempts,
        *,
        clock: Clock,
        random: Random,
        reserve_s: float,
        resumption: Resumption | None = None,
    ) -> None:
        self.job = order.job
        self._order, self._preset, self._service, self._attempts = order, preset, service, attempts
        self._clock, self._random, self._reserve_s = clock, random, reserve_s
        self._resumption = resumption
        self._deadline_s = order.budget.deadline_s
        self._waiting: set[Deferred[Kept]] = set()
        self._on_its_way = resumption is not None  # a call that is paid for
        self._waited_s = 0.0
        self._outcome: Kept | BoothdError | None = None
        self._ended: Deferred[None] | None = None

    @property
    def in_the_air(self) -> bool:
        """Whether the outcome is still open."""
        return self._outcome is None

    def take_off(self, background: Background) -> Deferred[None]:
        """Begin. The Deferred fires when it is over, however it ended."""
        self._ended = background.start("a photo's flight", self._run(), job=self.job.id)
        return self._ended

    async def join(self, budget: Budget) -> Kept:
        """Wait for the outcome while `budget` lasts. Raises what the attempts raised; OutOfTime when it ends first."""
        if self._outcome is None:
            self._deadline_s = max(self._deadline_s, budget.deadline_s)
            waiter: Deferred[Kept] = Deferred()
            self._waiting.add(waiter)
            try:
                return await budget.limit(waiter)
            finally:
                self._waiting.discard(waiter)
                self._land_if_unwanted()
        if isinstance(self._outcome, Kept):
            return self._outcome
        raise self._outcome

    async def landed(self) -> Kept:
        """Wait for the outcome without asking for it: this keeps nothing in the air. Raises BoothdError."""
        if self._outcome is None and self._ended is not None:
            await ended(self._ended)
        if isinstance(self._outcome, Kept):
            return self._outcome
        raise self._outcome or OutOfTime()

    def _land_if_unwanted(self) -> None:
        if not self._waiting and not self._on_its_way and self._outcome is None and self._ended is not None:
            self._ended.cancel()

    async def _run(self) -> None:
        try:
            self._outcome = await self._attempt_until_it_succeeds()
        except BoothdError as error:
            self._outcome = error
        except CancelledError:
            self._outcome = OutOfTime()
            raise
        except Exception:  # noqa: BLE001 (a defect of ours; nobody must hang on it)
            self.log.failure("{job}: the engine failed", job=self.job.id)
            self._outcome = WorkError("boothd itself failed; its log says how.")
        finally:
            for waiter in list(self._waiting):
                if isinstance(self._outcome, Kept):
                    waiter.callback(self._outcome)
                elif self._outcome is not None:
                    waiter.errback(self._outcome)

    async def _attempt_until_it_succeeds(self) -> Kept:
        failures = 0
        while True:
            try:
                return await self._attempt()
            except WorkError as error:
                failures += 1
                pause_s = self._pause_s(error, failures)
                if pause_s is None:
                    raise
                self.log.info(
                    "{job}: {provider} failed ({code}); tried again in {pause_s:.1f} s",
                    job=self.job.id,
                    provider=self._service.name,
                    code=error.code,
                    pause_s=pause_s,
                )
            self._waited_s += pause_s
            await self._clock.sleep(pause_s)

    async def _attempt(self) -> Kept:
        if self._resumption is not None:
            return await self._resume(self._resumption)
        service = self._service
        service.breaker.check()
        asked_s = self._clock.seconds()
        await service.turns.take(self.job.slot)
        try:
            self._waited_s += self._clock.seconds() - asked_s
            if service.paid and not self._order.tally.may_spend:
                raise PaidAttemptsUsedUp()
            with service.breaker.watch():
                self._on_its_way = service.paid
                return await self._attempts.make(
                    self._order, self._preset, service, self._call_budget(), self._waited_s
                )
        finally:
            self._on_its_way = False
            service.turns.give()

    async def _resume(self, resumption: Resumption) -> Kept:
        self._resumption = None
        budget = Budget.of(self._clock, self._service.settings.late_s)
        try:
            return await self._attempts.resume(self._order, self._preset, self._service, budget, resumption)
        finally:
            self._on_its_way = False

    def _call_budget(self) -> Budget:
        """How long a call may run: a free one while its answer can be used in time, a paid one `late_s` longer."""
        extra_s = self._service.settings.late_s if self._service.paid else -self._reserve_s
        return Budget(self._clock, self._deadline_s + extra_s)

    def _pause_s(self, error: WorkError, failures: int) -> float | None:
        """How long to wait before the next attempt, or None when there is none to be made."""
        may_pay = not self._service.paid or self._order.tally.may_spend
        if not (error.retry and may_pay and self._waiting):
            return None
        if error.retry_after_s is not None:
            pause_s = error.retry_after_s
        else:
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (failures - 1)) * self._random.uniform(0.8, 1.2)
        return pause_s if self._clock.seconds() + pause_s < self._deadline_s - self._reserve_s else None
