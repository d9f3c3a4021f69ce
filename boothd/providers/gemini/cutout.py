"""*Cut out, don't repaint*: the model says only where the guests are; their own pixels go before the reference picture."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothd.base import imaging
from boothd.base.errors import BadAnswer, Charged
from boothd.base.imaging import OutputFormat
from boothd.providers.interfaces import Found
from boothd.providers.studio.compose import grid_of, set_before
from boothd.providers.studio.fill import Plane, plane

GUESTS = """\
all people in the foreground of the photo, each complete from hair to feet as far as the photo shows them, together with \
everything that they wear, hold, carry or sit on: glasses, hats, bags, props, animals, chairs. Not the people far behind \
them, and not their shadows."""
"""What is to be masked: the `text` of a Question of kind "masks"."""

LEAST, MOST = 0.002, 0.97
"""Shares of the photo between which the guests must lie."""
MAP_SIDE = 256  # pixels of the model's maps, usually, whatever the size of their boxes
OFF = 3.0  # of them, by which an edge may be off
LEAST_REACH = 1.25  # cells
SPECK = 0.015  # of the largest guest's area: whatever is smaller and stands alone is none
PINHOLE = 0.0005  # of the guests' area: whatever is smaller and enclosed is no gap
FAINT_HOLE = 0.15  # an enclosed patch that the map nowhere puts below this is none either


def compose(
    photo: Path,
    found: Sequence[Found],
    reference: Path,
    size: tuple[int, int] | None,
    format: OutputFormat,
    answer: Path,
    check: Callable[[], None],
) -> None:
    """Set the guests in `found` before the reference picture and write the finished picture to `answer`. Blocks.

    size: the most (width, height) in pixels. check is called between steps; what it raises goes through. Raises BadAnswer
    (charged) when there are no masks or they cover nothing or nearly everything; NotAPicture."""
    if not any(thing.mask for thing in found):
        said = "found nobody in the photo" if not found else "found guests, but gave no usable masks of them"
        raise BadAnswer(f"The model {said}.", charged=Charged.YES)
    image = imaging.load_rgb(photo)
    upright = image.size
    check()
    image = imaging.fit(image, size)
    pixels = np.asarray(image)
    likely = _likely(found, upright, pixels)
    check()
    likely = _whole(likely)
    share = float((likely > 0.5).mean())
    if not LEAST <= share <= MOST:
        said = "nothing" if share < LEAST else "nearly everything"
        raise BadAnswer(f"The model's masks cover {said} of the photo.", charged=Charged.YES)
    check()
    scene = np.asarray(imaging.load_rgb(reference))
    check()
    made = set_before(pixels, likely, _reach(found, upright, likely), scene, check)
    check()
    answer.write_bytes(imaging.encode(Image.fromarray(made), format))


def _likely(found: Sequence[Found], upright: tuple[int, int], pixels: NDArray[np.uint8]) -> Plane:
    """How likely each cell of `pixels` is a guest's, 0..1: the masks' union.

    upright: (width, height) of the photo that the boxes are of; `pixels` may have been shrunk."""
    width, height = upright
    union = np.zeros((height, width), np.uint8)
    for thing in found:
        if thing.mask is None:
            continue
        left, top, right, bottom = thing.box
        with Image.open(thing.mask, formats=("PNG",)) as opened:
            mask = opened.convert("L")
        if mask.size != (right - left, bottom - top):
            mask = mask.resize((right - left, bottom - top), Image.Resampling.BICUBIC)
        part = union[top:bottom, left:right]
        np.maximum(part, np.asarray(mask), out=part)
    grid = grid_of(pixels)
    rows, columns = grid.shape
    below = round(rows * grid.cell * height / pixels.shape[0]) - height
    beside = round(columns * grid.cell * width / pixels.shape[1]) - width
    if below or beside:
        union = np.asarray(cv2.copyMakeBorder(union, 0, below, 0, beside, cv2.BORDER_REPLICATE), np.uint8)
    return plane(cv2.resize(union, (columns, rows), interpolation=cv2.INTER_AREA)) / np.float32(255)


def _reach(found: Sequence[Found], upright: tuple[int, int], likely: Plane) -> float:
    """How far off the masks' edges may be, in cells of `likely`: a few pixels of the maps, of which all have about as many
    for large guests and small; large ones count more."""
    boxes = np.array([thing.box for thing in found if thing.mask is not None], np.float64)
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = float(np.average(np.maximum(wide, high), weights=wide * high))
    cells_per_pixel = float(max(likely.shape)) / max(upright)
    return max(LEAST_REACH, OFF / MAP_SIDE * side * cells_per_pixel)


def _whole(likely: Plane) -> Plane:
    """The map without specks that stand alone, and without pinholes in the guests."""
    likely = likely.copy()
    guests = likely > 0.5
    pieces = list(_pieces(likely > 0.1))
    areas = [np.count_nonzero(guests[piece]) for piece in pieces]
    for piece, area in zip(pieces, areas, strict=True):
        if area < SPECK * max(areas):
            likely[piece] = 0
    whole = np.count_nonzero(likely > 0.5)
    for piece in _pieces(likely <= 0.5):
        rows, columns = piece
        at_edge = min(rows.min(), columns.min()) == 0 or rows.max() == len(likely) - 1
        at_edge = at_edge or columns.max() == likely.shape[1] - 1
        if not at_edge and (len(rows) < PINHOLE * whole or likely[piece].min() > FAINT_HOLE):
            likely[piece] = 1
    return likely


def _pieces(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The connected pieces of a mask: the rows and columns of each one's cells."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    flat = np.asarray(labels, np.intp).ravel()
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(np.bincount(flat, minlength=count))
    for first, last in pairwise(ends):
        rows, columns = np.divmod(order[first:last], mask.shape[1])
        yield rows, columns
