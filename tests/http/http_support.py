"""A site with a fake room behind it, in memory on a fake clock or on a loopback port."""

import json
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock as FakeTime
from twisted.internet.testing import StringTransport

from boothd.base.clock import Clock
from boothd.base.errors import NotAPicture, RequestError, WrongPassword
from boothd.base.threads import Threads
from boothd.config import UploadConfig
from boothd.http import Listener, Logins, Reply, Request, Route, Site, Upload, json_reply, make_site

F = TypeVar("F", bound=Callable[..., Any])
_pytest_twisted: Any = import_module("pytest_twisted")


def asynchronous(test: F) -> F:
    """A test that is a coroutine of Deferreds."""
    wrapped: F = _pytest_twisted.ensureDeferred(test)
    return wrapped


def wait_for(done: Deferred[Any]) -> Any:
    """Run the reactor until `done` fires; for fixtures."""
    return _pytest_twisted.blockon(done)


class Asked:
    """As much of a request as pages look at. cookie: the language that the reader has chosen."""

    def __init__(self, accept: str = "", cookie: str = "") -> None:
        self._accept, self._cookie = accept, cookie

    def getHeader(self, name: str) -> str | None:
        return {"accept-language": self._accept or None}.get(name)

    def getCookie(self, name: bytes) -> bytes | None:
        return self._cookie.encode() if self._cookie and name == b"boothd-language" else None


def asked(accept: str = "", cookie: str = "") -> Any:
    """A request for a page."""
    return Asked(accept, cookie)


BOUNDARY = "------------090306000104030805010400"  # seed 004: dashes only
SEED_FIELDS = {
    "time": "1758217512",
    "user_id": "Acer",
    "id": "CY04N068111304S2L_00000001.",
    "profile": "C:\\Users\\Acer\\AppData\\Roaming\\BreezeSys\\DSLR Remote Pro\\PhotoboothSettings\\1.xml",
    "hash": "d6d0b9cbe1b8b8a4a7f2c2e0bd6d5e3a7d1c9f00",
    "name": "DESKTOP-ACER",
    "model": "Windows",
    "version": "3.30.2",
    "password": "123456",
}
PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n"


class FakeSink:
    """Keeps the bytes; wants a pause after `pause_at` of them; refuses what begins with `bad`."""

    def __init__(self, pause_at: int | None = None) -> None:
        self.data = b""
        self.closed = self.discarded = False
        self.resume: Callable[[], None] | None = None
        self._pause_at = pause_at
        self.closing: Deferred[None] | None = None

    def write(self, data: bytes) -> bool:
        self.data += data
        if self.data.startswith(b"bad"):
            raise NotAPicture()
        if self.data.startswith(b"bug"):
            raise ZeroDivisionError("a bug in the sink")
        return self._pause_at is None or len(self.data) < self._pause_at

    def on_drain(self, resume: Callable[[], None]) -> None:
        self.resume = resume

    async def close(self) -> None:
        if self.closing is not None:
            await self.closing
        if self.data.startswith(b"late"):
            raise NotAPicture()
        self.closed = True

    def discard(self) -> None:
        self.discarded = True


class FakeAdmission:
    def __init__(self, room: "FakeRoom") -> None:
        self._room = room
        self.max_size = room.max_size

    def check_password(self, value: str) -> None:
        if value != "123456":
            raise WrongPassword()

    def sink(self) -> FakeSink:
        sink = FakeSink(self._room.pause_at)
        sink.closing = self._room.closing
        self._room.sinks.append(sink)
        return sink

    def lost(self, error: RequestError | None) -> None:
        self._room.lost.append(None if error is None else error.code)


class FakeRoom:
    """Takes uploads at /upload/...; remembers what it was asked and given."""

    def __init__(self) -> None:
        self.max_size = 1 << 20
        self.pause_at: int | None = None
        self.closing: Deferred[None] | None = None
        self.refusal: RequestError | None = None
        self.asked: list[tuple[str, int | None]] = []
        self.sinks: list[FakeSink] = []
        self.lost: list[str | None] = []
        self.uploads: list[Upload] = []
        self.answer: Callable[[Request], Any] | None = None

    def gate(self, path: str, length: int | None) -> FakeAdmission | None:
        self.asked.append((path, length))
        if not path.startswith("/upload/"):
            return None
        if self.refusal is not None:
            raise self.refusal
        return FakeAdmission(self)

    async def take(self, request: Request, slot: int) -> Reply:
        if request.upload is None:
            raise AssertionError("no upload")
        self.uploads.append(request.upload)
        if self.answer is not None:
            reply: Reply = await self.answer(request)
            return reply
        return json_reply({"slot": slot, "size": request.upload.size_bytes})

    def routes(self) -> list[Route]:
        return [Route(("POST",), "/upload/<int:slot>", "booth.upload", self.take, login=False)]


