"""Watercolour: transparent washes with dark rims, granulating pigment, wet blooms and paper left white."""

import cv2
import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import flow_of
from boothd.providers.studio.looks.ink import contours
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced, luminance

PAPER = (253.0, 251.0, 246.0)
DARKEST = (0.10, 0.11, 0.17)
WASHES = (0.84, 0.66, 0.48, 0.31)  # a wash covers what is darker than this


def watercolour(image: Image, check: Check) -> Image:
    """Paint `image` in watercolour; RGB of the same size."""
    height, width = image.shape[:2]
    work = balanced(working_copy(image, 0.8e6), 1.5)
    size = unit(work)
    tone = luminance(work)
    check()
    sketch = contours(tone, flow_of(tone, 2.5 * size), 0.8 * size, 8 * size, keep=0.985)
    check()
    flat = work
    for _ in range(5):
        flat = cv2.bilateralFilter(flat, 11, 34, 4.0 * size).astype(np.uint8, copy=False)
        check()
    flat = _bleed(cv2.medianBlur(flat, 7).astype(np.uint8, copy=False), size)
    check()
    light = blur(luminance(flat), 1.0 * size)
    steep = np.sqrt(cv2.Sobel(light, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(light, cv2.CV_32F, 0, 1) ** 2) / 8 * size
    # How far light changes over a rim's width: rims are as wide on a gentle slope as on a steep one.
    slope = np.clip(blur(steep.astype(np.float32), 2 * size) * 4.5, 0.018, 0.35).astype(np.float32, copy=False)
    check()
    blooms, specks = texture.clouds(height, width, 120, 111, octaves=4), texture.clouds(height, width, 9, 117)
    edge = texture.clouds(height, width, 70, 121, octaves=5)
    grain = texture.paper(123)

    def brush(band: Band) -> Field:
        tooth, speck, bloom = band.weave(grain, 1.1, 1.1), band.sample(specks), band.sample(blooms)
        here = band.sample(light) + 0.012 * speck + 0.008 * bloom
        rise = band.sample(slope)
        density = np.full_like(here, 0.50)
        for level in WASHES:
            inside = (level - here) / rise  # 0 at the wash's border, 1 a rim's width inside
            cover = ramp(inside, -0.10, 0.12)
            rim = np.exp(-np.square(inside - np.float32(0.25)) * np.float32(7))
            density += cover * 0.15 + rim * 0.20
        density *= 1 + 0.19 * np.maximum(bloom, -1.0)
        density += (0.11 * tooth + 0.07 * speck) * (0.35 + density * 0.65)
        # A careful painter keeps wet washes apart: slivers of paper stay along the light side of an edge.
        drawn = band.sample(sketch)
        density *= 1 - 0.75 * ramp(-drawn, 0.014, 0.040) * ramp(here, 0.30, 0.60)
        painted = ramp(_border(band) + 0.030 * band.sample(edge), 0.030, 0.040)
        rim_of_sheet = np.exp(-np.square((_border(band) + 0.030 * band.sample(edge) - 0.046) * np.float32(160)))
        density += 0.35 * rim_of_sheet
        density *= painted
        density = np.maximum(density, 0)
        colour = band.sample(flat).astype(np.float32) * np.float32(1 / 255)
        line = ramp(drawn, 0.006, 0.04) * ramp(tooth, -1.4, 1.0) * 0.6
        out = np.empty((band.rows, band.width, 3), np.float32)
        for channel in range(3):
            # Pigment is never black: the darkest wash is a thick indigo.
            wash = colour[..., channel] * (1 - DARKEST[channel]) + DARKEST[channel]
            # Bousseau's pigment density: 1 leaves the colour, more deepens it, less lets the paper through.
            wash = wash - (wash - wash * wash) * (density - 1)
            wash = 1 - (1 - wash) * np.clip(density * 2.4, 0, 1)
            wash *= 1 - line * 0.75
            wash *= 1 + 0.016 * tooth
            out[..., channel] = np.clip(wash, 0, 1.02) * PAPER[channel]
        return out

    return paint(height, width, check, brush)


def _bleed(picture: Image, size: float) -> Image:
    """Colours run a little over their borders, as far as the paper was wet."""
    height, width = picture.shape[:2]
    side = cv2.resize(texture.clouds(height, width, 22, 125), (width, height)).astype(np.float32)
    down = cv2.resize(texture.clouds(height, width, 22, 131), (width, height)).astype(np.float32)
    x = np.arange(width, dtype=np.float32)[None, :] + side * np.float32(2.2 * size)
    y = np.arange(height, dtype=np.float32)[:, None] + down * np.float32(2.2 * size)
    moved = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(np.uint8, copy=False)


def _border(band: Band) -> Field:
    """Distance from the nearest edge of the sheet, as a share of its shorter half."""
    half_x, half_y = band.width / 2 / band.unit, band.height / 2 / band.unit
    inset = np.minimum(half_x - np.abs(band.across()), half_y - np.abs(band.down()))
    return (inset / np.float32(min(half_x, half_y))).astype(np.float32, copy=False)
