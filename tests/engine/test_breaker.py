"""The breaker: a provider that fails again and again is left alone, then tried with one photo."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock as FakeTime

from boothd.base.clock import Clock
from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    DiskFull,
    OutOfCredit,
    OutOfTime,
    Refused,
    Unavailable,
    WorkError,
)
from boothd.engine.breaker import Breaker, BreakerState, Paused

OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED


class Watched:
    """A breaker that opens after three failures for 30 s, its time and its calls."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.wall = datetime(2026, 11, 20, tzinfo=UTC)
        self.breaker = Breaker(Clock(self.time, lambda: self.wall), 3, 30)
        self.calls = 0

    def call(self, error: BaseException | None = None, *, again: bool = False) -> None:
        with self.breaker.watch(again=again):
            self.calls += 1
            if error is not None:
                raise error

    def fails(self, *errors: Exception) -> "Watched":
        for error in errors:
            with suppress(type(error)):
                self.call(error)
        return self

    def opened(self) -> "Watched":
        return self.fails(Unavailable(), Unavailable(), Unavailable())

    @property
    def state(self) -> BreakerState:
        return self.breaker.state


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("error", [Busy, Unavailable, BadAnswer, OutOfTime, WorkError])
def test_it_opens_after_so_many_failures_in_a_row(watched: Watched, error: type[WorkError]) -> None:
    assert watched.fails(error(), error()).state is CLOSED
    assert watched.fails(error()).state is OPEN


def test_the_tries_for_one_photo_count_once(watched: Watched) -> None:
    for again in (False, True, True, True):
        with suppress(Busy):
            watched.call(Busy(), again=again)
    assert watched.state is CLOSED
    assert watched.fails(Busy(), Busy()).state is OPEN


def test_a_charged_answer_without_a_picture_says_nothing_of_the_service(watched: Watched) -> None:
    """It was there and has worked; the photo or its prompt is at fault."""
    paid = BadAnswer(charged=Charged.YES)
    assert watched.fails(paid, paid, paid, paid).state is CLOSED


def test_what_stood_in_the_way_was_changed_so_photos_pass_at_once(watched: Watched) -> None:
    watched.fails(BadKey()).breaker.forgive()
    watched.call()
    assert watched.state is CLOSED


def test_a_success_begins_the_count_anew(watched: Watched) -> None:
    watched.fails(Busy(), Busy()).call()
    assert watched.fails(Busy(), Busy()).state is CLOSED


def test_while_it_is_open_no_photo_passes_and_it_says_why(watched: Watched) -> None:
    watched.opened().time.advance(10)
    with pytest.raises(Paused, match=r"cannot be reached.*tried again in 20 s") as caught:
        watched.call()
    assert caught.value.retry_after_s == 20
    assert not caught.value.retry
    assert watched.calls == 3


def test_after_the_pause_one_photo_passes(watched: Watched) -> None:
    watched.opened().time.advance(30)
    assert watched.state is HALF_OPEN
    with watched.breaker.watch():
        assert watched.state is HALF_OPEN
        with pytest.raises(Paused):
            watched.call()
        with pytest.raises(Paused):
            watched.breaker.check()
    assert watched.state is CLOSED
    watched.call()


def test_when_that_one_fails_it_stays_open_for_another_pause(watched: Watched) -> None:
    watched.opened().time.advance(30)
    assert watched.fails(Busy()).state is OPEN
    watched.time.advance(29)
    assert watched.state is OPEN
    watched.time.advance(1)
    watched.call()
    assert watched.state is CLOSED


@pytest.mark.parametrize("error", [Refused, BadRequest])
def test_what_speaks_of_the_photo_never_opens_it(watched: Watched, error: type[WorkError]) -> None:
    assert watched.fails(*[error() for _ in range(10)]).state is CLOSED


@pytest.mark.parametrize("error", [Refused, BadRequest])
def test_what_speaks_of_the_photo_closes_it_when_it_was_the_one(watched: Watched, error: type[WorkError]) -> None:
    watched.opened().time.advance(30)
    assert watched.fails(error()).state is CLOSED


@pytest.mark.parametrize("error", [BadKey, OutOfCredit])
def test_what_no_second_try_will_change_opens_it_at_once(watched: Watched, error: type[WorkError]) -> None:
    assert watched.fails(error()).state is OPEN


@pytest.mark.parametrize("error", [CancelledError(), DiskFull()])
def test_when_that_one_is_cancelled_the_next_may_try(watched: Watched, error: Exception) -> None:
    watched.opened().time.advance(30)
    watched.fails(error)
    assert watched.state is HALF_OPEN
    watched.call()
    assert watched.state is CLOSED


def test_a_cancelled_call_says_nothing(watched: Watched) -> None:
    assert watched.fails(Busy(), Busy(), CancelledError(), Busy()).state is OPEN


def test_a_straggler_s_failure_does_not_let_a_second_photo_pass(watched: Watched) -> None:
    straggler = watched.breaker.watch()
    straggler.__enter__()
    watched.opened().time.advance(30)
    with watched.breaker.watch():
        late = Busy()
        with suppress(Busy):
            straggler.__exit__(Busy, late, None)
        with pytest.raises(Paused):
            watched.call()
    assert watched.state is CLOSED


@pytest.mark.parametrize("step", [timedelta(days=-3), timedelta(days=3)])
def test_a_step_of_the_wall_clock_changes_nothing(watched: Watched, step: timedelta) -> None:
    watched.opened().time.advance(29)
    watched.wall += step
    assert watched.state is OPEN
    watched.time.advance(1)
    assert watched.state is HALF_OPEN
