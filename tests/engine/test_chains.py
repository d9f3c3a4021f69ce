"""A slot's chain: another provider, then the original."""

import pytest
import pytest_twisted

from boothd.base.errors import BadRequest, OutOfTime, Refused, Unavailable, WorkError
from boothd.engine.engine import FALLBACK_S, LeftOut
from boothd.engine.flight import PaidAttemptsUsedUp
from boothd.engine.order import ORIGINAL
from boothd.spool.journal import Attempt, FellBack, Result
from tests.support.engine import RESERVE_S, World, begin, entries_of, kinds, preset
from tests.support.engine_fakes import Fake, PaidFake, answers, fails
from tests.support.scripted import pictures
from tests.support.scripted.pictures import whose

CHAIN = (preset("paid"), preset("fake"))


@pytest_twisted.ensureDeferred
async def test_when_one_fails_the_next_is_asked_and_the_journal_says_why(world: World) -> None:
    world.provides(PaidFake().then(fails(Refused("not this face"))))
    world.provides(Fake().then(answers))
    order = await world.order(1, *CHAIN)
    made = await world.engine.run(order)
    assert (made.result.provider, made.fallbacks) == ("fake", ("paid",))
    (fell_back,) = entries_of(order.job, FellBack)
    assert (fell_back.provider, fell_back.to, fell_back.code) == ("paid", "fake", "refused")
    assert fell_back.message == "not this face"
    assert kinds(order.job)[1:] == ["attempt", "attempt-ended", "fell-back", "attempt", "result", "attempt-ended"]
    assert [attempt.number for attempt in entries_of(order.job, Attempt)] == [1, 2]


@pytest_twisted.ensureDeferred
async def test_the_last_resort_is_the_photo_itself(world: World) -> None:
    world.provides(PaidFake().then(fails(Refused())))
    world.provides(Fake().then(fails(BadRequest())))
    order = await world.order(1, *CHAIN, original=True)
    made = await world.engine.run(order)
    assert (made.result.provider, made.fallbacks) == (ORIGINAL, ("paid", "fake"))
    assert [entry.to for entry in entries_of(order.job, FellBack)] == ["fake", ORIGINAL]
    assert whose(world.result(made, order)) == whose(order.photo.path)


@pytest_twisted.ensureDeferred
async def test_the_original_is_in_the_slot_s_format_and_size(world: World) -> None:
    world.provides(Fake().then(fails(Refused())))
    order = await world.order(1, preset(format="PNG", size=(64, 64)), original=True)
    made = await world.engine.run(order)
    assert made.result.file == "result.png"
    assert world.result(made, order).read_bytes().startswith(b"\x89PNG")


@pytest_twisted.ensureDeferred
async def test_what_the_last_says_is_what_is_told(world: World) -> None:
    world.provides(PaidFake().then(fails(Refused())))
    world.provides(Fake().then(fails(BadRequest())))
    with pytest.raises(BadRequest):
        await world.engine.run(await world.order(1, *CHAIN))


@pytest_twisted.ensureDeferred
async def test_a_provider_that_is_not_there_is_passed_over(world: World) -> None:
    world.provides(Fake().then(answers))
    order = await world.order(1, *CHAIN)
    assert (await world.engine.run(order)).fallbacks == ("paid",)
    assert entries_of(order.job, FellBack)[0].code == LeftOut.code


@pytest_twisted.ensureDeferred
async def test_a_provider_without_the_effect_is_passed_over(world: World) -> None:
    class Other(PaidFake):
        effects = ()

    world.provides(Other())
    world.provides(Fake().then(answers))
    assert (await world.engine.run(await world.order(1, *CHAIN))).fallbacks == ("paid",)


@pytest_twisted.ensureDeferred
async def test_time_is_kept_back_for_the_rest_of_the_chain(world: World) -> None:
    class Third(Fake):
        name = "third"

    first, second, third = (world.provides(kind()) for kind in (PaidFake, Fake, Third))
    order = await world.order(1, preset("paid"), preset("fake"), preset("third"), original=True, budget_s=48)
    running = world.run(order)
    await world.calls(first, 1)
    await world.pass_time(48 - 2 * FALLBACK_S - RESERVE_S - RESERVE_S / 4)
    await world.calls(second, 1)
    await world.pass_time(FALLBACK_S - 1)
    assert second.calls[0].cancels == 1
    await world.calls(third, 1)
    assert first.calls[0].cancels == 0
    await world.pass_time(FALLBACK_S)
    made = await running
    assert made.result.provider == ORIGINAL
    assert world.clock.seconds() <= 48 - RESERVE_S


