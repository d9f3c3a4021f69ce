"""A multipart form with files: it is streamed from the disk, never held whole.

treq's own forms read their files in the reactor's thread; here disk threads do."""

import secrets
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from boothd.base.pieces import PiecesBody, file_pieces
from boothd.base.threads import Threads

PIECE = 64 << 10
"""Bytes of a file that are read at once."""

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form. value: text, or the file that is sent as `filename` with `media_type`."""

    name: str
    value: str | Path
    filename: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class _Sized:
    path: Path
    size_bytes: int


class MultipartBody(PiecesBody):
    """One request's body. content_type: goes into the request's headers."""

    def __init__(self, parts: list[bytes | _Sized], boundary: str, disk: Threads) -> None:
        length = sum(len(part) if isinstance(part, bytes) else part.size_bytes for part in parts)
        super().__init__(_pieces(parts), length, disk)
        self.content_type = f"multipart/form-data; boundary={boundary}"


async def multipart_body(parts: Sequence[Part], disk: Threads) -> MultipartBody:
    """Measure the files of `parts`; returns the body for one request. Raises OSError for a file that cannot be read.

    Source: RFC 7578; names are escaped as browsers do it."""
    boundary = f"boothd-{secrets.token_hex(16)}"
    return MultipartBody(await disk.run(_measured, parts, boundary), boundary, disk)


def _measured(parts: Sequence[Part], boundary: str) -> list[bytes | _Sized]:
    """The form as it will be sent: text, file, text, ..."""
    found: list[bytes | _Sized] = []
    text = ""
    for part in parts:
        text += f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name.translate(_ESCAPES)}"'
        if isinstance(part.value, Path):
            text += f'; filename="{part.filename.translate(_ESCAPES)}"\r\nContent-Type: {part.media_type}\r\n\r\n'
            found += [_utf8(text), _Sized(part.value, part.value.stat().st_size)]
            text = "\r\n"
        else:
            text += f"\r\n\r\n{part.value}\r\n"
    return [*found, _utf8(f"{text}--{boundary}--\r\n")]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _pieces(parts: list[bytes | _Sized]) -> Generator[bytes, None, None]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from file_pieces(part.path, part.size_bytes, PIECE)
