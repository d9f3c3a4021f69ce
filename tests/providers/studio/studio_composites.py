"""Guests drawn before a screen, with the alpha that a keyer ought to find."""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]


def plane(values: ArrayLike) -> Plane:
    """The values as float32."""
    return np.asarray(values, np.float32)


SCREENS = {"green": (52, 172, 78), "blue": (38, 82, 186)}
SHIRTS = {"orange": (214, 92, 40), "blue": (40, 70, 160), "green": (50, 130, 60), "grey": (128, 126, 124)}
SHIRTS |= {"olive": (120, 128, 78), "white": (232, 230, 226), "yellow": (226, 196, 60), "black": (24, 23, 26)}
HAIRS = {"brown": (92, 62, 40), "blond": (206, 172, 118), "black": (28, 24, 24)}


@dataclass(frozen=True, eq=False)
class Composite:
    """photo: (H, W, 3) as a camera would give it; alpha: (H, W), 0..1; guest: (H, W, 3), not premultiplied;
    screen: (H, W, 3) without the guest."""

    photo: Picture
    alpha: Plane
    guest: Plane
    screen: Plane

    def band(self) -> NDArray[np.bool_]:
        """The pixels that are neither all guest nor all screen."""
        return (self.alpha > 0.005) & (self.alpha < 0.995)


