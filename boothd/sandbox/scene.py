"""The reference picture of the demo: an evening above the sea, drawn, not photographed."""

import cv2
import numpy as np
from PIL import Image

from boothd.sandbox.matting import Plane, plane

WIDTH, HEIGHT = 2400, 1600
HORIZON = 0.6  # of the height


def compose_scene(seed: int = 5) -> Image.Image:
    """A terrace by the sea after sunset with strings of lamps, out of focus as behind a guest: RGB, WIDTH x HEIGHT."""
    random = np.random.default_rng(seed)
    picture = _sky(random)
    _sea(picture, random)
    _shore(picture, random)
    picture = plane(cv2.GaussianBlur(picture, (0, 0), 5))
    _rail(picture)
    _lamps(picture, random)
    picture += random.normal(0, 1.6, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))


def _ramp(stops: list[tuple[float, tuple[int, int, int]]], at: Plane) -> Plane:
    """Colours along a line of stops, smooth between them."""
    places = [place for place, _ in stops]
    return np.stack([np.interp(at, places, [c[i] for _, c in stops]) for i in range(3)], -1).astype(np.float32)


def _cloud(random: np.random.Generator, wide: float, high: float) -> Plane:
    """Noise in stretched patches, zero mean, unit spread."""
    total = np.zeros((HEIGHT // 4, WIDTH // 4), np.float32)
    for octave in range(4):
        rough = random.standard_normal(total.shape, np.float32)
        rough = plane(cv2.GaussianBlur(rough, (0, 0), sigmaX=wide / 2**octave, sigmaY=high / 2**octave))
        total += rough / float(rough.std()) / 1.7**octave
    large = plane(cv2.resize(total, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))
    return plane((large - large.mean()) / large.std())


def _sky(random: np.random.Generator) -> Plane:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    height = y / HEIGHT / HORIZON
    stops = [(0.0, (22, 30, 74)), (0.4, (68, 60, 122)), (0.68, (170, 96, 122)), (0.87, (240, 146, 104))]
    sky = _ramp([*stops, (1.0, (255, 196, 128))], height[:, 0])[:, None].repeat(WIDTH, axis=1)
    sun = np.exp(-(((x / WIDTH - 0.74) / 0.26) ** 2) - ((height - 1.0) / 0.3) ** 2)[..., None]
    sky += sun * plane([70, 56, 20])
    cloud = np.clip(_cloud(random, 60, 7) - 0.2, 0, 1.6)[..., None] * np.clip(height * 1.2, 0.2, 1)[..., None]
    lit = _ramp([(0.0, (70, 66, 120)), (0.6, (216, 120, 134)), (1.0, (255, 190, 140))], height[:, 0])[:, None]
    sky += np.clip(cloud * 0.55, 0, 1) * (lit - sky)
    return np.asarray(sky, np.float32)


def _sea(picture: Plane, random: np.random.Generator) -> None:
    """Mirror the sky below the horizon, darker toward the viewer, broken by ripples."""
    line = round(HEIGHT * HORIZON)
    depth = HEIGHT - line
    mirrored = picture[line - depth : line][::-1] if depth <= line else picture[:line][::-1]
    mirrored = plane(cv2.blur(mirrored, (81, 25)))
    near = np.linspace(0, 1, mirrored.shape[0], dtype=np.float32)[:, None, None]
    ripple = _cloud(random, 26, 2.2)[line : line + mirrored.shape[0], :, None]
    tint = mirrored * (0.82 - 0.5 * near) * (1 + 0.13 * ripple) + plane([4, 10, 26]) * near
    picture[line : line + mirrored.shape[0]] = tint


def _shore(picture: Plane, random: np.random.Generator) -> None:
    """Hills across the bay, with the lights of a town and their reflections."""
    line = round(HEIGHT * HORIZON)
    x = np.arange(WIDTH, dtype=np.float32) / WIDTH
    for rise, phase, colour in ((0.1, 0.6, (112, 78, 116)), (0.06, 2.4, (64, 50, 86))):
        shape = 0.55 + 0.3 * np.sin(5 * x + phase) + 0.15 * np.sin(13 * x + 3 * phase)
        top = line - rise * HEIGHT * np.clip(shape - 0.9 * np.exp(-(((x - 0.76) / 0.16) ** 2)), 0.02, 1)
        outline = np.stack([np.arange(WIDTH), top], axis=1)
        outline = np.concatenate([outline, [[WIDTH, line], [0, line]]]).astype(np.int32)
        cv2.fillPoly(picture, [outline], colour, cv2.LINE_AA)
    for _ in range(70):
        at = (int(random.uniform(0, WIDTH)), int(line - abs(random.normal(0, 0.018)) * HEIGHT - 6))
        if abs(at[0] / WIDTH - 0.76) > 0.1:
            glow = float(random.uniform(0.5, 1))
            _disc(picture, at, random.uniform(5, 9), (255 * glow, 190 * glow, 110 * glow))
            below = (at[0], 2 * line - at[1] + 24)
            for row in range(9):  # broken by the ripples
                _disc(
                    picture,
                    (below[0] + int(random.normal(0, 3)), below[1] + 9 * row),
                    6,
                    (90 * glow, 62 * glow, 30 * glow),
                )


def _rail(picture: Plane) -> None:
    """The terrace's balustrade, dark against the water."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    top = round(0.8 * HEIGHT)
    cv2.rectangle(mask, (0, top), (WIDTH, top + 34), 1, -1)
    cv2.rectangle(mask, (0, round(0.965 * HEIGHT)), (WIDTH, HEIGHT), 1, -1)
    for left in range(-20, WIDTH, 118):
        cv2.rectangle(mask, (left, top), (left + 22, HEIGHT), 1, -1)
    mask = plane(cv2.GaussianBlur(mask, (0, 0), 9))[..., None]
    edge = np.clip(mask - np.roll(mask, 12, axis=0), 0, 1)
    picture += mask * 0.93 * (plane([30, 24, 40]) - picture)
    picture += edge * plane([120, 72, 40])


def _lamps(picture: Plane, random: np.random.Generator) -> None:
    """Three strings of warm lamps, each a disc of blur with its glow."""
    glow = np.zeros((HEIGHT // 8, WIDTH // 8, 3), np.float32)
    for start, end, sag, count, size in (
        (0.02, 0.16, 0.13, 12, 30),
        (0.2, 0.03, 0.12, 14, 24),
        (0.3, 0.26, 0.07, 19, 15),
    ):
        along = np.linspace(-0.02, 1.02, 200)
        droop = start + (end - start) * along + sag * 4 * along * (1 - along) * 0.5
        wire = np.stack([along * WIDTH, droop * HEIGHT], axis=1).astype(np.int32)
        shade = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.polylines(shade, [wire], False, 1, max(2, size // 6), cv2.LINE_AA)
        picture *= 1 - 0.45 * cv2.GaussianBlur(shade, (0, 0), size / 6)[..., None]
        for number in range(count):
            place = (number + 0.5 + random.uniform(-0.1, 0.1)) / count
            x, y = place * WIDTH, np.interp(place, along, droop) * HEIGHT + size
            warmth = random.uniform(0.75, 1)
            colour = (265 * warmth, 186 * warmth, 84 * warmth)
            _disc(picture, (int(x), int(y)), size * random.uniform(0.9, 1.1), colour)
            cv2.circle(glow, (int(x / 8), int(y / 8)), size // 4, colour, -1)
    spread = plane(cv2.GaussianBlur(glow, (0, 0), 9)) + plane(cv2.GaussianBlur(glow, (0, 0), 28)) / 2
    picture += plane(cv2.resize(spread, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)) * np.float32(0.55)


def _disc(picture: Plane, at: tuple[int, int], radius: float, colour: tuple[float, float, float]) -> None:
    """A point of light out of focus: a disc with a slightly brighter rim, laid over the picture as light is."""
    reach = int(radius) + 4
    left, top = max(at[0] - reach, 0), max(at[1] - reach, 0)
    part = picture[top : at[1] + reach, left : at[0] + reach]
    if part.size:
        y, x = np.mgrid[0 : part.shape[0], 0 : part.shape[1]].astype(np.float32)
        away = np.hypot(x + left - at[0], y + top - at[1])
        disc = np.clip((radius - away) / 3 + 0.5, 0, 1) * (0.7 + 0.22 * np.clip(away / radius, 0, 1) ** 3)
        light = disc[..., None].astype(np.float32) * plane(colour)
        part += light * (1 - part / 330)
