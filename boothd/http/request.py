"""A request: refused at its headers when it must be, its body taken as it comes."""

from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

import multipart
from twisted.logger import Logger
from twisted.web import server

from boothd.base.budget import Budget
from boothd.base.errors import (
    BrokenUpload,
    NotFound,
    OutOfTime,
    RequestError,
    SpoolUnhealthy,
    TooLarge,
    TooSlow,
)
from boothd.http.channel import Channel
from boothd.http.intake import Form, Intake, boundary_of
from boothd.http.pace import Pace
from boothd.http.replies import ERROR_HEADER, error_reply
from boothd.http.routes import Reply, body_bytes
from boothd.http.send import begin
from boothd.http.upload import Admission, Sink, Upload

FORM_SIZE = 256 << 10  # bytes of an ordinary body: page forms, JSON
CLOSE_S = 5.0  # at least so long the disk has to write what has come
_URL_ENCODED = "application/x-www-form-urlencoded"


class InternalError(RequestError):
    """Something went wrong inside boothd; its log says what."""

    code, status = "internal-error", 500


_Stock: Any = server.Request  # Twisted has no types for it that a checker could follow


class Request(_Stock):  # type: ignore[misc]
    """What a handler gets.

    upload: the received upload, on a path that takes one. operator: who logged in. started_s: monotonic, first byte.
    route: the route's name. Form fields of pages are in `args`, JSON in `content`."""

    log = Logger()
    channel: Channel
    defaultContentType = None

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued)
        self.started_s = channel.begin_request()
        self.upload: Upload | None = None
        self.operator = ""
        self.route = "unrouted"
        self.refused = False
        self._site: Any = channel.site
        self._clock = self._site.clock
        self._pace: Pace | None = None
        self._admission: Admission | None = None
        self._intake: Intake | None = None
        self._form: Form | None = None
        self._ended = False

    @property
    def gone(self) -> bool:
        """The client has left, or the answer is complete."""
        return bool(self._disconnected or self.finished)

    @property
    def address(self) -> str:
        """The client's address, for throttling."""
        return str(getattr(self.client, "host", "") or "")

    def field(self, name: str, default: str = "") -> str:
        """A page form's (or the query's) last value of that name."""
        values = (self.args or {}).get(name.encode())
        return values[-1].decode("utf-8", errors="replace") if values else default

    # --- the body ----------------------------------------------------------------------------------------------------

    def gotLength(self, length: int | None) -> None:
        """The headers are there; what is refused now is refused before the body is read."""
        self.content = BytesIO()
        try:
            self._begin_body(length)
        except Exception as error:  # noqa: BLE001 (an exception here would close the connection without a word)
            self.refuse(error, expecting=self.requestHeaders.hasHeader(b"Expect"))

    def _begin_body(self, length: int | None) -> None:
        method, target = self.channel.request_line
        path, _, query = target.partition(b"?")
        kinds = self.requestHeaders.getRawHeaders("content-type", [""])
        if len(kinds) > 1:  # Twisted would judge by the first, we by another
            raise RequestError("The request has more than one Content-Type.")
        kind = kinds[0]
        self._parsePOSTFormSubmission = kind.partition(";")[0].strip().lower() == _URL_ENCODED
        if method == b"POST":
            decoded = decode_path(path)
            self.route = self._site.route_name(decoded, method)
            self._admission = self._site.gate(decoded, length)
        limits = self._site.limits()
        if self._admission is not None:
            self._query = query.decode("utf-8", errors="replace")
            self._intake = Intake(boundary_of(kind), self._admission, self._sink_opened)
            if length is not None and length > self._admission.max_size:
                raise TooLarge()
        elif length is not None and length > FORM_SIZE:
            raise TooLarge()
        elif multipart.parse_options_header(kind)[0].startswith("multipart/"):
            raise BrokenUpload("This address takes no uploads.")
        if length != 0:
            deadline_s = self.started_s + limits.max_time
            self._pace = Pace(self._clock, limits.min_rate, deadline_s, lambda: self.refuse(TooSlow()))

    def _sink_opened(self, sink: Sink) -> None:
        sink.on_drain(self._resume)

    def _resume(self) -> None:
        if self._pace is not None and not self.refused and not self.gone:
            self._pace.resume()
            self.channel.release()

    def handleContentChunk(self, data: bytes) -> None:
        if self.refused:
            return
        try:
            if self._pace is not None:
                self._pace.add(len(data))
            if self._intake is None:
                if self.content.tell() + len(data) > FORM_SIZE:
                    raise TooLarge()
                self.content.write(data)
            elif not self._intake.feed(data) and self._pace is not None:
                self._pace.pause()
                self.channel.hold()
        except Exception as error:  # noqa: BLE001 (an exception here would close the connection without a word)
            self.refuse(error)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self.refused:
            self._stop_pace()
            self.channel.release()
            try:
                if self._intake is not None:
                    self._form = self._intake.finish()
                    self._received_s = self._clock.seconds()
                super().requestReceived(command, path, version)
            except Exception as error:  # noqa: BLE001 (as above)
                self.refuse(error)
        if self.refused and not self._disconnected:
            self.channel.end_linger()

    def _stop_pace(self) -> None:
        if self._pace is not None:
            self._pace.stop()
            self._pace = None

    # --- endings -----------------------------------------------------------------------------------------------------

    def refuse(self, error: Exception, *, expecting: bool = False, linger: bool = True) -> None:
        """Answer before the body has come (or in its middle) and close the connection."""
        if self.refused or self.gone:
            return
        self.refused = True
        self.requestHeaders.removeHeader(b"Expect")  # or Twisted sends `100 Continue` after the refusal
        self._stop_pace()
        self.lose_upload(error)
        if self.startedWriting:
            self.channel.forceAbortClient()
            return
        reply = error_reply(error, self.route)
        self.sentLength = len(reply.body) if isinstance(reply.body, bytes) else 0
        self.code = reply.status
        self.responseHeaders.setRawHeaders(ERROR_HEADER, [reply.headers[ERROR_HEADER]])  # for the access log
        self.channel.refuse(reply, expecting=expecting, linger=linger)
        self._end(reply.status)

    async def take_upload(self) -> None:
        """Wait until the upload's bytes are on disk and judged; from then on it is the handler's. Raises RequestError."""
        form = self._form
        if form is None:
            return
        deadline_s = max(self.started_s + self._site.limits().max_time, self._clock.seconds() + CLOSE_S)
        try:
            await Budget(self._clock, deadline_s).limit(form.sink.close())
        except OutOfTime as error:
            raise SpoolUnhealthy("The photo could not be written to the disk in time.") from error
        if self._admission is None:  # the client left meanwhile and the sink is discarded
            raise BrokenUpload()
        self._admission = self._intake = self._form = None
        self.upload = Upload(
            form.fields,
            form.field,
            form.filename,
            form.content_type,
            form.size_bytes,
            form.sink,
            self._query,
            self.started_s,
            self._received_s,
        )

    def lose_upload(self, error: BaseException | None) -> None:
        """Discard an upload that has not become the handler's, and tell its room why; None: the client went away."""
        admission, intake = self._admission, self._intake
        self._admission = self._intake = self._form = None
        try:
            if intake is not None:
                intake.discard()
        except Exception:  # noqa: BLE001 (logged; the room must be told too)
            self.log.failure("a refused upload could not be discarded")
        try:
            if admission is not None:
                known = error is None or isinstance(error, RequestError)
                admission.lost(error if known else InternalError())  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 (logged)
            self.log.failure("a refused upload could not be counted")

    def connectionLost(self, reason: Any) -> None:
        self._stop_pace()
        self.lose_upload(None)
        super().connectionLost(reason)
        self._end(None)

    def _end(self, status: int | None) -> None:
        """Once per request. status: None when the client left before its answer was complete."""
        if not self._ended:
            self._ended = True
            self._site.ended(self, status)

    def finish(self) -> None:
        super().finish()
        self._end(self.code)

    # --- the route ---------------------------------------------------------------------------------------------------

    def process(self) -> None:
        """Hand the request to its route."""
        try:
            decode_path(self.path)
            self.method.decode("ascii")
        except (RequestError, UnicodeDecodeError):
            self.site = self._site
            self.reply_now(error_reply(NotFound()))
            return
        super().process()

    def processingFailed(self, reason: Any) -> Any:
        """Something failed around the handler: no page with a traceback, the same JSON as for any other error."""
        self.lose_upload(reason.value)
        if self.startedWriting or self.gone:
            self.log.failure("{route} failed", failure=reason, route=self.route)
            if self.channel is not None:
                self.channel.forceAbortClient()
        else:
            self.reply_now(error_reply(reason.value, self.route))
        return reason

    def reply_now(self, reply: Reply) -> None:
        """Answer from memory."""
        begin(self, reply)
        self.write(body_bytes(reply))
        self.finish()


def decode_path(path: bytes) -> str:
    """A request's path, percent-decoded. Raises NotFound when it is no absolute path in UTF-8."""
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise NotFound() from None
    if not decoded.startswith("/"):
        raise NotFound()
    return decoded
