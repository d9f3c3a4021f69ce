"""save_body against a real server on a loopback port: the body goes to disk while it arrives, or nothing is left."""

import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path, PosixPath
from typing import IO, Any, ParamSpec, TypeVar, cast

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from boothd.base.errors import BadAnswer, Unavailable
from boothd.base.fetch import save_body
from boothd.base.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

LONG = bytes(range(256)) * (20 << 10)
"""5 MB."""


class NotedThreads(Threads):
    """Disk threads that note which threads ran, and that a test can hold back."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, "noted", 4)
        self.ran_in: set[int] = set()
        self.may_go = threading.Event()
        self.may_go.set()

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        def noted() -> T:
            self.ran_in.add(threading.get_ident())
            self.may_go.wait()
            return call(*args, **kw)

        return await super().run(noted)


class Answers(Resource):
    """Gives each path's answer; tells when the client has closed the connection."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(cast(Any, self))
        self.gone: Deferred[None] = Deferred()
        self.sent = 0

    def render_GET(self, request: Any) -> Any:
        request.notifyFinish().addBoth(self._over)
        answer = getattr(self, request.path.decode().strip("/").replace("-", "_"))
        return answer(request)

    def _over(self, _: object) -> None:
        if not self.gone.called:
            self.gone.callback(None)

    def small(self, request: Any) -> bytes:
        return b"a picture"

    def empty(self, request: Any) -> bytes:
        return b""

    def long(self, request: Any) -> bytes:
        return LONG

    def long_without_length(self, request: Any) -> int:
        for start in range(0, len(LONG), 1 << 16):
            request.write(LONG[start : start + (1 << 16)])
        request.finish()
        return NOT_DONE_YET

    def broken_off(self, request: Any) -> int:
        request.setHeader(b"content-length", b"1000000")
        request.write(b"x" * 1000)
        request.transport.loseConnection()
        return NOT_DONE_YET

    def old_fashioned(self, request: Any) -> int:
        """As HTTP/1.0 servers do: no length, the end of the connection is the end of the body."""
        request.transport.write(b"HTTP/1.0 200 OK\r\n\r\na picture")
        request.transport.loseConnection()
        return NOT_DONE_YET

    def for_ever(self, request: Any) -> int:
        request.write(b"x" * 1000)
        return NOT_DONE_YET

    def as_fast_as_it_is_taken(self, request: Any) -> int:
        answers = self

        class Producer:
            def resumeProducing(self) -> None:
                answers.sent += 1 << 16
                request.write(b"x" * (1 << 16))
                if answers.sent >= 64 << 20:
                    request.unregisterProducer()
                    request.finish()

            def stopProducing(self) -> None:
                pass

        request.registerProducer(Producer(), False)
        return NOT_DONE_YET


class Server:
    """A site of `Answers` and a client for it."""

    def __init__(self, reactor: Any) -> None:
        import treq.client

        self.answers = Answers()
        self._port = reactor.listenTCP(0, Site(self.answers), interface="127.0.0.1")
        self._pool = HTTPConnectionPool(reactor, persistent=False)
        self._http = treq.client.HTTPClient(cast(IAgent, Agent(reactor, pool=self._pool)))

    async def get(self, path: str) -> Any:
        return await self._http.get(f"http://127.0.0.1:{self._port.getHost().port}/{path}", unbuffered=True)

    async def stop(self) -> None:
        await self._pool.closeCachedConnections()
        await self._port.stopListening()


@pytest_twisted.async_yield_fixture()
async def server() -> AsyncIterator[Server]:
    from twisted.internet import reactor  # noqa: TID251

    made = Server(reactor)
    yield made
    await made.stop()


@pytest_twisted.async_yield_fixture()
async def disk() -> AsyncIterator[NotedThreads]:
    from twisted.internet import reactor  # noqa: TID251

    made = NotedThreads(reactor)
    yield made
    made.may_go.set()
    made.stop()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("small", b"a picture"),
        ("empty", b""),
        ("long", LONG),
        ("long-without-length", LONG),
        ("old-fashioned", b"a picture"),
    ],
)
async def test_the_body_lies_in_the_file(
    server: Server, disk: NotedThreads, tmp_path: Path, path: str, body: bytes
) -> None:
    size = await save_body(await server.get(path), tmp_path / "answer", max_bytes=len(LONG), disk=disk)
    assert size == len(body)
    assert (tmp_path / "answer").read_bytes() == body
    assert threading.get_ident() not in disk.ran_in


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("path", ["long", "long-without-length"])
async def test_a_body_that_is_too_long_is_refused_and_its_connection_closed(
    server: Server, disk: NotedThreads, tmp_path: Path, path: str
) -> None:
    with pytest.raises(BadAnswer):
        await save_body(await server.get(path), tmp_path / "answer", max_bytes=1 << 20, disk=disk)
    await server.answers.gone
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_body_that_breaks_off_is_no_body(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="broke off"):
        await save_body(await server.get("broken-off"), tmp_path / "answer", max_bytes=1 << 20, disk=disk)
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_cancelling_closes_the_connection(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    saving = ensureDeferred(save_body(await server.get("for-ever"), tmp_path / "answer", max_bytes=1 << 20, disk=disk))
    saving.cancel()
    with pytest.raises(CancelledError):
        await saving
    await server.answers.gone
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_cancelling_waits_for_the_disk_and_leaves_no_file(
    server: Server, disk: NotedThreads, tmp_path: Path
) -> None:
    response = await server.get("long")
    disk.may_go.clear()
    saving = ensureDeferred(save_body(response, tmp_path / "answer", max_bytes=len(LONG), disk=disk))
    saving.cancel()
    await server.answers.gone
    disk.may_go.set()
    with pytest.raises(CancelledError):
        await saving
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_slow_disk_makes_the_sender_wait(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    response = await server.get("as-fast-as-it-is-taken")
    disk.may_go.clear()
    saving = ensureDeferred(save_body(response, tmp_path / "answer", max_bytes=64 << 20, disk=disk))
    before = -1
    while before != server.answers.sent:  # until the sender has stood still for a while
        before = server.answers.sent
        for _ in range(200):
            await _a_turn()
    assert server.answers.sent < 48 << 20  # what is not here lies in the sockets' buffers
    disk.may_go.set()
    assert await saving == 64 << 20


async def _a_turn() -> None:
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    turn: Deferred[None] = Deferred()
    reactor.callLater(0, turn.callback, None)
    await turn


@pytest_twisted.ensureDeferred
async def test_an_existing_file_is_never_overwritten(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "answer").write_bytes(b"here first")
    with pytest.raises(FileExistsError):
        await save_body(await server.get("long"), tmp_path / "answer", max_bytes=len(LONG), disk=disk)
    await server.answers.gone
    assert (tmp_path / "answer").read_bytes() == b"here first"


class FullFile(PosixPath):
    """A path whose file takes nothing."""

    def open(self, *args: Any, **kw: Any) -> IO[Any]:  # type: ignore[override]
        return open("/dev/full", "wb")


@pytest_twisted.ensureDeferred
async def test_a_full_disk_raises_what_it_says(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        await save_body(await server.get("long"), FullFile(tmp_path / "answer"), max_bytes=len(LONG), disk=disk)
    await server.answers.gone
