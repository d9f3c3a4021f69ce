"""What the tests of the fakes share: raw HTTP in a thread, photos, and how to reach a fake."""

import base64
import io
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlencode

from PIL import Image, ImageDraw
from twisted.internet.defer import Deferred

from boothd.base.threads import Threads
from boothd.sandbox.fakes import FAKES, Running, start_fake

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_pytest_twisted: Any = import_module("pytest_twisted")

NET_S = 60.0
"""Only a safety net."""


def asynchronous(test: F) -> F:
    """A test that is a coroutine of Deferreds."""
    wrapped: F = _pytest_twisted.ensureDeferred(test)
    return wrapped


def wait_for(done: Deferred[Any]) -> Any:
    """Run the reactor until `done` fires; for fixtures."""
    return _pytest_twisted.blockon(done)


@cache
def photo(number: int = 1, size: tuple[int, int] = (640, 480), form: str = "JPEG") -> bytes:
    """A face before a green wall; another number, another face."""
    image = Image.new("RGB", size, (60, 180, 80))
    pen, (width, height) = ImageDraw.Draw(image), size
    pen.ellipse((width * 0.38, height * 0.15, width * 0.62, height * 0.6), fill=(210, 160, 90 + 20 * number))
    pen.ellipse((width * 0.25, height * 0.58, width * 0.75, height * 1.4), fill=(150, 40, 30))
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


@cache
def scene(size: tuple[int, int] = (480, 480)) -> bytes:
    """A reference picture."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, "PNG")
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """A picture, decoded whole."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@dataclass(frozen=True)
class Reply:
    """What came over the wire. headers: names in lower case. body: as far as it came; chunks taken apart.

    complete: whether it came whole. chunks: as they were sent, None without chunked coding."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    chunks: tuple[bytes, ...] | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Nothing(Exception):
    """The connection was closed before a single byte. reset: by RST."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


def request_bytes(verb: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    lines = {"Host": "fake.test", "Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
    head = f"{verb} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + body


def exchange(
    port: int,
    verb: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    leave_at: int | None = None,
) -> Reply:
    """One request over a socket of its own; blocks. leave_at: close after so many bytes of the body. Raises Nothing."""
    with socket.create_connection(("127.0.0.1", port), NET_S) as sock:
        sock.sendall(request_bytes(verb, path, body, headers))
        data = b""
        reset = False
        while True:
            _, end, rest = data.partition(b"\r\n\r\n")
            if leave_at is not None and end and len(rest) >= leave_at:
                break
            try:
                piece = sock.recv(1 << 20)
            except ConnectionResetError:
                piece, reset = b"", True
            if not piece:
                break
            data += piece
    if not data:
        raise Nothing(reset=reset)
    return _reply(data)


def _reply(data: bytes) -> Reply:
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    if headers.get("transfer-encoding") != "chunked":
        return Reply(status, headers, rest, len(rest) == int(headers["content-length"]))
    chunks: list[bytes] = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not size or not int(size, 16):
            return Reply(status, headers, b"".join(chunks), bool(size), tuple(chunks))
        chunks.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]


def multipart(fields: list[tuple[str, str | bytes, str]]) -> tuple[bytes, dict[str, str]]:
    """A form: (name, text or file, file name or ""). Returns body and headers."""
    out = b""
    for name, value, filename in fields:
        out += f'--xyz\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += f'; filename="{filename}"\r\nContent-Type: image/png'.encode() if filename else b""
        out += b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return out + b"--xyz--\r\n", {"Content-Type": "multipart/form-data; boundary=xyz"}


class Client:
    """Talks to one fake; every call runs in a thread."""

    def __init__(self, running: Running, threads: Threads, headers: dict[str, str]) -> None:
        self.running, self._threads, self._headers = running, threads, headers
        self.port, self.url, self.fake = running.port, running.url, running.fake

    async def call(self, verb: str, path: str, body: Any = b"", **more: Any) -> Reply:
        """body: bytes, or what becomes JSON."""
        headers = {**self._headers, **more.pop("headers", {})}
        if not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        return await self._threads.run(exchange, self.port, verb, path, body, headers, **more)

    async def pay(self, prompt: str, guest: bytes | None = None, **more: Any) -> Reply:
        """A paid call with this prompt."""
        verb, path, body, headers = paid(self.fake.name, prompt, guest)
        return await self.call(verb, path, body, headers={**headers, **more.pop("headers", {})}, **more)

    async def ask(self, path: str) -> Any:
        """GET /__sandbox__/`path`."""
        return (await self.call("GET", f"/__sandbox__/{path}")).json

    async def set(self, **values: Any) -> None:
        reply = await self.call("POST", "/__sandbox__/settings", values)
        assert reply.status == 200, reply.body

    async def charges(self) -> int:
        return len(await self.ask("ledger"))

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        """Anything that blocks."""
        return await self._threads.run(call, *args, **kw)


Start = Callable[..., Client]


def paid(name: str, prompt: str, guest: bytes | None = None) -> tuple[str, str, bytes, dict[str, str]]:
    """A paid call of the fake `name`: what `Client.call` takes, without the key."""
    data = base64.b64encode(guest or photo()).decode()
    as_json = {"Content-Type": "application/json"}
    match name:
        case "gemini":
            parts: list[Any] = [{"inlineData": {"mimeType": "image/jpeg", "data": data}}, {"text": prompt}]
            body = json.dumps({"contents": [{"parts": parts}]}).encode()
            return "POST", "/v1/models/gemini-3-pro-image:generateContent", body, as_json
        case "openai-images":
            body, headers = multipart([("prompt", prompt, ""), ("image", guest or photo(), "guest.jpg")])
            return "POST", "/v1/images/edits", body, headers
        case "deepseek":
            picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
            content: list[Any] = [picture, {"type": "text", "text": f"{prompt} Answer in json."}]
            asked: dict[str, Any] = {"model": "deepseek-flash", "messages": [{"role": "user", "content": content}]}
            asked |= {"response_format": {"type": "json_object"}, "thinking": {"type": "disabled"}}
            return "POST", "/chat/completions", json.dumps(asked).encode(), as_json
    fields = {"do": "create_queue", "url": "http://guest.test/1.jpg", "content": f"{prompt} [[fetch=never]]"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return "POST", "/api_ai/generate_image2image", urlencode(fields).encode(), headers


HEADERS = {
    "gemini": {"x-goog-api-key": "sandbox-key-0001"},
    "openai-images": {"Authorization": "Bearer sandbox-key-0001"},
    "deepseek": {"Authorization": "Bearer sandbox-key-0001"},
    "turbotext": {"Authorization": "Bearer sandbox-key-0001"},
}


def client_of(reactor: Any, threads: Threads, name: str, **options: Any) -> Client:
    """Start the fake `name`; settings as for `start_fake`."""
    running = start_fake(reactor, FAKES[name], **options)
    return Client(running, threads, HEADERS[name])
