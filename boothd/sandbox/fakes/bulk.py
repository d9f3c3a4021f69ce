"""Megabytes in JSON: long strings are lifted out of a text before it is parsed, and set into it after it is written.

`json` would go through each of their characters while it holds the GIL; here they are found by `bytes.find` and coded in
pieces, so that the reactor's thread gets its turn. All of it is for threads.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

LONG = 4 << 10  # characters from which a string is lifted
PIECE = 192 << 10  # bytes coded at a time; a multiple of 12
_MARK = "\x00long:"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Bulk:
    """A parsed JSON text and the long strings that were lifted out of it.

    Raises ValueError when the text is no JSON. `value`: the parsed text; a long string in it is a mark, to be read by
    `text`, `decoded`."""

    def __init__(self, body: bytes) -> None:
        small, self._long = _lift(body)
        self.value: Any = json.loads(small)

    def text(self, value: str) -> str:
        """A string of `value`, whole."""
        return str(self._long[int(value[len(_MARK) :])], "utf-8") if value.startswith(_MARK) else value

    def decoded(self, value: str, start: int = 0) -> bytes:
        """The bytes that a base64 string of `value` stands for, standard or URL-safe, from its character `start` on.

        Raises ValueError when it is no base64."""
        if value.startswith(_MARK):
            return _decoded(self._long[int(value[len(_MARK) :])][start:])
        return _decoded(memoryview(value[start:].encode()))

    def head(self, value: str, length: int = 64) -> str:
        """The first characters of a string."""
        if value.startswith(_MARK):
            return str(bytes(self._long[int(value[len(_MARK) :])][:length]), "utf-8", "replace")
        return value[:length]


class Hole:
    """Stands in a JSON value where the base64 of `data` will be."""

    def __init__(self, data: bytes, before: str = "") -> None:
        self.data, self.before = data, before


def dump(value: Any) -> bytes:
    """JSON text of `value`, in which a `Hole` is the string `before` + base64 of its data."""
    holes: list[Hole] = []

    def mark(hole: object) -> str:
        if not isinstance(hole, Hole):
            raise TypeError(type(hole).__name__)
        holes.append(hole)
        return f"{_MARK}{len(holes) - 1}"

    text = json.dumps(value, default=mark, ensure_ascii=False).encode()
    parts = []
    for number, hole in enumerate(holes):
        before, _, text = text.partition(json.dumps(f"{_MARK}{number}").encode())
        parts += [before, b'"', hole.before.encode(), *encoded(hole.data), b'"']
    return b"".join([*parts, text])


def encoded(data: bytes) -> Sequence[bytes]:
    """Standard base64 in pieces."""
    view = memoryview(data)
    return [base64.b64encode(view[at : at + PIECE]) for at in range(0, len(view), PIECE)]


def _decoded(text: memoryview) -> bytes:
    pieces = []
    while len(text) and text[-1] == 0x3D:  # an equals sign
        text = text[:-1]
    for at in range(0, len(text), PIECE):
        piece = bytes(text[at : at + PIECE]).translate(_URL_SAFE)
        try:
            pieces.append(base64.b64decode(piece + b"=" * (-len(piece) % 4), validate=True))
        except binascii.Error as error:
            raise ValueError(f"not base64: {error}") from None
    return b"".join(pieces)


def _lift(body: bytes) -> tuple[bytes, list[memoryview]]:
    """The text with marks, and what they stand for. Strings with escapes stay where they are."""
    view = memoryview(body)
    parts: list[bytes | memoryview] = []
    long: list[memoryview] = []
    done, opening = 0, body.find(b'"')
    while opening >= 0:
        closing = _end_of_string(body, opening)
        if closing < 0:
            break
        if closing - opening > LONG and body.find(b"\\", opening, closing) < 0:
            parts += [view[done : opening + 1], json.dumps(f"{_MARK}{len(long)}").encode()[1:-1]]
            long.append(view[opening + 1 : closing])
            done = closing
        opening = body.find(b'"', closing + 1)
    parts.append(view[done:])
    return b"".join(parts), long


def _end_of_string(body: bytes, opening: int) -> int:
    """Where the string that begins at `opening` ends; -1: nowhere."""
    closing = body.find(b'"', opening + 1)
    while closing >= 0:
        slashes = closing
        while body[slashes - 1] == 0x5C:  # a backslash
            slashes -= 1
        if (closing - slashes) % 2 == 0:
            return closing
        closing = body.find(b'"', closing + 1)
    return -1
