"""The requests that the fake Turbotext makes itself: it fetches photos and calls webhooks."""

from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import FileBodyProducer, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from boothd.base.clock import Clock

LIMIT_S = 60.0
MAX_SIZE = 50 << 20
AGENT = "Mozilla/5.0 (compatible; Turbotext; boothd sandbox)"


class NotFetched(Exception):
    """A photo could not be had. The message says why."""


class Fetcher:
    """agent: a `twisted.web.client.Agent`."""

    def __init__(self, agent: Any, clock: Clock) -> None:
        self._agent = agent
        self._clock: Any = clock

    async def fetch(self, url: str, method: str = "GET") -> bytes:
        """A photo's bytes. Raises NotFetched."""
        status, body = await self._request(method, url, None)
        if status != 200:
            raise NotFetched(f"HTTP {status}")
        return body

    async def post(self, url: str, body: bytes) -> int:
        """Post JSON; returns the status. Raises NotFetched."""
        return (await self._request("POST", url, body))[0]

    async def _request(self, method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        headers = Headers({"User-Agent": [AGENT]})
        producer = None
        if body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
            producer = FileBodyProducer(BytesIO(body))
        try:
            asked: Deferred[Any] = maybeDeferred(
                self._agent.request, method.encode(), url.encode("ascii"), headers, producer
            )
            response = await asked.addTimeout(LIMIT_S, self._clock)
            taken = _Taken()
            response.deliverBody(taken)
            return int(response.code), await taken.done.addTimeout(LIMIT_S, self._clock)
        except NotFetched:
            raise
        except Exception as error:
            raise NotFetched(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectError | ConnectionDone | ConnectionLost):
        return "no connection"
    return f"{type(error).__name__}: {error}"


class _Taken(Protocol):
    """A body, at most MAX_SIZE of it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self.done: Deferred[bytes] = Deferred(lambda _: self._drop())

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        self._pieces.append(data)
        if self._size > MAX_SIZE and not self.done.called:
            self._drop()
            self.done.errback(NotFetched("too large"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(b"".join(self._pieces))
        else:
            self.done.errback(NotFetched("the body broke off"))

    def _drop(self) -> None:
        transport: Any = self.transport
        transport.stopProducing()
