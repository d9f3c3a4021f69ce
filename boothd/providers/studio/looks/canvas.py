"""Geometry shared by the looks: sizes that do not depend on the pixel count, and painting in bands.

Lengths are in *units*: a unit is a thousandth of the square root of the picture's area (about 1 pixel at 1 MP and
3.5 pixels at 12 MP), so that a brush, a dot or a line covers the same part of a small and of a large picture.
Slow steps run on a *working copy* of a fixed area; what must be crisp is decided per full-size pixel, in bands that
fit the processor's cache, which also keeps the memory low.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.looks.look import Check, Field, Image

BAND_PIXELS = 1 << 17  # a float32 plane of this many pixels is 512 KiB: stays in the second-level cache
LONGEST = 16_000  # OpenCV's warps count pixels in 16 bits
Low = NDArray[Any]


def unit(picture: NDArray[Any]) -> float:
    """Pixels per unit of this picture or working copy."""
    return math.sqrt(picture.shape[0] * picture.shape[1]) / 1000


def working_copy(image: Image, area: float) -> Image:
    """`image` resized to about `area` pixels, so that small and large pictures are drawn alike; shape (h, w, 3).

    Tiny or very long pictures are enlarged less than that; no side gets shorter than 2 pixels."""
    height, width = image.shape[:2]
    scale = min(math.sqrt(area / (height * width)), 3.0, LONGEST / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    if size == (width, height):
        return image.copy()
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC).astype(
        np.uint8, copy=False
    )


def ramp(field: Field, start: float, end: float) -> Field:
    """0 at `start`, 1 at `end`, straight between, clipped; `start` may be the larger. A new array."""
    out = field - np.float32(start)
    out *= np.float32(1 / (end - start))
    return np.clip(out, 0, 1, out=out)


def blur(field: Field, sigma_px: float) -> Field:
    """Gaussian blur; wide ones run on a smaller copy, which looks the same and is many times faster."""
    factor = int(sigma_px / 4)
    if factor < 2 or min(field.shape[:2]) < 4 * factor:
        return blur_plain(field, min(sigma_px, float(max(field.shape[:2]))))
    height, width = field.shape[:2]
    small = cv2.resize(field, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / factor, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def blur_plain(field: Field, sigma_px: float) -> Field:
    """Gaussian blur at full precision; nothing happens below a tenth of a pixel."""
    if sigma_px < 0.1:
        return field.copy()
    return cv2.GaussianBlur(field, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Band:
    """`rows` rows from `top` on of a picture of `height` x `width` pixels."""

    top: int
    rows: int
    height: int
    width: int

    @property
    def unit(self) -> float:
        """Pixels per unit of the whole picture."""
        return math.sqrt(self.height * self.width) / 1000

    def of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """This band's view of a full-size picture."""
        return picture[self.top : self.top + self.rows]

    def sample(self, low: Low, dx: float = 0.0, dy: float = 0.0, flags: int = cv2.INTER_LINEAR) -> NDArray[Any]:
        """`low`, a small version of the whole picture, enlarged to this band and moved by (dx, dy) units.

        Returns low's type, shape (rows, width[, channels])."""
        along, down = low.shape[1] / self.width, low.shape[0] / self.height
        move = np.array(
            [
                [along, 0, along * (0.5 - dx * self.unit) - 0.5],
                [0, down, down * (self.top + 0.5 - dy * self.unit) - 0.5],
            ]
        )
        return cv2.warpAffine(
            low,
            move,
            (self.width, self.rows),
            flags=flags | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def weave(self, tile: Low, along: float, across: float, angle: float = 0.0) -> NDArray[Any]:
        """An endlessly repeated `tile` laid over the picture: its pixels are `along` x `across` units, turned by
        `angle` degrees. Returns tile's type, shape (rows, width[, channels])."""
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        x, y = 1 / (along * self.unit), 1 / (across * self.unit)
        middle_x, middle_y = self.width / 2, self.height / 2 - self.top
        move = np.array(
            [
                [cos * x, sin * x, -(cos * middle_x + sin * middle_y) * x],
                [-sin * y, cos * y, (sin * middle_x - cos * middle_y) * y],
            ]
        )
        return cv2.warpAffine(
            tile,
            move,
            (self.width, self.rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )

    def across(self, dx: float = 0.0) -> Field:
        """The x of each column in units from the picture's middle; shape (1, width)."""
        return ((np.arange(self.width, dtype=np.float32) + (0.5 - self.width / 2)) / self.unit - dx)[None, :]

    def down(self, dy: float = 0.0) -> Field:
        """The y of each row in units from the picture's middle; shape (rows, 1)."""
        rows = np.arange(self.top, self.top + self.rows, dtype=np.float32)
        return ((rows + (0.5 - self.height / 2)) / self.unit - dy)[:, None]


def paint(height: int, width: int, check: Check, brush: Callable[[Band], NDArray[Any]]) -> Image:
    """A picture made band by band; `brush` answers each in 0..255, shape (rows, width, 3); floats are rounded, clipped."""
    out = np.empty((height, width, 3), np.uint8)
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        check()
        band = Band(top, min(rows, height - top), height, width)
        painted = brush(band)
        if painted.dtype != np.uint8:
            painted = cv2.convertScaleAbs(np.maximum(painted, 0))
        out[top : top + band.rows] = painted.reshape(band.rows, width, 3)
    return out


def mix(below: tuple[float, float, float] | Field, above: tuple[float, float, float] | Field, cover: Field) -> Field:
    """`above` laid over `below` where `cover` is 1; colours are RGB 0..255 or pictures; shape cover's + (3,)."""
    planes = []
    for channel in range(3):
        low = below[channel] if isinstance(below, tuple) else below[..., channel]
        high = above[channel] if isinstance(above, tuple) else above[..., channel]
        planes.append((cover * np.float32(1) * (high - low) + low).astype(np.float32, copy=False))
    return cv2.merge(planes).astype(np.float32, copy=False)
