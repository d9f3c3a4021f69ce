"""A budget ends work in time, and says so by its own timer."""

import asyncio

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import LogEvent
from twisted.web.client import ResponseNeverReceived

from boothd.base.budget import Budget
from boothd.base.errors import OutOfTime
from boothd.base.threads import Threads
from tests.support.clock import FakeClock
from tests.support.deferreds import outcome


def test_a_budget_counts_down_to_zero_and_ends(clock: FakeClock) -> None:
    budget = Budget.of(clock, 10)
    clock.advance(4)
    assert (budget.left_s(), budget.ended) == (6, False)
    clock.advance(6)
    assert (budget.left_s(), budget.ended) == (0, True)
    clock.advance(1)
    assert budget.left_s() == 0


def test_less_keeps_a_reserve_back_at_the_end(clock: FakeClock) -> None:
    assert Budget.of(clock, 10).less(2).left_s() == 8


def test_check_raises_once_time_is_over(clock: FakeClock) -> None:
    budget = Budget.of(clock, 10)
    budget.check()
    clock.advance(10)
    with pytest.raises(OutOfTime):
        budget.check()


@pytest_twisted.ensureDeferred
async def test_check_can_be_called_from_a_thread(clock: FakeClock, picture_threads: Threads) -> None:
    budget = Budget.of(clock, 10)
    await picture_threads.run(budget.check)
    clock.advance(10)
    with pytest.raises(OutOfTime):
        await picture_threads.run(budget.check)


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_step_of_the_wall_clock_neither_ends_nor_lengthens_a_budget(clock: FakeClock, step_s: float) -> None:
    budget = Budget.of(clock, 10)
    work: Deferred[str] = Deferred()
    running = outcome(ensureDeferred(budget.limit(work)))
    clock.step_wall(step_s)
    assert (budget.left_s(), running) == (10, [])
    clock.advance(9.9)
    assert not running
    clock.advance(0.1)
    assert isinstance(running[0], OutOfTime)


def test_work_that_is_done_in_time_gives_its_result_and_leaves_no_timer(clock: FakeClock) -> None:
    work: Deferred[str] = Deferred()
    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work)))
    work.callback("picture")
    assert (running, clock.timers) == (["picture"], 0)


def test_work_that_fails_in_time_raises_its_own_error(clock: FakeClock) -> None:
    async def work() -> str:
        raise ZeroDivisionError

    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work())))
    assert isinstance(running[0], ZeroDivisionError)
    assert clock.timers == 0


def test_work_that_is_cancelled_by_time_is_out_of_time_whatever_it_raises(clock: FakeClock) -> None:
    """treq raises ResponseNeverReceived when it is cancelled."""

    async def fetch() -> str:
        try:
            await Deferred()
        except CancelledError:
            raise ResponseNeverReceived([]) from None
        return ""

    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(fetch())))
    clock.advance(10)
    assert isinstance(running[0], OutOfTime)
    assert isinstance(running[0].__cause__, ResponseNeverReceived)


def test_asyncios_cancelled_error_is_out_of_time_too(clock: FakeClock) -> None:
    async def work() -> str:
        try:
            await Deferred()
        except CancelledError:
            raise asyncio.CancelledError from None
        return ""

    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work())))
    clock.advance(10)
    assert isinstance(running[0], OutOfTime)


def test_work_that_swallows_its_cancellation_is_out_of_time_all_the_same(clock: FakeClock) -> None:
    work: Deferred[str] = Deferred(lambda d: d.callback("half a picture"))
    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work)))
    clock.advance(10)
    assert isinstance(running[0], OutOfTime)


def test_a_canceller_that_does_nothing_keeps_nobody_waiting(clock: FakeClock) -> None:
    work: Deferred[str] = Deferred(lambda d: None)
    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work)))
    clock.advance(10)
    assert isinstance(running[0], OutOfTime)


def test_a_canceller_that_throws_keeps_nobody_waiting(clock: FakeClock, events: list[LogEvent]) -> None:
    def throw(_: object) -> None:
        raise ZeroDivisionError

    work: Deferred[str] = Deferred(throw)
    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work)))
    clock.advance(10)
    assert isinstance(running[0], OutOfTime)
    assert [type(event["log_failure"].value) for event in events if "log_failure" in event] == [ZeroDivisionError]


def test_cancelled_work_may_clean_up_first(clock: FakeClock) -> None:
    closed: Deferred[None] = Deferred()

    async def work() -> str:
        try:
            await Deferred()
        finally:
            await closed
        return ""

    running = outcome(ensureDeferred(Budget.of(clock, 10).limit(work())))
    clock.advance(10)
    assert not running
    closed.callback(None)
    assert isinstance(running[0], OutOfTime)


def test_a_cancellation_from_elsewhere_passes_through(clock: FakeClock) -> None:
    cancelled: list[str] = []
    work: Deferred[str] = Deferred(lambda _: cancelled.append("work"))
    limited = ensureDeferred(Budget.of(clock, 10).limit(work))
    running = outcome(limited)
    limited.cancel()
    assert isinstance(running[0], CancelledError)
    assert (cancelled, clock.timers) == (["work"], 0)


def test_of_two_budgets_the_shorter_one_ends_the_work(clock: FakeClock) -> None:
    outer, inner = Budget.of(clock, 10), Budget.of(clock, 5)

    async def work() -> str:
        with pytest.raises(OutOfTime):
            await inner.limit(Deferred())
        return "the next in the chain"

    running = outcome(ensureDeferred(outer.limit(work())))
    clock.advance(5)
    assert running == ["the next in the chain"]


def test_a_coroutine_is_not_begun_when_time_is_over(clock: FakeClock) -> None:
    begun: list[str] = []

    async def pay() -> str:
        begun.append("paid")
        return ""

    running = outcome(ensureDeferred(Budget.of(clock, 0).limit(pay())))
    assert isinstance(running[0], OutOfTime)
    assert not begun


def test_a_deadline_can_be_moved_later_while_somebody_waits(clock: FakeClock) -> None:
    budget = Budget.of(clock, 10)
    running = outcome(ensureDeferred(budget.limit(Deferred())))
    budget.deadline_s += 5
    clock.advance(14)
    assert not running
    clock.advance(1)
    assert isinstance(running[0], OutOfTime)
