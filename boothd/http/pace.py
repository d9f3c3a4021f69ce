"""How long a body may take, and how slowly it may come."""

from collections.abc import Callable

from boothd.base.clock import Clock, Timer, cancel

GRACE_S = 5.0  # a phone that wakes up its radio is not an attack


class Pace:
    """Calls `late` once, when a body is slower on average than `min_rate` or is not complete at `deadline_s`.

    min_rate: bytes per second, judged after the grace; seconds in which we ourselves read nothing (between `pause` and
    `resume`) do not count. 0: only the deadline counts. deadline_s: monotonic."""

    def __init__(self, clock: Clock, min_rate: float, deadline_s: float, late: Callable[[], None]) -> None:
        self._clock, self._min_rate, self._deadline_s, self._late = clock, min_rate, deadline_s, late
        self._began_s = clock.seconds()
        self._size = 0
        self._paused_s: float | None = None
        self._timer: Timer | None = None
        self._arm()

    def add(self, size: int) -> None:
        """`size` more bytes came."""
        self._size += size

    def pause(self) -> None:
        """We stop reading."""
        if self._paused_s is None:
            self._paused_s = self._clock.seconds()

    def resume(self) -> None:
        """We read again."""
        if self._paused_s is not None:
            self._began_s += self._clock.seconds() - self._paused_s
            self._paused_s = None
            self._arm()

    def stop(self) -> None:
        """The body is complete, or given up."""
        cancel(self._timer)
        self._timer = None

    def _due_s(self) -> float:
        if self._paused_s is not None or not self._min_rate:
            return self._deadline_s
        return min(self._deadline_s, self._began_s + GRACE_S + self._size / self._min_rate)

    def _arm(self) -> None:
        cancel(self._timer)
        self._timer = self._clock.callLater(self._due_s() - self._clock.seconds(), self._check)

    def _check(self) -> None:
        # Bytes only move the due time outward, so the timer looks again when it fires instead of moving with each slice.
        if self._clock.seconds() + 0.001 < self._due_s():
            self._arm()
        else:
            self._timer = None
            self._late()
