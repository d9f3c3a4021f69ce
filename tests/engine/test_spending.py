"""What a provider may cost a day, and what is told when that is spent."""

from decimal import Decimal

import pytest
import pytest_twisted

from boothd.base.errors import BadAnswer, Charged, Unavailable
from boothd.engine.breaker import BreakerState
from boothd.engine.order import ORIGINAL
from boothd.engine.spending import DailyBudgetSpent
from boothd.spool.journal import AttemptEnded, FellBack, Undirected
from tests.support.engine import World, entries_of, kinds, preset
from tests.support.engine_directors import Director, directed, says
from tests.support.engine_fakes import Fake, PaidFake, answers, fails

PRICE = Decimal("0.04")


@pytest_twisted.ensureDeferred
async def test_when_the_day_s_money_is_spent_nothing_is_called(world: World) -> None:
    paid = world.provides(PaidFake().then(answers, answers), price=PRICE, daily_budget=Decimal("0.10"))
    await world.engine.run(await world.order(1, preset("paid")))
    await world.engine.run(await world.order(2, preset("paid")))
    order = await world.order(3, preset("paid"))
    with pytest.raises(DailyBudgetSpent) as caught:
        await world.engine.run(order)
    assert caught.value.message == "paid has spent 0.08 of the 0.1 that it may cost a day; it begins anew at 06:00."
    assert (caught.value.retry, caught.value.charged) == (False, Charged.NO)
    assert (len(paid.calls), kinds(order.job)) == (2, ["received"])
    assert world.services["paid"].turns.taken == 0
    assert world.services["paid"].breaker.state is BreakerState.CLOSED


@pytest_twisted.ensureDeferred
async def test_the_slot_s_failure_rule_holds_at_once(world: World) -> None:
    world.provides(PaidFake(), daily_budget=Decimal(0))
    order = await world.order(1, preset("paid"), original=True)
    assert (await world.engine.run(order)).result.provider == ORIGINAL
    assert entries_of(order.job, FellBack)[0].code == "daily-budget-spent"


@pytest_twisted.ensureDeferred
async def test_it_counts_for_no_breaker(world: World) -> None:
    world.provides(PaidFake(), daily_budget=Decimal(0), breaker_failures=1)
    for number in (1, 2, 3):
        with pytest.raises(DailyBudgetSpent):
            await world.engine.run(await world.order(number, preset("paid")))
    assert world.services["paid"].breaker.state is BreakerState.CLOSED


@pytest_twisted.ensureDeferred
async def test_a_burst_does_not_overshoot(world: World) -> None:
    paid = world.provides(PaidFake(), price=PRICE, daily_budget=3 * PRICE, concurrency=10)
    running = [world.run(await world.order(number, preset("paid"))) for number in range(1, 8)]
    await world.settle()
    assert len(paid.calls) == 3
    for refused in (one for one in running if one.called):
        with pytest.raises(DailyBudgetSpent, match=r"has spent 0 and 0\.12 on calls under way of the 0\.12"):
            await refused
    for call in paid.calls:
        call.answer()
    await world.settle()
    assert world.spent.today("paid") == 3 * PRICE


@pytest_twisted.ensureDeferred
async def test_it_is_looked_at_again_after_the_wait_for_a_turn(world: World) -> None:
    paid = world.provides(PaidFake(), price=PRICE, daily_budget=2 * PRICE, concurrency=1)
    first, second = world.run(await world.order(1, preset("paid"))), world.run(await world.order(2, preset("paid")))
    call = await world.calls(paid, 1)
    call.answer(cost=Decimal("0.05"))
    await first
    with pytest.raises(DailyBudgetSpent):
        await second
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_what_a_call_that_ended_did_not_cost_is_free_again(world: World) -> None:
    paid = world.provides(
        PaidFake().then(fails(Unavailable(charged=Charged.NO)), answers), price=PRICE, daily_budget=PRICE
    )
    running = world.run(await world.order(1, preset("paid")))
    await world.pass_time(1)
    await running
    assert len(paid.calls) == 2


@pytest_twisted.ensureDeferred
async def test_a_retry_stops_when_the_first_call_took_the_rest(world: World) -> None:
    paid = world.provides(PaidFake().then(fails(Unavailable(charged=Charged.MAYBE))), price=PRICE, daily_budget=PRICE)
    running = world.run(await world.order(1, preset("paid")))
    await world.pass_time(1)
    with pytest.raises(DailyBudgetSpent):
        await running
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_free_provider_has_no_money_to_spend(world: World) -> None:
    fake = world.provides(Fake().then(answers), daily_budget=Decimal(0))
    await world.engine.run(await world.order())
    assert len(fake.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_changed_budget_holds_from_the_next_photo_on(world: World) -> None:
    paid = world.provides(PaidFake().then(answers), price=PRICE, daily_budget=Decimal(0))
    with pytest.raises(DailyBudgetSpent):
        await world.engine.run(await world.order(1, preset("paid")))
    service = world.services["paid"]
    service.reconfigure(service.provider, service.settings.model_copy(update={"daily_budget": None}))
    await world.engine.run(await world.order(1, preset("paid")))
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_director_whose_money_is_spent_is_not_asked(world: World) -> None:
    director = world.provides(Director(), daily_budget=Decimal(0))
    world.provides(PaidFake().then(answers))
    order = await world.order(1, directed())
    await world.engine.run(order)
    assert director.calls == []
    assert entries_of(order.job, Undirected)[0].code == "daily-budget-spent"


@pytest_twisted.ensureDeferred
async def test_a_renderer_whose_money_is_spent_keeps_the_director_from_being_paid(world: World) -> None:
    director = world.provides(Director().then(says("p")))
    world.provides(PaidFake(), daily_budget=Decimal(0))
    with pytest.raises(DailyBudgetSpent, match="paid has spent"):
        await world.engine.run(await world.order(1, directed()))
    assert director.calls == []


@pytest.mark.parametrize(("said", "counted"), [(Decimal("0.03"), Decimal("0.03")), (None, PRICE)])
@pytest_twisted.ensureDeferred
async def test_a_charged_failure_costs_what_the_service_says_else_the_price(
    world: World, said: Decimal | None, counted: Decimal
) -> None:
    world.provides(PaidFake().then(fails(BadAnswer(charged=Charged.YES, cost=said))), price=PRICE)
    order = await world.order(1, preset("paid"), paid_attempts=1)
    with pytest.raises(BadAnswer):
        await world.engine.run(order)
    assert entries_of(order.job, AttemptEnded)[0].cost == counted


@pytest_twisted.ensureDeferred
async def test_a_broken_picture_costs_what_the_service_says(world: World) -> None:
    world.provides(PaidFake().then(lambda call: call.answer(b"<html>", cost=Decimal("0.03"))), price=PRICE)
    order = await world.order(1, preset("paid"), paid_attempts=1)
    with pytest.raises(BadAnswer):
        await world.engine.run(order)
    assert entries_of(order.job, AttemptEnded)[0].cost == Decimal("0.03")
