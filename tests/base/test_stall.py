"""How long the reactor was held up."""

from twisted.internet.defer import ensureDeferred

from boothd.base.stall import TICK_S, StallGauge
from tests.support.clock import FakeClock


def test_a_late_tick_is_a_stall_and_is_told_once(clock: FakeClock) -> None:
    gauge = StallGauge(clock)
    ensureDeferred(gauge.start())
    clock.advance(TICK_S)
    assert gauge.longest_s() == 0
    clock.advance(TICK_S + 0.2)
    clock.advance(TICK_S + 0.1)
    assert round(gauge.longest_s(), 6) == 0.2
    assert gauge.longest_s() == 0
    ensureDeferred(gauge.stop())
    assert clock.timers == 0