@pytest_twisted.ensureDeferred
async def test_a_paid_answer_that_comes_after_the_fallback_s_is_kept_too(world: World) -> None:
    paid, fake = world.provides(PaidFake()), world.provides(Fake())
    order = await world.order(1, *CHAIN)
    running = world.run(order)
    late = await world.calls(paid, 1)
    await world.pass_time(48 - FALLBACK_S)
    (await world.calls(fake, 1)).answer()
    made = await running
    assert made.result.file == "result.jpg"
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    await world.pass_time(30)
    late.answer()
    kept = await flight.landed()
    assert kept.result.provider in {"paid", "fake"}
    assert [(entry.provider, entry.file) for entry in entries_of(order.job, Result)] == [
        ("fake", "result.jpg"),
        ("paid", "result-2.jpg"),
    ]
    assert world.engine.flight_of(order.job) is None
    again = await world.order(1, preset("paid"))
    assert (await world.engine.run(again)).cached
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_job_with_two_late_answers_waits_for_both(world: World) -> None:
    class Second(PaidFake):
        name = "second"

    first, second = world.provides(PaidFake()), world.provides(Second())
    order = await world.order(1, preset("paid"), preset("second"), original=True)
    running = world.run(order)
    await world.calls(first, 1)
    await world.pass_time(48 - FALLBACK_S - RESERVE_S)
    await world.calls(second, 1)
    await world.pass_time(FALLBACK_S)
    assert (await running).result.provider == ORIGINAL
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    landed = begin(flight.landed())
    second.calls[0].fail(Unavailable())
    await world.settle()
    assert not landed.called
    assert world.engine.flight_of(order.job) is flight
    first.calls[0].answer()
    assert (await landed).result.provider == "paid"
    assert world.engine.flight_of(order.job) is None


@pytest_twisted.ensureDeferred
async def test_a_call_that_is_late_counts_among_the_paid(world: World) -> None:
    class Second(PaidFake):
        name = "second"

    first, second = world.provides(PaidFake()), world.provides(Second())
    order = await world.order(1, preset("paid"), preset("second"), paid_attempts=1)
    running = world.run(order)
    await world.calls(first, 1)
    await world.pass_time(48 - FALLBACK_S)
    with pytest.raises(PaidAttemptsUsedUp):
        await running
    assert second.calls == []


@pytest_twisted.ensureDeferred
async def test_a_fallback_s_answer_is_not_taken_for_the_first_s(world: World) -> None:
    paid = world.provides(PaidFake().then(fails(Refused())))
    world.provides(Fake().then(answers))
    await world.engine.run(await world.order(1, *CHAIN))
    again = world.run(await world.order(1, *CHAIN))
    (await world.calls(paid, 2)).answer()
    made = await again
    assert (made.cached, made.result.provider) == (False, "paid")


@pytest_twisted.ensureDeferred
async def test_the_original_is_nobody_s_answer(world: World) -> None:
    world.provides(Fake().then(fails(Refused())))
    await world.engine.run(await world.order(1, original=True))
    assert len(world.index) == 0


@pytest_twisted.ensureDeferred
async def test_a_fallback_s_answer_that_exists_is_used(world: World) -> None:
    world.provides(PaidFake().then(fails(Refused()), fails(Refused())))
    fake = world.provides(Fake().then(answers))
    await world.engine.run(await world.order(1, *CHAIN))
    made = await world.engine.run(await world.order(1, *CHAIN))
    assert (made.cached, made.fallbacks, len(fake.calls)) == (True, ("paid",), 1)


@pytest_twisted.ensureDeferred
async def test_a_broken_photo_cannot_even_be_sent_as_it_is(world: World) -> None:
    world.provides(Fake().then(fails(Refused())))
    order = await world.order(1, original=True)
    order.photo.path.write_bytes(pictures.answer("1" * 64)[:1000])
    with pytest.raises(WorkError, match="Not even the original"):
        await world.engine.run(order)


@pytest_twisted.ensureDeferred
async def test_with_no_time_left_nothing_is_called_and_nothing_paid(world: World) -> None:
    paid, fake = world.provides(PaidFake()), world.provides(Fake())
    order = await world.order(1, *CHAIN, original=True, budget_s=RESERVE_S)
    running = world.run(order)
    await world.pass_time(0)
    assert (await running).result.provider == ORIGINAL
    assert (paid.calls, fake.calls) == ([], [])
    assert [entry.code for entry in entries_of(order.job, FellBack)] == [OutOfTime.code] * 2
