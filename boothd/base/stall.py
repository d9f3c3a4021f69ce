"""How long the reactor was held up: a tick that comes late says so."""

from boothd.base.clock import Clock, Timer, cancel

TICK_S = 0.05


class StallGauge:
    """Ticks while it runs; `longest_s` is the longest delay since it was last read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer: Timer | None = None
        self._due_s = 0.0
        self._longest_s = 0.0

    async def start(self) -> None:
        self._next()

    async def stop(self) -> None:
        cancel(self._timer)

    def longest_s(self) -> float:
        """Read it, and begin anew."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s

    def _next(self) -> None:
        self._due_s = self._clock.seconds() + TICK_S
        self._timer = self._clock.callLater(TICK_S, self._tick)

    def _tick(self) -> None:
        self._longest_s = max(self._longest_s, self._clock.seconds() - self._due_s)
        self._next()
