"""A webhook that may come at any moment, and interrupts what is done meanwhile."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from boothd.providers.tools import Expected

T = TypeVar("T")


class Webhook:
    """What a service's call said: kept until it is taken, also when it comes early; what comes too late is let go.

    expected: None where no call is expected."""

    def __init__(self, expected: Expected | None) -> None:
        self._expected = expected
        self._said: list[Any] = []
        self._called = False
        self._waiter: Deferred[Any] | None = None
        if expected is not None:
            expected.came.addCallback(self._came)

    @property
    def url(self) -> str | None:
        """Where the service is to call."""
        return None if self._expected is None else self._expected.url

    @property
    def pending(self) -> bool:
        """Whether a call may still come."""
        return self._expected is not None and not self._called

    @property
    def came(self) -> bool:
        """Whether something can be taken."""
        return bool(self._said)

    def take(self) -> Any:
        """What was said."""
        return self._said.pop()

    def close(self) -> None:
        """Expect nothing any more."""
        if self._expected is not None:
            self._expected.close()

    async def race(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Await `work`; None when the call has come first, and then `work` is cancelled.

        Cancelling this cancels `work` and does not wait for its end, so that the two cannot be mistaken."""
        if self.came:
            work.close()
            return None
        running = Deferred.fromCoroutine(work)
        waiter: Deferred[Any] = Deferred(lambda _: running.cancel())

        def tell(outcome: Any) -> None:
            if not waiter.called:
                waiter.callback(outcome)  # a Failure is raised where it is awaited

        running.addBoth(tell)
        self._waiter = waiter
        try:
            outcome: T | None = await waiter
            return outcome
        finally:
            self._waiter = None
            running.cancel()

    def _came(self, said: Any) -> None:
        self._called = True
        self._said.append(said)
        if self._waiter is not None and not self._waiter.called:
            self._waiter.callback(None)
