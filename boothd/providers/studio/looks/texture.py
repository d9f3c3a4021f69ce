"""Noise, paper and drawn textures; all seeded, so that a photo looks the same each time."""

import cv2
import numpy as np

from boothd.providers.studio.looks.canvas import blur_plain
from boothd.providers.studio.looks.look import Field


def noise(height: int, width: int, cell: float, seed: int) -> Field:
    """White noise for a picture of this size: one normal number per `cell` x `cell` units; sample it with a Band."""
    pixels = max(1.0, cell * (height * width) ** 0.5 / 1000)
    shape = max(1, round(height / pixels)), max(1, round(width / pixels))
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def clouds(height: int, width: int, cell: float, seed: int, octaves: int = 3) -> Field:
    """Soft blotches of about `cell` units with finer ones inside, mean 0, deviation 1; a small array for a Band."""
    finest = cell / 2 ** (octaves - 1) / 2
    whole = blur_plain(noise(height, width, finest, seed), 1.0)
    total = np.zeros_like(whole)
    for octave in range(octaves):
        part = blur_plain(noise(height, width, cell / 2**octave, seed + octave + 1), 0.7)
        part = part / max(float(part.std()), 1e-3)
        grown = cv2.resize(part, (whole.shape[1], whole.shape[0]), interpolation=cv2.INTER_CUBIC)
        total += grown.reshape(whole.shape) * np.float32(0.6**octave)
    total -= total.mean()
    return total / np.float32(max(float(total.std()), 1e-3))


def tile(seed: int, *, side: int = 512, along: float = 0.0, across: float = 0.0) -> Field:
    """A repeatable square of noise, blurred by `along` and `across` pixels; mean 0, deviation 1."""
    square = np.random.default_rng(seed).standard_normal((side, side), np.float32)
    margin = int(4 * max(along, across)) + 1
    wide = np.pad(square, margin, mode="wrap")
    if along > 0 or across > 0:
        wide = cv2.GaussianBlur(wide, (0, 0), max(along, 0.05), sigmaY=max(across, 0.05)).astype(np.float32)
    square = wide[margin:-margin, margin:-margin]
    square = square - square.mean()
    return np.ascontiguousarray(square / max(float(square.std()), 1e-6), dtype=np.float32)


def paper(seed: int, side: int = 768) -> Field:
    """The tooth of drawing paper as a repeatable tile of heights, mean 0, deviation 1; about 1 unit per pixel."""
    fine, coarse = tile(seed, side=side, along=0.9, across=0.9), tile(seed + 1, side=side, along=2.4, across=2.4)
    fibres = tile(seed + 2, side=side, along=5.0, across=0.8) + tile(seed + 3, side=side, along=0.8, across=5.0)
    heights = fine + 0.7 * coarse + 0.3 * fibres
    return np.asarray(heights / heights.std(), np.float32)
