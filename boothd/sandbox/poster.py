"""A reference picture with a person for face-swap slots: the sample guest on a stage, as on a concert's poster."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from boothd.sandbox.guest import HEIGHT, Guest
from boothd.sandbox.matting import Plane, plane

WIDTH = 1200  # pixels; as high as the guest's photo
QUALITY = 92
BEAMS = (
    (-0.05, 0.36, (255, 80, 170)),
    (0.35, 0.5, (255, 214, 160)),
    (0.8, 0.62, (90, 150, 255)),
    (1.1, 0.7, (150, 90, 255)),
)
"""Where a spotlight hangs and where its light falls, shares of the width; its colour."""


def compose_poster(guest: Guest, seed: int = 3) -> Image.Image:
    """The guest in the light of a stage: RGB, WIDTH x HEIGHT."""
    random = np.random.default_rng(seed)
    left = _left(guest)
    alpha, figure = guest.alpha[:, left : left + WIDTH], guest.colour[:, left : left + WIDTH]
    picture = _stage(random)
    glow = plane(cv2.GaussianBlur(picture, (0, 0), 60))
    share = alpha[..., None]
    picture += share * (_lit(figure, alpha, glow) - picture)
    picture += random.normal(0, 1.8, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))


def write_poster(path: Path, guest: Guest) -> None:
    """Write the poster as a JPEG file for its owner only. Takes about a second of one core."""
    path.touch(mode=0o600)
    compose_poster(guest).save(path, "JPEG", quality=QUALITY)


def _left(guest: Guest) -> int:
    """Where to cut the photo so that the guest is in the middle."""
    middle = float((guest.alpha.sum(axis=0) * np.arange(guest.alpha.shape[1])).sum() / guest.alpha.sum())
    return int(min(max(round(middle) - WIDTH // 2, 0), guest.alpha.shape[1] - WIDTH))


def _stage(random: np.random.Generator) -> Plane:
    """A curtain in the dark, beams of light through haze, lamps out of focus."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / plane([[[HEIGHT]], [[WIDTH]]])
    folds = 0.55 + 0.3 * np.sin(46 * x + 2 * np.sin(5 * x)) + 0.15 * np.sin(117 * x)
    picture = (folds * (0.5 + 0.6 * y))[..., None] * plane([54, 10, 26])
    haze = plane(
        cv2.resize(random.standard_normal((20, 15), np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    )
    for hangs, falls, colour in BEAMS:
        middle = hangs + (falls - hangs) * y
        across = (x - middle) / (0.025 + 0.13 * y)
        beam = np.exp(-(across**2)) * (1.05 - 0.75 * y) * (0.85 + 0.15 * haze)
        picture += beam[..., None] * plane(colour) * np.float32(0.62)
    lamps = np.zeros_like(picture)
    for _ in range(34):
        at = (int(random.uniform(0, WIDTH)), int(abs(random.normal(0, 0.09)) * HEIGHT))
        light = plane(BEAMS[int(random.integers(len(BEAMS)))][2]) * random.uniform(0.3, 0.8)
        cv2.circle(lamps, at, int(random.uniform(9, 26)), light.tolist(), -1, cv2.LINE_AA)
    return plane(cv2.GaussianBlur(picture, (0, 0), 4)) + plane(cv2.GaussianBlur(lamps, (0, 0), 2))


def _lit(figure: Plane, alpha: Plane, glow: Plane) -> Plane:
    """The figure with more contrast, tinted by the light behind it, which is strongest at its rim."""
    strong = plane(np.clip((figure - 118) * 1.12 + 112, 0, 255))
    tint = glow / np.maximum(glow.mean(axis=2, keepdims=True), 1)
    inner = plane(cv2.GaussianBlur(alpha, (0, 0), 22))
    rim = np.clip(1.6 * (1 - inner), 0, 1)[..., None]
    return plane(strong * (0.86 + 0.14 * tint) + rim * glow * 0.9)
