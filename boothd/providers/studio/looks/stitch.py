"""Cross-stitch: a limited box of floss, one X per hole of the cloth."""

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, paint, unit, working_copy
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced

PITCH = 5.6  # units per stitch: some 180 stitches along the picture
SKEINS = 36  # colours of floss
CLOTH = 64  # pixels per stitch in the drawn tile


def stitch(image: Image, check: Check) -> Image:
    """Embroider `image`; RGB of the same size."""
    height, width = image.shape[:2]
    work = balanced(working_copy(image, 0.4e6), 1.4)
    size = unit(work)
    rows = max(1, round(work.shape[0] / (PITCH * size)))
    columns = max(1, round(work.shape[1] / (PITCH * size)))
    check()
    cells = cv2.resize(work, (columns, rows), interpolation=cv2.INTER_AREA).reshape(rows, columns, 3)
    sharp = cv2.addWeighted(cells, 1.7, cv2.GaussianBlur(cells, (0, 0), 1.2), -0.7, 0).reshape(rows, columns, 3)
    floss = _floss(sharp.astype(np.uint8, copy=False))
    check()
    thread, hole = (_softened(part, image, rows) for part in _cross())
    check()
    # A hand never pulls twice alike.
    pull = np.random.default_rng(171).normal(1, 0.035, (rows, columns)).astype(np.float32)
    fuzz = texture.tile(173, along=0.8, across=0.8)

    def brush(band: Band) -> Field:
        # Where in which stitch each pixel lies; nearest cell, so that each X has one colour.
        column = (np.arange(band.width) + 0.5) * (columns / band.width)
        row = (np.arange(band.top, band.top + band.rows) + 0.5) * (rows / band.height)
        cell_x, cell_y = column.astype(np.int64), row.astype(np.int64)
        inside_x = ((column - cell_x) * CLOTH).astype(np.int64)
        inside_y = ((row - cell_y) * CLOTH).astype(np.int64)
        shade = thread[inside_y[:, None], inside_x[None, :]]
        bare = hole[inside_y[:, None], inside_x[None, :]]
        shade = shade * pull[cell_y[:, None], cell_x[None, :]] * (1 + 0.05 * band.weave(fuzz, 0.5, 0.5))
        out = floss[cell_y[:, None], cell_x[None, :]].astype(np.float32)
        for channel, cloth in enumerate((216.0, 206.0, 188.0)):
            plane = out[..., channel]
            plane *= shade
            plane += bare * (cloth * 0.36 - plane)
        return np.asarray(out, np.float32)

    return paint(height, width, check, brush)


def _floss(cells: Image) -> Image:
    """`cells` in at most SKEINS colours, chosen for this picture in a space where distance is what the eye sees."""
    lab = cv2.cvtColor(cells, cv2.COLOR_RGB2LAB).astype(np.float32)
    points: NDArray[np.float32] = lab.reshape(-1, 3)
    count = min(SKEINS, len(points))
    # Start from colours spread evenly over the sorted lights: deterministic, unlike OpenCV's own random start.
    order = np.argsort(points @ np.array((1.0, 0.23, 0.17), np.float32), kind="stable")
    centres = points[order[np.linspace(0, len(points) - 1, count).astype(int)]].copy()
    for _ in range(6):
        near = _nearest(points, centres)
        total = np.bincount(near, minlength=count)
        sums = np.stack([np.bincount(near, points[:, c], count) for c in range(3)], 1)
        full = total > 0
        centres[full] = (sums[full] / total[full, None]).astype(np.float32)
    chosen = centres[_nearest(points, centres)].reshape(lab.shape)
    rgb = cv2.cvtColor(np.clip(np.round(chosen), 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return np.asarray(rgb, np.uint8)


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    far = (centres * centres).sum(1)[None, :] - 2 * points @ centres.T
    return np.asarray(np.argmin(far, axis=1), np.int64)


def _softened(part: Field, image: Image, rows: int) -> Field:
    """`part` of a stitch as blurred as a picture with so few pixels per stitch needs, or it would show moiré."""
    pixels = image.shape[0] / rows
    sigma = 0.45 * CLOTH / max(pixels, 1.0)
    wide = cv2.GaussianBlur(np.tile(part, (3, 3)), (0, 0), sigma)
    return np.asarray(wide[CLOTH : 2 * CLOTH, CLOTH : 2 * CLOTH], np.float32)


def _cross() -> tuple[Field, Field]:
    """One stitch: its light (1 = the floss' own colour) and where cloth shows (0..1); shape (CLOTH, CLOTH)."""
    across, down = np.meshgrid(np.linspace(-1, 1, CLOTH), np.linspace(-1, 1, CLOTH))
    shade, bare = np.full((CLOTH, CLOTH), 0.45), np.ones((CLOTH, CLOTH))
    # The lower leg first, then the upper one with its shadow beside it.
    for side in (1.0, -1.0):
        off, along = (across - side * down) / np.sqrt(2), (across + side * down) / np.sqrt(2)
        body = 1 - np.square(off / 0.40)
        ends = np.clip((1.34 - np.abs(along)) / 0.10, 0, 1)
        inside = np.clip(body * 4, 0, 1) * ends
        shadow = np.clip(1 - np.abs(off) / 0.62, 0, 1) * ends
        twist = 0.10 * np.sin(along * 13 + off * 9 * side)
        round_light = 0.74 + 0.52 * np.sqrt(np.clip(body, 0, 1)) + twist - 0.14 * off * side
        shade = shade * (1 - 0.55 * shadow)
        shade = shade * (1 - inside) + round_light * inside
        bare = bare * (1 - inside)
    return shade.astype(np.float32), bare.astype(np.float32)
