"""One answer for all who ask for the same photo on the same preset."""

import shutil
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from boothd.base.errors import OutOfTime, Refused, Unavailable
from boothd.engine.attempt import Resumption
from boothd.engine.order import Order
from boothd.spool import State
from boothd.spool.journal import Finished, Result, Shared
from tests.support.engine import RESERVE_S, World, begin, entries_of, kinds, preset
from tests.support.engine_fakes import Fake, PaidFake, ResumingFake, answers, fails
from tests.support.scripted import pictures


async def orders(world: World, count: int, **said: Any) -> list[Order]:
    """Several times the same photo on the same preset."""
    return [await world.order(1, slot=f"fake-{place}", **said) for place in range(1, count + 1)]


@pytest_twisted.ensureDeferred
async def test_ten_who_ask_for_the_same_get_one_answer(world: World) -> None:
    fake = world.provides(Fake())
    asked = await orders(world, 10)
    running = [world.run(order) for order in asked]
    (await world.calls(fake, 1)).answer()
    made = [await one for one in running]
    assert len(fake.calls) == 1
    files = [world.result(*pair) for pair in zip(made, asked, strict=True)]
    assert {file.read_bytes() for file in files} == {pictures.answer(asked[0].photo.sha256)}
    assert len({file.stat().st_ino for file in files}) == 1
    assert [one.cached for one in made] == [False] + [True] * 9
    for order in asked[1:]:
        assert kinds(order.job) == ["received", "shared", "result"]
        (shared,) = entries_of(order.job, Shared)
        assert (shared.job, shared.how) == (asked[0].job.id, "on its way")


@pytest_twisted.ensureDeferred
async def test_ten_who_ask_for_the_same_get_one_error_each_his_own(world: World) -> None:
    fake = world.provides(Fake())
    running = [world.run(order) for order in await orders(world, 10)]
    (await world.calls(fake, 1)).fail(Refused("no"))
    told = []
    for one in running:
        with pytest.raises(Refused, match="no") as caught:
            await one
        told.append(caught.value)
    assert len({id(error) for error in told}) == 10
    assert len(fake.calls) == 1


@pytest.mark.parametrize("leaver", [0, 1], ids=["the leader", "a waiter"])
@pytest_twisted.ensureDeferred
async def test_one_who_leaves_does_not_end_it_for_the_others(world: World, leaver: int) -> None:
    fake = world.provides(Fake())
    asked = await orders(world, 3)
    running = [world.run(order) for order in asked]
    call = await world.calls(fake, 1)
    running[leaver].cancel()
    with pytest.raises(CancelledError):
        await running[leaver]
    assert call.cancels == 0
    flight = world.engine.flight_of(asked[0].job)
    assert flight is not None
    call.answer()
    for place in {0, 1, 2} - {leaver}:
        await running[place]
    assert (await flight.landed()).job is asked[0].job
    assert len(fake.calls) == 1


@pytest_twisted.ensureDeferred
async def test_when_all_leave_a_free_flight_ends(world: World) -> None:
    fake = world.provides(Fake())
    asked = await orders(world, 3)
    running = [world.run(order) for order in asked]
    call = await world.calls(fake, 1)
    flight = world.engine.flight_of(asked[0].job)
    assert flight is not None
    landed = begin(flight.landed())
    for one in running:
        assert call.cancels == 0
        one.cancel()
        with pytest.raises(CancelledError):
            await one
    assert call.cancels == 1
    with pytest.raises(OutOfTime):  # the leader's job is to be filed
        await landed


@pytest_twisted.ensureDeferred
async def test_when_all_leave_between_two_attempts_the_flight_ends(world: World) -> None:
    paid = world.provides(PaidFake().then(fails(Unavailable())))
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    await world.settle()
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await world.pass_time(10)
    assert len(paid.calls) == 1
    assert world.engine.flight_of(order.job) is None


@pytest_twisted.ensureDeferred
async def test_after_a_flight_was_left_by_all_the_next_who_asks_has_his_own(world: World) -> None:
    fake = world.provides(Fake())
    first, second = await orders(world, 2)
    leaving = world.run(first)
    await world.calls(fake, 1)
    leaving.cancel()
    with pytest.raises(CancelledError):
        await leaving
    running = world.run(second)
    (await world.calls(fake, 2)).answer()
    assert not (await running).cached


@pytest_twisted.ensureDeferred
async def test_an_answer_that_exists_is_used(world: World) -> None:
    paid = world.provides(PaidFake().then(answers))
    first, second = await orders(world, 2)
    first, second = await world.order(1, preset("paid")), await world.order(1, preset("paid"))
    await world.engine.run(first)
    await world.spool.move(first.job, State.DONE, Finished(at=world.clock.now(), code="ok"))
    made = await world.engine.run(second)
    assert made.cached
    assert len(paid.calls) == 1
    assert world.result(made, second).read_bytes() == pictures.answer(second.photo.sha256)
    assert [entry.how for entry in entries_of(second.job, Shared)] == ["exists"]
    (result,) = entries_of(second.job, Result)
    assert (result.wait_ms, result.work_ms, result.encode_ms) == (0, 0, 0)


