"""The clock: every timer of the daemon goes through it, and its `stop` cancels them all."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from twisted.internet.defer import Deferred


class Timer(Protocol):
    """What `callLater` returns; Twisted's DelayedCall is one."""

    def active(self) -> bool: ...

    def cancel(self) -> None: ...


class ReactorTime(Protocol):
    """The two methods of a reactor (or of `task.Clock`) that the clock needs."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> Any: ...


def utc_now() -> datetime:
    """The wall-clock time; for names and records, never for deadlines."""
    return datetime.now(UTC)


class Clock:
    """Monotonic seconds, timers that are remembered, and the wall-clock time apart from both.

    reactor: its `seconds` must be monotonic (`service.py` sets `reactor.seconds = time.monotonic`). now: wall-clock UTC."""

    def __init__(self, reactor: ReactorTime, now: Callable[[], datetime] = utc_now) -> None:
        self._reactor = reactor
        self._calls: set[Timer] = set()
        self._prune_at = 64
        self.now = now

    def seconds(self) -> float:
        """Monotonic seconds; only differences mean anything."""
        return self._reactor.seconds()

    def callLater(self, delay: float, call: Callable[..., Any], *args: object, **kw: object) -> Timer:
        """Call once after `delay` seconds. The name is the one that LoopingCall and addTimeout ask for."""
        if len(self._calls) >= self._prune_at:
            self._calls = {c for c in self._calls if c.active()}
            self._prune_at = max(64, 2 * len(self._calls))
        timer: Timer = self._reactor.callLater(max(0.0, delay), call, *args, **kw)
        self._calls.add(timer)
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling the caller cancels the timer."""
        done: Deferred[None] = Deferred(lambda _: cancel(timer))
        timer = self.callLater(seconds, done.callback, None)
        await done

    def stop(self) -> None:
        """Cancel every timer that has not fired."""
        for timer in self._calls:
            cancel(timer)
        self._calls.clear()


def cancel(timer: Timer | None) -> None:
    """Cancel a timer if there is one and it has not fired."""
    if timer is not None and timer.active():
        timer.cancel()
