"""One photo on one preset, on its way: attempts, retries, and those who wait for it."""

from copy import copy
from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from boothd.base.aio import Background, ended
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, Charged, OutOfTime, WorkError
from boothd.engine.attempt import Attempts, Resumption
from boothd.engine.breaker import Paused
from boothd.engine.directing import Directing
from boothd.engine.ledger import Part
from boothd.engine.order import Order
from boothd.engine.services import Service
from boothd.providers.interfaces import Preset
from boothd.spool import Kept

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
LEAST_PAUSE_S = 0.1
"""A service that says "come back in 0 seconds" is not to be asked in a tight loop."""


class PaidAttemptsUsedUp(WorkError):
    """As many calls as the slot allows to cost money have been made for this photo."""

    code = "paid-attempts-used-up"


class Flight:
    """Runs until there is a result, no attempt is left, or nobody has any use for one.

    Whoever asks for the same photo on the same preset joins. One who leaves ends the flight only when he was the last,
    and not while a paid answer is on its way: that is waited for, up to the provider's `late_s`, and kept.

    service: who makes the picture; director: who only writes the prompt for it first, once. budget: of the first who waits.
    reserve_s: kept back at the end of everybody's budget for checking, encoding and the reply. earlier: a flight of the same
    job that is still in the air (its paid answer is late)."""

    log = Logger()

    def __init__(
        self,
        order: Order,
        preset: Preset,
        service: Service,
        attempts: Attempts,
        budget: Budget,
        *,
        clock: Clock,
        random: Random,
        reserve_s: float,
        director: Service | None = None,
        resumption: Resumption | None = None,
        earlier: "Flight | None" = None,
    ) -> None:
        self.job = order.job
        self._order, self._service, self._attempts = order, service, attempts
        self._part = _part(preset, service, resumption)
        self._directing = None
        if director is not None:
            self._directing = Directing(order, preset, director, attempts, clock, lambda: self._unwanted)
        self._clock, self._random, self._reserve_s = clock, random, reserve_s
        self._resumption, self._earlier = resumption, earlier
        self._deadline_s = budget.deadline_s
        self._waiting: set[Deferred[None]] = set()
        self._call: Budget | None = None  # of the call under way
        self._on_its_way = resumption is not None  # a call that is paid for
        self._unwanted = False
        self._waited_s = 0.0
        self._outcome: Kept | BoothdError | CancelledError | None = None
        self._ended: Deferred[None] | None = None

    def take_off(self, background: Background) -> Deferred[None]:
        """Begin. The Deferred fires when it is over, however it ended."""
        self._ended = background.start("a photo's flight", self._run(), job=self.job.id)
        return self._ended

    @property
    def over(self) -> bool:
        """Whether its outcome is known."""
        return self._outcome is not None

    @property
    def open(self) -> bool:
        """Whether one can join it."""
        return not self.over and not self._unwanted

    @property
    def in_the_air(self) -> bool:
        """Whether it, or an earlier flight of its job, may still bring a result."""
        return not self.over or (self._earlier is not None and self._earlier.in_the_air)

    async def join(self, budget: Budget) -> Kept:
        """Wait for the outcome while `budget` lasts. Raises what the attempts raised; OutOfTime when it ends first."""
        if not self.over:
            self._deadline_s = max(self._deadline_s, budget.deadline_s)
            if self._call is not None:
                self._call.deadline_s = max(self._call.deadline_s, self._call_ends_s)
            waiter: Deferred[None] = Deferred()
            self._waiting.add(waiter)
            try:
                await budget.less(self._reserve_s / 4).limit(waiter)
            finally:
                self._waiting.discard(waiter)
                self._land_if_unwanted()
        return self._given()

    async def landed(self) -> Kept:
        """Wait until it and its job's earlier flights are over, without asking for it: this keeps nothing in the air.

        Raises BoothdError when none brought a result; CancelledError when boothd was stopped."""
        flights = [self]
        while (earlier := flights[-1]._earlier) is not None:
            flights.append(earlier)
        for flight in flights:
            if not flight.over and flight._ended is not None:
                await ended(flight._ended)
        failed = self
        for flight in flights:
            if isinstance(flight._outcome, Kept):
                return flight._outcome
            if isinstance(flight._outcome, CancelledError) or flight._may_have_cost:
                failed = flight
        return failed._given()

    @property
    def _may_have_cost(self) -> bool:
        return isinstance(self._outcome, WorkError) and self._outcome.charged is not Charged.NO

    def _given(self) -> Kept:
        """The outcome. An error is raised as everybody's own copy: it is told whose job it happened to."""
        if isinstance(self._outcome, Kept):
            return self._outcome
        if self._outcome is None:
            raise OutOfTime()
        raise copy(self._outcome) from self._outcome

    def _land_if_unwanted(self) -> None:
        if not self._waiting and not self._on_its_way and not self.over and self._ended is not None:
            self._unwanted = True
            self._ended.cancel()

    async def _run(self) -> None:
        try:
            await self._direct()
            self._outcome = await self._attempt_until_it_succeeds()
        except BoothdError as error:
            self._outcome = error
        except CancelledError as cancelled:
            # Nobody wants it; or boothd stops, and nobody is to file anything: the next start judges by the journal.
            self._outcome = OutOfTime(charged=self._order.tally.charged) if self._unwanted else cancelled
            raise
        except Exception:  # noqa: BLE001 (a defect of ours; nobody must hang on it)
            self.log.failure("{job}: the engine failed", job=self.job.id)
            self._outcome = WorkError("boothd itself failed; its log says how.", charged=self._order.tally.charged)
        finally:
            for waiter in list(self._waiting):
                waiter.callback(None)

    async def _direct(self) -> None:
        """Have the prompt written, unless no picture could be made by it anyway."""
        if self._directing is not None and self._resumption is None:
            began_s = self._clock.seconds()
            self._check()
            self._check_time()
            self._part = await self._directing.part(self._service, self._part.preset, self._usable_s)
            self._waited_s += self._clock.seconds() - began_s

    async def _attempt_until_it_succeeds(self) -> Kept:
        failures = 0
        failed: WorkError | None = None
        while True:
            try:
                return await self._attempt(again=failed is not None)
            except Paused as paused:
                # What happened to this photo says more than that its service is paused by now.
                raise failed or paused from None
            except WorkError as error:
                failures, failed = failures + 1, error
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

    async def _attempt(self, *, again: bool) -> Kept:
        if self._resumption is not None:
            return await self._resume(self._resumption)
        service, tally = self._service, self._order.tally
        self._check()
        asked_s = self._clock.seconds()
        await service.turns.take(self.job.slot)
        try:
            self._waited_s += self._clock.seconds() - asked_s
            self._check()
            self._check_time()
            with service.breaker.watch(again=again), tally.calling(service.paid), service.spending.calling():
                announced = await self._attempts.announce(self._order, self._part)
                # From here on it may cost; who left before has cost nothing.
                self._on_its_way = service.paid
                self._call = Budget(self._clock, self._call_ends_s)
                return await self._attempts.make(self._order, announced, self._call, self._waited_s)
        finally:
            self._on_its_way, self._call = False, None
            service.turns.give()

    async def _resume(self, resumption: Resumption) -> Kept:
        self._resumption = None
        self._call = Budget.of(self._clock, self._service.settings.late_s)
        try:
            return await self._attempts.resume(self._order, self._part, self._call, resumption)
        finally:
            self._on_its_way, self._call = False, None

    def _check(self) -> None:
        """Raise what keeps a call from being made, before anything is waited or paid for it."""
        if self._service.paid and not self._order.tally.may_spend:
            raise PaidAttemptsUsedUp()
        self._service.check()

    def _check_time(self) -> None:
        """A call whose answer nobody could use is not begun, so it costs nothing."""
        if self._usable_s <= 0:
            raise OutOfTime(charged=Charged.NO)

    @property
    def _usable_s(self) -> float:
        """How much time is left in which an answer can be used."""
        return self._deadline_s - self._reserve_s - self._clock.seconds()

    @property
    def _call_ends_s(self) -> float:
        """How long a call may run: a free one while its answer can be used in time, a paid one `late_s` longer."""
        extra_s = self._service.settings.late_s if self._service.paid else -self._reserve_s
        return self._deadline_s + extra_s

    def _pause_s(self, error: WorkError, failures: int) -> float | None:
        """How long to wait before the next attempt, or None when there is none to be made."""
        may_pay = not self._service.paid or self._order.tally.may_spend
        if not (error.retry and may_pay and self._waiting):
            return None
        if error.retry_after_s is not None:
            pause_s = max(LEAST_PAUSE_S, error.retry_after_s)
        else:
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10)) * self._random.uniform(
                0.8, 1.2
            )
        return pause_s if pause_s < self._usable_s else None


def _part(preset: Preset, service: Service, resumption: Resumption | None) -> Part:
    """What `service` does for `preset`, by the slot's own prompt."""
    asked = preset.renderer or preset
    if resumption is None:
        return Part(service, asked, preset.revision)
    # What was asked for before a restart may be another preset than the slot's now.
    role, provider, model = resumption.role, resumption.credit_provider, resumption.credit_model
    return Part(service, asked, resumption.revision, role, provider, model)
