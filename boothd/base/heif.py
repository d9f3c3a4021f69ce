"""A look into a HEIF file before a decoder sees it.

pi_heif (1.4.0) ends the whole process when the type or a text of an item is not UTF-8, as in one flipped byte of the item
type "Exif"; found by fuzzing. Boxes: ISO/IEC 14496-12 §4.2, item entries ("infe") §8.11.6.
"""

import struct
from pathlib import Path

from boothd.base.errors import NotAPicture


def check_items(path: Path) -> None:
    """Raise NotAPicture when an item's entry holds what is no text. Blocks.

    Entries are looked for wherever no pixels lie, whatever the boxes around them claim to be."""
    data = path.read_bytes()
    start = 0
    while start < len(data):
        kind, end = _box(data, start)
        if kind != b"mdat":
            _check_entries(data[start:end])
        start = end


def _box(data: bytes, start: int) -> tuple[bytes, int]:
    """The kind of the box at `start`, and where it ends. What is no box reaches to the end."""
    if len(data) - start < 8:
        return b"", len(data)
    size, kind = struct.unpack_from(">I4s", data, start)
    if size == 1 and len(data) - start >= 16:
        (size,) = struct.unpack_from(">Q", data, start + 8)
    return (kind, start + size) if 8 <= size <= len(data) - start else (b"" if size else kind, len(data))


def _check_entries(data: bytes) -> None:
    place = data.find(b"infe")
    while place >= 0:
        size = int.from_bytes(data[max(0, place - 4) : place], "big")
        entry = data[place + 4 : max(place + 4, place - 4 + size)]
        version = entry[0] if entry else 0
        texts = entry[{2: 8, 3: 10}.get(version, 8) :]
        try:
            texts[:4].decode("ascii")
            texts.decode("utf-8")
        except UnicodeDecodeError:
            raise NotAPicture("The file begins like a picture but is broken.") from None
        place = data.find(b"infe", place + 4)
