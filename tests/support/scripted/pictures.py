"""The scripted service's answers: real JPEGs in which the photo's sha256 is drawn, so that a test can tell whose it got.

The digest stands as 16 × 16 black and white cells at the top. Every cell is one restart interval of a baseline JPEG, so
an answer is put together from ready pieces in microseconds, whatever its size.
"""

import io
import re
import zlib
from functools import lru_cache
from pathlib import Path
from random import Random

from PIL import Image

CELLS = 16
MCU = 16
"""Pixels of a JPEG block at 4:2:0."""

WIDE = 1024
_GREY = 128
_MARKERS = [b"\xff" + bytes([0xD0 + number]) for number in range(8)]


def answer(sha256: str, size_bytes: int = 0) -> bytes:
    """The JPEG that the service makes of the photo with this sha256: 256 × 256 pixels.

    size_bytes: about how long it shall be; then it is 1024 pixels wide, with a soft noise below the cells."""
    head, black, white, below = _pieces(size_bytes)
    bits = int(sha256, 16)
    cells = [white if bits >> (255 - place) & 1 else black for place in range(CELLS * CELLS)]
    return head + _joined(cells) + below + b"\xff\xd9"


def whose(picture: Path | bytes) -> str:
    """The sha256 of the photo that an answer was made of; also after it was scaled or encoded anew."""
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
        grey = image.convert("L")
    # A tall answer has its cells in the top: one row of cells is MCU of its pixels' 1/CELLS of 256.
    cell_width = grey.width / CELLS
    cell_height = cell_width if grey.width == grey.height else grey.width * MCU / WIDE
    bits, pixels = 0, grey.tobytes()
    for row in range(CELLS):
        for column in range(CELLS):
            place = int((row + 0.5) * cell_height) * grey.width + int((column + 0.5) * cell_width)
            bits = bits << 1 | (pixels[place] > _GREY)
    return f"{bits:064x}"


def png_answer(sha256: str) -> bytes:
    """The same picture as a PNG."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(answer(sha256))) as image:
        image.save(out, "PNG")
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes whose header claims 60000 × 60000 pixels."""
    out = io.BytesIO()
    Image.new("L", (1, 1)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@lru_cache(maxsize=16)
def _pieces(size_bytes: int) -> tuple[bytes, bytes, bytes, bytes]:
    """The header, a black cell, a white cell, and what fills the picture below the cells."""
    if size_bytes == 0:
        width, height, below = CELLS * MCU, CELLS * MCU, b""
    else:
        width = WIDE
        row = _intervals(_noise(width, MCU), width)[1]
        row_bytes = sum(map(len, row)) + 2 * len(row)
        rows = max(1, size_bytes // row_bytes)
        # 256 cells stand above: their last marker is the eighth, and the count begins anew.
        height, below = (CELLS + rows) * MCU, b"\xff\xd7" + _joined(row * rows)
    head, black = _intervals(Image.new("RGB", (width, height), "black"), width)
    _, white = _intervals(Image.new("RGB", (width, MCU), "white"), width)
    return head, black[0], white[0], below


def _joined(intervals: list[bytes]) -> bytes:
    """The intervals with restart markers between them."""
    parts = [piece for place, interval in enumerate(intervals) for piece in (interval, _MARKERS[place % 8])]
    return b"".join(parts[:-1])


def _noise(width: int, height: int) -> Image.Image:
    noise = Random(1).randbytes(width * height)
    return Image.frombytes("L", (width, height), noise).point(lambda v: 110 + v // 8).convert("RGB")


def _intervals(image: Image.Image, width: int) -> tuple[bytes, list[bytes]]:
    """A JPEG's header up to the scan's first byte, and the scan cut at its restart markers."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, subsampling="4:2:0", restart_marker_blocks=width // MCU // CELLS)
    data = out.getvalue()
    scan = data.index(b"\xff\xda")
    scan += 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    return data[:scan], re.split(b"\xff[\xd0-\xd7]", data[scan:-2])
