"""Cuts guests out along a rough map of where they are, and sets them before another picture.

The map says little about hair and edges. A pixel there is `C = a F + (1 - a) B`; the guest's colour F and the background's
B are spread in from where the map is sure, and alpha is the best compromise between what the colour says, the less the
more F and B vary, and what the map says. That compromise is linear in C, and its coefficients vary slowly: they are found
for cells of some pixels, sharpened by a guided filter (K. He, J. Sun, X. Tang, *Guided Image Filtering*, 2010), and the
pixels themselves are walked tile by tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.background import cover
from boothd.providers.studio.fill import Plane, fill, plane, smoothstep
from boothd.providers.studio.grid import Grid, Picture, Tile

CELLS = 640  # along the longer side
STEPS = ((1.0, 4, 1e-3), (0.45, 2, 1e-4))
"""Shares of how far off the map's edge may be; the guided filter's radius, in cells, and its ease."""
TRUST = 0.5  # how far off alpha may be at the map's edge, one standard deviation
NOISE = 0.02  # of colours that are flat; shares of full light
DUST = 0.04  # alpha this near to 0 or 1 is taken for it


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What a pixel needs to know from its cell; all planes are (h, w, 3) or (h, w) cells.

    slope, offset: alpha is offset + slope * colour, colours 0..255. guest, behind: the colours to both sides of the edge.
    solid, clear: where alpha is 1 or 0 whatever the colour."""

    slope: Plane
    offset: Plane
    guest: Plane
    behind: Plane
    solid: NDArray[np.bool_]
    clear: NDArray[np.bool_]


class Cutter:
    """A photo and its recipe; asks for alpha and colour tile by tile.

    photo: (H, W, 3) RGB. likely: (h, w), how likely the guest is there, 0..1, of the shape that `grid_of` says. reach: how
    far off the map's edge may be, in cells. check is called between steps; what it raises goes through."""

    def __init__(self, photo: Picture, likely: Plane, reach: float, check: Callable[[], None]) -> None:
        self.photo = photo
        self.grid = grid_of(photo)
        small = self.grid.shrink(photo)
        check()
        self.recipe = make_recipe(small, likely, reach, check)

    def tiles(self) -> Iterator[Tile]:
        """All tiles, row by row."""
        return self.grid.tiles()

    def is_clear(self, tile: Tile) -> bool:
        """Whether nothing of the guest is in the tile."""
        return bool(self.grid.cells(self.recipe.clear, tile).all())

    def is_solid(self, tile: Tile) -> bool:
        """Whether nothing but the guest is in the tile."""
        return bool(self.grid.cells(self.recipe.solid, tile).all())

    def alpha(self, tile: Tile) -> Plane:
        """The tile's alpha, (n, m), 0..1."""
        slope = self.grid.spread(self.recipe.slope, tile)
        slope *= tile.of(self.photo)
        alpha = self.grid.spread(self.recipe.offset, tile) + slope.sum(axis=2)
        return plane(np.clip(alpha, 0, 1))

    def guest(self, tile: Tile) -> tuple[Plane, Plane]:
        """The guest in the tile, (n, m, 3), premultiplied with alpha, and alpha, (n, m, 1).

        The background's light is taken out of the edge. The less of a pixel is the guest's, the less is known of its own
        colour, and the more of the colour beside it is taken."""
        alpha = self.alpha(tile)[..., None]
        through = 1 - alpha
        own = tile.of(self.photo) - through * self.grid.spread(self.recipe.behind, tile)
        np.clip(own, 0, alpha * 255, out=own)
        own *= alpha
        own += through * alpha * self.grid.spread(self.recipe.guest, tile)
        return own, alpha


def grid_of(photo: Picture) -> Grid:
    """The cells that the map is made of."""
    return Grid.over(photo, CELLS)


def set_before(photo: Picture, likely: Plane, reach: float, reference: Picture, check: Callable[[], None]) -> Picture:
    """Set the guests of `photo` on `reference`, which is scaled to fill and cropped around its centre.

    photo: (H, W, 3) RGB. likely, reach: see `Cutter`. Returns (H, W, 3); where alpha is 1, the photo's own pixels."""
    cutter = Cutter(photo, likely, reach, check)
    result = cover(reference, photo.shape[1], photo.shape[0])
    for tile in cutter.tiles():
        check()
        if cutter.is_clear(tile):
            continue
        if cutter.is_solid(tile):
            tile.of(result)[:] = tile.of(photo)
            continue
        guest, alpha = cutter.guest(tile)
        scene = tile.of(result)
        guest += (1 - alpha) * scene + 0.5
        scene[:] = guest.astype(np.uint8)
    return result


def find_alpha(photo: Picture, likely: Plane, reach: float, check: Callable[[], None]) -> Plane:
    """The guests' alpha, (H, W), 0..1. likely, reach: see `Cutter`."""
    cutter = Cutter(photo, likely, reach, check)
    alpha = np.zeros(photo.shape[:2], np.float32)
    for tile in cutter.tiles():
        check()
        alpha[tile.top : tile.bottom, tile.left : tile.right] = cutter.alpha(tile)
    return alpha


