"""The chroma keyer: a photo before a green or blue screen in, the guest with a soft edge out.

Everything slow is done once per cell of some pixels (`screen`, `matte`); the pixels themselves are walked tile by tile,
so that a picture of twelve megapixels needs little memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.fill import Plane, plane
from boothd.providers.studio.matte import CLEAR, Recipe, make_recipe
from boothd.providers.studio.screen import NoScreen, find_screen, others
from boothd.providers.studio.spill import clean

__all__ = ["Keyer", "NoScreen", "Picture", "Tile"]

Picture = NDArray[np.uint8]

CELLS = 512  # along the longer side
TILE = 256  # pixels; a tile's planes stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A rectangle of the photo, in pixels, on whole cells."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, picture: Picture) -> Picture:
        """The tile's part of a picture, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]


class Keyer:
    """A photo with its screen found and its recipe made; asks for alpha and colour tile by tile.

    photo: (H, W, 3) RGB. check is called between steps; what it raises goes through. Raises NoScreen."""

    def __init__(self, photo: Picture, check: Callable[[], None]) -> None:
        self.photo = photo
        height, width = photo.shape[:2]
        self.cell = max(1, -(-max(height, width) // CELLS))
        check()
        small = self._shrink()
        check()
        screen = find_screen(small, check)
        check()
        rows = np.minimum(np.arange(small.shape[0]) * self.cell + self.cell // 2, height - 1)
        columns = np.minimum(np.arange(small.shape[1]) * self.cell + self.cell // 2, width - 1)
        self.recipe: Recipe = make_recipe(small, screen, photo[np.ix_(rows, columns)].astype(np.float32))
        check()

    @property
    def key(self) -> int:
        """The channel keyed on: 1 green, 2 blue."""
        return self.recipe.screen.key

    def tiles(self) -> Iterator[Tile]:
        """All tiles, row by row."""
        height, width = self.photo.shape[:2]
        step = max(1, TILE // self.cell) * self.cell
        for top in range(0, height, step):
            for left in range(0, width, step):
                yield Tile(top, left, min(top + step, height), min(left + step, width))

    def is_clear(self, tile: Tile) -> bool:
        """Whether there is nothing but screen in the tile."""
        return bool((self._cells(self.recipe.floor, tile) == CLEAR).all())

    def planes(self, tile: Tile) -> list[Plane]:
        """The tile's R, G and B, each (n, m), 0..255."""
        return [plane(channel) for channel in cv2.split(tile.of(self.photo))]

    def alpha(self, tile: Tile, planes: list[Plane]) -> Plane:
        """The tile's alpha, (n, m), 0..1. planes: its R, G, B, left as they are."""
        recipe, (one, two) = self.recipe, others(self.key)
        u, v = planes[self.key] - planes[one], planes[self.key] - planes[two]
        core = self._cells(recipe.core, tile)
        solid: Plane | None = None
        if core.any():
            difference = np.minimum(u, v)
            difference *= self._spread(recipe.ease, tile)
            solid = np.subtract(self._spread(recipe.core, tile), difference, out=difference)
        u *= self._spread(recipe.first, tile)
        v *= self._spread(recipe.second, tile)
        alpha = self._spread(recipe.offset, tile)
        alpha -= u
        alpha -= v
        # near 0 and near 1 alpha is noise: push it there, and be back at the true value at three times the distance
        pushed = np.subtract(alpha, self._spread(recipe.floor, tile), out=u)
        pushed *= 1.5
        np.minimum(alpha, pushed, out=alpha)
        np.multiply(alpha, 1.5, out=v)
        v += 1.5 * recipe.ceiling - 0.5
        np.maximum(alpha, v, out=alpha)
        if solid is not None:
            np.maximum(alpha, solid, out=alpha)
        return np.clip(alpha, 0, 1, out=alpha)

    def bare(self, tile: Tile) -> Plane:
        """The screen's colour behind the tile, (n, m, 3), 0..255."""
        return self._spread(self.recipe.screen.colour, tile)

    def guest(self, tile: Tile) -> tuple[list[Plane], Plane]:
        """The guest in the tile: R, G, B premultiplied with alpha, and alpha."""
        planes = self.planes(tile)
        alpha = self.alpha(tile, planes)
        clean(planes, self.key, alpha, self.bare(tile))
        return planes, alpha

    def _shrink(self) -> Plane:
        """The photo with one pixel per cell, each the mean of its cell; the last cells may hang over the edge."""
        height, width = self.photo.shape[:2]
        below, right = -height % self.cell, -width % self.cell
        photo = self.photo
        if below or right:
            photo = np.asarray(cv2.copyMakeBorder(photo, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        size = (photo.shape[1] // self.cell, photo.shape[0] // self.cell)
        return plane(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))

    def _cells(self, values: Plane, tile: Tile) -> Plane:
        """The tile's cells with one more around."""
        top, left = tile.top // self.cell, tile.left // self.cell
        bottom, right = -(-tile.bottom // self.cell), -(-tile.right // self.cell)
        return values[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]

    def _spread(self, values: Plane, tile: Tile) -> Plane:
        """The tile's part of a plane of cells, (n, m) or (n, m, 3) pixels, linear between the cells' centres."""
        cells, cell = self._cells(values, tile), self.cell
        size = (cells.shape[1] * cell, cells.shape[0] * cell)
        pixels = plane(cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR))
        top, left = cell * (tile.top >= cell), cell * (tile.left >= cell)
        return pixels[top : top + tile.bottom - tile.top, left : left + tile.right - tile.left]
