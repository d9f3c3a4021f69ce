"""A time budget: one deadline, made once for a request and passed down to all that works on it."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError as Cancelled
from twisted.internet.defer import Deferred

from boothd.base.clock import Clock, cancel
from boothd.base.errors import OutOfTime

T = TypeVar("T")


class Budget:
    """The time that is left until a monotonic deadline.

    deadline_s: on `clock.seconds()`. A step of the wall clock changes nothing."""

    __slots__ = ("_clock", "deadline_s")

    def __init__(self, clock: Clock, deadline_s: float) -> None:
        self._clock = clock
        self.deadline_s = deadline_s

    @classmethod
    def of(cls, clock: Clock, seconds: float) -> "Budget":
        """A budget that begins now."""
        return cls(clock, clock.seconds() + seconds)

    def left_s(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.deadline_s - self._clock.seconds())

    @property
    def ended(self) -> bool:
        return self._clock.seconds() >= self.deadline_s

    def less(self, reserve_s: float) -> "Budget":
        """The same budget with `reserve_s` kept back at its end."""
        return Budget(self._clock, self.deadline_s - reserve_s)

    def check(self) -> None:
        """Raise OutOfTime when the budget is over. Safe to call from a worker thread."""
        if self.ended:
            raise OutOfTime()

    async def limit(self, work: "Coroutine[Any, Any, T] | Deferred[T]") -> T:
        """Await `work`; when the budget ends first, cancel it and raise OutOfTime.

        What a cancelled call raises differs from library to library (treq: ResponseNeverReceived), so the timer's flag
        decides, never the exception's type."""
        running = Deferred.fromCoroutine(work) if isinstance(work, Coroutine) else work
        out_of_time = False

        def end() -> None:
            nonlocal out_of_time
            out_of_time = True
            running.cancel()

        timer = self._clock.callLater(self.left_s(), end)
        try:
            return await running
        except (Exception, Cancelled) as error:
            if out_of_time:
                raise OutOfTime() from error
            raise
        finally:
            cancel(timer)
