"""What the tests of request bodies share: threads that are watched, consumers, and a server that keeps what it is sent."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import Site

from boothd.base.pieces import PiecesBody
from boothd.base.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

PHOTO = bytes(range(256)) * (20 << 10)
"""5 MB."""


class NotedThreads(Threads):
    """Disk threads that note which threads ran, and that a test can hold back."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, "noted", 4)
        self.ran_in: set[int] = set()
        self.calls = 0
        self.may_go = threading.Event()
        self.may_go.set()

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        def noted() -> T:
            self.ran_in.add(threading.get_ident())
            self.may_go.wait()
            return call(*args, **kw)

        self.calls += 1
        return await super().run(noted)


class Consumer:
    """Keeps what is written; `on_write` is called with the body after each piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_write: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        self.on_write()


async def a_turn() -> None:
    """Let the reactor turn once."""
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    turn: Deferred[None] = Deferred()
    reactor.callLater(0, turn.callback, None)
    await turn


def fd_paths() -> set[str]:
    """The files that this process has open."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            pass  # the folder's own
    return found


class Sink(Resource):
    """Keeps what is posted and tells when a connection is gone."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(cast(Any, self))
        self.bodies: list[bytes] = []
        self.lengths: list[str] = []

    def render_POST(self, request: Any) -> bytes:
        self.lengths.append(request.getHeader("content-length"))
        self.bodies.append(request.content.read())
        return b"ok"


class Server:
    """A site of `Sink` and a client for it."""

    def __init__(self, reactor: Any) -> None:
        import treq.client

        self.sink = Sink()
        self.site = Site(self.sink)
        self._port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self._pool = HTTPConnectionPool(reactor, persistent=False)
        self.http = treq.client.HTTPClient(cast(IAgent, Agent(reactor, pool=self._pool)))

    async def post(self, body: PiecesBody) -> Any:
        return await self.http.post(
            f"http://127.0.0.1:{self._port.getHost().port}/",
            data=cast(Any, body),
        )

    async def stop(self) -> None:
        await self._pool.closeCachedConnections()
        await self._port.stopListening()
