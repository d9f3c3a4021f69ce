"""A time budget: one deadline, made once for a request and passed down to all that works on it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from boothd.base.clock import Clock, Timer, cancel
from boothd.base.errors import OutOfTime

T = TypeVar("T")


class Budget:
    """The time that is left until a monotonic deadline.

    deadline_s: on `clock.seconds()`; it may be moved later, also while `limit` waits. A step of the wall clock changes
    nothing."""

    log = Logger()

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
        """Await `work`; when the budget ends first, cancel it, let it clean up, and raise OutOfTime.

        A coroutine is not even begun when the budget is over. What a cancelled call raises differs from library to library
        (treq: ResponseNeverReceived), and some return, so the timer's flag decides, never how the work ended."""
        if isinstance(work, Coroutine):
            if self.ended:
                work.close()
                raise OutOfTime()
            running = Deferred.fromCoroutine(work)
        else:
            running = work
        out_of_time = False
        timer: Timer | None = None

        def end(deadline_s: float) -> None:
            nonlocal out_of_time, timer
            if self.deadline_s > deadline_s:
                timer = self._clock.callLater(self.left_s(), end, self.deadline_s)
                return
            out_of_time = True
            try:
                running.cancel()
            except Exception as error:  # noqa: BLE001 (a canceller that throws must not keep anybody waiting)
                self.log.failure("a canceller failed")
                if not running.called:
                    running.errback(error)

        timer = self._clock.callLater(self.left_s(), end, self.deadline_s)
        try:
            result = await running
        except (Exception, asyncio.CancelledError) as error:
            if out_of_time:
                raise OutOfTime() from error
            raise
        finally:
            cancel(timer)
        if out_of_time:
            raise OutOfTime()
        return result
