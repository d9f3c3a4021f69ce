"""Stained glass: pieces that follow the picture's shapes, rippled and lit from behind, held by lead; faces and other
detail are painted on the glass in dark enamel, as glaziers do."""

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, blur_plain, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import flow_of
from boothd.providers.studio.looks.ink import contours, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced, luminance

LEAD = (26.0, 26.0, 30.0)
COARSE, FINE, FACE = 76.0, 40.0, 100.0  # distance between pieces in units: in calm parts, in detail, on skin
SNAP = 0.9  # how many units of distance one step of colour (0..255) is worth when a pixel chooses its piece


def glass(image: Image, check: Check) -> Image:
    """Glaze `image` as a church window; RGB of the same size."""
    height, width = image.shape[:2]
    work = balanced(working_copy(image, 1.0e6), 1.6)
    size = unit(work)
    tone = luminance(work)
    check()
    enamel = contours(tone, flow_of(tone, 2.5 * size), 1.0 * size, 8 * size, keep=0.985)
    check()
    smooth = cv2.bilateralFilter(work, 9, 40, 3 * size).astype(np.uint8, copy=False)
    check()
    low = working_copy(smooth, 0.3e6)
    pieces = _pieces(low, check)
    colours = _colours(pieces, low)
    lead = _lead(pieces, unit(low))
    inner = blur(smooth.astype(np.float32), 1.6 * size)
    check()
    ripple = texture.clouds(height, width, 26, 161, octaves=4)
    slope = cv2.Sobel(ripple, cv2.CV_32F, 1, 0) if min(ripple.shape) > 3 else np.zeros_like(ripple)
    seeds = texture.paper(163)
    check()

    def brush(band: Band) -> Field:
        came = band.sample(lead, flags=cv2.INTER_CUBIC)
        wave = band.sample(ripple)
        colour = 0.55 * band.sample(colours).astype(np.float32)
        colour += 0.45 * band.sample(inner)
        sun = 1.10 + 0.05 * wave + 0.05 * band.sample(slope) + 0.016 * band.weave(seeds, 1.4, 1.4)
        # Glass darkens towards its lead, where putty and dirt gather.
        sun *= 0.66 + 0.40 * ramp(came, 0.40, 0.02)
        sun *= 1 - 0.80 * ramp(band.sample(enamel), 0.006, 0.028)
        colour = colour * sun[..., None] * np.float32(1.06) + np.float32(5)
        metal = threshold(came - 0.42, 0.20 / max(0.7, band.unit))
        # The came is round: a dull highlight runs along its middle.
        shine = 1 + 1.6 * ramp(came, 0.70, 1.0) * ramp(wave, -2.0, 2.0)
        for channel in range(3):
            plane = colour[..., channel]
            plane += metal * (LEAD[channel] * shine - plane)
        return colour

    return paint(height, width, check, brush)


def _skin(picture: Image) -> Field:
    """1 where the colour could be skin of any tone, else 0."""
    parts = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    red, blue, light = parts[..., 1], parts[..., 2], parts[..., 0]
    skin = (red > 136) & (red < 176) & (blue > 84) & (blue < 126) & (light > 40)
    return cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5))).astype(np.float32)


def _seeds(picture: Image) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pieces' middles: close where there is detail, far apart in calm parts."""
    height, width = picture.shape[:2]
    size = unit(picture)
    rng = np.random.default_rng(165)
    tone = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    busy = ramp(blur(np.abs(tone - blur(tone, 9 * size)), 12 * size), 3, 18)
    # A glazier cuts a face from few large pieces, so that no lead runs through its eyes.
    gap = COARSE + (FINE - COARSE) * busy
    gap += (FACE - gap) * blur(_skin(picture), 8 * size)
    rows, columns = [], []
    step = max(2.0, 0.6 * FINE * size)
    across, down = max(1, int(width / step)), max(1, int(height / step))
    grid_y, grid_x = np.mgrid[0:down, 0:across]
    y = (
        np.clip((grid_y + rng.uniform(0.1, 0.9, grid_y.shape)) * (height / down), 0, height - 1)
        .astype(np.int64)
        .ravel()
    )
    x = (
        np.clip((grid_x + rng.uniform(0.1, 0.9, grid_x.shape)) * (width / across), 0, width - 1)
        .astype(np.int64)
        .ravel()
    )
    # Poisson disc by dart throwing: each seed taken forbids its surroundings.
    free = np.ones((height, width), np.uint8)
    for at in rng.permutation(x.size).tolist():
        row, column = int(y[at]), int(x[at])
        if free[row, column]:
            rows.append(row)
            columns.append(column)
            reach = float(gap[row, column]) * size * 0.72
            cv2.circle(free, (column, row), max(1, round(reach)), 0, -1)
    return np.array(rows, np.int64), np.array(columns, np.int64)


