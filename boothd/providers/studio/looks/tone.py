"""Light and dark of a picture, evened out so that dim and flat photos draw well too."""

import cv2
import numpy as np

from boothd.providers.studio.looks.canvas import blur, ramp
from boothd.providers.studio.looks.look import Field, Image


def luminance(image: Image) -> Field:
    """Perceived lightness, 0..1; shape (height, width)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def levels(image: Image, clip: float = 0.01, most_gain: float = 2.2) -> tuple[float, float]:
    """The tones 0..1 to map to black and white: the darkest and lightest after `clip` of the pixels at either end,
    held apart so that contrast grows at most `most_gain` times."""
    lightness = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    share = np.cumsum(np.bincount(lightness.ravel(), minlength=256)) / lightness.size
    low = float(np.searchsorted(share, clip)) / 255
    high = float(np.searchsorted(share, 1 - clip)) / 255
    missing = 1 / most_gain - (high - low)
    if missing > 0:
        # A flat picture is stretched around its own tone: a grey wall stays grey.
        middle = (low + high) / 2
        low, high = low - missing * middle, high + missing * (1 - middle)
    return low, high


def drawn_tone(image: Image, local: float = 0.35) -> Field:
    """Lightness 0..1 for drawing from: stretched to the full range, mid-tones opened, local contrast raised."""
    low, high = levels(image)
    tone = np.clip((luminance(image) - np.float32(low)) / np.float32(high - low), 0, 1).astype(np.float32)
    # A dark photo is opened until its middle lies near the middle; a drawing has no other light than its paper.
    middle = float(np.clip(tone.mean(), 0.05, 0.95))
    tone = np.power(tone, np.float32(np.clip(np.log(0.52) / np.log(middle), 0.55, 1.25)))
    size = (tone.shape[0] * tone.shape[1]) ** 0.5
    # Shade is lifted where a whole area is dark (a dark face, a suit), while black lines in the light stay black.
    tone = np.power(tone, 1 / (1 + 2.2 * np.maximum(0.42 - blur(tone, 0.02 * size), 0)))
    around = blur(tone, 0.035 * size)
    return np.asarray(np.clip(tone + local * (tone - around), 0, 1), np.float32)


def balanced(image: Image, saturation: float = 1.0) -> Image:
    """`image` stretched to the full range, opened where dark, with its colours times `saturation`; a new picture."""
    low, high = levels(image)
    steps = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
    middle = float(np.clip(np.interp(float(luminance(image).mean()), np.arange(256) / 255, steps), 0.05, 0.95))
    steps = steps ** float(np.clip(np.log(0.48) / np.log(middle), 0.6, 1.15))
    out = cv2.LUT(image, np.round(steps * 255).astype(np.uint8)).astype(np.uint8, copy=False)
    gain = cv2.resize(shade_gain(luminance(out), 1.3), out.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    for channel in range(3):
        out[..., channel] = np.minimum(out[..., channel] * gain.reshape(out.shape[:2]), 255).astype(np.uint8)
    if saturation == 1.0:
        return out
    weights = np.array([[0.299, 0.587, 0.114]] * 3)
    return cv2.transform(out, weights * (1 - saturation) + np.eye(3) * saturation).astype(np.uint8, copy=False)


def shade_gain(tone: Field, strength: float) -> Field:
    """By how much, 1..2, to brighten each part of a photo so that a dark face shows its features: areas that are dark
    as a whole are lifted, deep black and light ones hardly. tone: 0..1. Returns a small array, for Band.sample or a
    resize: it holds no detail."""
    height, width = tone.shape[:2]
    shrink = min(1.0, (1e5 / (height * width)) ** 0.5)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small: Field = cv2.resize(tone, size, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(size[1], size[0])
    spread = 0.03 * (size[0] * size[1]) ** 0.5
    area: Field = cv2.bilateralFilter(small, 9, 0.2, max(0.5, spread / 3)).astype(np.float32).reshape(small.shape)
    area = np.maximum(0.5 * area + 0.5 * blur(small, spread), 0.01)
    lifted = np.power(area, 1 / (1 + strength * np.maximum(0.42 - area, 0)))
    gain = 1 + (lifted / area - 1) * ramp(area, 0.02, 0.14)
    return np.asarray(np.clip(gain, 1, 2), np.float32)
