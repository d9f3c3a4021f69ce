"""Every timer goes through the clock."""

import gc
import weakref
from datetime import timedelta
from typing import cast

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from boothd.base.clock import cancel
from tests.support.clock import EVENING, FakeClock
from tests.support.deferreds import outcome


def test_a_call_comes_at_its_time_with_its_arguments(clock: FakeClock) -> None:
    said: list[tuple[object, ...]] = []
    clock.callLater(3, lambda *args, **kw: said.append((*args, kw)), 1, two=2)
    clock.advance(2.9)
    assert said == []
    clock.advance(0.1)
    assert said == [(1, {"two": 2})]


def test_a_delay_below_zero_means_at_once(clock: FakeClock) -> None:
    said: list[int] = []
    clock.callLater(-5, said.append, 1)
    clock.advance(0)
    assert said == [1]


def test_stop_cancels_every_timer(clock: FakeClock) -> None:
    said: list[int] = []
    for number in range(200):
        clock.callLater(number, said.append, number)
    clock.advance(0)
    clock.stop()
    clock.advance(1000)
    assert (said, clock.timers) == ([0], 0)


def test_timers_that_are_over_are_forgotten(clock: FakeClock) -> None:
    class Held:
        def call(self) -> None: ...

    seen: list[weakref.ref[Held]] = []
    for number in range(2000):
        held = Held()
        seen.append(weakref.ref(held))
        timer = clock.callLater(1, held.call)
        if number % 2:
            cancel(timer)
        del held
        clock.advance(1)
    del timer
    gc.collect()
    assert sum(ref() is not None for ref in seen) <= 64


def test_sleep_ends_after_its_time(clock: FakeClock) -> None:
    sleeping = ensureDeferred(clock.sleep(2))
    clock.advance(1.9)
    assert not sleeping.called
    clock.advance(0.1)
    assert sleeping.called


def test_cancelling_a_sleep_cancels_its_timer(clock: FakeClock) -> None:
    sleeping = ensureDeferred(clock.sleep(2))
    slept = outcome(sleeping)
    sleeping.cancel()
    assert isinstance(slept[0], CancelledError)
    assert clock.timers == 0


def test_cancelling_a_timer_twice_or_none_is_fine(clock: FakeClock) -> None:
    timer = clock.callLater(1, lambda: None)
    cancel(timer)
    cancel(timer)
    cancel(None)
    assert clock.timers == 0


def test_a_step_of_the_wall_clock_moves_no_timer(clock: FakeClock) -> None:
    said: list[int] = []
    clock.callLater(3, said.append, 1)
    clock.step_wall(86_400)
    assert clock.now() == EVENING + timedelta(days=1)
    assert said == []
    clock.advance(3)
    assert said == [1]


def test_twisteds_looping_call_runs_on_it(clock: FakeClock) -> None:
    said: list[float] = []
    loop = LoopingCall(lambda: said.append(clock.seconds()))
    loop.clock = cast(IReactorTime, clock)
    loop.start(5)
    clock.advance(5)
    clock.advance(5)
    loop.stop()
    assert said == [0, 5, 10]
