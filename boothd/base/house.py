"""The house: parts that are started one after the other, each awaited, and stopped backwards.

Twisted's MultiService starts its children without waiting and stops them all at once; a daemon whose listeners must come
last and go first needs an order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from boothd.base.aio import ended


class Part(Protocol):
    """What the house holds."""

    async def start(self) -> None:
        """Be ready when this returns; raise to end the daemon with that reason."""

    async def stop(self) -> None:
        """Finish what is in flight and let go of everything."""


Step = Callable[[], Awaitable[None]]


class Hook:
    """A part made of two functions."""

    def __init__(self, start: Step | None = None, stop: Step | None = None) -> None:
        self._start, self._stop = start, stop

    async def start(self) -> None:
        if self._start is not None:
            await self._start()

    async def stop(self) -> None:
        if self._stop is not None:
            await self._stop()


class House(Service):
    """Starts its parts in order and stops those that started in reverse order.

    opened: fires once every part runs, fails with the reason why one could not start; never fires when the house was
    stopped before that."""

    log = Logger()

    def __init__(self) -> None:
        self._parts: list[tuple[str, Part]] = []
        self._started: list[tuple[str, Part]] = []
        self._opening: Deferred[None] | None = None
        self._stopping = False
        self.opened: Deferred[None] = Deferred()

    def add(self, name: str, part: Part) -> None:
        """Put a part after those that it needs."""
        self._parts.append((name, part))

    async def open(self) -> None:
        """Start every part; when one cannot start, stop the others and raise."""
        for name, part in self._parts:
            try:
                await part.start()
            except (Exception, asyncio.CancelledError):
                self.log.error("{name} could not start", name=name)
                await self.close()
                raise
            self._started.append((name, part))
            if self._stopping:
                return

    async def close(self) -> None:
        """Stop the parts that run, last started first; one that fails to stop does not keep the others."""
        while self._started:
            name, part = self._started.pop()
            try:
                await part.stop()
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 (logged; the rest must be stopped too)
                self.log.failure("{name} did not stop cleanly", name=name)

    def startService(self) -> None:
        cast(Any, super()).startService()  # Twisted has no type for it
        self._stopping = False
        self._opening = ensureDeferred(self.open())
        self._opening.addBoth(self._tell)

    def _tell(self, result: "Failure | None") -> None:
        if not self._stopping:
            self.opened.callback(result)

    def stopService(self) -> "Deferred[None]":
        cast(Any, super()).stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        """A part that is starting now is let finish, so that it can be stopped; those after it are not begun."""
        self._stopping = True
        if self._opening is not None:
            await ended(self._opening)
        await self.close()
