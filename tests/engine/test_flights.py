"""One photo at one provider: what is tried again, and for how long it is waited."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from boothd.base.errors import (
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    OutOfTime,
    Refused,
    Unavailable,
    WorkError,
)
from boothd.engine.breaker import Paused
from boothd.engine.flight import PaidAttemptsUsedUp
from boothd.spool.journal import Attempt, AttemptEnded
from tests.support.engine import RESERVE_S, World, entries_of, kinds, preset
from tests.support.engine_fakes import Fake, FakeCall, PaidFake, answers, fails
from tests.support.scripted import pictures

MAYBE, YES, NO = Charged.MAYBE, Charged.YES, Charged.NO


# --- retries ---------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_it_comes_back_when_the_service_says_so(world: World) -> None:
    fake = world.provides(Fake().then(fails(Busy(retry_after_s=7)), fails(Busy(retry_after_s=3)), answers))
    running = world.run(await world.order())
    await world.pass_time(6.9)
    assert len(fake.calls) == 1
    await world.pass_time(0.1)
    assert len(fake.calls) == 2
    await world.pass_time(2.9)
    assert len(fake.calls) == 2
    await world.pass_time(0.1)
    assert (await running).result.wait_ms == 10_000


@pytest_twisted.ensureDeferred
async def test_it_does_not_come_back_when_that_is_too_late(world: World) -> None:
    fake = world.provides(Fake().then(fails(Busy(retry_after_s=46))))
    with pytest.raises(Busy):
        await world.engine.run(await world.order(budget_s=48))
    assert len(fake.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_service_that_says_at_once_is_not_asked_in_a_tight_loop(world: World) -> None:
    fake = world.provides(Fake().then(*[fails(Busy(retry_after_s=0))] * 3, answers), breaker_failures=100)
    running = world.run(await world.order())
    await world.settle()
    assert len(fake.calls) == 1
    for _ in range(3):
        await world.pass_time(0.1)
    await running


@pytest_twisted.ensureDeferred
async def test_the_pauses_grow_and_end_with_the_budget(world: World) -> None:
    at: list[float] = []

    def busy(call: FakeCall) -> None:
        at.append(world.clock.seconds())
        call.fail(Unavailable())

    world.provides(Fake().then(*[busy] * 20), breaker_failures=100)
    running = world.run(await world.order(budget_s=48))
    while not running.called:
        await world.pass_time(0.05)
    with pytest.raises(Unavailable):
        await running
    pauses = [later - earlier for earlier, later in pairwise(at)]
    for pause, meant in zip(pauses, [0.5, 1, 2, 4, 8, 8, 8, 8, 8], strict=False):
        assert 0.8 * meant - 0.06 <= pause <= 1.2 * meant + 0.06
    assert len(set(pauses)) > 5
    assert 48 - RESERVE_S - 8 * 1.2 < at[-1] < 48 - RESERVE_S


@pytest.mark.parametrize("error", [Refused, BadRequest, BadKey, OutOfCredit, OutOfTime])
@pytest_twisted.ensureDeferred
async def test_what_will_not_change_is_not_tried_again(world: World, error: type[WorkError]) -> None:
    fake = world.provides(Fake().then(fails(error())))
    with pytest.raises(error):
        await world.engine.run(await world.order())
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    ("charges", "calls"),
    [
        ([MAYBE, MAYBE, MAYBE], 2),
        ([YES, YES, YES], 2),
        ([NO, MAYBE, NO, YES, NO], 4),
        ([NO, NO, NO, NO, NO], 5),
    ],
)
@pytest_twisted.ensureDeferred
async def test_as_many_calls_as_allowed_cost_or_may(world: World, charges: list[Charged], calls: int) -> None:
    acts: list[Callable[[FakeCall], None]] = [fails(Unavailable(charged=charged)) for charged in charges]
    paid = world.provides(PaidFake().then(*acts), breaker_failures=100)
    order = await world.order(1, preset("paid"), paid_attempts=2)
    running = world.run(order)
    while not running.called and len(paid.calls) < 5:
        await world.pass_time(1)
    running.addErrback(lambda failure: failure.trap(Unavailable, CancelledError) and None)
    assert len(paid.calls) == calls
    assert [ended.charged for ended in entries_of(order.job, AttemptEnded)] == charges[:calls]
    assert [attempt.number for attempt in entries_of(order.job, Attempt)] == list(range(1, calls + 1))
    running.cancel()


@pytest_twisted.ensureDeferred
async def test_a_photo_whose_money_is_used_up_takes_no_turn(world: World) -> None:
    paid = world.provides(PaidFake(), concurrency=1)
    running = world.run(await world.order(1, preset("paid")))
    await world.calls(paid, 1)
    with pytest.raises(PaidAttemptsUsedUp):
        await world.engine.run(await world.order(2, preset("paid"), paid_attempts=0))
    paid.calls[0].answer()
    await running


@pytest_twisted.ensureDeferred
async def test_a_paused_provider_is_not_called(world: World) -> None:
    fake = world.provides(Fake().then(fails(BadKey())))
    with pytest.raises(BadKey):
        await world.engine.run(await world.order(1))
    order = await world.order(2)
    with pytest.raises(Paused):
        await world.engine.run(order)
    assert (len(fake.calls), kinds(order.job)) == (1, ["received"])


@pytest_twisted.ensureDeferred
async def test_a_photo_is_told_its_own_failure_and_not_the_pause_that_followed(world: World) -> None:
    world.provides(Fake().then(fails(Busy())), breaker_failures=1)
    running = world.run(await world.order(1))
    while not running.called:
        await world.pass_time(1)
    with pytest.raises(Busy):
        await running


# --- the budget ------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_free_call_is_cancelled_before_the_reply_would_be_late(world: World) -> None:
    fake = world.provides(Fake())
    order = await world.order(budget_s=48)
    running = world.run(order)
    call = await world.calls(fake, 1)
    await world.pass_time(48 - RESERVE_S - 0.1)
    assert call.cancels == 0
    await world.pass_time(0.1)
    assert call.cancels == 1
    with pytest.raises(OutOfTime):
        await running
    assert kinds(order.job) == ["received", "attempt", "attempt-ended"]
    assert world.engine.flight_of(order.job) is None


@pytest_twisted.ensureDeferred
async def test_a_paid_call_goes_on_when_its_waiter_has_gone(world: World) -> None:
    paid = world.provides(PaidFake(), late_s=60)
    order = await world.order(1, preset("paid"), budget_s=48)
    running = world.run(order)
    call = await world.calls(paid, 1)
    await world.pass_time(48)
    with pytest.raises(OutOfTime):
        await running
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    assert call.cancels == 0
    await world.pass_time(59)
    call.answer()
    kept = await flight.landed()
    assert world.engine.flight_of(order.job) is None
    assert kept.path.read_bytes() == pictures.answer(order.photo.sha256)
    assert kinds(order.job) == ["received", "attempt", "result", "attempt-ended"]

    again = await world.engine.run(await world.order(1, preset("paid")))
    assert again.cached
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_an_answer_that_never_comes_may_have_cost(world: World) -> None:
    paid = world.provides(PaidFake(), late_s=60)
    order = await world.order(1, preset("paid"), budget_s=48)
    running = world.run(order)
    call = await world.calls(paid, 1)
    await world.pass_time(48)
    with pytest.raises(OutOfTime):
        await running
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    await world.pass_time(60)
    assert call.cancels == 1
    with pytest.raises(OutOfTime) as caught:
        await flight.landed()
    assert caught.value.charged is MAYBE
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.outcome, ended.charged) == ("out-of-time", MAYBE)


@pytest_twisted.ensureDeferred
async def test_a_late_failure_is_not_retried_for_nobody(world: World) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    call = await world.calls(paid, 1)
    await world.pass_time(48)
    with pytest.raises(OutOfTime):
        await running
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    call.fail(Unavailable())
    with pytest.raises(Unavailable):
        await flight.landed()
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_while_waiting_for_a_turn_costs_nothing(world: World) -> None:
    paid = world.provides(PaidFake(), concurrency=1)
    first = world.run(await world.order(1, preset("paid")))
    await world.calls(paid, 1)
    order = await world.order(2, preset("paid"))
    leaving = world.run(order)
    await world.settle()
    leaving.cancel()
    with pytest.raises(CancelledError):
        await leaving
    paid.calls[0].answer()
    await first
    await world.settle()
    assert (len(paid.calls), kinds(order.job), order.tally.spent) == (1, ["received"], 0)
    assert world.engine.flight_of(order.job) is None
    assert world.services["paid"].turns.taken == 0


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_while_the_call_is_journalled_costs_nothing(world: World) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    leaving = world.run(order)
    leaving.cancel()
    with pytest.raises(CancelledError):
        await leaving
    await world.settle()
    assert paid.calls == []
    assert world.engine.flight_of(order.job) is None


@pytest_twisted.ensureDeferred
async def test_a_turn_that_comes_too_late_is_not_used(world: World) -> None:
    paid = world.provides(PaidFake(), concurrency=1)
    first = world.run(await world.order(1, preset("paid"), budget_s=100))
    await world.calls(paid, 1)
    order = await world.order(2, preset("paid"), budget_s=48)
    second = world.run(order)
    await world.pass_time(48 - RESERVE_S)
    paid.calls[0].answer()
    await first
    with pytest.raises(OutOfTime) as caught:
        await second
    assert (len(paid.calls), caught.value.charged, kinds(order.job)) == (1, NO, ["received"])


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_a_free_call_ends_it(world: World) -> None:
    fake = world.provides(Fake())
    order = await world.order()
    leaving = world.run(order)
    call = await world.calls(fake, 1)
    leaving.cancel()
    with pytest.raises(CancelledError):
        await leaving
    assert call.cancels == 1
    assert world.engine.flight_of(order.job) is None
    assert world.services["fake"].turns.taken == 0
