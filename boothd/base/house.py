"""The house: parts that are started one after the other, each awaited, and stopped backwards.

Twisted's MultiService starts its children without waiting and stops them all at once; a daemon whose listeners must come
last and go first needs an order.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger


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
    """Starts its parts in order and stops those that started in reverse order."""

    log = Logger()

    def __init__(self) -> None:
        self._parts: list[tuple[str, Part]] = []
        self._started: list[tuple[str, Part]] = []
        self.opened: Deferred[None] = Deferred()

    def add(self, name: str, part: Part) -> None:
        """Put a part after those that it needs."""
        self._parts.append((name, part))

    async def open(self) -> None:
        """Start every part; when one cannot start, stop the others and raise."""
        for name, part in self._parts:
            try:
                await part.start()
            except BaseException:
                self.log.error("{name} could not start", name=name)
                await self.close()
                raise
            self._started.append((name, part))

    async def close(self) -> None:
        """Stop the parts that run, last started first; one that fails to stop does not keep the others."""
        while self._started:
            name, part = self._started.pop()
            try:
                await part.stop()
            except Exception:  # noqa: BLE001 (logged; the rest must be stopped too)
                self.log.failure("{name} did not stop cleanly", name=name)

    def startService(self) -> None:
        super().startService()
        ensureDeferred(self.open()).chainDeferred(self.opened)

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return ensureDeferred(self.close())
