"""The sample guest: a real portrait set before a green screen in uneven light, as a booth's camera would see it.

The portrait is in the public domain (`portrait/SOURCE.txt`); `portrait/trimap.png` is drawn by hand, and everything
else is made here, so the guest's true alpha is known. One seed, one picture."""

import io
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothd.sandbox.matting import Plane, cut_out, plane

WIDTH, HEIGHT = 2400, 1600  # pixels, as a DSLR's small JPEG
ENLARGED = 3
LEFT = 450  # of the portrait in the photo; it stands on the lower edge
HAIR_ENDS = 112  # row of the portrait
SCREEN = (64, 176, 84)  # paper in full light
QUALITY = 93


@dataclass(frozen=True, slots=True, eq=False)
class Guest:
    """photo: (H, W, 3) RGB before JPEG. alpha: (H, W), the truth, 0..1. colour: (H, W, 3), 0..255, the guest without
    the screen's light, spread beyond the figure."""

    photo: NDArray[np.uint8]
    alpha: Plane
    colour: Plane


def compose_guest(seed: int = 1) -> Image.Image:
    """The guest before the screen: RGB, WIDTH x HEIGHT."""
    return Image.fromarray(make_guest(seed).photo)


def write_guest(path: Path, seed: int = 1) -> Guest:
    """Write the guest as a JPEG file, with the camera's 4:2:2 colours; returns what went into it."""
    guest = make_guest(seed)
    Image.fromarray(guest.photo).save(path, "JPEG", quality=QUALITY, subsampling="4:2:2")
    return guest


def make_guest(seed: int = 1) -> Guest:
    """Compose the guest and keep what went into it. Takes some seconds of one core."""
    random = np.random.default_rng(seed)
    colour, alpha = _figure(random)
    screen = _screen(random)
    screen *= 1 - 0.4 * _shadow(alpha)[..., None]
    share = alpha[..., None]
    lit = colour + _spill(alpha, screen)
    photo = lit * share + screen * (1 - share)
    photo = plane(cv2.GaussianBlur(photo, (0, 0), 0.6))  # no lens is sharper than its pixels
    photo += _noise(photo, random)
    alpha = plane(cv2.GaussianBlur(alpha, (0, 0), 0.6))
    return Guest(np.clip(photo + 0.5, 0, 255).astype(np.uint8), alpha, colour)


