"""One call: what is journalled of it, what is made of its answer, what a full disk and a stop do to it."""

from collections.abc import Callable
from decimal import Decimal

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from boothd.base.errors import (
    BadAnswer,
    Charged,
    DiskFull,
    NotAPicture,
    OutOfTime,
    SpoolUnhealthy,
    Unavailable,
    WorkError,
)
from boothd.spool import FsyncError
from boothd.spool.journal import Attempt, AttemptEnded, Result
from tests.support.engine import FaultyDisk, World, begin, entries_of, failures, kinds, logged, preset
from tests.support.engine_fakes import Fake, FakeCall, PaidFake, answers, fails
from tests.support.scripted import pictures
from tests.support.scripted.pictures import whose

MAYBE, YES, NO = Charged.MAYBE, Charged.YES, Charged.NO


# --- a good answer ---------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_photo_becomes_the_provider_s_picture(world: World) -> None:
    world.provides(Fake().then(answers))
    order = await world.order()
    made = await world.engine.run(order)
    assert whose(world.result(made, order)) == order.photo.sha256
    assert kinds(order.job) == ["received", "attempt", "result", "attempt-ended"]
    assert (made.result.file, made.cached, made.fallbacks) == ("result.jpg", False, ())
    assert order.tally.charged is NO
    assert world.engine.flight_of(order.job) is None


@pytest_twisted.ensureDeferred
async def test_the_call_is_in_the_journal_before_it_leaves(world: World) -> None:
    paid = world.provides(PaidFake().then(answers), price=Decimal("0.04"))
    order = await world.order(1, preset("paid"))
    await world.engine.run(order)
    (call,) = paid.calls
    said = call.journal[-1]
    assert isinstance(said, Attempt)
    assert (said.number, said.provider, said.model, said.paid, said.price) == (
        1,
        "paid",
        "fake-1",
        True,
        Decimal("0.04"),
    )
    assert said.revision == order.presets[0].revision


@pytest_twisted.ensureDeferred
async def test_what_it_cost_is_journalled(world: World) -> None:
    world.provides(
        PaidFake().then(lambda call: call.answer(cost=Decimal("0.07"), model="other")), price=Decimal("0.04")
    )
    order = await world.order(1, preset("paid"))
    await world.engine.run(order)
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.outcome, ended.charged, ended.cost, ended.model) == ("ok", YES, Decimal("0.07"), "other")
    assert order.tally.charged is YES


@pytest_twisted.ensureDeferred
async def test_a_free_provider_that_has_a_price_is_paid(world: World) -> None:
    world.provides(Fake().then(answers), price=Decimal("0.01"))
    order = await world.order()
    await world.engine.run(order)
    assert entries_of(order.job, AttemptEnded)[0].cost == Decimal("0.01")


@pytest_twisted.ensureDeferred
async def test_waiting_and_working_are_measured_apart(world: World) -> None:
    fake = world.provides(Fake(), concurrency=1)
    first, second = await world.order(1), await world.order(2)
    running = [world.run(first), world.run(second)]
    (await world.calls(fake, 1)).answer()
    world.time.advance(0)
    await running[0]
    call = await world.calls(fake, 2)
    await world.pass_time(3)
    call.answer()
    result = (await running[1]).result
    assert (result.wait_ms, result.work_ms) == (0, 3000)


# --- broken answers --------------------------------------------------------------------------------------------------

GOOD = pictures.answer("1" * 64)


@pytest.mark.parametrize(
    "data",
    [b"<!DOCTYPE html>", b"", GOOD[: len(GOOD) // 2], pictures.bomb(), b"GIF89a" + bytes(64), GOOD[:20]],
    ids=["html", "empty", "truncated", "bomb", "gif", "header"],
)
@pytest.mark.parametrize(("kind", "charged"), [(PaidFake, YES), (Fake, NO)])
@pytest_twisted.ensureDeferred
async def test_a_broken_picture_is_a_bad_answer_and_paid_for(
    world: World, kind: type[Fake], charged: Charged, data: bytes
) -> None:
    world.provides(kind().then(lambda call: call.answer(data)))
    order = await world.order(1, preset(kind.name), paid_attempts=1, budget_s=2.3)
    with pytest.raises(BadAnswer) as caught:
        await world.engine.run(order)
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.outcome, ended.charged, caught.value.charged) == ("bad-answer", charged, charged)
    assert entries_of(order.job, Result) == []


@pytest_twisted.ensureDeferred
async def test_after_a_bad_answer_the_next_is_asked_for_and_has_the_first_name(world: World) -> None:
    world.provides(PaidFake().then(lambda call: call.answer(b"<html>"), answers))
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    await world.pass_time(1)
    assert (await running).result.file == "result.jpg"
    assert [ended.charged for ended in entries_of(order.job, AttemptEnded)] == [YES, YES]


@pytest_twisted.ensureDeferred
async def test_a_provider_that_answers_without_a_file_is_a_defect(world: World) -> None:
    def forgetful(call: FakeCall) -> None:
        call.answer()
        call.call.answer.unlink()

    world.provides(PaidFake().then(forgetful))
    with logged() as events, pytest.raises(WorkError, match="unforeseen"):
        await world.engine.run(await world.order(1, preset("paid")))
    assert [type(error) for error in failures(events)] == [FileNotFoundError]


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), NotAPicture()])
@pytest.mark.parametrize(("kind", "charged"), [(PaidFake, MAYBE), (Fake, NO)])
@pytest_twisted.ensureDeferred
async def test_a_foreign_error_is_logged_and_may_have_cost(
    world: World, kind: type[Fake], charged: Charged, error: Exception
) -> None:
    world.provides(kind().then(fails(error)))
    order = await world.order(1, preset(kind.name))
    with logged() as events, pytest.raises(WorkError) as caught:
        await world.engine.run(order)
    assert failures(events) == [error]
    assert (caught.value.code, caught.value.charged) == ("failed", charged)
    assert str(error) not in caught.value.message
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.outcome, ended.message, ended.charged) == ("failed", caught.value.message, charged)


