"""A photo's cells and tiles: what is slow is worked out once per cell of some pixels, the pixels are walked tile by tile.

So a picture of twelve megapixels needs little memory, and its middle results stay small."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.fill import Plane, plane

Picture = NDArray[np.uint8]
Kind = TypeVar("Kind", bound=np.generic)

TILE = 256  # pixels; a tile's planes stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the photo, in pixels, on whole cells."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, picture: Picture) -> Picture:
        """The tile's part of a picture, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True, slots=True)
class Grid:
    """height, width: of the photo, pixels. cell: the side of a cell, pixels; the last cells may hang over the edge."""

    height: int
    width: int
    cell: int

    @classmethod
    def over(cls, photo: Picture, most: int) -> "Grid":
        """At most `most` cells along the photo's longer side."""
        height, width = photo.shape[:2]
        return cls(height, width, max(1, -(-max(height, width) // most)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of cells."""
        return -(-self.height // self.cell), -(-self.width // self.cell)

    def shrink(self, photo: Picture) -> Plane:
        """The photo with one pixel per cell, each the mean of its cell, (rows, columns, 3), 0..255."""
        rows, columns = self.shape
        below, right = rows * self.cell - self.height, columns * self.cell - self.width
        if below or right:
            photo = np.asarray(cv2.copyMakeBorder(photo, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        return plane(cv2.resize(photo, (columns, rows), interpolation=cv2.INTER_AREA))

    def tiles(self) -> Iterator[Tile]:
        """All tiles, row by row."""
        step = max(1, TILE // self.cell) * self.cell
        for top in range(0, self.height, step):
            for left in range(0, self.width, step):
                yield Tile(top, left, min(top + step, self.height), min(left + step, self.width))

    def cells(self, values: NDArray[Kind], tile: Tile) -> NDArray[Kind]:
        """The tile's cells with one more around, as a view."""
        top, left = tile.top // self.cell, tile.left // self.cell
        bottom, right = -(-tile.bottom // self.cell), -(-tile.right // self.cell)
        return values[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]

    def spread(self, values: Plane, tile: Tile) -> Plane:
        """The tile's part of a plane of cells, (n, m) or (n, m, 3) pixels, linear between the cells' centres."""
        cells, cell = self.cells(values, tile), self.cell
        size = (cells.shape[1] * cell, cells.shape[0] * cell)
        pixels = plane(cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR))
        top, left = cell * (tile.top >= cell), cell * (tile.left >= cell)
        return pixels[top : top + tile.bottom - tile.top, left : left + tile.right - tile.left]
