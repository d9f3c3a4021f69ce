"""Thread pools of our own: one for the disk, one for pictures. The reactor's default pool answers DNS and stays free."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A named pool of at most `size` threads.

    reactor: its `callFromThread` brings the results back."""

    def __init__(self, reactor: Any, name: str, size: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, size, name)
        self._pool.start()

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        """Run `call` in a thread of the pool. Cancelling the caller abandons the answer, not the thread."""
        waiting: Deferred[T] = deferToThreadPool(self._reactor, self._pool, call, *args, **kw)
        return await waiting

    def stop(self) -> None:
        """Let the running calls end, then end the threads. Blocks for as long as the longest call takes."""
        self._pool.stop()