def make_recipe(small: Plane, likely: Plane, reach: float, check: Callable[[], None]) -> Recipe:
    """Work out the recipe from the small picture, (h, w, 3) RGB, 0..255, a mean over each cell."""
    colour = small / np.float32(255)
    solid, clear = _sure(likely, reach)
    guest = behind = colour
    slope, offset, alpha = np.zeros_like(colour), likely, likely
    for share, radius, ease in STEPS:
        slope, offset, guest, behind = _compromise(colour, alpha, share * reach)
        check()
        slope, offset = _guided(colour, _apply(slope, offset, colour), radius, ease)
        alpha = _apply(slope, offset, colour)
        check()
    known = (solid | clear)[..., None]
    slope = np.where(known, np.float32(0), slope / (1 - 2 * DUST))
    offset = np.where(solid, np.float32(1.2), np.where(clear, np.float32(-0.2), (offset - DUST) / (1 - 2 * DUST)))
    return Recipe(plane(slope / 255), plane(offset), guest * 255, behind * 255, solid, clear)


def _apply(slope: Plane, offset: Plane, colour: Plane) -> Plane:
    return plane(np.clip((slope * colour).sum(axis=2) + offset, 0, 1))


def _sure(likely: Plane, reach: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the map is right: far enough inside, and far enough outside (hair stands off farther than the map says)."""
    inside, outside = _depth(likely > 0.5), _depth(likely <= 0.5)
    return inside > 2.2 * reach, outside > 3.5 * reach


def _depth(mask: NDArray[np.bool_]) -> Plane:
    """Cells to the mask's edge; the picture's own edge is none. 0 outside of it."""
    if mask.all():
        return np.full(mask.shape, max(mask.shape), np.float32)
    return plane(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3))


def _compromise(colour: Plane, alpha: Plane, reach: float) -> tuple[Plane, Plane, Plane, Plane]:
    """Slope and offset of the best alpha, colours 0..1, and the guest's and the background's colour.

    alpha: as it is known so far. reach: how far off its edge may be, cells."""
    inside, outside = _depth(alpha > 0.5), _depth(alpha <= 0.5)
    ours = smoothstep(0.3 * reach, reach, inside) * smoothstep(0.5, 0.95, alpha)
    theirs = smoothstep(0.6 * reach, 2 * reach, outside) * (1 - smoothstep(0.05, 0.5, alpha))
    # thin arms and narrow gaps have no sure middle
    ours = plane(np.maximum(ours, 1e-6 * (alpha > 0.9)))
    theirs = plane(np.maximum(theirs, 1e-6 * (alpha < 0.1)))
    guest, behind = fill(colour, ours), fill(colour, theirs)
    radius = max(2, round(2 * reach))
    spread_ours, spread_theirs = _variance(colour, ours, radius), _variance(colour, theirs, radius)
    doubt = NOISE**2 + spread_ours * (0.25 + 0.5 * alpha) + spread_theirs * (0.75 - 0.5 * alpha)
    trust = TRUST * (1 - smoothstep(reach, 2.2 * reach, inside)) * (1 - smoothstep(1.6 * reach, 3.5 * reach, outside))
    map_weight = 1 / np.maximum(trust**2, 1e-4)
    step = guest - behind
    whole = (step**2).sum(axis=2) / doubt + map_weight
    slope = step / (doubt * whole)[..., None]
    offset = alpha * map_weight / whole - (slope * behind).sum(axis=2)
    return plane(slope), plane(offset), guest, behind


def _variance(colour: Plane, weights: Plane, radius: int) -> Plane:
    """How much the colour varies where the weights are, spread to where they are not; (h, w), a mean of the channels."""
    total = _mean(weights, radius) + np.float32(1e-6)
    mean = _mean(colour * weights[..., None], radius) / total[..., None]
    squares = _mean(colour**2 * weights[..., None], radius) / total[..., None]
    variance = np.maximum(squares - mean**2, 0).mean(axis=2, keepdims=True)
    return fill(plane(variance.repeat(3, axis=2)), plane(np.minimum(total * 4, 1)))[..., 0]


def _guided(colour: Plane, alpha: Plane, radius: int, ease: float) -> tuple[Plane, Plane]:
    """Slope and offset by which alpha follows the colours of the picture in each window."""
    mean, mean_alpha = _mean(colour, radius), _mean(alpha, radius)
    together = _mean(colour * alpha[..., None], radius) - mean * mean_alpha[..., None]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    moments = [_mean(colour[..., i] * colour[..., j], radius) - mean[..., i] * mean[..., j] for i, j in pairs]
    rr, rg, rb, gg, gb, bb = moments
    rr, gg, bb = rr + ease, gg + ease, bb + ease
    # the inverse of a symmetric 3x3 matrix, written out for all cells at once
    inverse = [gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb]
    inverse += [rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg]
    determinant = rr * inverse[0] + rg * inverse[1] + rb * inverse[2]
    r, g, b = cv2.split(together)
    slope = np.stack(
        [
            inverse[0] * r + inverse[1] * g + inverse[2] * b,
            inverse[1] * r + inverse[3] * g + inverse[4] * b,
            inverse[2] * r + inverse[4] * g + inverse[5] * b,
        ],
        axis=2,
    )
    slope /= determinant[..., None]
    offset = mean_alpha - (slope * mean).sum(axis=2)
    return _mean(plane(slope), radius), _mean(plane(offset), radius)


def _mean(values: Plane, radius: int) -> Plane:
    """Over a window of 2 radius + 1 cells."""
    side = (2 * radius + 1, 2 * radius + 1)
    return plane(cv2.boxFilter(values, -1, side, borderType=cv2.BORDER_REFLECT))
