"""Where asyncio and Deferreds meet, and where work that nobody awaits gets a name."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
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
            self._running.pop(done, None)
            if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
                said = "".join(f", {key} {value}" for key, value in fields.items())
                self.log.failure("{name} failed{said}", failure=result, name=name, said=said, **fields)

        done: Deferred[None] = Deferred.fromCoroutine(work).addBoth(over)
        if not done.called:
            self._running[done] = name
        return done

    @property
    def names(self) -> list[str]:
        """What is running now."""
        return list(self._running.values())

    async def idle(self) -> None:
        """Wait until nothing runs any more, including what the running work starts."""
        while self._running:
            # A waiter of its own for each: cancelling the wait must not cancel the work.
            await DeferredList([ended(d) for d in self._running])

    async def stop(self) -> None:
        """Cancel all and wait until it has ended."""
        for done in list(self._running):
            done.cancel()
        await self.idle()


def ended(done: Deferred[None]) -> Deferred[None]:
    """Fires when `done` has ended, however it did. Cancelling this leaves `done` alone."""
    waiter: Deferred[None] = Deferred()

    def tell(result: object) -> object:
        if not waiter.called:
            waiter.callback(None)
        return result

    done.addBoth(tell)
    return waiter
