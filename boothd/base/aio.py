"""Where asyncio and Deferreds meet, and where work that nobody awaits gets a name."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")


async def from_asyncio(awaitable: Awaitable[T]) -> T:
    """Await an asyncio awaitable from Twisted code; cancelling the caller cancels it.

    asyncio's CancelledError is a BaseException and slips past `except Exception` and `addTimeout`, so it becomes
    Twisted's."""
    try:
        result: T = await Deferred.fromFuture(asyncio.ensure_future(awaitable))
        return result
    except asyncio.CancelledError:
        raise CancelledError() from None


class Background:
    """Work that nobody awaits: each piece has a name, its failure is logged, and `stop` cancels what is left."""

    log = Logger()

    def __init__(self) -> None:
        self._running: dict[Deferred[None], str] = {}

    def start(self, name: str, work: Coroutine[Any, Any, object], **fields: Any) -> Deferred[None]:
        """Run `work` until it ends. `fields` (a job's id, say) go into the log with its failure."""

        def over(result: object) -> None:
            if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
                said = "".join(f", {key} {value}" for key, value in fields.items())
                self.log.failure("{name} failed{said}", failure=result, name=name, said=said, **fields)

        running: Deferred[object] = Deferred.fromCoroutine(work)
        done: Deferred[None] = running.addBoth(over)
        if not running.called:  # else it has ended already
            self._running[done] = name
            done.addBoth(lambda _: self._running.pop(done, None) and None)
        return done

    @property
    def names(self) -> list[str]:
        """What is running now."""
        return list(self._running.values())

    async def idle(self) -> None:
        """Wait until nothing runs any more, including what the running work starts."""
        while self._running:
            await ended(next(iter(self._running)))

    async def stop(self) -> None:
        """Cancel all, each piece once, and wait until it has ended; what is started meanwhile is cancelled too."""
        cancelled: set[Deferred[None]] = set()
        while self._running:
            fresh = self._running.keys() - cancelled
            for done in fresh:
                cancelled.add(done)
                done.cancel()
            if not fresh:
                await ended(next(iter(self._running)))


def ended(done: Deferred[None]) -> Deferred[None]:
    """Fires when `done` has ended, however it did. Cancelling this leaves `done` alone."""
    waiter: Deferred[None] = Deferred()

    def tell(result: object) -> object:
        if not waiter.called:
            waiter.callback(None)
        return result

    done.addBoth(tell)
    return waiter


async def in_any_case(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; a cancel of the caller does not end it, but is raised afterwards, whatever became of it."""
    over: Deferred[None] = Deferred()
    outcome: list[T | Failure] = []

    def tell(became: T | Failure) -> None:
        outcome.append(became)
        over.callback(None)

    Deferred.fromCoroutine(work).addBoth(tell)
    try:
        await ended(over)
    except CancelledError:
        await ended(over)
        raise
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]
