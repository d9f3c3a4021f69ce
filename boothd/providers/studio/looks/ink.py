"""Ink: contour lines, halftone screens and spot colours laid over paper."""

import math

import numpy as np

from boothd.providers.studio.looks.canvas import Band, blur_plain
from boothd.providers.studio.looks.flow import Flow, smear
from boothd.providers.studio.looks.look import Field

Colour = tuple[float, float, float]


def contours(tone: Field, flow: Flow, width_px: float, length_px: float, keep: float = 0.97) -> Field:
    """How strongly a draughtsman would put a line here: below 0 none, above 0 a line; smooth, so enlarge first and
    threshold after. A difference of two blurs, drawn out along the flow.

    width_px: about half the line's width; length_px: how far lines join; keep: 0.9 few lines .. 1.0 many."""
    narrow, wide = blur_plain(tone, width_px), blur_plain(tone, width_px * 1.6)
    edge = wide * np.float32(keep) - narrow
    return smear(edge, flow, length_px)


def dots(band: Band, period: float, angle: float, dx: float = 0.0, dy: float = 0.0) -> Field:
    """A dot screen: 0..1, evenly spread, so that `screen < darkness` covers that share of the paper.

    period: units between dots; angle: degrees; (dx, dy): misregistration, units."""
    turn = 2 * math.pi / period
    cos, sin = turn * math.cos(math.radians(angle)), turn * math.sin(math.radians(angle))
    x, y = band.across(dx), band.down(dy)
    # cos(a + b) by the addition theorem: trigonometry per row and column, only products per pixel.
    first = np.cos(cos * x) * np.cos(sin * y) - np.sin(cos * x) * np.sin(sin * y)
    second = np.cos(sin * x) * np.cos(cos * y) + np.sin(sin * x) * np.sin(cos * y)
    screen = (first + second) * np.float32(0.25)
    # The sum of two cosines is not evenly spread; this polynomial is its distribution to within 2.4 %.
    square = screen * screen
    bent = np.float32(1.574) + square * (np.float32(11.938) * square - np.float32(5.121))
    return np.asarray(np.float32(0.5) + screen * bent, np.float32)


def edge_of(period_px: float) -> float:
    """The `softness` that gives a screen of this period edges about one pixel wide."""
    return min(1.0, 3.0 / max(period_px, 1e-3))


def threshold(value: Field, softness: float) -> Field:
    """0 below 0, 1 above 0, over an edge `softness` wide, centred on 0."""
    out = value * np.float32(1 / softness)
    out += np.float32(0.5)
    return np.clip(out, 0, 1, out=out)


def print_ink(paper: Field, colour: Colour, cover: Field) -> Field:
    """Transparent ink over `paper` (rows, width, 3), 0..255: multiplies by `colour` where `cover` is 1; in place."""
    for channel in range(3):
        paper[..., channel] *= 1 - cover * np.float32(1 - colour[channel] / 255)
    return paper


def sheet(band: Band, colour: Colour, texture: Field | None = None, depth: float = 0.0) -> Field:
    """Blank paper of `colour` for this band, shaded by `texture` (mean 0, deviation 1) times `depth` 0..1."""
    shade = np.ones((band.rows, band.width), np.float32) if texture is None else 1 + np.float32(depth) * texture
    return np.dstack([shade * np.float32(part) for part in colour]).astype(np.float32, copy=False)
