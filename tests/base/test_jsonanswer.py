"""A JSON answer whose pictures go to files says what json.loads says, however it comes, and no hostile one harms."""

import base64
import itertools
import json
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from boothd.base.errors import BadAnswer, Unavailable
from boothd.base.jsonanswer import LONG, MAX_JSON, MAX_TEXT, STEP, SURE, Blob, Parser, read_json
from boothd.base.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

PICTURE = bytes(range(256)) * (24 << 10)
"""6 MiB, which is 8 MiB in base64."""

ANSWER = json.dumps(
    {"candidates": [{"content": {"parts": [{"inlineData": {"data": base64.b64encode(PICTURE).decode()}}]}}]}
).encode()


class NotedThreads(Threads):
    """Disk threads that note which threads ran, and that a test can hold back."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, "noted", 4)
        self.ran_in: set[int] = set()
        self.longest_bytes = 0
        self.may_go = threading.Event()
        self.may_go.set()

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        def noted() -> T:
            self.ran_in.add(threading.get_ident())
            self.may_go.wait()
            return call(*args, **kw)

        if args and isinstance(args[0], list):
            self.longest_bytes = max(self.longest_bytes, sum(map(len, args[0])))
        return await super().run(noted)


def _parse(document: bytes, folder: Path, cuts: tuple[int, ...] = ()) -> Any:
    """The tree of `document`, cut at `cuts`; every Blob is as long as it says. After an error no file is left."""
    parser = Parser(folder / "answer")
    edges = [0, *sorted(cuts), len(document)]
    try:
        for start, end in itertools.pairwise(edges):
            parser.write([document[start:end]])
            assert parser.held_bytes <= MAX_JSON + MAX_TEXT
        return parser.result()
    except BadAnswer:
        parser.throw_away()
        assert list(folder.iterdir()) == []
        raise


def _contents(tree: Any) -> Any:
    """The tree with the bytes of the files in place of the Blobs."""
    if isinstance(tree, Blob):
        content = tree.path.read_bytes()
        assert len(content) == tree.size_bytes
        return content, tree.mime
    if isinstance(tree, list):
        return [_contents(item) for item in tree]
    if isinstance(tree, dict):
        return {key: _contents(value) for key, value in tree.items()}
    return tree


# --- right answers ---------------------------------------------------------------------------------------------------

NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NO_SURROGATES
PICTURES = st.tuples(st.integers(LONG, 3 * SURE), st.sampled_from([None, "image/png", "image/svg+xml"]))
TREES = st.recursive(
    LEAVES | PICTURES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NO_SURROGATES, inner, max_size=4),
)
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda said: said,
    "url-safe": lambda said: said.replace("+", "-").replace("/", "_"),
    "unpadded": lambda said: said.rstrip("="),
    "escaped slashes": lambda said: said.replace("/", "\\/"),
    "escaped padding": lambda said: said.replace("=", "\\u003d").replace("+", "\\u002B"),
    "lines": lambda said: "\\r\\n".join(said[at : at + 76] for at in range(0, len(said), 76)) + "\\n",
    "raw lines": lambda said: "\n".join(said[at : at + 76] for at in range(0, len(said), 76)),
}


def _both(tree: Any, spell: Callable[[str], str]) -> tuple[str, Any]:
    """The document and what it means."""
    if isinstance(tree, tuple):
        size, mime = tree
        content = (b"\xff\xef\xbe" + PICTURE)[:size]
        prefix = f"data:{mime};base64," if mime else ""
        return f'"{prefix}{spell(base64.b64encode(content).decode())}"', (content, mime)
    if isinstance(tree, list):
        pairs = [_both(item, spell) for item in tree]
        return f"[{', '.join(pair[0] for pair in pairs)}]", [pair[1] for pair in pairs]
    if isinstance(tree, dict):
        made = {key: _both(value, spell) for key, value in tree.items()}
        said = ",\n".join(f"{json.dumps(key)} : {pair[0]}" for key, pair in made.items())
        return f"{{{said}}}", {key: pair[1] for key, pair in made.items()}
    return json.dumps(tree), tree


@given(
    tree=TREES,
    spelling=st.sampled_from(sorted(SPELLINGS)),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    blank=st.sampled_from([b"", b"\n\n\r\n ", b"\xef\xbb\xbf", b"\n\xef\xbb\xbf \n"]),
)
def test_any_tree_in_any_pieces(
    tmp_path_factory: pytest.TempPathFactory, tree: Any, spelling: str, cuts: list[float], blank: bytes
) -> None:
    folder = tmp_path_factory.mktemp("files")
    said, meant = _both(tree, SPELLINGS[spelling])
    document = blank + said.encode()
    assert _contents(_parse(document, folder, tuple(int(cut * len(document)) for cut in cuts))) == meant
    shutil.rmtree(folder)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_cut_gives_the_same(tmp_path: Path, spelling: str) -> None:
    said = SPELLINGS[spelling](base64.b64encode(b"\xff\xef\xbe\x00" * 770).decode())
    document = '{"a\\\\": ["\\"", {"data": "data:image\\/png;base64,' + said + '"}, "\\\\\\"é"], "n": 12}'
    document_bytes = document.encode()
    near = {*range(60), *range(len(document_bytes) - 60, len(document_bytes)), *range(4000, 4200, 3)}
    for cut in near:
        (folder := tmp_path / str(cut)).mkdir()
        got = _contents(_parse(document_bytes, folder, (cut, cut + 1, cut + 2)))
        assert got == {"a\\": ['"', {"data": (b"\xff\xef\xbe\x00" * 770, "image/png")}, '\\"é'], "n": 12}


def test_byte_by_byte_it_is_the_same(tmp_path: Path) -> None:
    content = b"\xff\xef\xbe" * (SURE // 3)
    said = SPELLINGS["escaped slashes"](SPELLINGS["lines"](base64.b64encode(content).decode()))
    document = f'["data:;base64,{said}"]'.encode()
    assert _contents(_parse(document, tmp_path, tuple(range(len(document))))) == [(content, None)]


@pytest.mark.parametrize(
    "text",
    [
        "plain words " * 3000,
        "щ" * 20_000,
        "A" * (LONG + 1),  # a length that base64 cannot have
        "A" * 5000 + "=" + "A" * 5000,
        "A" * 5000 + "\\",
        "A" * 5000 + '"',
        "A" * 60_000 + " ",
        "data:image/png," + "A" * 5000,
        "data:image/png;base64," + "A" * 5000 + "!",
        ("\\" * 7 + '"') * 6000,
        "!" + "A" * (MAX_TEXT - 2),
        base64.b64encode(b"short").decode(),
    ],
)
def test_text_stays_text(tmp_path: Path, text: str) -> None:
    document = json.dumps({"text": text, "also": [text[:9]]}, ensure_ascii=False).encode()
    assert _parse(document, tmp_path, tuple(range(0, len(document), 1000))) == {"text": text, "also": [text[:9]]}
    assert list(tmp_path.iterdir()) == []


def test_a_long_answer_is_not_held(tmp_path: Path) -> None:
    parser, most = Parser(tmp_path / "answer"), 0
    for start in range(0, len(ANSWER), 50_000):
        parser.write([ANSWER[start : start + 50_000]])
        most = max(most, parser.held_bytes)
    blob = parser.result()["candidates"][0]["content"]["parts"][0]["inlineData"]["data"]
    assert blob == Blob(tmp_path / "answer.0", len(PICTURE))
    assert blob.path.read_bytes() == PICTURE
    assert most <= SURE + STEP
    assert parser.held_bytes < 200


def test_the_same_key_twice_says_the_last(tmp_path: Path) -> None:
    said = base64.b64encode(PICTURE[:9000]).decode()
    other = base64.b64encode(PICTURE[1:9001]).decode()
    tree = _parse(f'{{"a":"{said}","a":"\\ud800","a":"{other}","b":"{said}"}}'.encode(), tmp_path)
    assert _contents(tree) == {"a": (PICTURE[1:9001], None), "b": (PICTURE[:9000], None)}


def test_half_a_surrogate_pair_can_be_written_afterwards(tmp_path: Path) -> None:
    tree = _parse(rb'{"\ud800": ["a\udc00b", "\ud83d\ude00", "\\ud800"]}', tmp_path)
    assert tree == {"\ufffd": ["a\ufffdb", "😀", "\\ud800"]}


@pytest.mark.parametrize("mime", ["image/" + "a" * 200, "nothing", "../../etc", "image/p ng", "", "image/../png/x"])
def test_an_odd_mime_type_is_none(tmp_path: Path, mime: str) -> None:
    said = base64.b64encode(PICTURE[:9000]).decode()
    assert _contents(_parse(f'["data:{mime};base64,{said}"]'.encode(), tmp_path)) == [(PICTURE[:9000], None)]


# --- hostile answers -------------------------------------------------------------------------------------------------

LONG_B64 = base64.b64encode(PICTURE[: 300 << 10])


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\n\n",
        b"<html>busy</html>",
        b'{"a": 1',
        b'{"a": "b',
        b'{"a": "' + LONG_B64,
        b'{"a": "b"} and more',
        b'{"a": "b"}{"a": "b"}',
        b'{"' + LONG_B64 + b'": 1}',
        b"[" * 65 + b"]" * 65,
        b"[" * 1_000_000,
        b"]" * 1000 + b"[" * 1000,
        b'{"a":' * 1_000_000,
        b"[" + b"9" * 5000 + b"]",
        b"[" + b"9" * 1_000_000 + b"]",
        b"[1e999]",
        b"[-1e999]",
        b"[NaN]",
        b"[-Infinity]",
        b"[1,2,NaN," + b'"' + LONG_B64 + b'"]',
        b"[" + b"1," * 30_000 + b"1]",
        b"[" + b'"",' * 30_000 + b"1]",
        b'["' + b"!" * 1_000_000,
        b'["' + b'\\"' * 1_000_000,
        b'["' + b"\\" * 1_000_001,
        b'["' + b"x y" * MAX_TEXT + b'"]',
        b"[" + b",".join([b'"' + b"x y" * 20_000 + b'"'] * 10) + b"]",
        b"[" + b",".join([b'"' + LONG_B64[:5000] + b'"'] * 100) + b"]",
        b'["' + LONG_B64 + b'!"]',
        b'["' + LONG_B64 + b'A"]',
        b'["' + LONG_B64 + b'\\u00"]',
        b'["' + LONG_B64 + b'\\"' + LONG_B64 + b'"]',
        b'["' + LONG_B64 + b"=" + LONG_B64 + b'"]',
        b'["' + LONG_B64[:-4] + b"QQ==\\n" + LONG_B64 + b'"]',
        b"\x00",
        b'{"a": \x00}',
        b'["\xff"]',
        b'["\xed\xa0\x80"]',
        b'["\\x"]',
        '["text"]'.encode("utf-16"),
    ],
    ids=lambda document: repr(document[:12]) + str(len(document)),
)
@pytest.mark.parametrize("step", [1 << 16, 7777])
def test_a_hostile_answer_is_a_bad_answer(tmp_path: Path, document: bytes, step: int) -> None:
    with pytest.raises(BadAnswer):
        _parse(document, tmp_path, tuple(range(0, len(document), step)))


def test_an_existing_file_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "answer.0").write_bytes(b"here first")
    parser = Parser(tmp_path / "answer")
    with pytest.raises(FileExistsError):
        parser.write([ANSWER])
    parser.throw_away()
    assert (tmp_path / "answer.0").read_bytes() == b"here first"


# --- over the wire ---------------------------------------------------------------------------------------------------


class Answers(Resource):
    """Gives each path's answer; tells when the client has closed the connection."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(cast(Any, self))
        self.gone: Deferred[None] = Deferred()
        self.sent = 0

    def render_GET(self, request: Any) -> Any:
        request.notifyFinish().addBoth(lambda _: None if self.gone.called else self.gone.callback(None))
        answer = getattr(self, request.path.decode().strip("/").replace("-", "_"))
        return answer(request)

    def long(self, request: Any) -> bytes:
        return ANSWER

    def slow_thinker(self, request: Any) -> int:
        """Blank lines first, then the answer, without a length."""
        for _ in range(20):
            request.write(b"\n")
        request.write(ANSWER)
        request.finish()
        return NOT_DONE_YET

    def broken_off(self, request: Any) -> int:
        request.setHeader(b"content-length", b"%d" % len(ANSWER))
        request.write(ANSWER[:5_000_000])
        request.channel.transport.unregisterProducer()  # else it would wait for the channel to say more
        request.transport.loseConnection()
        return NOT_DONE_YET

    def for_ever(self, request: Any) -> int:
        request.write(ANSWER[:5_000_000])
        return NOT_DONE_YET

    def as_fast_as_it_is_taken(self, request: Any) -> int:
        answers = self
        request.write(b'["')

        class Producer:
            def resumeProducing(self) -> None:
                answers.sent += 1 << 16
                request.write(b"x" * (1 << 16))
                if answers.sent >= 64 << 20:
                    request.unregisterProducer()
                    request.write(b'"]')
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


