"""Work that several callers need at once is done once."""

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


@dataclass(eq=False)
class _Running(Generic[T]):
    work: Deferred[None] | None = None
    waiting: list[Deferred[T]] = field(default_factory=list)


class Shared(Generic[T]):
    """Who asks for what is under way waits for that; the work is cancelled when the last of them has left."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Running[T]] = {}

    async def get(self, what: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `begin()`, or of the one for `what` that is running. All get the same result or error."""
        waiter: Deferred[T] = Deferred()
        running = self._running.get(what)
        if running is None:
            running = self._running[what] = _Running(waiting=[waiter])
            work = Deferred.fromCoroutine(begin())
            running.work = work.addBoth(lambda result: self._over(what, running, result))
        else:
            running.waiting.append(waiter)
        try:
            return await waiter
        finally:
            if waiter in running.waiting:  # this caller has been cancelled
                running.waiting.remove(waiter)
                if not running.waiting:
                    self._forget(what, running)
                    assert running.work is not None  # noqa: S101
                    running.work.cancel()

    def _over(self, what: Hashable, running: _Running[T], result: T | Failure) -> None:
        self._forget(what, running)
        waiting, running.waiting = running.waiting, []
        for waiter in waiting:
            waiter.callback(result)  # a Failure fails it

    def _forget(self, what: Hashable, running: _Running[T]) -> None:
        if self._running.get(what) is running:
            del self._running[what]
