"""One HTTP exchange with a service; whatever goes wrong becomes one of our errors, and says whether it may have cost."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.error import SchemeNotSupported

from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    Unavailable,
    WorkError,
)
from boothd.base.jsonanswer import read_json
from boothd.base.pieces import PiecesBody
from boothd.base.threads import Threads

USER_AGENT = "boothd"
MAX_TEXT = 64 << 10
"""Bytes of an error's text, or of a small answer."""
SAID = 300
"""Characters of a service's own words that an error repeats."""

_PAGE = re.compile(r"<(!doctype|html|head|body)\b", re.IGNORECASE)


async def ask(
    client: Any, method: str, url: str, *, headers: Mapping[str, str], data: Any = None, service: str, paid: bool = True
) -> Any:
    """Send one request; returns treq's response, its body unread (`unbuffered`).

    data: bytes, an IBodyProducer, or None. service: its title, for the errors. paid: whether the request may cost once it
    has left. Raises Unavailable (a connection that was never made costs nothing; one that broke later may),
    BadRequest when a file to be sent changed, or the address or a header cannot be written. Redirects are not followed.
    Cancelling closes the connection."""
    cancelled = False

    def cancel(_: object) -> None:
        nonlocal cancelled
        cancelled = True
        asked.cancel()

    waiting: Deferred[Any] = Deferred(cancel)
    sent_headers = {"User-Agent": USER_AGENT, "Accept": "*/*", **headers}
    try:
        asked = client.request(method, url, headers=sent_headers, data=data, allow_redirects=False, unbuffered=True)
        asked.addCallbacks(waiting.callback, waiting.errback)
        return await waiting
    except (
        ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError, RequestGenerationFailed,
        RequestTransmissionFailed, ResponseFailed, TLSError, VerificationError,
    ) as error:  # fmt: skip
        if cancelled:  # while a name is looked up, Twisted says that it was not found
            raise CancelledError() from error
        if isinstance(data, PiecesBody) and data.error is not None:
            reason = getattr(data.error, "strerror", None) or data.error  # without the path
            raise BadRequest(f"A picture could not be sent to {service}: {reason}") from error
        raise _explained(error, service, paid) from error
    except (ValueError, SchemeNotSupported) as error:  # hyperlink's, IDNA's; they repeat the address or the key
        raise BadRequest(f"{service} cannot be asked ({type(error).__name__}); check base_url and the key.") from error


def _explained(error: Exception, service: str, paid: bool) -> BaseException:
    reasons = list(_reasons(error))
    if any(isinstance(reason, CancelledError | ConnectingCancelledError) for reason in reasons):
        return CancelledError()
    said = type(reasons[-1]).__name__
    if any(isinstance(reason, TLSError | VerificationError) for reason in reasons):
        hint = "its certificate is not trusted" if any(isinstance(r, VerificationError) for r in reasons) else said
        return Unavailable(f"No secure connection to {service} ({hint}); check base_url and ca_bundle.")
    if isinstance(error, ConnectError | DNSLookupError):
        return Unavailable(f"{service} cannot be reached ({said}).")
    charged = Charged.MAYBE if paid else Charged.NO
    return Unavailable(f"The connection to {service} was lost ({said}).", charged=charged)


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """The error and all that Twisted has wrapped into it."""
    yield error
    for reason in getattr(error, "reasons", []):
        if isinstance(reason, Failure) and reason.value is not None:
            yield from _reasons(reason.value)


async def read_answer(
    response: Any, stem: Path, *, max_bytes: int, disk: Threads, service: str, paid: bool = True
) -> Any:
    """The JSON of an answer, its pictures as Blobs in files; see `read_json`. What goes wrong may have cost.

    Raises BadAnswer, Unavailable."""
    try:
        return await read_json(response, stem, max_bytes=max_bytes, disk=disk)
    except WorkError as error:
        error.charged = Charged.MAYBE if paid else Charged.NO
        if isinstance(error, BadAnswer):
            raise type(error)(f"{service}: {error.message}", charged=error.charged) from error
        raise


async def read_text(response: Any, max_bytes: int = MAX_TEXT) -> str:
    """At most `max_bytes` of a body, as text; what breaks off is what came. Cancelling closes the connection."""
    body = _Text(max_bytes)
    response.deliverBody(body)
    await body.done
    return bytes(body.data).decode("utf-8", "replace")


class _Text(Protocol):
    """Collects a small body; what is longer is cut."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.data = bytearray()
        self.done: Deferred[None] = Deferred(lambda _: self._close())

    def dataReceived(self, data: bytes) -> None:
        self.data += data[: self._max_bytes - len(self.data)]
        if len(self.data) >= self._max_bytes and not self.done.called:
            self.done.callback(None)
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.done.callback(None)

    def _close(self) -> None:
        transport: Any = self.transport
        transport.stopProducing()


def status_error(status: int, service: str, said: str, retry_after_s: float | None = None) -> WorkError:
    """The usual meaning of an HTTP error status. said: the service's own words; a web page's are left out.

    A service that refuses has not charged; a gateway that gave up waiting (502, 504, 524) may sit before one that has."""
    words = "" if is_page(said) else shortened(said)
    text = f"{service} answered {status}" + (f": {words}" if words else ".")
    kind: type[WorkError] = {
        401: BadKey,
        402: OutOfCredit,
        403: BadKey,
        408: Unavailable,
        425: Busy,
        429: Busy,
    }.get(status, Unavailable if status >= 500 else BadRequest)
    charged = Charged.MAYBE if status in {502, 504, 524} else Charged.NO
    if 300 <= status < 400:
        text = f"{service} answered {status}, a redirect; check base_url."
    return kind(text, charged=charged, retry_after_s=retry_after_s)


def is_page(said: str) -> bool:
    """Whether a text is a web page, or other markup: a proxy's page says nothing to people."""
    return said.lstrip("\ufeff \t\r\n").startswith("<") or _PAGE.search(said[:1000]) is not None


def shortened(said: str) -> str:
    """A service's words on one line, at most 300 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return line if len(line) <= SAID else line[: SAID - 1] + "…"


def retry_after_s(response: Any, now: datetime) -> float | None:
    """What the header Retry-After says, seconds or a date; None without one that makes sense. Source: RFC 9110 §10.2.3."""
    values = response.headers.getRawHeaders(b"retry-after", [])
    if not values:
        return None
    said = values[-1].decode("ascii", "replace")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(said) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
