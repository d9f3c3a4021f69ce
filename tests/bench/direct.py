"""The least that calls a fake: raw HTTP over asyncio streams, everything in memory, nothing checked, nothing kept."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

Direct = Callable[[bytes], Awaitable[float]]
"""Send one photo and take the whole answer; the seconds it took, without what was prepared before."""

JSON = "application/json"
BOUNDARY = "bench-boundary"


class Static:
    """Serves one photo, for the service that fetches by link."""

    def __init__(self) -> None:
        outer = self
        self.photo = b""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(outer.photo)))
                self.end_headers()
                self.wfile.write(outer.photo)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/photo.jpg"

    def __enter__(self) -> "Static":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


async def call(port: int, path: str, kind: str = "", body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """One request over a connection of its own; the answer's body. Raises when it is not 200."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"{'POST' if kind else 'GET'} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}"
        + (f"Content-Type: {kind}\r\n" if kind else "")
        + f"Content-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        writer.write(head.encode() + body)
        status = await reader.readline()
        answer = b"".join([piece async for piece in _pieces(reader)])
    finally:
        writer.close()
    if b" 200 " not in status:
        raise RuntimeError(f"{status!r} {answer[:2000]!r}")
    said_head, _, said = answer.partition(b"\r\n\r\n")
    return _unchunked(said) if b"chunked" in said_head.lower() else said


async def _pieces(reader: asyncio.StreamReader) -> Any:
    while piece := await reader.read(1 << 18):
        yield piece


def _unchunked(body: bytes) -> bytes:
    out: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return b"".join(out)
        out.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size


def gemini(fakes: dict[str, int], _: Static) -> Direct:
    path = "/v1beta/models/gemini-3-pro-image:generateContent"

    async def send(photo: bytes) -> float:
        data = base64.b64encode(photo).decode()
        parts = [{"inlineData": {"data": data, "mime_type": "image/jpeg"}}, {"text": "a pirate"}]
        body = json.dumps({"contents": [{"role": "user", "parts": parts}]}).encode()
        began = time.perf_counter()
        await call(fakes["gemini"], path, JSON, body, {"x-goog-api-key": "good-1"})
        return time.perf_counter() - began

    return send


def _form(photo: bytes) -> bytes:
    out = b""
    for name, value in {"model": "gpt-image-1", "prompt": "a pirate", "n": "1"}.items():
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    out += (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    return out + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


def openai_images(fakes: dict[str, int], _: Static) -> Direct:
    async def send(photo: bytes) -> float:
        body, kind = _form(photo), f"multipart/form-data; boundary={BOUNDARY}"
        began = time.perf_counter()
        await call(fakes["openai-images"], "/v1/images/edits", kind, body, {"Authorization": "Bearer good-1"})
        return time.perf_counter() - began

    return send


def deepseek(fakes: dict[str, int], static: Static) -> Direct:
    """Asks for the prompt, then has the picture made, as boothd does."""
    render = openai_images(fakes, static)

    async def send(photo: bytes) -> float:
        url = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
        content = [{"type": "text", "text": "json please"}, {"type": "image_url", "image_url": {"url": url}}]
        asked = {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": content}],
            "thinking": {"type": "disabled"},
            "response_format": {"type": "json_object"},
        }
        body = json.dumps(asked).encode()
        began = time.perf_counter()
        await call(fakes["deepseek"], "/chat/completions", JSON, body, {"Authorization": "Bearer good-1"})
        return time.perf_counter() - began + await render(photo)

    return send


def turbotext(fakes: dict[str, int], static: Static) -> Direct:
    """Polls without a pause, so that no waiting of its own counts."""
    port, path, kind = fakes["turbotext"], "/api_ai/generate_image2image", "application/x-www-form-urlencoded"
    key = {"Authorization": "Bearer good-1"}

    async def ask(**fields: str) -> Any:
        return json.loads(await call(port, path, kind, urlencode(fields).encode(), key))

    async def send(photo: bytes) -> float:
        static.photo = photo
        began = time.perf_counter()
        number = (await ask(do="create_queue", url=static.url, content="a pirate"))["queueid"]
        while (said := await ask(do="get_result", queueid=str(number))).get("action") == "reconnect":
            pass
        address = said.get("uploaded_image") or said["data"].get("uploaded_image") or said["data"]["image"][0]
        found = urlsplit(address)
        await call(port, f"/{found.path.lstrip('/')}" + (f"?{found.query}" if found.query else ""))
        return time.perf_counter() - began

    return send


DIRECT = {"gemini": gemini, "openai-images": openai_images, "turbotext": turbotext, "deepseek": deepseek}
