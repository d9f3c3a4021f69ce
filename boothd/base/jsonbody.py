"""A JSON request in which pictures stand as base64: it is streamed from the disk, never held whole."""

import json
from binascii import b2a_base64
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from boothd.base.pieces import PiecesBody, file_pieces
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


Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | File | str | int | float | bool | None"


async def json_body(tree: Tree, disk: Threads) -> PiecesBody:
    """Measure the files in `tree`; returns the body for one request, whose files are read and encoded in `disk`'s threads.

    Raises OSError for a file that cannot be read, TypeError and ValueError for what JSON does not have."""
    parts = await disk.run(_parts, tree)
    return PiecesBody(_pieces(parts), _length(parts), disk)


@dataclass(frozen=True, slots=True)
class _Sized:
    file: File
    size_bytes: int

    @property
    def length(self) -> int:
        return (self.size_bytes + 2) // 3 * 4


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


def _length(parts: list[bytes | _Sized]) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.length for part in parts)


def _pieces(parts: list[bytes | _Sized]) -> Generator[bytes, None, None]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from _encoded(part.file, part.size_bytes)


def _encoded(file: File, size_bytes: int) -> Generator[bytes, None, None]:
    for piece in file_pieces(file.path, size_bytes, PIECE):
        encoded = b2a_base64(piece, newline=False)
        yield encoded.translate(URL_SAFE) if file.urlsafe else encoded
