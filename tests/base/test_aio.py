"""asyncio's awaitables in Twisted's code, and work that nobody awaits."""

import asyncio

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import LogEvent, formatEvent

from boothd.base.aio import Background, ended, from_asyncio
from tests.support.deferreds import outcome


@pytest_twisted.ensureDeferred
async def test_the_result_of_an_asyncio_coroutine_is_awaited() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "song"

    assert await from_asyncio(work()) == "song"


@pytest_twisted.ensureDeferred
async def test_its_error_is_raised_as_it_is() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await from_asyncio(work())


@pytest_twisted.ensureDeferred
async def test_cancelling_the_caller_cancels_it_and_waits_for_its_end() -> None:
    said: list[str] = []
    begun: Deferred[None] = Deferred()

    async def work() -> None:
        begun.callback(None)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            said.append("cancelled")
            await asyncio.sleep(0)
            said.append("cleaned up")
            raise

    waiting = ensureDeferred(from_asyncio(work()))
    await begun
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    assert said == ["cancelled", "cleaned up"]


@pytest_twisted.ensureDeferred
async def test_an_asyncio_cancellation_becomes_twisteds() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        await from_asyncio(work())


def test_work_has_a_name_while_it_runs() -> None:
    background, waiting = Background(), Deferred[None]()

    async def work() -> None:
        await waiting

    background.start("wait for a late answer", work())
    assert background.names == ["wait for a late answer"]
    waiting.callback(None)
    assert background.names == []


def test_work_that_ends_at_once_is_not_remembered(events: list[LogEvent]) -> None:
    background = Background()

    async def work() -> None:
        pass

    done = background.start("nothing", work())
    assert done.called
    assert (background.names, [e for e in events if "log_failure" in e]) == ([], [])


def test_a_failure_is_logged_with_its_name_and_fields(events: list[LogEvent]) -> None:
    background, waiting = Background(), Deferred[None]()

    async def work() -> None:
        await waiting
        raise ZeroDivisionError

    async def fail() -> None:
        raise ZeroDivisionError

    background.start("late", work(), job="a-1")
    background.start("at once", fail(), job="a-2")
    waiting.callback(None)
    failures = [event for event in events if "log_failure" in event]
    assert [formatEvent(event) for event in failures] == ["at once failed, job a-2", "late failed, job a-1"]
    assert failures[1]["job"] == "a-1"
    assert background.names == []


def test_idle_waits_for_what_runs_and_for_what_that_starts() -> None:
    background, first, second = Background(), Deferred[None](), Deferred[None]()

    async def then() -> None:
        await second

    async def work() -> None:
        await first
        background.start("second", then())

    background.start("first", work())
    idle = outcome(ensureDeferred(background.idle()))
    first.callback(None)
    assert idle == []
    second.callback(None)
    assert idle == [None]


def test_who_stops_waiting_for_idleness_leaves_the_work_alone() -> None:
    background, waiting = Background(), Deferred[None]()

    async def work() -> None:
        await waiting

    background.start("work", work())
    idle = ensureDeferred(background.idle())
    waited = outcome(idle)
    idle.cancel()
    assert isinstance(waited[0], CancelledError)
    assert background.names == ["work"]
    waiting.callback(None)


def test_stop_cancels_all_quietly_and_waits_for_their_cleaning_up(events: list[LogEvent]) -> None:
    background, closed, said = Background(), Deferred[None](), list[str]()

    async def work(name: str) -> None:
        try:
            await Deferred()
        finally:
            await closed
            said.append(name)

    background.start("one", work("one"))
    background.start("two", work("two"))
    stopping = outcome(ensureDeferred(background.stop()))
    assert stopping == []
    closed.callback(None)
    assert stopping == [None]
    assert (sorted(said), background.names) == (["one", "two"], [])
    assert not [event for event in events if "log_failure" in event]


def test_stop_cancels_what_the_ending_work_starts() -> None:
    background = Background()

    async def for_ever() -> None:
        await Deferred()

    async def work() -> None:
        try:
            await Deferred()
        finally:
            background.start("another", for_ever())

    background.start("work", work())
    assert ensureDeferred(background.stop()).called
    assert background.names == []


def test_ended_tells_of_a_failure_without_taking_it() -> None:
    done: Deferred[None] = Deferred()
    waiter = ended(done)
    failed = outcome(done)
    done.errback(ZeroDivisionError())
    assert waiter.called
    assert isinstance(failed[0], ZeroDivisionError)