@pytest_twisted.ensureDeferred
async def test_a_fresh_one_uses_neither_what_exists_nor_what_is_on_its_way(world: World) -> None:
    fake = world.provides(Fake().then(answers), concurrency=3)
    await world.engine.run(await world.order(1))
    fresh = [world.run(await world.order(1, fresh=True)) for _ in range(2)]
    for number, running in zip((2, 3), fresh, strict=True):
        (await world.calls(fake, number)).answer()
        assert not (await running).cached
    assert len(fake.calls) == 3


@pytest_twisted.ensureDeferred
async def test_a_fresh_answer_takes_the_old_one_s_place(world: World) -> None:
    world.provides(Fake().then(answers, answers))
    old, fresh = await world.order(1), await world.order(1, fresh=True)
    await world.engine.run(old)
    await world.engine.run(fresh)
    later = await world.order(1)
    await world.engine.run(later)
    assert entries_of(later.job, Shared)[0].job == fresh.job.id


@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_gone_from_the_disk_is_made_again(world: World) -> None:
    fake = world.provides(Fake().then(answers))
    first = await world.order(1)
    await world.engine.run(first)
    shutil.rmtree(first.job.directory)
    asked = await orders(world, 3)
    running = [world.run(order) for order in asked]
    (await world.calls(fake, 2)).answer()
    made = [await one for one in running]
    assert len(fake.calls) == 2
    assert {one.result.file for one in made} == {"result.jpg"}


@pytest_twisted.ensureDeferred
async def test_another_preset_is_another_answer(world: World) -> None:
    fake = world.provides(Fake())
    presets = [preset(), preset(prompt="as a comic"), preset(size=(100, 100)), preset(format="PNG")]
    running = [world.run(await world.order(1, one)) for one in presets]
    for number in range(1, 5):
        (await world.calls(fake, number)).answer()
    assert [(await one).cached for one in running] == [False] * 4


@pytest_twisted.ensureDeferred
async def test_one_who_joins_with_more_time_prolongs_the_call(world: World) -> None:
    fake = world.provides(Fake())
    short, long = await world.order(1, budget_s=20), await world.order(1, budget_s=60)
    first = world.run(short)
    call = await world.calls(fake, 1)
    second = world.run(long)
    await world.pass_time(20)
    with pytest.raises(OutOfTime):
        await first
    await world.pass_time(60 - 20 - RESERVE_S - 0.1)
    assert call.cancels == 0
    call.answer()
    assert (await second).cached


@pytest_twisted.ensureDeferred
async def test_one_who_joins_with_less_time_shortens_nothing(world: World) -> None:
    fake = world.provides(Fake())
    long, short = await world.order(1, budget_s=60), await world.order(1, budget_s=20)
    first, second = world.run(long), world.run(short)
    call = await world.calls(fake, 1)
    await world.pass_time(20)
    with pytest.raises(OutOfTime):
        await second
    await world.pass_time(30)
    call.answer()
    assert not (await first).cached


@pytest_twisted.ensureDeferred
async def test_a_late_answer_is_waited_for_by_who_asks_again(world: World) -> None:
    paid = world.provides(PaidFake(), late_s=60)
    first = world.run(await world.order(1, preset("paid")))
    call = await world.calls(paid, 1)
    await world.pass_time(48)
    with pytest.raises(OutOfTime):
        await first
    again = world.run(await world.order(1, preset("paid")))
    await world.pass_time(30)
    call.answer()
    assert (await again).cached
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_resumed_call_is_under_its_own_preset_not_under_the_slot_s_new_one(world: World) -> None:
    resuming = world.provides(ResumingFake())
    order = await world.order(1, preset("resuming", prompt="new"), budget_s=0)
    flight = world.engine.resume(order, Resumption(3, "fake-1", preset("resuming", prompt="old").revision, "q7"))
    resumed = await world.calls(resuming, 1)
    assert resuming.queue_numbers == ["q7"]
    same = world.run(await world.order(1, preset("resuming", prompt="old")))
    other = world.run(await world.order(1, preset("resuming", prompt="new")))
    await world.calls(resuming, 2)
    resumed.answer()
    kept = await flight.landed()
    assert kept.result.revision == preset("resuming", prompt="old").revision
    assert kinds(order.job) == ["received", "result", "attempt-ended"]
    assert (await same).cached
    resuming.calls[1].answer()
    assert not (await other).cached


@pytest_twisted.ensureDeferred
async def test_a_resumed_call_ends_with_the_provider_s_patience(world: World) -> None:
    resuming = world.provides(ResumingFake(), late_s=60)
    order = await world.order(1, preset("resuming"), budget_s=0)
    flight = world.engine.resume(order, Resumption(1, "fake-1", order.presets[0].revision, "q7"))
    call = await world.calls(resuming, 1)
    await world.pass_time(60)
    with pytest.raises(OutOfTime):
        await flight.landed()
    assert call.cancels == 1
    assert len(resuming.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_provider_that_forgets_its_queue_numbers_cannot_be_resumed(world: World) -> None:
    world.provides(PaidFake())
    order = await world.order(1, preset("paid"), budget_s=0)
    flight = world.engine.resume(order, Resumption(1, "fake-1", order.presets[0].revision, "q7"))
    with pytest.raises(Exception, match="cannot be asked"):
        await flight.landed()