# --- what a provider leaves -------------------------------------------------------------------------------------------


def leaves(*names: str) -> Callable[[FakeCall], None]:
    """Lay files beside the answer, then fail."""

    def act(call: FakeCall) -> None:
        for name in names:
            call.call.answer.with_name(name).write_bytes(b"left")
        call.fail(Unavailable())

    return act


@pytest_twisted.ensureDeferred
async def test_what_a_call_left_beside_its_answer_goes_with_its_end(world: World) -> None:
    fake = world.provides(Fake().then(leaves("answer-1", "answer-1.0", "answer-1-mask-1.png", "answer-12", "note")))
    order = await world.order()
    running = world.run(order)
    await world.pass_time(1)
    (await world.calls(fake, 2)).call.answer.with_name("answer-2-reference.jpg").write_bytes(b"left")
    assert {path.name for path in order.job.directory.iterdir()} == {
        "source.jpg",
        "journal.jsonl",
        "answer-12",
        "answer-2-reference.jpg",
        "note",
    }
    fake.calls[1].answer()
    await running
    assert "answer-2-reference.jpg" not in {path.name for path in order.job.directory.iterdir()}


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_removed_costs_nobody_the_picture(world: World) -> None:
    def act(call: FakeCall) -> None:
        call.call.answer.with_name("answer-1.d").mkdir()
        call.answer()

    world.provides(Fake().then(act))
    order = await world.order()
    assert (await world.engine.run(order)).result.file == "result.jpg"


# --- the disk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "told"), [(OSError(28, "No space left"), DiskFull), (FsyncError(5, "fsync failed"), SpoolUnhealthy)]
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_journalled_is_not_called(
    world: World, faulty: FaultyDisk, trouble: OSError, told: type[Exception]
) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    faulty.trouble = trouble
    with pytest.raises(told):
        await world.engine.run(order)
    faulty.trouble = None
    assert (paid.calls, order.tally.charged) == ([], NO)
    assert world.services["paid"].turns.taken == 0


@pytest_twisted.ensureDeferred
async def test_an_answer_that_cannot_be_kept_has_cost(world: World, faulty: FaultyDisk) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    call = await world.calls(paid, 1)
    faulty.trouble = OSError(28, "No space left")
    call.answer()
    with pytest.raises(DiskFull):
        await running
    faulty.trouble = None
    assert (order.tally.charged, len(world.index)) == (YES, 0)


@pytest_twisted.ensureDeferred
async def test_a_queue_number_that_cannot_be_kept_may_have_cost(world: World, faulty: FaultyDisk) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    call = await world.calls(paid, 1)
    faulty.trouble = OSError(28, "No space left")
    with pytest.raises(DiskFull):
        await call.call.queued("q1")
    call.fail(DiskFull())
    with pytest.raises(DiskFull):
        await running
    faulty.trouble = None
    assert order.tally.charged is MAYBE


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swallows", [False, True])
@pytest_twisted.ensureDeferred
async def test_stopping_leaves_the_journal_open(world: World, swallows: bool) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    call = await world.calls(paid, 1)
    if swallows:
        call.cancelled_into = Unavailable("the connection was closed")
    await world.engine.stop()
    with pytest.raises(CancelledError):
        await running
    assert call.cancels == 1
    assert kinds(order.job) == ["received", "attempt"]
    assert len(paid.calls) == 1


@pytest_twisted.ensureDeferred
async def test_who_waits_for_a_late_answer_is_told_that_boothd_stops(world: World) -> None:
    paid = world.provides(PaidFake())
    order = await world.order(1, preset("paid"))
    running = world.run(order)
    await world.calls(paid, 1)
    await world.pass_time(48)
    with pytest.raises(OutOfTime):
        await running
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    landed = begin(flight.landed())
    await world.engine.stop()
    with pytest.raises(CancelledError):
        await landed


@pytest_twisted.ensureDeferred
async def test_a_defect_of_the_engine_keeps_nobody_waiting(world: World) -> None:
    class Broken(Fake):
        def model(self, preset: object) -> str:
            raise ZeroDivisionError

    world.provides(Broken())
    with logged() as events, pytest.raises(WorkError, match="boothd itself failed"):
        await world.engine.run(await world.order())
    assert [type(error) for error in failures(events)] == [ZeroDivisionError]
    assert world.services["fake"].turns.taken == 0
