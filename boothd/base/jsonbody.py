"""A JSON request in which pictures stand as base64: it is streamed from the disk, never held whole."""

import json
from binascii import b2a_base64
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import fstat
from pathlib import Path
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.threads import Threads

PIECE = 72 << 10
"""Bytes of a file that are encoded at once: a multiple of 3, so that only the last piece is padded."""

URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class File:
    """A string value: `prefix`, then the base64 of the file's bytes, padded.

    urlsafe: with `-` and `_`, as Gemini's client writes it. prefix: `data:image/jpeg;base64,`, say."""

    path: Path
    urlsafe: bool = False
    prefix: str = ""


_Pieces: TypeAlias = Generator[bytes, None, None]
Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | File | str | int | float | bool | None"


class FileChanged(OSError):
    """A file became longer or shorter while it was being sent."""


async def json_body(tree: Tree, disk: Threads) -> "JsonBody":
    """Measure the files in `tree`; returns the body for one request.

    Raises OSError for a file that cannot be read, TypeError and ValueError for what JSON does not have."""
    return JsonBody(await disk.run(_parts, tree), disk)


@dataclass(frozen=True, slots=True)
class _Sized:
    file: File
    size_bytes: int

    @property
    def length(self) -> int:
        return (self.size_bytes + 2) // 3 * 4


@implementer(IBodyProducer)
class JsonBody:
    """One request's body for treq's `data=` or for Agent. Files are read and encoded in disk threads.

    length: its bytes. error: why it could not be sent; the request then fails with `RequestGenerationFailed`.
    most_held_bytes: the longest piece that ever waited to be written; there is never more than one."""

    def __init__(self, parts: list[bytes | _Sized], disk: Threads) -> None:
        self._disk = disk
        self._pieces = _pieces(parts)
        self._resumed: Deferred[None] | None = None
        self._stopped = False
        self.length = sum(len(part) if isinstance(part, bytes) else part.length for part in parts)
        self.error: BaseException | None = None
        self.most_held_bytes = 0

    def startProducing(self, consumer: Any) -> Deferred[None]:
        done: Deferred[None] = Deferred(lambda _: self.stopProducing())

        def sent(_: object) -> None:
            if not self._stopped:
                done.callback(None)

        def failed(failure: Failure) -> None:
            self.error = failure.value
            if not self._stopped:
                done.errback(failure)

        Deferred.fromCoroutine(self._send(consumer)).addCallbacks(sent, failed)
        return done

    def pauseProducing(self) -> None:
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """Write no more. The piece that is being read is still read; then its file is closed."""
        self._stopped = True
        self.resumeProducing()

    async def _send(self, consumer: Any) -> None:
        while not self._stopped and (piece := await self._disk.run(next, self._pieces, b"")):
            self.most_held_bytes = max(self.most_held_bytes, len(piece))
            while self._resumed is not None:
                await self._resumed
            if not self._stopped:
                consumer.write(piece)
        if self._stopped:
            await self._disk.run(self._pieces.close)


def _parts(tree: Tree) -> list[bytes | _Sized]:
    """The document as it will be sent: text, files, text, ..."""
    parts: list[bytes | _Sized] = []
    text: list[str] = []
    for token in _tokens(tree):
        if isinstance(token, str):
            text.append(token)
            continue
        text.append(json.dumps(token.prefix)[:-1])
        parts += ["".join(text).encode(), _Sized(token, token.path.stat().st_size)]
        text = ['"']
    return [*parts, "".join(text).encode()]


def _tokens(tree: Tree) -> Iterator[str | File]:
    if isinstance(tree, File):
        yield tree
    elif isinstance(tree, Mapping):
        between = "{"
        for key, value in tree.items():
            if not isinstance(key, str):
                raise TypeError(f"A key must be text, not {key!r}.")
            yield f"{between}{json.dumps(key)}:"
            yield from _tokens(value)
            between = ","
        yield "}" if tree else "{}"
    elif isinstance(tree, list | tuple):
        between = "["
        for item in tree:
            yield between
            yield from _tokens(item)
            between = ","
        yield "]" if tree else "[]"
    else:
        yield json.dumps(tree, allow_nan=False)


def _pieces(parts: list[bytes | _Sized]) -> _Pieces:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from _encoded(part.file, part.size_bytes)


def _encoded(file: File, size_bytes: int) -> _Pieces:
    with file.path.open("rb") as opened:
        left = size_bytes
        if fstat(opened.fileno()).st_size != size_bytes:
            raise FileChanged(f"{file.path} changed before it was sent.")
        while left:
            piece = opened.read(min(PIECE, left))
            left -= len(piece)
            if not piece or (left and len(piece) < PIECE) or (not left and opened.read(1)):
                raise FileChanged(f"{file.path} changed while it was being sent.")
            encoded = b2a_base64(piece, newline=False)
            yield encoded.translate(URL_SAFE) if file.urlsafe else encoded
