"""A provider writes the prompt, another one makes the picture."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from boothd.base.errors import (
    BadAnswer,
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
from boothd.engine.attempt import Resumption
from boothd.engine.breaker import Paused
from boothd.engine.engine import LeftOut
from boothd.engine.flight import PaidAttemptsUsedUp
from boothd.spool.journal import Attempt, AttemptEnded, Undirected
from tests.support.engine import RESERVE_S, World, begin, entries_of, kinds, preset, until
from tests.support.engine_directors import Director, cannot, directed, says
from tests.support.engine_fakes import Fake, PaidFake, ResumingFake, answers, fails

NO, YES, MAYBE = Charged.NO, Charged.YES, Charged.MAYBE
BOTH = ["received", "attempt", "attempt-ended", "attempt", "result", "attempt-ended"]
UNDIRECTED = ["received", "attempt", "attempt-ended", "undirected", "attempt", "result", "attempt-ended"]


def prompts(fake: Fake) -> Sequence[tuple[str, str]]:
    return [(call.preset.prompt, call.preset.negative) for call in fake.calls]


# --- the two calls ---------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_the_picture_is_made_by_the_prompt_that_was_written(world: World) -> None:
    director = world.provides(Director().then(says("a bearded man on the moon", "text")))
    paid = world.provides(PaidFake().then(answers))
    order = await world.order(1, directed())
    made = await world.engine.run(order)
    assert prompts(paid) == [("a bearded man on the moon", "text")]
    assert director.calls[0].preset == order.presets[0]
    assert (made.result.provider, made.result.model) == ("director", "paid/fake-1")
    assert made.result.revision == order.presets[0].revision
    assert kinds(order.job) == BOTH


@pytest_twisted.ensureDeferred
async def test_both_calls_are_journalled_before_they_leave_and_end_with_their_own_money(world: World) -> None:
    director = world.provides(Director().then(says("p", cost=Decimal("0.002"))), price=Decimal("0.001"))
    paid = world.provides(PaidFake().then(answers), price=Decimal("0.04"))
    order = await world.order(1, directed())
    await world.engine.run(order)
    first, second = director.calls[0].journal[-1], paid.calls[0].journal[-1]
    assert isinstance(first, Attempt)
    assert isinstance(second, Attempt)
    assert (first.number, first.provider, first.role, first.price) == (1, "director", "direct", Decimal("0.001"))
    assert (second.number, second.provider, second.role, second.price) == (2, "paid", "render", Decimal("0.04"))
    assert {first.revision, second.revision} == {order.presets[0].revision}
    said = [(e.role, e.provider, e.model, e.outcome, e.cost) for e in entries_of(order.job, AttemptEnded)]
    assert said == [
        ("direct", "director", "seer-2", "ok", Decimal("0.002")),
        ("render", "paid", "fake-1", "ok", Decimal("0.04")),
    ]
    rendered = entries_of(order.job, AttemptEnded)[1]
    assert (rendered.credit_provider, rendered.credit_model) == ("director", "seer-2")


@pytest_twisted.ensureDeferred
async def test_the_answer_is_remembered_for_the_whole_preset(world: World) -> None:
    director = world.provides(Director().then(says("p")))
    paid = world.provides(PaidFake().then(answers, answers))
    await world.engine.run(await world.order(1, directed()))
    again = await world.engine.run(await world.order(1, directed()))
    assert again.cached
    assert again.result.provider == "director"
    assert (len(director.calls), len(paid.calls)) == (1, 1)
    alone = await world.engine.run(await world.order(1, directed().renderer or preset()))
    assert not alone.cached


@pytest_twisted.ensureDeferred
async def test_who_asks_the_same_while_the_prompt_is_written_shares_it(world: World) -> None:
    director = world.provides(Director())
    world.provides(PaidFake().then(answers))
    first, second = world.run(await world.order(1, directed())), world.run(await world.order(1, directed()))
    await until(lambda: director.calls)
    director.calls[0].says("p")
    assert not (await first).cached
    assert (await second).cached
    assert len(director.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_renderer_that_is_asked_again_gets_the_same_prompt(world: World) -> None:
    director = world.provides(Director().then(says("p")))
    paid = world.provides(PaidFake().then(fails(Busy(retry_after_s=1)), answers))
    running = world.run(await world.order(1, directed()))
    await world.pass_time(1)
    await running
    assert prompts(paid) == [("p", ""), ("p", "")]
    assert len(director.calls) == 1


# --- without a prompt ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [BadRequest(), BadKey(), OutOfCredit(), Busy(), Unavailable(), BadAnswer(), ZeroDivisionError("oh")]
)
@pytest_twisted.ensureDeferred
async def test_after_a_failure_the_slot_s_own_prompt_is_used_and_the_journal_says_so(
    world: World, error: Exception
) -> None:
    director = world.provides(Director().then(cannot(error)))
    paid = world.provides(PaidFake().then(answers))
    order = await world.order(1, directed())
    made = await world.engine.run(order)
    code = error.code if isinstance(error, WorkError) else "failed"
    assert prompts(paid) == [("as an astronaut", "")]
    assert kinds(order.job) == UNDIRECTED
    (said,) = entries_of(order.job, Undirected)
    assert (said.provider, said.code) == ("director", code)
    assert entries_of(order.job, AttemptEnded)[0].outcome == code
    assert (made.result.provider, made.result.model, made.fallbacks) == ("director", "paid/fake-1", ())
    assert entries_of(order.job, AttemptEnded)[1].credit_model == "seer"
    assert len(director.calls) == 1


@pytest_twisted.ensureDeferred
async def test_an_empty_prompt_is_none(world: World) -> None:
    world.provides(Director().then(says("  ", cost=Decimal("0.002"))))
    paid = world.provides(PaidFake().then(answers))
    order = await world.order(1, directed())
    await world.engine.run(order)
    assert prompts(paid) == [("as an astronaut", "")]
    ended = entries_of(order.job, AttemptEnded)[0]
    assert (ended.outcome, ended.charged, ended.cost) == ("bad-answer", YES, Decimal("0.002"))


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_the_answer(world: World) -> None:
    world.provides(Director().then(cannot(Refused("not this guest", charged=YES))))
    paid = world.provides(PaidFake())
    order = await world.order(1, directed())
    with pytest.raises(Refused, match="not this guest"):
        await world.engine.run(order)
    assert paid.calls == []
    assert kinds(order.job) == ["received", "attempt", "attempt-ended"]
    assert order.tally.charged is YES


@pytest.mark.parametrize(("budget_s", "patience_s"), [(48, 12), (20, (20 - RESERVE_S) / 3)])
@pytest_twisted.ensureDeferred
async def test_a_slow_director_is_waited_for_with_patience_but_never_more_than_a_third(
    world: World, budget_s: float, patience_s: float
) -> None:
    director = world.provides(Director())
    paid = world.provides(PaidFake().then(answers))
    order = await world.order(1, directed(), budget_s=budget_s)
    running = world.run(order)
    await until(lambda: director.calls)
    await world.pass_time(patience_s - 0.1)
    assert (director.calls[0].cancels, paid.calls) == (0, [])
    await world.pass_time(0.2)
    await running
    assert director.calls[0].cancels == 1
    assert prompts(paid) == [("as an astronaut", "")]
    ended = entries_of(order.job, AttemptEnded)[0]
    assert (ended.outcome, ended.charged) == ("out-of-time", MAYBE)
    assert entries_of(order.job, Undirected)[0].code == "out-of-time"


@pytest_twisted.ensureDeferred
async def test_the_settings_say_how_patient(world: World) -> None:
    director = world.provides(Director(), patience_s=3)
    world.provides(PaidFake().then(answers))
    running = world.run(await world.order(1, directed()))
    await until(lambda: director.calls)
    await world.pass_time(3.1)
    await running


@pytest_twisted.ensureDeferred
async def test_waiting_for_a_turn_at_the_director_takes_no_more_than_its_patience(world: World) -> None:
    director = world.provides(Director(), concurrency=1)
    paid = world.provides(PaidFake().then(answers))
    first = world.run(await world.order(1, directed()))
    await until(lambda: director.calls)
    order = await world.order(2, directed(), budget_s=RESERVE_S + 12)
    second = world.run(order)
    await world.pass_time(4.1)
    await second
    assert prompts(paid) == [("as an astronaut", "")]
    assert kinds(order.job) == ["received", "undirected", "attempt", "result", "attempt-ended"]
    director.calls[0].says("p")
    (await world.calls(paid, 2)).answer()
    await first
    assert world.services["director"].turns.taken == 0


@pytest_twisted.ensureDeferred
async def test_a_paused_director_is_not_called(world: World) -> None:
    director = world.provides(Director().then(cannot(BadKey())))
    paid = world.provides(PaidFake().then(answers, answers))
    await world.engine.run(await world.order(1, directed()))
    order = await world.order(2, directed())
    await world.engine.run(order)
    assert (len(director.calls), len(paid.calls)) == (1, 2)
    assert entries_of(order.job, Undirected)[0].code == Paused.code


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_rendered_is_not_directed(world: World) -> None:
    director = world.provides(Director())
    world.provides(PaidFake().then(fails(BadKey())))
    with pytest.raises(PaidAttemptsUsedUp):
        await world.engine.run(await world.order(1, directed(), paid_attempts=0))
    with pytest.raises(OutOfTime):
        await world.engine.run(await world.order(3, directed(), budget_s=RESERVE_S))
    with pytest.raises(BadKey):
        await world.engine.run(await world.order(1, preset("paid")))
    with pytest.raises(Paused):
        await world.engine.run(await world.order(2, directed()))
    assert director.calls == []


@pytest.mark.parametrize("missing", ["director", "paid"])
@pytest_twisted.ensureDeferred
async def test_who_is_not_configured_is_named(world: World, missing: str) -> None:
    world.provides(PaidFake() if missing == "director" else Director())
    with pytest.raises(LeftOut, match=f"{missing} is left out: it is not set up"):
        await world.engine.run(await world.order(1, directed()))


# --- money -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("charged", [YES, MAYBE])
@pytest_twisted.ensureDeferred
async def test_the_direction_counts_for_no_paid_attempt(world: World, charged: Charged) -> None:
    world.provides(Director().then(cannot(Unavailable(charged=charged))))
    paid = world.provides(PaidFake().then(fails(Unavailable(charged=NO)), fails(Unavailable(charged=MAYBE)), answers))
    order = await world.order(1, directed(), paid_attempts=1)
    running = world.run(order)
    await world.pass_time(5)
    with pytest.raises(Unavailable):
        await running
    assert len(paid.calls) == 2
    assert (order.tally.spent, order.tally.charged) == (1, charged)


# --- the guest leaves, boothd stops ----------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_guest_who_leaves_while_the_prompt_is_written_ends_it(world: World) -> None:
    director, paid = world.provides(Director(), price=Decimal("0.002")), world.provides(PaidFake())
    order = await world.order(1, directed())
    leaving = world.run(order)
    await until(lambda: director.calls)
    leaving.cancel()
    with pytest.raises(CancelledError):
        await leaving
    await world.settle()
    assert (director.calls[0].cancels, paid.calls) == (1, [])
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.role, ended.outcome, ended.charged, ended.cost) == ("direct", "given-up", MAYBE, Decimal("0.002"))
    assert world.spent.today("director") == Decimal("0.002")
    assert world.engine.flight_of(order.job) is None
    assert world.services["director"].turns.taken == 0


@pytest_twisted.ensureDeferred
async def test_a_guest_who_comes_while_another_one_s_direction_is_given_up_gets_an_own_one(world: World) -> None:
    director = world.provides(Director())
    world.provides(PaidFake().then(answers))
    leaving = world.run(await world.order(1, directed()))
    await until(lambda: director.calls)
    coming = await world.order(1, directed())
    leaving.addErrback(lambda _: None)
    leaving.cancel()
    running = world.run(coming)
    await until(lambda: len(director.calls) == 2)
    director.calls[1].says("p")
    assert not (await running).cached


@pytest_twisted.ensureDeferred
async def test_stopping_while_the_prompt_is_written_leaves_the_journal_open(world: World) -> None:
    director = world.provides(Director())
    world.provides(PaidFake())
    order = await world.order(1, directed())
    running = world.run(order)
    await until(lambda: director.calls)
    await world.engine.stop()
    with pytest.raises(CancelledError):
        await running
    assert kinds(order.job) == ["received", "attempt"]


@pytest_twisted.ensureDeferred
async def test_a_paid_rendering_goes_on_when_the_guest_has_left_and_is_served_unpaid(world: World) -> None:
    director = world.provides(Director().then(says("p")))
    paid = world.provides(PaidFake(), late_s=60)
    order = await world.order(1, directed(), budget_s=48)
    running = world.run(order)
    call = await world.calls(paid, 1)
    await world.pass_time(48)
    with pytest.raises(OutOfTime):
        await running
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    await world.pass_time(59)
    assert call.cancels == 0
    call.answer()
    assert (await flight.landed()).result.provider == "director"
    assert (await world.engine.run(await world.order(1, directed()))).cached
    assert (len(director.calls), len(paid.calls)) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_a_free_rendering_ends_with_its_guest(world: World) -> None:
    world.provides(Director().then(says("p")))
    fake = world.provides(Fake())
    order = await world.order(1, directed("fake"))
    leaving = world.run(order)
    call = await world.calls(fake, 1)
    leaving.cancel()
    with pytest.raises(CancelledError):
        await leaving
    assert call.cancels == 1
    assert world.engine.flight_of(order.job) is None


@pytest_twisted.ensureDeferred
async def test_a_renderer_s_queue_number_is_taken_up_again_without_the_director(world: World) -> None:
    resuming = world.provides(ResumingFake())
    order = await world.order(1, directed("resuming"))
    resumption = Resumption(2, "fake-1", order.presets[0].revision, "q7", "render", "director", "seer-2")
    flight = world.engine.resume(order, resumption)
    landed = begin(flight.landed())
    (await world.calls(resuming, 1)).answer()
    kept = await landed
    assert resuming.queue_numbers == ["q7"]
    assert (kept.result.provider, kept.result.model) == ("director", "resuming/fake-1")
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.number, ended.role, ended.credit_model) == (2, "render", "seer-2")
    world.provides(Director())
    assert (await world.engine.run(await world.order(1, directed("resuming")))).cached
