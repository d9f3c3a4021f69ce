"""The chroma keyer: a photo before a green or blue screen in, the guest with a soft edge out.

Everything slow is done once per cell of some pixels (`screen`, `matte`); the pixels themselves are walked tile by tile."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from boothd.providers.studio.fill import Plane, plane
from boothd.providers.studio.grid import Grid, Picture, Tile
from boothd.providers.studio.matte import CLEAR, Recipe, make_recipe
from boothd.providers.studio.screen import find_screen, others
from boothd.providers.studio.spill import clean

CELLS = 512  # along the longer side


class Keyer:
    """A photo with its screen found and its recipe made; asks for alpha and colour tile by tile.

    photo: (H, W, 3) RGB. check is called between steps; what it raises goes through. Raises NoScreen."""

    def __init__(self, photo: Picture, check: Callable[[], None]) -> None:
        self.photo = photo
        self.grid = grid = Grid.over(photo, CELLS)
        check()
        small = grid.shrink(photo)
        check()
        screen = find_screen(small, check)
        check()
        rows, columns = (np.arange(count) * grid.cell + grid.cell // 2 for count in grid.shape)
        rows, columns = np.minimum(rows, grid.height - 1), np.minimum(columns, grid.width - 1)
        self.recipe: Recipe = make_recipe(small, screen, photo[np.ix_(rows, columns)].astype(np.float32))
        check()

    @property
    def key(self) -> int:
        """The channel keyed on: 1 green, 2 blue."""
        return self.recipe.screen.key

    def tiles(self) -> Iterator[Tile]:
        """All tiles, row by row."""
        return self.grid.tiles()

    def is_clear(self, tile: Tile) -> bool:
        """Whether there is nothing but screen in the tile."""
        return bool((self.grid.cells(self.recipe.floor, tile) == CLEAR).all())

    def planes(self, tile: Tile) -> list[Plane]:
        """The tile's R, G and B, each (n, m), 0..255."""
        return [plane(channel) for channel in cv2.split(tile.of(self.photo))]

    def alpha(self, tile: Tile, planes: list[Plane]) -> Plane:
        """The tile's alpha, (n, m), 0..1. planes: its R, G, B, left as they are."""
        recipe, (one, two) = self.recipe, others(self.key)
        u, v = planes[self.key] - planes[one], planes[self.key] - planes[two]
        core = self.grid.cells(recipe.core, tile)
        solid: Plane | None = None
        if core.any():
            difference = np.minimum(u, v)
            difference *= self.grid.spread(recipe.ease, tile)
            solid = np.subtract(self.grid.spread(recipe.core, tile), difference, out=difference)
        u *= self.grid.spread(recipe.first, tile)
        v *= self.grid.spread(recipe.second, tile)
        alpha = self.grid.spread(recipe.offset, tile)
        alpha -= u
        alpha -= v
        # near 0 and near 1 alpha is noise: push it there, and be back at the true value at three times the distance
        pushed = np.subtract(alpha, self.grid.spread(recipe.floor, tile), out=u)
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
        return self.grid.spread(self.recipe.screen.colour, tile)

    def guest(self, tile: Tile) -> tuple[list[Plane], Plane]:
        """The guest in the tile: R, G, B premultiplied with alpha, and alpha."""
        planes = self.planes(tile)
        alpha = self.alpha(tile, planes)
        clean(planes, self.key, alpha, self.bare(tile))
        return planes, alpha
