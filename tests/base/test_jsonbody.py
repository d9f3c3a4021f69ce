"""A JSON body streamed from files is the body that json.dumps would have made, and holds one piece at a time."""

import base64
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.web.client import Agent, HTTPConnectionPool, RequestGenerationFailed
from twisted.web.iweb import IAgent, IBodyProducer
from twisted.web.resource import Resource
from twisted.web.server import Site

from boothd.base.jsonbody import PIECE, File, FileChanged, JsonBody, _parts, _pieces, json_body
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


@pytest_twisted.async_yield_fixture()
async def disk() -> AsyncIterator[NotedThreads]:
    from twisted.internet import reactor  # noqa: TID251

    made = NotedThreads(reactor)
    yield made
    made.may_go.set()
    made.stop()


async def _a_turn() -> None:
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    turn: Deferred[None] = Deferred()
    reactor.callLater(0, turn.callback, None)
    await turn


async def _until(true: Callable[[], bool]) -> None:
    while not true():
        await _a_turn()


def _fd_paths() -> set[str]:
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            pass  # the folder's own
    return found


SIZES = [0, 1, 2, 3, 4, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 2]

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
FILES = st.builds(
    lambda content, urlsafe, prefix: (content, urlsafe, prefix),
    st.binary(max_size=40) | st.sampled_from(SIZES).map(lambda size: (PHOTO * 2)[:size]),
    st.booleans(),
    st.sampled_from(["", "data:image/jpeg;base64,", 'odd"\\\ud800é']),
)
TREES = st.recursive(
    LEAVES | FILES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def _both(tree: Any, folder: Path) -> tuple[Any, Any]:
    """The template that streams and the plain tree that json.dumps takes."""
    if isinstance(tree, tuple):
        content, urlsafe, prefix = tree
        path = folder / str(len(list(folder.iterdir())))
        path.write_bytes(content)
        encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
        return File(path, urlsafe=urlsafe, prefix=prefix), prefix + encode(content).decode()
    if isinstance(tree, list):
        pairs = [_both(item, folder) for item in tree]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if isinstance(tree, dict):
        made = {key: _both(value, folder) for key, value in tree.items()}
        return {key: pair[0] for key, pair in made.items()}, {key: pair[1] for key, pair in made.items()}
    return tree, tree


@given(tree=TREES)
def test_the_bytes_are_those_of_json_dumps(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    template, plain = _both(tree, tmp_path_factory.mktemp("files"))
    parts = _parts(template)
    pieces = list(_pieces(parts))
    assert b"".join(pieces) == json.dumps(plain, separators=(",", ":")).encode()
    assert JsonBody(parts, cast(Threads, None)).length == sum(map(len, pieces))
    assert all(len(piece) <= PIECE // 3 * 4 for piece in pieces if b"{" not in piece and b"[" not in piece)


@pytest.mark.parametrize(
    ("tree", "error"),
    [({1: 2}, TypeError), ({"a": object()}, TypeError), ([float("nan")], ValueError), ({"a": {1}}, TypeError)],
)
@pytest_twisted.ensureDeferred
async def test_what_json_does_not_have_is_refused(disk: NotedThreads, tree: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await json_body(tree, disk)


@pytest_twisted.ensureDeferred
async def test_a_missing_file_is_an_error_at_once(disk: NotedThreads, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await json_body([File(tmp_path / "none")], disk)


@pytest_twisted.ensureDeferred
async def test_it_waits_while_paused_and_holds_one_piece(disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body, consumer = await json_body({"image": File(tmp_path / "photo")}, disk), Consumer()
    assert IBodyProducer.providedBy(body)
    consumer.on_write = body.pauseProducing
    done = body.startProducing(consumer)
    over: list[object] = []
    done.addBoth(over.append)
    while not over:
        written, calls = len(consumer.pieces), disk.calls
        for _ in range(5):
            await _a_turn()
        assert len(consumer.pieces) <= written + 1
        assert disk.calls <= calls + 2  # the piece after the one that waits
        body.resumeProducing()
    assert over == [None]
    assert (
        b"".join(consumer.pieces)
        == json.dumps({"image": base64.b64encode(PHOTO).decode()}, separators=(",", ":")).encode()
    )
    assert body.most_held_bytes == PIECE // 3 * 4
    assert threading.get_ident() not in disk.ran_in


@pytest.mark.parametrize("how", ["stop", "cancel", "stop in write", "stop while paused"])
@pytest_twisted.ensureDeferred
async def test_stopping_closes_the_file(disk: NotedThreads, tmp_path: Path, how: str) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body, consumer = await json_body([File(tmp_path / "photo")], disk), Consumer()
    if how == "stop in write":

        def stop_at_the_third() -> None:
            if len(consumer.pieces) == 3:
                body.stopProducing()

        consumer.on_write = stop_at_the_third
    elif how == "stop while paused":
        consumer.on_write = body.pauseProducing
    done = body.startProducing(consumer)
    if how == "stop while paused":
        await _until(lambda: len(consumer.pieces) == 1)
    else:
        await _until(lambda: len(consumer.pieces) >= 3)
    if how == "cancel":
        done.cancel()
        with pytest.raises(CancelledError):
            await done
    elif how != "stop in write":
        body.stopProducing()
    written = len(consumer.pieces)
    await _until(lambda: str(tmp_path / "photo") not in _fd_paths())
    for _ in range(5):
        await _a_turn()
    assert len(consumer.pieces) == written
    assert done.called == (how == "cancel")
    assert body.error is None


@pytest_twisted.ensureDeferred
async def test_a_stop_before_the_start_reads_nothing(disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body, consumer = await json_body([File(tmp_path / "photo")], disk), Consumer()
    body.stopProducing()  # as a transport does that is closed when the producer is registered
    body.startProducing(consumer)
    for _ in range(5):
        await _a_turn()
    assert consumer.pieces == []


@pytest.mark.parametrize("size", [0, 1, len(PHOTO) - 1, len(PHOTO) + 1, 2 * len(PHOTO)])
@pytest.mark.parametrize("when", ["before", "while"])
@pytest_twisted.ensureDeferred
async def test_a_file_of_another_length_is_an_error(disk: NotedThreads, tmp_path: Path, size: int, when: str) -> None:
    def change() -> None:
        with path.open("r+b") as file:
            file.truncate(size)

    path = tmp_path / "photo"
    path.write_bytes(PHOTO)
    body, consumer = await json_body([File(path)], disk), Consumer()
    if when == "before":
        change()
    else:
        consumer.on_write = lambda: change() if len(consumer.pieces) == 3 else None
    with pytest.raises(FileChanged, match="photo"):
        await body.startProducing(consumer)
    assert isinstance(body.error, FileChanged)
    assert sum(map(len, consumer.pieces)) < body.length


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

    async def post(self, body: JsonBody) -> Any:
        return await self.http.post(
            f"http://127.0.0.1:{self._port.getHost().port}/",
            data=cast(Any, body),
        )

    async def stop(self) -> None:
        await self._pool.closeCachedConnections()
        await self._port.stopListening()


@pytest_twisted.async_yield_fixture()
async def server() -> AsyncIterator[Server]:
    from twisted.internet import reactor  # noqa: TID251

    made = Server(reactor)
    yield made
    await made.stop()


@pytest_twisted.ensureDeferred
async def test_treq_sends_it_with_its_length(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    photo = File(tmp_path / "photo", urlsafe=True)
    body = await json_body({"contents": [{"inlineData": {"data": photo}}], "n": 1, "mask": photo}, disk)
    answer = await server.post(body)
    assert await answer.content() == b"ok"
    encoded = base64.urlsafe_b64encode(PHOTO).decode()
    assert json.loads(server.sink.bodies[0]) == {
        "contents": [{"inlineData": {"data": encoded}}],
        "n": 1,
        "mask": encoded,
    }
    assert server.sink.lengths == [str(body.length)]
    assert body.most_held_bytes <= 128 << 10
    assert threading.get_ident() not in disk.ran_in


@pytest_twisted.ensureDeferred
async def test_treq_tells_that_a_file_shrank(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body = await json_body([File(tmp_path / "photo")], disk)
    (tmp_path / "photo").write_bytes(PHOTO[:-1])
    with pytest.raises(RequestGenerationFailed):
        await server.post(body)
    assert isinstance(body.error, FileChanged)
    assert server.sink.bodies == []


@pytest_twisted.ensureDeferred
async def test_cancelling_a_request_ends_the_reading(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body = await json_body([File(tmp_path / "photo")], disk)
    disk.may_go.clear()  # a slow disk
    sending = ensureDeferred(server.post(body))
    calls = disk.calls
    await _until(lambda: disk.calls > calls)
    sending.cancel()
    with pytest.raises(Exception, match="CancelledError"):
        await sending
    disk.may_go.set()
    calls = disk.calls
    for _ in range(50):
        await _a_turn()
    assert disk.calls <= calls + 1  # closing the file
    assert str(tmp_path / "photo") not in _fd_paths()
    assert server.sink.bodies == []
