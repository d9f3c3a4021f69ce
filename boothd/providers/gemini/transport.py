"""google-genai's HTTP over treq, with the megabytes kept out of the library.

The library builds its requests with short placeholders where pictures shall stand, and gets answers with placeholders where
pictures stood: it parses a few kilobytes. The pictures are streamed between disk and socket, as jsonbody and jsonanswer do.
A placeholder holds 128 random bits of its exchange, so no text in an answer can pass for one."""

import asyncio
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
from twisted.internet.defer import CancelledError, Deferred

from boothd.base.errors import BadAnswer, BadRequest, WorkError
from boothd.base.jsonanswer import Blob
from boothd.base.jsonbody import File, json_body
from boothd.base.threads import Threads
from boothd.providers.common.ask import ask, read_answer, read_text
from boothd.providers.gemini.errors import SERVICE

MAX_ANSWER = 128 << 20
"""Bytes of an answer: several pictures of 4096 pixels a side, as base64."""
MAX_PLAIN = 1 << 20
"""Bytes of an answer without pictures: a page of the model list."""

NO_ANSWER = f"{SERVICE} answered something that is no answer."

_EXCHANGE = "x-boothd-exchange"  # says to the transport whose request this is; never leaves the house
_OURS = frozenset({_EXCHANGE, "host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


class Exchange:
    """The pictures of one request and its answer. stem: where the answer's go, as in `read_json`."""

    def __init__(self, stem: Path) -> None:
        self.stem, self._token = stem, token_hex(16)
        self._files: dict[str, Path] = {}
        self._blobs: dict[bytes, Blob] = {}
        self.answered = False

    @property
    def headers(self) -> dict[str, str]:
        """What the request must carry so that the transport knows it."""
        return {_EXCHANGE: self._token}

    @property
    def token(self) -> str:
        return self._token

    def send(self, path: Path) -> bytes:
        """What stands for `path` in the request as the library is given it."""
        placeholder = f"boothd-{self._token}-file-{len(self._files)}".encode()
        self._files[urlsafe_b64encode(placeholder).decode()] = path
        return placeholder

    def received(self, data: bytes) -> Blob | bytes:
        """What an answer's inline data are: a file, or (short ones) the bytes themselves."""
        return self._blobs.get(data, data)

    def filled(self, body: bytes) -> Any:
        """The request's JSON with files in place of the placeholders."""
        tree = json.loads(body)
        for content in tree["contents"]:
            for part in content["parts"]:
                inline = part.get("inlineData")
                if inline is not None:
                    inline["data"] = File(self._files[inline["data"]], urlsafe=True)
        return tree

    def emptied(self, tree: Any) -> bytes:
        """The answer's JSON with placeholders in place of the files. Raises BadAnswer."""
        self.answered = True
        return json.dumps(tree, default=self._placeholder).encode()

    def clear(self) -> None:
        """Remove the answer's files that nobody has taken. Blocks."""
        for blob in self._blobs.values():
            blob.path.unlink(missing_ok=True)

    def _placeholder(self, value: object) -> str:
        if not isinstance(value, Blob):
            raise TypeError(f"{type(value).__name__} in an answer")
        placeholder = f"boothd-{self._token}-blob-{len(self._blobs)}".encode()
        self._blobs[placeholder] = value
        return b64encode(placeholder).decode()


class Transport(httpx2.AsyncBaseTransport):
    """What the library sends with. client: treq's. codec: the thread for base64.

    Raises `WorkError`s, which pass through the library; answers other than 200 go back to it as they are, cut at 64 KiB."""

    def __init__(self, client: Any, codec: Threads) -> None:
        self._client, self._codec = client, codec
        self._exchanges: dict[str, Exchange] = {}

    @asynccontextmanager
    async def exchange(self, stem: Path) -> AsyncIterator[Exchange]:
        """Requests with its headers belong to this exchange. In the end its files are removed."""
        exchange = Exchange(stem)
        self._exchanges[exchange.token] = exchange
        try:
            yield exchange
        finally:
            del self._exchanges[exchange.token]
            await self._codec.run(exchange.clear)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Called by httpx2 inside asyncio. Cancelling closes the connection, and waits until its files are gone."""
        sending = Deferred.fromCoroutine(self._send(request))
        sent = sending.asFuture(asyncio.get_running_loop())
        try:
            return await asyncio.shield(sent)
        except asyncio.CancelledError:
            sending.cancel()
            with suppress(CancelledError, WorkError, OSError):
                await sent
            raise

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name.title(): value for name, value in request.headers.items() if name not in _OURS}
        exchange = self._exchanges.get(request.headers.get(_EXCHANGE, ""))
        body: Any = request.content or None
        if exchange is not None:
            try:
                body = await json_body(exchange.filled(request.content), self._codec)
            except OSError as error:
                raise BadRequest(f"A picture that shall be sent cannot be read ({error.strerror}).") from error
        response = await ask(
            self._client,
            request.method,
            str(request.url),
            headers=headers,
            data=body,
            service=SERVICE,
            paid=exchange is not None,
        )
        if response.code != 200 or exchange is None:
            text = await (read_text(response) if response.code != 200 else read_text(response, MAX_PLAIN))
            retry_after = response.headers.getRawHeaders("retry-after", [])
            return _answer(response.code, text.encode(), {"retry-after": retry_after[-1]} if retry_after else {})
        tree = await read_answer(
            response, exchange.stem, max_bytes=MAX_ANSWER, disk=self._codec, service=SERVICE, paid=True
        )
        if not isinstance(tree, dict):
            raise BadAnswer(NO_ANSWER)
        return _answer(200, exchange.emptied(tree), {})


def _answer(status: int, body: bytes, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.Response(status, headers={"content-type": "application/json; charset=utf-8", **headers}, content=body)