def _pieces(picture: Image, check: Check) -> NDArray[np.int64]:
    """Which piece each pixel belongs to, 0..n-1: the nearest seed, where unlike colour counts as distance, found by
    jump flooding (each pixel asks neighbours at shrinking distances for a better seed)."""
    height, width = picture.shape[:2]
    size = unit(picture)
    rows, columns = _seeds(picture)
    lab = blur_plain(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32), 1.5 * size)
    check()
    marks = np.ones((height, width), np.uint8)
    marks[rows, columns] = 0
    _, nearest = cv2.distanceTransformWithLabels(marks, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    which = np.zeros(int(nearest.max()) + 1, np.int64)
    which[nearest[rows, columns]] = np.arange(len(rows))
    pieces = which[nearest]
    # What a seed stands for: its place and colour, in units.
    colour_weight = SNAP * FINE / 20
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pixel = np.dstack([y / size, x / size, lab * np.float32(colour_weight)]).reshape(-1, 5)
    for _ in range(2):
        check()
        count = np.maximum(np.bincount(pieces.ravel(), minlength=len(rows)), 1)
        seed = np.stack([np.bincount(pieces.ravel(), pixel[:, k], len(rows)) / count for k in range(5)], 1)
        seed = seed.astype(np.float32)
        best = np.square(pixel - seed[pieces.ravel()]).sum(1).reshape(height, width)
        for jump in (24, 12, 6, 3, 1):
            check()
            reach = max(1, round(jump * size * 2.0))
            for down, across in ((-reach, 0), (reach, 0), (0, -reach), (0, reach)):
                asked = _shifted(pieces, down, across)
                cost = np.square(pixel - seed[asked.ravel()]).sum(1).reshape(height, width)
                better = cost < best
                pieces = np.where(better, asked, pieces)
                best = np.where(better, cost, best)
    # Numbers below 65536 go through OpenCV's median, which rounds off corners and swallows crumbs.
    rounded = pieces.astype(np.uint16)
    for _ in range(3):
        rounded = cv2.medianBlur(rounded, 5).astype(np.uint16, copy=False)
    return np.asarray(rounded, np.int64)


def _shifted(pieces: NDArray[np.int64], down: int, across: int) -> NDArray[np.int64]:
    """What the pixel `down` rows and `across` columns away holds; the border answers beyond it."""
    height, width = pieces.shape
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + across, 0, width - 1)
    return pieces[rows][:, columns]


def _colours(pieces: NDArray[np.int64], picture: Image) -> Image:
    """Each piece in its mean colour, a little apart from its neighbours; shape (h, w, 3)."""
    flat, count = pieces.ravel(), int(pieces.max()) + 1
    total = np.maximum(np.bincount(flat, minlength=count), 1)
    means = np.stack([np.bincount(flat, picture[..., channel].ravel(), count) / total for channel in range(3)], 1)
    means *= 1 + np.random.default_rng(167).normal(0, 0.06, (count, 1))
    return np.clip(means, 0, 255).astype(np.uint8)[pieces]


def _lead(pieces: NDArray[np.int64], size: float) -> Field:
    """1 in the middle of the lead, falling to 0 in the glass."""
    border = np.zeros(pieces.shape, np.uint8)
    border[:-1] |= pieces[:-1] != pieces[1:]
    border[:, :-1] |= pieces[:, :-1] != pieces[:, 1:]
    border[:1], border[-1:], border[:, :1], border[:, -1:] = 1, 1, 1, 1
    far = cv2.distanceTransform(1 - border, cv2.DIST_L2, 5).astype(np.float32, copy=False)
    return np.asarray(np.exp(-np.square(blur_plain(far, 1.3 * size) / (2.3 * size))), np.float32)
