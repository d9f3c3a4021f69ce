"""Whether a picture's file holds its pixels and nothing else.

Looked for in the file itself: decoders know only the metadata that they can read. PNG: RFC 2083 §3; JPEG: ITU-T T.81 §B.
"""

import os
import re
import struct
from pathlib import Path
from typing import IO, Literal

_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB", b"gAMA", b"cHRM", b"sBIT", b"bKGD", b"pHYs"}
_METADATA = re.compile(rb"\xff[\xe0-\xef\xfe]")
"""A marker of JPEG metadata. Within a scan's pixels every 0xff byte is followed by 0 or by a restart marker's."""


def is_bare(path: Path, form: Literal["JPEG", "PNG"]) -> bool:
    """Whether there are no EXIF data, texts, profiles, thumbnails, further frames, or bytes behind the picture's end.

    A file that is not built as its format asks is not bare. Blocks."""
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        try:
            return _png(file, size_bytes) if form == "PNG" else _jpeg(file, size_bytes)
        except struct.error:  # it ends too early
            return False


def _png(file: IO[bytes], size_bytes: int) -> bool:
    file.seek(8)
    while True:
        length, name = struct.unpack(">I4s", file.read(8))
        if name not in _PNG_PIXELS:
            return False
        end = file.seek(length + 4, os.SEEK_CUR)
        if name == b"IEND":
            return end == size_bytes


def _jpeg(file: IO[bytes], size_bytes: int) -> bool:
    file.seek(2)
    while True:
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        start = file.read(5)
        plain = (kind, length, start) == (0xE0, 16, b"JFIF\0") or (kind, length, start) == (0xEE, 14, b"Adobe")
        if mark != 0xFF or not (plain or 0xC0 <= kind < 0xE0):
            return False
        if kind == 0xDA:  # the pixels follow, perhaps further scans, and the end of the picture
            scans = file.read(size_bytes)
            return scans.find(b"\xff\xd9") == len(scans) - 2 and not _METADATA.search(scans)
        file.seek(length - 7, os.SEEK_CUR)
