"""A command's own reactor: what a provider needs for one piece of work over the network, and then it is over."""

import secrets
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from boothd.base.clients import Clients
from boothd.base.clock import Clock
from boothd.base.errors import BadRequest
from boothd.base.threads import Threads
from boothd.providers.tools import Tools

T = TypeVar("T")


def asyncio_reactor() -> Any:
    """The process's reactor, asyncio's, installed now if there is none; its seconds are monotonic."""
    if "twisted.internet.reactor" not in sys.modules:
        asyncioreactor.install()
    from twisted.internet import reactor as _reactor  # noqa: TID251 (a process of its own)

    reactor: Any = _reactor
    reactor.seconds = time.monotonic
    return reactor


class Unreachable:
    """Media links and callbacks of a command: nobody can reach it."""

    def publish(self, file: Path, ttl_s: float) -> NoReturn:
        """Raises BadRequest."""
        raise BadRequest("Photos can be fetched from the daemon only.")

    def expect(self, name: str) -> NoReturn:
        """Raises BadRequest."""
        raise BadRequest("Calls are received by the daemon only.")


class Workshop:
    """Makes providers' tools as the daemon does. max_pixels: as in `upload.max_pixels`. `run` closes it."""

    def __init__(self, max_pixels: int) -> None:
        self.reactor = asyncio_reactor()
        self.clock = Clock(self.reactor)
        self._max_pixels = max_pixels
        self._disk, self._pictures = Threads(self.reactor, "disk", 2), Threads(self.reactor, "pictures", 2)
        self._codec = Threads(self.reactor, "codec", 1)
        self._clients = Clients(self.reactor, self._disk)
        self._node = secrets.token_hex(6)

    def tools(self, keys: tuple[str, ...]) -> Tools:
        """For a provider with these API keys. Needs no running reactor."""
        return Tools(
            clock=self.clock,
            http=self._clients.get(),
            keys=keys,
            pictures=self._pictures,
            disk=self._disk,
            max_pixels=lambda: self._max_pixels,
            codec=self._codec,
            client=self._clients.get,
            fetch=self._clients.fetch,
            media=Unreachable(),
            callbacks=Unreachable(),
            node=self._node,
        )

    async def close(self) -> None:
        """Let go of connections, timers and threads."""
        await self._clients.close()
        self.clock.stop()
        for threads in (self._codec, self._pictures, self._disk):
            threads.stop()


def run(reactor: Any, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the reactor until `work` has ended; a process can do so once. Returns what it returns, raises what it raises.

    SIGINT and SIGTERM cancel it, wait until it has cleaned up, and raise KeyboardInterrupt."""
    outcome: list[T | Failure] = []
    running: Deferred[None] | None = None
    interrupted = False

    def begin() -> None:
        nonlocal running
        running = Deferred.fromCoroutine(work()).addBoth(finish)

    def finish(result: T | Failure) -> None:
        outcome.append(result)
        if not interrupted:
            reactor.stop()

    def interrupt() -> Deferred[None] | None:
        nonlocal interrupted
        interrupted = not outcome
        if interrupted and running is not None:
            running.cancel()
            return running
        return None

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", interrupt)
    reactor.run()
    if interrupted:
        raise KeyboardInterrupt
    (result,) = outcome
    if isinstance(result, Failure):
        result.raiseException()
        raise AssertionError("it raises")
    return result
