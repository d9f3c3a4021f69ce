"""One connection: its deadlines, when a request's first byte came, and a close that does not destroy the answer."""

from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport
from twisted.web import http

from boothd.base.clock import Timer, cancel
from boothd.base.errors import RequestError, TooSlow
from boothd.http.headers import headers_of
from boothd.http.replies import error_reply
from boothd.http.routes import Reply, body_bytes

IDLE_S = 60.0  # between two requests of a connection
CLOSE_S = 60.0  # for a client to take the end of its last answer
LINGER_S = 20.0  # for a client that still sends after it was refused
LINGER_EXPECT_S = 2.0  # the same for one that had asked whether it may
LINGER_SIZE = 64 << 20

IDLE, HEADERS, BODY, ANSWER, LINGER, CLOSED = "idle", "headers", "body", "answer", "linger", "closed"


_HTTPChannel: Any = http.HTTPChannel  # Twisted has no types for it that a checker could follow


class Channel(_HTTPChannel):  # type: ignore[misc]
    """An HTTP/1.1 connection whose limits are total times on our Clock, not idle times on the reactor's.

    Stock timeouts are off. `phase` says what is going on; each phase but BODY and ANSWER has one timer (a body's times
    are its request's, an answer's are its handler's)."""

    timeOut = None
    site: Any
    phase = IDLE

    def __init__(self) -> None:
        super().__init__()
        self._timer: Timer | None = None
        self._first_s: float | None = None
        self._arrival_s = 0.0
        self._replaying = False
        self._held = False
        self._lingered = 0

    # --- the private parts of HTTPChannel that we need are touched in these two methods only -------------------------

    @property
    def request_line(self) -> tuple[bytes, bytes]:
        """Method and target of the request whose headers have come; in `gotLength` the request has neither."""
        return self._command, self._path  # private; the test of this line is in test_channel.py

    def hold(self) -> None:
        """Read no more from the client until `release`."""
        self._held = True
        self._networkProducer.pauseProducing()

    def release(self) -> None:
        """Read again, unless the client does not take our answers. Idempotent."""
        if self._held:
            self._held = False
            if not self._waitingForTransport:
                self._networkProducer.resumeProducing()

    def resumeProducing(self) -> None:
        """The client took what we wrote; that alone does not end a `hold`."""
        super().resumeProducing()
        if self._held:
            self._networkProducer.pauseProducing()

    # --- phases ------------------------------------------------------------------------------------------------------

    def _enter(self, phase: str, limit_s: float | None = None) -> None:
        self.phase = phase
        cancel(self._timer)
        self._timer = None if limit_s is None else self.site.clock.callLater(limit_s, self._too_long)

    def _header_time(self) -> float:
        return float(self.site.limits().header_time)

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.channels.add(self)
        self._enter(IDLE, self._header_time())

    def dataReceived(self, data: bytes) -> None:
        if not self._replaying:
            self._arrival_s = self.site.clock.seconds()
        if self.phase == CLOSED:
            return
        if self.phase == LINGER:
            self._lingered += len(data)
            if self._lingered > LINGER_SIZE:
                self.forceAbortClient()
                return
        elif self.phase == IDLE and data.strip(b"\r\n"):  # some clients end a body with a CRLF too many
            self._first_s = self._arrival_s if self._first_s is None else self._first_s
            self._enter(HEADERS, self._header_time())
        super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        if self._handlingRequest and self._first_s is None and data.strip(b"\r\n"):
            self._first_s = self._arrival_s  # the next request comes while this one is being answered
        super().rawDataReceived(data)

    def begin_request(self) -> float:
        """A request's first line is there. Returns when its first byte came, monotonic seconds."""
        if self.phase == IDLE:
            self._enter(HEADERS, self._header_time())
        started_s = self._arrival_s if self._first_s is None else self._first_s
        self._first_s = None
        return started_s

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of thousands of digits
            self._respondToBadRequestAndDisconnect()
            return False

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def allHeadersReceived(self) -> None:
        self._enter(BODY)
        super().allHeadersReceived()

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        return bool(super().checkPersistence(request, version)) and not self.site.draining

    def allContentReceived(self) -> None:
        if self.phase == BODY:
            self._enter(ANSWER)
        if b"".join(self._dataBuffer).strip(b"\r\n"):
            self._first_s = self._arrival_s
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        if self._first_s is None:
            self._enter(IDLE, IDLE_S)
        else:
            self._arrival_s = self._first_s
            self._enter(HEADERS, self._header_time())
        outer, self._replaying = self._replaying, True
        try:
            super().requestDone(request)
        finally:
            self._replaying = outer

    def connectionLost(self, reason: Any = None) -> None:
        self._enter(CLOSED)
        super().connectionLost(reason)
        self.site.lost(self)

    # --- endings -----------------------------------------------------------------------------------------------------

    def loseConnection(self) -> None:
        """Close once everything is sent; a client that does not take it is cut off after a while."""
        if self.phase == CLOSED:
            return
        self._enter(CLOSED, CLOSE_S)
        super().loseConnection()

    def drain(self) -> None:
        """Close now if nothing is going on, else after the answer."""
        if self.phase in {IDLE, LINGER}:
            self.loseConnection()

    def refuse(self, reply: Reply, *, expecting: bool = False, linger: bool = True) -> None:
        """Answer in the middle of a request and close.

        Closing while the client still sends makes its system throw our answer away (TCP RST), so our side of the
        connection is closed and what comes is read and forgotten for a while. expecting: the client waits for `100
        Continue`, so little or nothing will come."""
        self.persistent = False
        self.transport.write(wire(reply))
        if not linger:
            self.loseConnection()
            return
        self.release()
        self._enter(LINGER, LINGER_EXPECT_S if expecting or self.site.draining else LINGER_S)
        half_close = IHalfCloseableDescriptor.providedBy(self.transport)
        if half_close and not ISSLTransport.providedBy(self.transport):
            self.transport.loseWriteConnection()

    def end_linger(self) -> None:
        """The refused body has been read to its end."""
        if self.phase == LINGER:
            self.loseConnection()

    def _too_long(self) -> None:
        self._timer = None
        if self.phase == HEADERS:
            self._give_up(TooSlow("The request's headers came too slowly."))
        elif self.phase == IDLE:
            self.loseConnection()
        else:
            self.forceAbortClient()

    def forceAbortClient(self) -> None:
        """Drop the connection and what is unsent."""
        self._enter(CLOSED)
        self.transport.abortConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Twisted's own refusal of what is not HTTP: broken request line, header or chunk."""
        if self.phase == LINGER:
            self.loseConnection()
        elif self.phase != CLOSED:
            self._give_up(RequestError("The request is not HTTP as it should be."), linger=self.phase == BODY)

    def _give_up(self, error: RequestError, *, linger: bool = False) -> None:
        if self.requests:
            self.requests[-1].refuse(error, linger=linger)
        else:
            self.refuse(error_reply(error), linger=linger)


def wire(reply: Reply) -> bytes:
    """A reply with a short body as the bytes of a whole HTTP answer, after which the connection is closed."""
    headers = [*headers_of(reply), (b"Connection", b"close")]
    first = f"HTTP/1.1 {reply.status} {phrase(reply.status)}\r\n".encode("ascii")
    return first + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body_bytes(reply)


def phrase(status: int) -> str:
    """The words after a status in an answer's first line."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