class InlineThreads:
    """Runs at once, in the caller's thread."""

    async def run(self, call: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        return call(*args, **kw)


INLINE = cast(Threads, InlineThreads())


class Memory:
    """A site whose connections are strings and whose time stands still."""

    def __init__(self, room: FakeRoom, routes: Sequence[Route] = (), **limits: Any) -> None:
        self.time = FakeTime()
        self.clock = Clock(self.time)
        self.room = room
        self.limits = UploadConfig.model_validate(limits)
        self.site = make_site(
            [*room.routes(), *routes],
            gate=room.gate,
            limits=lambda: self.limits,
            logins=Logins(dict, INLINE, self.clock),
            clock=self.clock,
            disk=INLINE,
        )

    def connect(self) -> "Line":
        return Line(self.site)


class Line:
    """One connection to a Memory site."""

    def __init__(self, site: Site) -> None:
        build: Any = site.buildProtocol
        self.channel: Any = build(None)
        self.transport = StringTransport()
        self.channel.makeConnection(self.transport)

    def send(self, *data: bytes) -> "Line":
        for piece in data:
            self.channel.dataReceived(piece)
        return self

    def hang_up(self) -> None:
        from twisted.internet.error import ConnectionDone
        from twisted.python.failure import Failure

        self.channel.connectionLost(Failure(ConnectionDone()))

    def closing(self) -> bool:
        return bool(self.transport.disconnecting)

    def paused(self) -> bool:
        return self.transport.producerState == "paused"

    def dropped(self) -> bool:
        return bool(self.transport.disconnected)

    def answers(self) -> list["Answer"]:
        return parse_answers(self.transport.value())

    def answer(self) -> "Answer":
        (answer,) = self.answers()
        return answer


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def parse_answers(wire: bytes) -> list[Answer]:
    """All HTTP answers in `wire`; each must have a Content-Length."""
    found = []
    while wire:
        head, _, wire = wire.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", "0"))
        body, wire = wire[:size], wire[size:]
        found.append(Answer(int(first.split()[1]), headers, body))
    return found


def form(
    fields: Iterable[tuple[str, str]] = (("password", "123456"),),
    files: Iterable[tuple[str, str, bytes]] = (("fileToUpload", "IMG_0003.JPG", PHOTO),),
    file_first: bool = False,
) -> bytes:
    """A multipart body."""
    texts = [f'form-data; name="{n}"\r\n\r\n{v}'.encode() for n, v in fields]
    pictures = [
        f'form-data; name="{n}"; filename="{f}"\r\nContent-Type: image/jpeg\r\n\r\n'.encode() + d for n, f, d in files
    ]
    parts = pictures + texts if file_first else texts + pictures
    dashes = b"--" + BOUNDARY.encode()
    return b"".join(b"%b\r\nContent-Disposition: %b\r\n" % (dashes, part) for part in parts) + dashes + b"--\r\n"


def post(body: bytes, path: str = "/upload/1", *headers: str, length: int | None = None) -> bytes:
    """A whole multipart POST request."""
    return head(path, f"Content-Length: {len(body) if length is None else length}", *headers) + body


def head(path: str = "/upload/1", *headers: str) -> bytes:
    """The headers of a multipart POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: booth.test",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunked(body: bytes, size: int = 1000) -> bytes:
    """`body` in chunked transfer coding."""
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


class Talk(Protocol):
    """A client that sends what it is told and keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed: Deferred[None] = Deferred()
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        for item in list(self._waiting):
            if item[0] in self.heard:
                self._waiting.remove(item)
                item[1].callback(None)

    def until(self, sign: bytes) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        if sign in self.heard:
            done.callback(None)
        else:
            self._waiting.append((sign, done))
        return done

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)


async def talk(reactor: Any, port: int) -> Any:
    """Connect to a loopback port."""
    endpoint: Any = TCP4ClientEndpoint
    connect: Any = connectProtocol
    return await connect(endpoint(reactor, "127.0.0.1", port), Talk())


class Port:
    """A site on a loopback port."""

    def __init__(self, reactor: Any, room: FakeRoom, routes: Sequence[Route], **options: Any) -> None:
        self._reactor = reactor
        clock = Clock(reactor)
        self._threads = [Threads(reactor, name, 2) for name in ("disk", "logins")]
        limits = options.pop("limits", UploadConfig())
        self.site = make_site(
            [*room.routes(), *routes],
            gate=room.gate,
            limits=lambda: limits,
            logins=Logins(options.pop("operators", dict), self._threads[1], clock),
            clock=clock,
            disk=options.pop("disk", self._threads[0]),
        )
        self.listener = Listener(
            options.pop("endpoint", "tcp:0:interface=127.0.0.1"), self.site, reactor=reactor, clock=clock, drain_s=5
        )

    @property
    def number(self) -> int:
        return self.listener.port

    async def ask(self, method: str, path: str, *headers: str, form: dict[str, str] | None = None) -> Answer:
        client = await talk(self._reactor, self.number)
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
        body = "" if form is None else urlencode(form)
        if form is not None:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        client.transport.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        await client.closed
        if method == "HEAD":
            client.heard = client.heard.replace(b"Content-Length: ", b"Content-Length: 0\r\nReal-Length: ")
            (answer,) = parse_answers(client.heard)
            answer.headers["content-length"] = answer.headers["real-length"]
            return answer
        (answer,) = parse_answers(client.heard)
        return answer

    async def site_empty(self) -> None:
        """Wait until no connection is left."""
        waiting: Deferred[None] = Deferred()
        if self.site.channels:
            self.site._all_closed.append(waiting)
            await waiting

    async def stop(self) -> None:
        await self.listener.stop()
        for threads in self._threads:
            threads.stop()