async def _a_turn() -> None:
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    turn: Deferred[None] = Deferred()
    reactor.callLater(0, turn.callback, None)
    await turn


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("path", ["long", "slow-thinker"])
async def test_treq_brings_it(server: Server, disk: NotedThreads, tmp_path: Path, path: str) -> None:
    tree = await read_json(await server.get(path), tmp_path / "answer", max_bytes=9 << 20, disk=disk)
    assert tree == {
        "candidates": [{"content": {"parts": [{"inlineData": {"data": Blob(tmp_path / "answer.0", len(PICTURE))}}]}}]
    }
    assert (tmp_path / "answer.0").read_bytes() == PICTURE
    assert threading.get_ident() not in disk.ran_in
    assert disk.longest_bytes <= 640 << 10


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("path", ["long", "slow-thinker", "as-fast-as-it-is-taken"])
async def test_what_is_too_long_is_refused_and_its_connection_closed(
    server: Server, disk: NotedThreads, tmp_path: Path, path: str
) -> None:
    with pytest.raises(BadAnswer):
        await read_json(await server.get(path), tmp_path / "answer", max_bytes=2 << 20, disk=disk)
    await server.answers.gone
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_is_none(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="broke off"):
        await read_json(await server.get("broken-off"), tmp_path / "answer", max_bytes=9 << 20, disk=disk)
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("slow", [False, True])
async def test_cancelling_closes_the_connection_and_leaves_no_file(
    server: Server, disk: NotedThreads, tmp_path: Path, slow: bool
) -> None:
    reading = ensureDeferred(read_json(await server.get("for-ever"), tmp_path / "answer", max_bytes=9 << 20, disk=disk))
    while not list(tmp_path.iterdir()):
        await _a_turn()
    if slow:
        disk.may_go.clear()
    reading.cancel()
    await server.answers.gone
    disk.may_go.set()
    with pytest.raises(CancelledError):
        await reading
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_slow_disk_makes_the_sender_wait(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    response = await server.get("as-fast-as-it-is-taken")
    disk.may_go.clear()
    reading = ensureDeferred(read_json(response, tmp_path / "answer", max_bytes=65 << 20, disk=disk))
    before = -1
    while before != server.answers.sent:  # until the sender has stood still for a while
        before = server.answers.sent
        for _ in range(200):
            await _a_turn()
    assert server.answers.sent < 48 << 20  # what is not here lies in the sockets' buffers
    disk.may_go.set()
    assert await reading == [Blob(tmp_path / "answer.0", 48 << 20)]
    assert disk.longest_bytes <= 640 << 10
