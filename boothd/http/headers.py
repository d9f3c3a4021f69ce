"""Headers that every reply carries."""

from typing import Any

from twisted.web.http import datetimeToString

from boothd.http.routes import FileBody, Reply

_now: Any = datetimeToString  # the wall-clock time, as HTTP writes it

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it a browser sends `Origin: null` from our own forms, and over plain http the Origin is
    # all that tells them from foreign ones.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "server", "date"})


def headers_of(reply: Reply, *, size_bytes: int | None = None) -> list[tuple[bytes, bytes]]:
    """All headers of `reply` but Connection, which the connection knows. size_bytes: of a file's body."""
    headers: dict[str, tuple[str, str]] = {name.lower(): (name, value) for name, value in SECURITY.items()}
    headers["date"] = ("Date", _now().decode("ascii"))
    headers["cache-control"] = ("Cache-Control", "no-store")
    length = size_bytes if isinstance(reply.body, FileBody) else len(reply.body)
    if reply.status not in {204, 304}:
        headers["content-type"] = ("Content-Type", "application/octet-stream")
        headers["content-length"] = ("Content-Length", str(length))
    for name, value in reply.headers.items():
        if name.lower() not in _OURS:
            headers[name.lower()] = (name, value)
    return [(name.encode("ascii"), _value(value)) for name, value in headers.values()]


def _value(value: str) -> bytes:
    """A header's value: what could end the line becomes a space, what is not Latin-1 a question mark."""
    return "".join(c if c.isprintable() or c == "\t" else " " for c in value).encode("latin-1", errors="replace")