def compose(
    screen: str = "green",
    shirt: str = "orange",
    hair: str = "brown",
    *,
    width: int = 1200,
    height: int = 900,
    unevenness: float = 0.45,
    noise: float = 3.0,
    quality: int = 92,
    veil: bool = False,
    shadow: float = 0.25,
    spill: float = 0.0,
    seed: int = 1,
) -> Composite:
    """Draw one guest. unevenness: how much darker the screen's darkest corner is than its brightest spot, as a share.
    noise: levels, one standard deviation. shadow, spill: strengths, 0..1."""
    random = np.random.default_rng(seed)
    alpha, guest = _guest(width, height, SHIRTS[shirt], HAIRS[hair], random, veil=veil)
    bare = _screen(width, height, SCREENS[screen], unevenness, random)
    behind = bare.copy()
    if shadow:
        moved = np.roll(alpha, (height // 60, width // 25), (0, 1))
        behind *= 1 - shadow * cv2.GaussianBlur(moved, (0, 0), width / 60)[..., None]
    if spill:
        edge = np.clip(1 - cv2.GaussianBlur(alpha, (0, 0), width / 100), 0, 1)
        guest = guest + spill * edge[..., None] * bare * np.float32(0.8)
    photo = alpha[..., None] * guest + (1 - alpha[..., None]) * behind
    photo += plane(random.normal(0, noise, photo.shape))
    return Composite(through_jpeg(to_bytes(photo), quality), alpha, guest, behind)


def to_bytes(picture: Plane) -> Picture:
    """Round to levels."""
    return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)


def through_jpeg(picture: Picture, quality: int) -> Picture:
    """What is left of a picture after JPEG, colours at half resolution as cameras have it."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling="4:2:2")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _screen(width: int, height: int, colour: tuple[int, ...], unevenness: float, random: np.random.Generator) -> Plane:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    spot_x, spot_y = random.uniform(0.3, 0.7) * width, random.uniform(0.2, 0.5) * height
    light = np.exp(-(((x - spot_x) / (0.6 * width)) ** 2) - ((y - spot_y) / (0.7 * height)) ** 2)
    light = 1 - unevenness * (1 - light)
    light *= 1 + 0.02 * np.sin(x / width * 37 + np.sin(y / height * 5))  # folds
    bare = np.asarray(colour, np.float32) * light[..., None] * np.float32(1.15)
    return plane(bare + plane([3, 2, 6]) * (x / width)[..., None])


def _guest(
    width: int, height: int, shirt: tuple[int, ...], hair: tuple[int, ...], random: np.random.Generator, *, veil: bool
) -> tuple[Plane, Plane]:
    unit = height / 900
    alpha = np.zeros((height, width), np.float32)
    guest = np.zeros((height, width, 3), np.float32)

    def layer(mask: Plane, colour: Plane) -> None:
        nonlocal alpha
        total = mask + alpha * (1 - mask)
        share = np.where(total > 0, mask / np.maximum(total, 1e-6), 0)[..., None]
        guest[:] = guest * (1 - share) + colour * share
        alpha = total

    def soft(draw: Plane, sigma: float) -> Plane:
        return plane(np.clip(cv2.GaussianBlur(draw, (0, 0), sigma * unit), 0, 1))

    def flat(colour: tuple[int, ...], texture: float) -> Plane:
        rough = plane(cv2.GaussianBlur(plane(random.normal(0, 1, (height, width))), (0, 0), 3 * unit))
        return plane(colour) * (1 + rough * np.float32(texture / float(rough.std())))[..., None]

    centre = width // 2
    mask = np.zeros_like(alpha)
    shoulders = [(-330, 900), (-300, 690), (-200, 590), (-60, 545), (60, 545), (200, 590), (300, 690), (330, 900)]
    outline = np.array([(centre + x * unit, y * unit) for x, y in shoulders], np.int32)
    cv2.fillPoly(mask, [outline], 1.0, cv2.LINE_AA)
    layer(soft(mask, 1.2), flat(shirt, 0.06))
    ball = np.zeros_like(alpha)  # something out of focus, before the screen
    cv2.circle(ball, (round(width * 0.16), round(height * 0.4)), round(60 * unit), 1.0, -1, cv2.LINE_AA)
    layer(soft(ball, 14), flat((190, 40, 60), 0.02))
    head = np.zeros_like(alpha)
    cv2.ellipse(head, (centre, round(380 * unit)), (round(125 * unit), round(180 * unit)), 0, 0, 360, 1.0, -1)
    layer(soft(head, 1.2), flat((212, 164, 136), 0.04))
    cap = np.zeros_like(alpha)  # hair on the head, from which the strands go out
    cv2.ellipse(cap, (centre, round(350 * unit)), (round(128 * unit), round(172 * unit)), 0, 180, 360, 1.0, -1)
    cv2.ellipse(cap, (centre, round(390 * unit)), (round(98 * unit), round(130 * unit)), 0, 0, 360, 0.0, -1)
    layer(soft(cap, 1.5), flat(hair, 0.2))
    drawn = np.zeros((height, width), np.uint8)
    strands: list[Plane] = [np.zeros_like(alpha), np.zeros_like(alpha)]
    for number in range(700):
        turn = random.uniform(-np.pi * 1.05, np.pi * 0.05)
        x, y = centre + 118 * unit * np.cos(turn), 350 * unit + 165 * unit * np.sin(turn)
        reach = random.gamma(3.0, 16.0) * unit
        along = np.linspace(0, 1, 12)
        bend = turn + random.normal(0, 0.5) * along
        points = np.stack([x + reach * along * np.cos(bend), y + reach * along * np.sin(bend)], 1)
        if number % 50 == 0:  # within one batch strands cover each other, batches lie on one another
            drawn = np.zeros((height, width), np.uint8)
        cv2.polylines(drawn, [np.round(points * 16).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 4)
        if number % 50 == 49:
            strands[number // 50 % 2] = np.maximum(strands[number // 50 % 2], drawn.astype(np.float32) / 255)
    layer(soft(strands[0], 0.7), flat(hair, 0.15))
    layer(soft(strands[1], 0.5) * np.float32(0.8), flat(hair, 0.25) * np.float32(1.1))
    if veil:
        cloth = np.zeros_like(alpha)
        side = [(150, 330), (420, 500), (400, 800), (180, 700)]
        cv2.fillPoly(cloth, [np.array([(centre + x * unit, y * unit) for x, y in side], np.int32)], 1.0, cv2.LINE_AA)
        layer(soft(cloth, 2) * np.float32(0.45), flat((236, 232, 230), 0.02))
    return alpha, np.clip(guest, 0, 255)
