"""Vintage print: faded dyes, a light leak, dust and scratches, the soft white border of an album photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.photo import vignette
from boothd.providers.studio.looks.tone import levels

BORDER = 34.0  # units of white card around the picture
CARD = (244.0, 238.0, 222.0)


def vintage(image: Image, check: Check) -> Image:
    """An old colour print of `image`; RGB of the same size, the card's border lies over its edges."""
    height, width = image.shape[:2]
    work = working_copy(image, 0.9e6)
    low, high = levels(work, clip=0.005, most_gain=1.5)
    soft = cv2.LUT(work, _faded(low, high)).astype(np.float32)
    soft = blur(soft, 1.1 * unit(work))  # the lens of a cheap camera, and many years
    check()
    leak = texture.clouds(height, width, 420, 201, octaves=2)
    fading = texture.clouds(height, width, 330, 205, octaves=3)
    dust = _damage(height, width, check)
    grain = texture.tile(207, side=900, along=1.0, across=1.0)
    grip = texture.paper(209)

    def brush(band: Band) -> Field:
        out = band.sample(soft)
        half_x, half_y = band.width / 2 / band.unit, band.height / 2 / band.unit
        x, y = band.across() / np.float32(half_x), band.down() / np.float32(half_y)
        # Light crept in along the right side and the upper left corner of the film.
        side = np.exp(-np.square((1.0 - x + 0.10 * band.sample(leak)) * np.float32(3.0))) * (0.75 - 0.35 * y)
        corner = 0.6 * np.exp(-((1 + x) ** 2 + (1 + y) ** 2) * np.float32(2.2))
        fade = 1 + 0.030 * band.sample(fading)
        shade = vignette(band, 0.24) * fade
        rough = 4.5 * band.weave(grain, 0.8, 0.8)
        hurt = band.sample(dust)
        tooth = band.weave(grip, 1.0, 1.0)
        window, rim = _window(band, tooth)
        for channel, (leaking, warm) in enumerate(((1.0, 0.85), (0.42, 0.62), (0.10, 0.40))):
            plane = out[..., channel]
            plane *= shade
            plane += rough
            plane += (255 - plane) * np.clip(side * leaking * 0.72 + corner * warm * 0.45, 0, 1)
            plane += hurt * (236 - plane)
            card = CARD[channel] * (1 + 0.012 * tooth) * (1 - 0.10 * rim)
            plane += window * (card - plane)
        return out

    return paint(height, width, check, brush)


def _faded(low: float, high: float) -> NDArray[np.uint8]:
    """Curves of a print whose cyan dye has gone: milky, warm blacks, yellowed whites; shape (256, 1, 3)."""
    tone = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
    red = 0.17 + 0.79 * tone**0.86
    green = 0.135 + 0.76 * tone**0.97
    blue = 0.19 + 0.56 * tone**1.02
    return np.round(np.stack([red, green, blue], 1) * 255).astype(np.uint8)[:, None, :]


def _window(band: Band, tooth: Field) -> tuple[Field, Field]:
    """1 on the card around the picture, 0 inside; and the shadow just outside the picture's edge, 0..1."""
    half_x, half_y = band.width / 2 / band.unit, band.height / 2 / band.unit
    border = min(BORDER, 0.4 * min(half_x, half_y))
    radius = border * 0.5
    across = np.maximum(np.abs(band.across()) - np.float32(half_x - border - radius), 0)
    down = np.maximum(np.abs(band.down()) - np.float32(half_y - border - radius), 0)
    outside = np.sqrt(across * across + down * down) - np.float32(radius) + 0.25 * tooth
    rim = np.exp(-np.square(outside * np.float32(0.30)))
    return ramp(outside, -0.7, 0.7), rim.astype(np.float32, copy=False)


def _damage(height: int, width: int, check: Check) -> Field:
    """Dust and scratches, 0..1; a small array for a Band."""
    scale = min(2.0, 12_000 / max(height, width) * (height * width) ** 0.5 / 1000) / ((height * width) ** 0.5 / 1000)
    shape = max(2, round(height * scale)), max(2, round(width * scale))
    marks = np.zeros(shape, np.uint8)
    rng = np.random.default_rng(211)
    size = (shape[0] * shape[1]) ** 0.5 / 1000
    check()
    for _ in range(170):
        at = (int(rng.uniform(0, shape[1]) * 16), int(rng.uniform(0, shape[0]) * 16))
        cv2.circle(marks, at, int(16 * size * rng.uniform(0.25, 0.85)), int(rng.integers(50, 210)), -1, cv2.LINE_AA, 4)
    for _ in range(16):  # hairs
        x, y, way = rng.uniform(0, shape[1]), rng.uniform(0, shape[0]), rng.uniform(0, 6.3)
        points = []
        for _ in range(14):
            points.append((x, y))
            way += rng.normal(0, 0.45)
            x, y = x + np.cos(way) * 2.4 * size, y + np.sin(way) * 2.4 * size
        line = np.round(np.array(points)).astype(np.int32)
        cv2.polylines(marks, [line], False, int(rng.integers(60, 150)), max(1, round(0.5 * size)), cv2.LINE_AA)
    for _ in range(9):  # scratches of the rollers
        x, y, run = rng.uniform(0, shape[1]), rng.uniform(-0.2, 0.8) * shape[0], rng.uniform(0.08, 0.5) * shape[0]
        end = (int(x + rng.normal(0, 2) * size), int(y + run))
        cv2.line(marks, (int(x), int(y)), end, int(rng.integers(35, 110)), max(1, round(0.4 * size)), cv2.LINE_AA)
    return (marks.astype(np.float32) / 255 * np.float32(0.8)).astype(np.float32, copy=False)
