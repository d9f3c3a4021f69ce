"""Linocut: gouge cuts that run along the forms, in one dark ink over a tinted sheet."""

import cv2
import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, blur_plain, mix, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import Flow, flow_of, smear
from boothd.providers.studio.looks.ink import contours, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import drawn_tone

PAPER, INK = (240.0, 230.0, 208.0), (28.0, 30.0, 38.0)
GOUGE = 3.4  # units, half the distance between cuts


def linocut(image: Image, check: Check) -> Image:
    """Cut `image` in lino and print it; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 1.2e6)
    size = unit(work)
    check()
    tone = _calm_tone(work, size, check)
    check()
    flow = flow_of(tone, 9 * size, idle_angle=0.5)
    cuts = _cuts(tone, flow, size, check)
    check()
    outline = contours(tone, flow, 1.6 * size, 10 * size, keep=0.98)
    check()
    patches = texture.clouds(height, width, 30, 63)
    grain = texture.paper(65)

    def brush(band: Band) -> Field:
        light = band.sample(tone)
        tooth = band.weave(grain, 0.9, 0.9)
        line = band.sample(cuts)  # -1..1: the top of a cut is 1
        # Darkest and lightest parts stay whole; between them the cuts widen with the light.
        level = ramp(light, 0.10, 0.78) * 2 - 1
        solid = threshold(level * 1.22 + line * 1.05, 0.35 / max(0.6, band.unit))
        edges = threshold(band.sample(outline) * 30 - 0.42, 0.6 / max(0.6, band.unit))
        ink = (1 - solid) * 1.0
        ink = np.maximum(ink, edges)
        # Ink lies unevenly: specks of paper show through where the roller was dry.
        dry = threshold(tooth * 0.5 + band.sample(patches) * 0.35 - 1.15, 0.5)
        ink *= 1 - 0.55 * dry
        ink *= 0.97 + 0.015 * tooth
        return mix(PAPER, INK, np.clip(ink, 0, 1)) * (1 + 0.01 * tooth)[..., None]

    return paint(height, width, check, brush)


def _calm_tone(work: Image, size: float, check: Check) -> Field:
    """The tone without the small detail that a gouge cannot follow."""
    tone = drawn_tone(work, local=1.0)
    check()
    return cv2.bilateralFilter(tone, 0, 0.12, 2.2 * size).astype(np.float32, copy=False)


def _cuts(tone: Field, flow: Flow, size: float, check: Check) -> Field:
    """Parallel ridges -1..1 along the flow, GOUGE apart: noise, again and again drawn out along the forms and pressed
    into one width across them, until it settles into stripes."""
    rng = np.random.default_rng(61)
    grid = max(1, round(tone.shape[0] / size / 2)), max(1, round(tone.shape[1] / size / 2))
    ridges: Field = cv2.resize(
        rng.standard_normal(grid, np.float32), tone.shape[::-1], interpolation=cv2.INTER_CUBIC
    ).astype(np.float32)
    for _ in range(6):
        check()
        ridges = smear(ridges, flow, 14 * size)
        ridges = blur_plain(ridges, GOUGE * 0.42 * size) - blur(ridges, GOUGE * 0.85 * size)
        spread = np.sqrt(blur(ridges * ridges, 8 * size)) + np.float32(1e-6)
        ridges = np.asarray(np.tanh(ridges / spread * 1.1), np.float32)
    return smear(ridges, flow, 4 * size)