def _figure(random: np.random.Generator) -> tuple[Plane, Plane]:
    """The portrait cut out, enlarged and placed: its colour and its alpha, in the photo's size."""
    assets = files("boothd.sandbox") / "portrait"
    portrait = _read(assets.joinpath("portrait.jpg").read_bytes(), "RGB").astype(np.float32)
    own, thin = cut_out(portrait, _read(assets.joinpath("trimap.png").read_bytes(), "L"))
    size = (own.shape[1] * ENLARGED, own.shape[0] * ENLARGED)
    own = plane(cv2.resize(own, size, interpolation=cv2.INTER_LANCZOS4))
    own += 0.7 * (own - cv2.GaussianBlur(own, (0, 0), 2.2))
    thin = plane(cv2.resize(thin, size, interpolation=cv2.INTER_CUBIC))
    thin = np.clip((thin - 0.5) * 1.5 + 0.5, 0, 1)  # enlarging has made the edge three times as soft
    hair, tone = _loose_hair(thin, random)
    own *= np.where(hair > thin, tone, 1)[..., None]
    thin = np.maximum(thin, hair)
    border = (HEIGHT - size[1], 0, LEFT, WIDTH - LEFT - size[0])
    colour = cv2.copyMakeBorder(np.clip(own, 0, 255), *border, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(thin, *border, cv2.BORDER_CONSTANT, value=0)
    return plane(colour), plane(alpha)


def _read(data: bytes, mode: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


def _loose_hair(alpha: Plane, random: np.random.Generator) -> tuple[Plane, Plane]:
    """Single hairs that stand off the head, thinner than the small portrait could show: their alpha and their tone."""
    head = alpha[: HAIR_ENDS * ENLARGED]
    smooth = cv2.GaussianBlur(head, (0, 0), 6)
    down, right = np.gradient(smooth)
    rim = np.argwhere(np.abs(smooth - 0.75) < 0.03)
    hair, tone = np.zeros_like(alpha), np.ones_like(alpha)
    for shade in (0.75, 1.0, 1.3):
        drawn = np.zeros(alpha.shape, np.uint8)
        for y, x in rim[random.integers(0, len(rim), 45)]:
            outward = np.arctan2(-down[y, x], -right[y, x])
            combed = outward + random.choice((-1, 1)) * random.uniform(0.9, 1.45)  # lies along the head, mostly
            reach, along = random.gamma(3, 10), np.linspace(0, 1, 14)
            turn = combed + random.normal(0, 0.7) * along
            path = np.stack([x + reach * along * np.cos(turn), y + reach * along * np.sin(turn)], axis=1)
            strength = int(random.uniform(70, 190))
            cv2.polylines(drawn, [np.round(path * 16).astype(np.int32)], False, strength, 1, cv2.LINE_AA, 4)
        strand = cv2.GaussianBlur(drawn.astype(np.float32) / 255, (0, 0), 0.5)
        tone = np.where(strand > hair, np.float32(shade), tone)
        hair = np.maximum(hair, strand)
    return hair, tone


def _screen(random: np.random.Generator) -> Plane:
    """Green paper, a lamp from the upper left that does not reach the corners, two soft folds."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / HEIGHT
    lamp = np.exp(-(((x - 0.52) / 0.85) ** 2) - ((y - 0.36) / 0.8) ** 2)
    second = 0.3 * np.exp(-(((x - 1.35) / 0.4) ** 2) - ((y - 0.55) / 0.6) ** 2)
    light = 0.42 + 0.72 * np.minimum(lamp + second, 1.1)
    for centre, lean, depth, width in ((0.2, 0.05, 0.1, 0.018), (1.22, -0.07, 0.08, 0.024), (1.4, -0.02, 0.05, 0.03)):
        off = (x - centre - lean * y - 0.012 * np.sin(4 * y + 9 * centre)) / width
        light *= 1 - depth * off * np.exp(-(off**2))  # a bright flank and a dark one
    paper = cv2.GaussianBlur(random.normal(0, 1, light.shape).astype(np.float32), (0, 0), 2.5)
    light *= 1 + 0.006 * paper / float(paper.std())
    screen = np.asarray(SCREEN, np.float32) * light[..., None]
    screen += plane([10, 6, -2]) * (light[..., None] - 0.6)  # warm lamp, cool corners
    return plane(screen)


def _shadow(alpha: Plane) -> Plane:
    """The guest's soft shadow on the screen, 0..1, falling right and down."""
    small = cv2.resize(alpha, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    size = (small.shape[1], small.shape[0])
    moved = cv2.warpAffine(small, plane([[1, 0, 12], [0, 1, 5]]), size, borderMode=cv2.BORDER_REPLICATE)
    return plane(cv2.resize(cv2.GaussianBlur(moved, (0, 0), 8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def _spill(alpha: Plane, screen: Plane) -> Plane:
    """The green light that the screen throws on the guest: strong at the rim, faint everywhere."""
    small = cv2.resize(1 - alpha, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    rim = 0.14 * cv2.GaussianBlur(small, (0, 0), 4) + 0.06 * cv2.GaussianBlur(small, (0, 0), 25) + 0.008
    return screen * plane(cv2.resize(rim, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))[..., None]


def _noise(photo: Plane, random: np.random.Generator) -> Plane:
    """A sensor's: more in the light in levels, and blotchy in colour."""
    grain = random.standard_normal(photo.shape, np.float32)
    grain = plane(cv2.GaussianBlur(grain, (0, 0), 0.55))
    return plane(grain * (1.6 + 1.1 * np.sqrt(np.maximum(photo, 0) / 255)))
