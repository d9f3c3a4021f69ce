"""Photographic looks: colour film, black and white film."""

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import levels, luminance, shade_gain


def film(image: Image, check: Check) -> Image:
    """Warm colour-negative film with halation around the lights and fine grain; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 0.5e6)
    size = unit(work)
    low, high = levels(work, clip=0.004, most_gain=1.35)
    tables = _film_curves(low * 0.8, high + (1 - high) * 0.2)
    check()
    light = luminance(work)
    bright = ramp(light, 0.72, 0.98)
    glow = 0.6 * blur(bright, 7 * size) + 0.4 * blur(bright, 26 * size)
    lift = shade_gain(light, 1.1)
    lit = cv2.resize(lift, light.shape[::-1]).reshape(light.shape)
    around = blur(light * lit, 24 * size)
    check()
    clumps = texture.tile(181, side=1024, along=0.7, across=0.7)
    tints = [texture.tile(182 + channel, side=700, along=0.8, across=0.8) for channel in range(3)]

    def brush(band: Band) -> Field:
        here = cv2.LUT(band.of(image), tables).astype(np.float32)
        here *= band.sample(lift)[..., None]
        lightness = here @ np.array((0.299, 0.587, 0.114), np.float32)
        # Local contrast from the middle scales only: faces gain modelling, edges gain no halo.
        model = 1 + np.float32(0.16) * (lightness / 255 - band.sample(around))
        halo = band.sample(glow)
        shade = vignette(band, 0.17)
        # Grain shows most in the middle tones.
        rough = (0.35 + 2.6 * (lightness / 255) * (1 - lightness / 255)) * 5.2
        clump = band.weave(clumps, 0.75, 0.75)
        for channel, red in enumerate((1.0, 0.36, 0.16)):
            plane = here[..., channel]
            plane += (lightness - plane) * np.float32(-0.08)
            plane *= model
            plane += (255 - plane) * halo * np.float32(0.20 * red)
            plane *= shade
            plane += rough * (0.8 * clump + 0.5 * band.weave(tints[channel], 0.9, 0.9))
        return here

    return paint(height, width, check, brush)


def bw(image: Image, check: Check) -> Image:
    """Black and white film, pushed a little: modelled skin, deep blacks, silver grain; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 0.8e6)
    size = unit(work)
    # As through a light orange filter: skin clears, blue skies deepen.
    weights = np.array([[0.42, 0.44, 0.14]], np.float32)
    mono = cv2.transform(work, weights).astype(np.float32) / 255
    mono = mono.reshape(work.shape[:2])
    low, high = levels(np.dstack([np.clip(mono * 255, 0, 255).astype(np.uint8)] * 3), clip=0.006, most_gain=1.9)
    check()
    lift = shade_gain(mono, 1.6)
    lit = cv2.resize(lift, mono.shape[::-1]).reshape(mono.shape)
    base = cv2.bilateralFilter(mono * lit, 7, 0.18, 6 * size).astype(np.float32)
    around = blur(base, 16 * size)
    check()
    glow = blur(ramp(mono, 0.75, 1.0), 12 * size)
    grains = texture.tile(191, side=1024, along=0.85, across=0.85)
    coarse = texture.tile(193, side=640, along=1.6, across=1.6)

    def brush(band: Band) -> Field:
        tone = cv2.transform(band.of(image), weights).astype(np.float32).reshape(band.rows, band.width) / 255
        tone *= band.sample(lift)
        tone = tone + 0.34 * (tone - band.sample(around))
        tone = np.clip((tone - low) / (high - low), 0, 1)
        # An S-curve with a soft toe.
        tone = tone + 0.42 * tone * (1 - tone) * (2 * tone - 0.92)
        tone += (1 - tone) * band.sample(glow) * 0.16
        tone *= vignette(band, 0.30)
        rough = (0.22 + 2.0 * np.clip(tone, 0, 1) * (1 - np.clip(tone, 0, 1))) * 0.042
        tone += rough * (band.weave(grains, 0.8, 0.8) + 0.45 * band.weave(coarse, 0.8, 0.8))
        tone = np.clip(tone, 0.015, 0.985) * 255
        return np.asarray(cv2.merge([tone, tone, tone * 0.985]), np.float32)

    return paint(height, width, check, brush)


def vignette(band: Band, depth: float) -> Field:
    """The light that reaches the corners: 1 in the middle, 1 - `depth` in the corners; shape (rows, width)."""
    half_x, half_y = band.width / 2 / band.unit, band.height / 2 / band.unit
    square = (band.across() / np.float32(half_x)) ** 2 + (band.down() / np.float32(half_y)) ** 2
    return (1 - np.float32(depth / 4) * square * square).astype(np.float32, copy=False)


def _film_curves(low: float, high: float) -> NDArray[np.uint8]:
    """Per-channel tone curves, shape (256, 1, 3): soft shoulder, lifted warm blacks, green-blue shadows."""
    tone = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
    curve = tone + 0.20 * tone * (1 - tone) * (2 * tone - 0.85)
    red = 0.030 + 0.965 * curve**0.95
    green = 0.028 + 0.950 * curve
    blue = 0.045 + 0.880 * curve**1.04
    return np.round(np.clip(np.stack([red, green, blue], 1), 0, 1) * 255).astype(np.uint8)[:, None, :]
