"""What a route is, and what its handler answers with."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class FileBody:
    """A reply's body that lies on disk and is sent from there, at the client's speed.

    path: opened when the reply begins; from then on the file may be renamed or removed."""

    path: Path


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request.

    headers: what a route adds; security headers, `Content-Length`, `Cache-Control: no-store` and a type come by
    themselves, and what stands here wins. The header `X-Boothd-Job` also names the job in the access log."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileBody = b""


Handler = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler at a path.

    methods: GET brings HEAD along. path: a Werkzeug rule, `/upload/<provider>/<int:slot>/<key>`. name: stands in the
    access log and the metrics, where the path must not. handler: called as `handler(request, **params)`; what it raises
    becomes a reply. login: ask for the operator's login, and refuse unsafe methods that come from foreign pages."""

    methods: tuple[str, ...]
    path: str
    name: str
    handler: Handler
    login: bool = True


def body_bytes(reply: Reply) -> bytes:
    """The body of a reply that is answered from memory."""
    if isinstance(reply.body, FileBody):
        raise TypeError("this reply cannot be sent from a file")
    return reply.body


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON reply; keep `value` small, it is encoded in the reactor."""
    body = json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8", errors="replace") + b"\n"
    return Reply(status, {"Content-Type": JSON_TYPE, **(headers or {})}, body)


def text_reply(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A plain text reply."""
    return Reply(status, {"Content-Type": TEXT_TYPE, **(headers or {})}, text.encode("utf-8", errors="replace"))
