"""Polling and the webhook race: what ends the waiting, and what does not. Time stands still until a test moves it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from boothd.base.budget import Budget
from boothd.base.errors import BadAnswer, Charged, OutOfTime, Refused, Unavailable, WorkError
from boothd.providers.turbotext.collect import Collector, Entry
from boothd.providers.turbotext.webhook import Webhook
from tests.sandbox.fakes_support import asynchronous
from tests.support.clock import FakeClock, pass_time
from tests.support.tools import FakeExpected

RECONNECT = {"action": "reconnect"}
UNKNOWN = {"success": False, "error": "UNKNOWN: queueid не найден"}
FORBIDDEN = {"success": True, "data": {"forbidden_content": True}}
FACELESS = {"success": False, "error": "face_not_detected"}


def done(address: str = "a.png", **more: Any) -> dict[str, Any]:
    return {"success": True, "uploaded_image": address, **more}


def forever(said: Any) -> Iterator[Any]:
    while True:
        yield said


class Scene:
    """A collector of queue entry 7 with scripted polls. polls: when they were made. fetched: the addresses."""

    def __init__(
        self, clock: FakeClock, polls: Iterable[Any] = (), seconds: float = 60, unfetchable: Iterable[str] = ()
    ) -> None:
        self.clock, self.polls, self.fetched = clock, list[float](), list[str]()
        self._answers, self._unfetchable = iter(polls), set(unfetchable)
        self.expected = FakeExpected("http://booth.test/hook")
        self.budget = Budget.of(clock, seconds)
        self.began_s = clock.seconds()
        self.webhook = Webhook(self.expected)

    def start(self, poll_s: float = 2) -> Deferred[None]:
        entry = Entry("7", "job-1")
        self.collector = Collector(entry, self.clock, self.budget, self._poll, self.webhook, self._fetch, poll_s)
        return Deferred.fromCoroutine(self.collector.collect(poll_s))

    def calls(self, said: Any) -> None:
        """The webhook is called."""
        self.expected.came.callback(said)

    async def _poll(self) -> Any:
        self.polls.append(self.clock.seconds() - self.began_s)
        answer = next(self._answers)
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _fetch(self, address: str) -> None:
        self.fetched.append(address)
        if address in self._unfetchable:
            raise BadAnswer("not to be had", charged=Charged.YES)


async def over(waiting: Deferred[None]) -> None:
    assert waiting.called, "it still waits"
    await waiting


async def error_of(waiting: Deferred[None]) -> WorkError:
    assert waiting.called, "it still waits"
    with pytest.raises(WorkError) as caught:
        await waiting
    return caught.value


@asynchronous
async def test_it_asks_every_two_seconds_until_there_is_a_picture(clock: FakeClock) -> None:
    scene = Scene(clock, [RECONNECT, {**RECONNECT, "success": False}, {**RECONNECT, "success": True}, done()])
    waiting = scene.start()
    for _ in range(4):
        clock.advance(2)
    await over(waiting)
    assert (scene.polls, scene.fetched) == ([2, 4, 6, 8], ["a.png"])
    assert clock.timers == 0


@asynchronous
async def test_polls_that_fail_are_asked_again_with_growing_pauses(clock: FakeClock) -> None:
    broken: list[Any] = [Unavailable("refused"), BadAnswer("no JSON"), Unavailable("500")] * 3
    scene = Scene(clock, [*broken, RECONNECT, done()], seconds=1000)
    waiting = scene.start()
    pass_time(clock, 90)
    await over(waiting)
    pauses = [round(later - sooner) for sooner, later in zip(scene.polls, scene.polls[1:], strict=False)]
    assert pauses == [4, 8, 10, 10, 10, 10, 10, 10, 10, 2]


@asynchronous
async def test_a_poll_that_hangs_is_given_up_and_asked_again(clock: FakeClock) -> None:
    hanging: Deferred[Any] = Deferred()
    scene = Scene(clock, [hanging, done()])
    waiting = scene.start()
    pass_time(clock, 25)
    await over(waiting)
    assert hanging.called  # it was cancelled
    assert len(scene.polls) == 2


@pytest.mark.parametrize("failing", [RECONNECT, Unavailable("refused"), {"odd": "answer"}])
@asynchronous
async def test_at_the_end_of_the_time_it_is_paid_and_not_delivered(clock: FakeClock, failing: Any) -> None:
    scene = Scene(clock, forever(failing), seconds=50)
    waiting = scene.start()
    pass_time(clock, 49.8)
    assert not waiting.called
    pass_time(clock, 0.2)
    error = await error_of(waiting)
    assert (type(error), error.charged, clock.timers) == (OutOfTime, Charged.YES, 0)


@asynchronous
async def test_an_end_that_is_moved_is_heeded(clock: FakeClock) -> None:
    scene = Scene(clock, forever(RECONNECT), seconds=20)
    waiting = scene.start()
    pass_time(clock, 10)
    scene.budget.deadline_s += 30
    pass_time(clock, 39)
    assert not waiting.called
    pass_time(clock, 2)
    assert type(await error_of(waiting)) is OutOfTime


@asynchronous
async def test_a_new_number_may_be_unknown_for_a_while(clock: FakeClock) -> None:
    scene = Scene(clock, [*[UNKNOWN] * 9, done()])
    waiting = scene.start()
    pass_time(clock, 21)
    await over(waiting)
    assert scene.fetched == ["a.png"]


@asynchronous
async def test_a_number_that_stays_unknown_is_a_bad_answer_when_nobody_will_call(clock: FakeClock) -> None:
    scene = Scene(clock, forever(UNKNOWN))
    scene.webhook = Webhook(None)
    waiting = scene.start()
    pass_time(clock, 19)
    assert not waiting.called
    pass_time(clock, 2)
    error = await error_of(waiting)
    assert (type(error), error.charged) == (BadAnswer, Charged.YES)


@asynchronous
async def test_a_number_that_only_polls_do_not_know_waits_for_its_webhook(clock: FakeClock) -> None:
    scene = Scene(clock, forever(UNKNOWN))
    waiting = scene.start()
    pass_time(clock, 40)
    scene.calls(done(asyncid=7))
    await over(waiting)
    assert scene.fetched == ["a.png"]


@asynchronous
async def test_a_number_that_is_unknown_later_is_a_bad_answer(clock: FakeClock) -> None:
    scene = Scene(clock, [*[RECONNECT] * 14, UNKNOWN])
    waiting = scene.start()
    pass_time(clock, 31)
    error = await error_of(waiting)
    assert (type(error), error.charged) == (BadAnswer, Charged.YES)


@pytest.mark.parametrize("said", [FORBIDDEN, FACELESS])
@asynchronous
async def test_a_definite_failure_ends_the_waiting(clock: FakeClock, said: Any) -> None:
    scene = Scene(clock, [said])
    waiting = scene.start()
    clock.advance(2)
    assert type(await error_of(waiting)) is Refused


# --- the webhook -----------------------------------------------------------------------------------------------------


@asynchronous
async def test_the_webhook_wins_while_nothing_is_asked(clock: FakeClock) -> None:
    scene = Scene(clock)
    waiting = scene.start()
    clock.advance(1)
    scene.calls(done(asyncid=7))
    await over(waiting)
    assert (scene.polls, scene.fetched, clock.timers) == ([], ["a.png"], 0)


@asynchronous
async def test_the_webhook_wins_over_a_poll_under_way_and_cancels_it(clock: FakeClock) -> None:
    hanging: Deferred[Any] = Deferred()
    scene = Scene(clock, [hanging])
    waiting = scene.start()
    clock.advance(2)
    scene.calls(done(asyncid="7"))
    await over(waiting)
    assert (hanging.called, scene.fetched, clock.timers) == (True, ["a.png"], 0)


@asynchronous
async def test_a_webhook_that_came_before_the_number_was_known_is_kept(clock: FakeClock) -> None:
    scene = Scene(clock)
    scene.calls(done(asyncid=7))
    await over(scene.start())
    assert scene.fetched == ["a.png"]


@asynchronous
async def test_a_failure_by_webhook_is_definite(clock: FakeClock) -> None:
    scene = Scene(clock)
    waiting = scene.start()
    scene.calls({**FACELESS, "asyncid": 7})
    assert type(await error_of(waiting)) is Refused


@pytest.mark.parametrize("said", [done(asyncid=8), done(), {**FACELESS, "asyncid": "77"}, "nonsense", None])
@asynchronous
async def test_a_webhook_with_another_number_is_ignored_and_logged(
    clock: FakeClock, events: list[dict[str, Any]], said: Any
) -> None:
    scene = Scene(clock, [done("b.png")])
    waiting = scene.start()
    scene.calls(said)
    clock.advance(2)
    await over(waiting)
    assert scene.fetched == ["b.png"]
    assert [event["number"] for event in events if "wrong" in event] == ["7"]


@pytest.mark.parametrize("said", [{**RECONNECT, "asyncid": 7}, {**UNKNOWN, "asyncid": 7}])
@asynchronous
async def test_a_webhook_that_tells_nothing_leaves_it_to_polling(clock: FakeClock, said: Any) -> None:
    scene = Scene(clock, [done("b.png")])
    waiting = scene.start()
    scene.calls(said)
    clock.advance(2)
    await over(waiting)
    assert scene.fetched == ["b.png"]


@asynchronous
async def test_when_the_webhooks_picture_cannot_be_had_polling_goes_on(clock: FakeClock) -> None:
    scene = Scene(clock, [RECONNECT, done("b.png")], unfetchable=["a.png"])
    waiting = scene.start()
    scene.calls(done(asyncid=7))
    pass_time(clock, 5)
    await over(waiting)
    assert scene.fetched == ["a.png", "b.png"]


@asynchronous
async def test_when_the_polled_picture_cannot_be_had_it_is_over(clock: FakeClock) -> None:
    scene = Scene(clock, [done()], unfetchable=["a.png"])
    waiting = scene.start()
    clock.advance(2)
    error = await error_of(waiting)
    assert (type(error), error.charged) == (BadAnswer, Charged.YES)


@asynchronous
async def test_a_webhook_that_comes_too_late_does_no_harm(clock: FakeClock) -> None:
    scene = Scene(clock, [done()])
    waiting = scene.start()
    clock.advance(2)
    await over(waiting)
    scene.calls(done(asyncid=7))
    assert scene.fetched == ["a.png"]


# --- cancelling ------------------------------------------------------------------------------------------------------


def between_polls(clock: FakeClock) -> None:
    clock.advance(1)


def in_a_poll(clock: FakeClock) -> None:
    clock.advance(2)


@pytest.mark.parametrize("move", [between_polls, in_a_poll])
@asynchronous
async def test_cancelling_is_never_swallowed(clock: FakeClock, move: Callable[[FakeClock], None]) -> None:
    hanging: Deferred[Any] = Deferred()
    scene = Scene(clock, [hanging])
    waiting = scene.start()
    move(clock)
    waiting.cancel()
    with pytest.raises(CancelledError):
        await over(waiting)
    assert clock.timers == 0
    assert hanging.called is (move is in_a_poll)


@asynchronous
async def test_how_many_photos_are_left_stands_in_the_log(clock: FakeClock, events: list[dict[str, Any]]) -> None:
    scene = Scene(clock, [done(limits={"foto_limit": "42", "text_limit": 0})])
    waiting = scene.start()
    clock.advance(2)
    await over(waiting)
    assert [event["credits"] for event in events if "credits" in event] == [42]
