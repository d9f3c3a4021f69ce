"""Time that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

from twisted.internet.task import Clock as Time

from boothd.base.clock import Clock

EVENING = datetime(2026, 11, 20, 18, tzinfo=UTC)


class FakeClock(Clock):
    """boothd's clock on a fake reactor's time; the wall clock goes along, and can be set apart from it.

    timers: how many have not fired."""

    def __init__(self, now: datetime = EVENING) -> None:
        self._time, self._wall = Time(), now
        super().__init__(self._time, lambda: self._wall)

    def advance(self, seconds: float) -> None:
        """Let time pass, everything due being called at its moment."""
        self._wall += timedelta(seconds=seconds)
        self._time.advance(seconds)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock, as an operator or NTP does; the monotonic time stays what it is."""
        self._wall += timedelta(seconds=seconds)

    @property
    def timers(self) -> int:
        return len(self._time.getDelayedCalls())


class SkippingClock(FakeClock):
    """A clock on which nobody waits: a pause is over at once, and its time has passed. slept: every pause, in seconds.

    Only pauses are skipped; limits and other timers come when their time has."""

    def __init__(self, now: datetime = EVENING) -> None:
        super().__init__(now)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


def pass_time(clock: FakeClock, seconds: float) -> None:
    """Let time pass in steps of 0.1 s, so that what is due sees the time at which it is."""
    for _ in range(round(seconds * 10)):
        clock.advance(0.1)
