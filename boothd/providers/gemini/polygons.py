"""Masks that a model gives as polygons.

The API's documentation promises base64 PNGs and says nothing of this form, but models of late have been seen to answer so:
a list of points [y, x] or {"x": …, "y": …}, or one flat list y, x, y, x, …; several such lists are parts of one thing.
Points are normalised to 0..1000 over the whole picture, as boxes are."""

import math
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

MAX_POINTS = 2000
"""Of a thing; of more there is no mask."""
SIDE = 512
"""Pixels of the longest side of what is drawn: about as fine as the points are."""
FINER = 4
"""It is drawn so many times as large, and scaled down: that makes the edge soft."""

SCALE = 1000

Box = tuple[int, int, int, int]
Point = tuple[float, float]


def is_number(value: object) -> bool:
    """Whether it is a finite number, and no boolean."""
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))


def draw(said: object, box: Box, width: int, height: int) -> Image.Image | None:
    """What of the polygons lies in the box, as greyscale, the box's shape; None when they are none, or leave it empty.

    said: any JSON. box: left, top, right, bottom in pixels. width, height: of the photo, pixels."""
    polygons = _polygons(said)
    if not polygons or sum(map(len, polygons)) > MAX_POINTS:
        return None
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    scale = min(1.0, SIDE / max(wide, high))
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    finer = (size[0] * FINER, size[1] * FINER)

    def placed(point: Point) -> Point:
        x, y = (min(max(value, 0), SCALE) / SCALE for value in point)
        return (x * width - left) / wide * finer[0] - 0.5, (y * height - top) / high * finer[1] - 0.5

    mask = Image.new("L", finer)
    for polygon in polygons:
        part = Image.new("L", finer)
        ImageDraw.Draw(part).polygon([placed(point) for point in polygon], fill=255)
        mask = ImageChops.lighter(mask, part)
    small = mask.resize(size, Image.Resampling.BOX)
    return small if small.getbbox() is not None else None


def _polygons(said: object) -> list[list[Point]]:
    """The polygons, each of (x, y), three or more; empty when anything in them is odd."""
    if not isinstance(said, list):
        return []
    one = _points(said)
    found = [one] if one is not None else [_points(part) if isinstance(part, list) else None for part in said]
    return [part for part in found if part is not None] if None not in found else []


def _points(said: Sequence[object]) -> list[Point] | None:
    """One polygon; None when it is none."""
    if said and all(is_number(value) for value in said):
        said = [said[at : at + 2] for at in range(0, len(said), 2)]
    points = [_point(value) for value in said]
    found = [point for point in points if point is not None]
    return found if len(found) == len(points) >= 3 else None


def _point(said: object) -> Point | None:
    if isinstance(said, dict):
        said = [said.get("y"), said.get("x")]
    if not isinstance(said, list) or len(said) != 2 or not all(is_number(value) for value in said):
        return None
    return said[1], said[0]
