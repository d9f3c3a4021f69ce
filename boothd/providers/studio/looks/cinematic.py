"""Cinematic: teal shadows against warm skin, misty highlights, an anamorphic flare."""

import cv2
import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.photo import vignette
from boothd.providers.studio.looks.tone import levels, luminance, shade_gain


def cinematic(image: Image, check: Check) -> Image:
    """Grade `image` like a night-time feature film; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 0.6e6)
    size = unit(work)
    low, high = levels(work, clip=0.004, most_gain=1.5)
    light = luminance(work)
    lift = shade_gain(light, 1.4)
    check()
    bright = ramp(light, 0.80, 1.0)
    source = work.astype(np.float32) * bright[..., None]
    mist = 0.5 * blur(source, 9 * size) + 0.5 * blur(source, 40 * size)
    check()
    # Only small lamps flare, not white walls: what is much brighter than its wide surroundings.
    lamps = ramp(light - blur(light, 22 * size), 0.30, 0.62) * bright
    streak = _streak(lamps, size)
    check()
    diffuse = blur(work.astype(np.float32), 5 * size)
    grain = texture.tile(221, side=1024, along=0.8, across=0.8)
    check()

    def brush(band: Band) -> Field:
        colour = band.of(image).astype(np.float32)
        colour *= band.sample(lift)[..., None]
        # A black-mist filter: part of the light scatters, so contrast softens while detail stays.
        colour += np.float32(0.24) * (np.maximum(band.sample(diffuse), colour) - colour)
        tone = colour @ np.array((0.299, 0.587, 0.114), np.float32) * np.float32(1 / 255)
        warm = ramp(colour[..., 0] - colour[..., 2], 12, 90)  # skin and lamps keep their warmth
        graded = ramp(tone, low, high)
        graded = graded + 0.55 * graded * (1 - graded) * (2 * graded - 1.12)
        gain = graded / np.maximum(tone, np.float32(0.02))
        teal = ramp(graded, 1.05, 0.12) * (1 - 0.85 * warm)
        shade = vignette(band, 0.38)
        glow, flare = band.sample(mist), band.sample(streak)
        rough = band.weave(grain, 0.7, 0.7) * np.float32(3.4)
        out = np.empty_like(colour)
        for channel, (cold, lit, blue) in enumerate(((-44.0, 1.05, 0.25), (4.0, 0.98, 0.60), (22.0, 0.83, 1.0))):
            plane = colour[..., channel] * gain
            plane = plane * (1 + (lit - 1) * (0.35 + 0.65 * warm)) + teal * np.float32(cold)
            plane *= shade
            plane += (255 - plane) * (glow[..., channel] * np.float32(0.34 / 255))
            plane += (255 - plane) * flare * np.float32(0.75 * blue)
            plane = plane * np.float32(0.955) + np.float32((5.0, 9.0, 12.0)[channel])
            out[..., channel] = plane + rough
        return out

    return paint(height, width, check, brush)


def _streak(lamps: Field, size: float) -> Field:
    """Lamps drawn out sideways, as a squeezed lens does; 0..1."""
    height, width = lamps.shape
    small = cv2.resize(lamps, (max(1, width // 4), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    long = cv2.GaussianBlur(
        small.reshape(max(1, height // 2), max(1, width // 4)), (0, 0), max(0.5, 34 * size), sigmaY=max(0.3, 0.5 * size)
    )
    return np.asarray(np.clip(long * 6, 0, 0.9), np.float32)
