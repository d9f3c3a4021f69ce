"""HTTP as the fakes speak it: bodies are kept as they come, answers leave in pieces and can go wrong on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http

from boothd.base.clock import Clock

PIECE = 64 << 10
DRIPS = 20  # pieces of a slow body


class Manner(Enum):
    """How a body is sent."""

    WHOLE = "whole"
    SHORT = "the connection closes in its middle"
    STOPS = "it stops in its middle"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply. over_s: how long its body takes."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    manner: Manner = Manner.WHOLE
    over_s: float = 0


class Dropped(Exception):
    """The connection is to be closed without an answer. reset: by TCP RST."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Serves(Protocol):
    """What is behind a `Site`."""

    clock: Clock

    async def serve(self, exchange: "Exchange") -> None:
        """Answer; cancelled when the client leaves."""

    def max_body(self) -> int: ...

    def changed(self) -> None:
        """The connections have changed."""


class _Body:
    """Keeps a request's body in the pieces it came in; Twisted itself is shown an empty one."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self.pieces: list[bytes] = []
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self._max_size:
            self.pieces.clear()
        else:
            self.pieces.append(data)

    @property
    def too_large(self) -> bool:
        return self.size_bytes > self._max_size

    def tell(self) -> int:
        return 0

    def seek(self, *_: int) -> None: ...

    def read(self, *_: int) -> bytes:
        return b""

    def close(self) -> None: ...


_Request: Any = http.Request  # Twisted has no types for it that a checker could follow
_Channel: Any = http.HTTPChannel
_Factory: Any = http.HTTPFactory


class Exchange(_Request):  # type: ignore[misc]
    """One request and its answer. alive: the client is still there. begun: the answer's first byte has left."""

    log = Logger()
    alive = True

    def gotLength(self, length: int | None) -> None:
        self._taken = _Body(self.channel.factory.served.max_body())
        self.content: Any = self._taken

    def process(self) -> None:
        path, _, query = self.uri.decode("utf-8", "replace").partition("?")
        self.verb = self.method.decode("ascii", "replace")
        self.where = unquote(path)
        self.query = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        self.size_bytes, self.too_large = self._taken.size_bytes, self._taken.too_large
        self._work: Deferred[None] = Deferred.fromCoroutine(self.channel.factory.served.serve(self))
        self._work.addErrback(self._failed)

    def header(self, name: str) -> str:
        """A header's value, "" when there is none."""
        return self.getHeader(name) or ""

    @property
    def base(self) -> str:
        """This server's address as the client wrote it."""
        scheme = "https" if self.isSecure() else "http"
        host = self.channel.getHost()
        return f"{scheme}://{self.header('host') or f'{host.host}:{host.port}'}"

    def body(self) -> bytes:
        """The request's body in one piece; for threads."""
        return b"".join(self._taken.pieces)

    @property
    def begun(self) -> bool:
        return bool(self.startedWriting)

    def begin(self, status: int, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Send the headers now; the body follows by `write` and `finish`."""
        self.setResponseCode(status)
        self.setHeader("content-type", media_type)
        for name, value in (headers or {}).items():
            self.setHeader(name, value)
        self.write(b"")

    async def send(self, answer: Answer) -> None:
        """Send an answer, after `begin` only its body. Returns when the last byte has left for the socket."""
        if not self.alive:
            return
        if not self.begun:
            length = str(len(answer.body))
            self.begin(answer.status, answer.media_type, {"content-length": length, **dict(answer.headers)})
        whole = answer.manner is Manner.WHOLE
        body = answer.body if whole else answer.body[: len(answer.body) // 2]
        if answer.over_s:
            await self._drip(body, answer.over_s)
        else:
            await _Sender(self, body).done
        if whole:
            self.finish()
        elif answer.manner is Manner.SHORT:
            self.channel.loseConnection()
        else:
            await forever()

    def drop(self, *, reset: bool = False) -> None:
        """Close the connection."""
        if self.alive and reset:
            self.channel.transport.abortConnection()
        elif self.alive:
            self.channel.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.alive = False
        super().connectionLost(reason)
        if hasattr(self, "_work"):
            self._work.cancel()

    async def _drip(self, body: bytes, over_s: float) -> None:
        step = -(-len(body) // DRIPS) or 1
        for at in range(0, len(body), step):
            self.write(body[at : at + step])
            await self.channel.factory.served.clock.sleep(over_s / DRIPS)

    def _failed(self, failure: Failure) -> None:
        if not (failure.check(CancelledError) and not self.alive):
            self.log.failure("a fake could not answer {where}", failure=failure, where=self.where)
            self.drop()


class _Sender:
    """Writes a body whenever the socket has room."""

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        self._exchange, self._body, self._at, self._paused = exchange, body, 0, False
        self.done: Deferred[None] = Deferred(lambda _: self._end())
        exchange.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused and self._at < len(self._body):
            piece = self._body[self._at : self._at + PIECE]
            self._at += PIECE
            self._exchange.write(piece)
        if self._at >= len(self._body) and not self.done.called:
            self._end()
            self.done.callback(None)

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True

    def _end(self) -> None:
        self._paused = True
        if self._exchange.alive and self._exchange.producer is self:
            self._exchange.unregisterProducer()


def forever() -> Deferred[None]:
    """Never fires; it can be cancelled."""
    return Deferred()


class _Connection(_Channel):  # type: ignore[misc]
    """A connection that the site knows of."""

    requestFactory = Exchange

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.connections.add(self)
        self.factory.served.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.connections.discard(self)
        self.factory.served.changed()


class Site(_Factory):  # type: ignore[misc]
    """The server factory of one fake: without access log, idle limit and timers of its own."""

    protocol = _Connection

    def __init__(self, served: Serves, reactor: Any) -> None:
        super().__init__(timeout=None, reactor=reactor)
        self.served = served
        self.connections: set[Any] = set()

    def startFactory(self) -> None: ...

    def stopFactory(self) -> None: ...

    def log(self, request: Any) -> None: ...

    def abort(self) -> None:
        """Drop all connections."""
        for connection in list(self.connections):
            connection.transport.abortConnection()
