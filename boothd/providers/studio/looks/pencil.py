"""Pencil: graphite hatching in layers on toothed paper, with a drawn outline."""

import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, mix, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import flow_of
from boothd.providers.studio.looks.ink import contours, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import drawn_tone

PAPER, GRAPHITE = (249.0, 247.0, 241.0), (52.0, 52.0, 58.0)
# angle in degrees, darkness where the layer begins and where it is full, strength, width of a stroke in units
HATCHING = ((38.0, 0.08, 0.60, 0.52, 0.95), (64.0, 0.34, 0.80, 0.60, 0.85), (-28.0, 0.58, 0.97, 0.80, 0.9))


def pencil(image: Image, check: Check) -> Image:
    """Draw `image` in pencil; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 2.0e6)
    check()
    tone = drawn_tone(work, local=0.55)
    check()
    size = unit(work)
    flow = flow_of(tone, 2.2 * size)
    check()
    bold = contours(tone, flow, 1.0 * size, 9 * size, keep=0.98)
    check()
    fine = contours(tone, flow, 0.55 * size, 5 * size, keep=0.985)
    check()
    grain = texture.paper(11)
    strokes = [texture.tile(20 + layer, along=1.2, across=0.75) for layer in range(len(HATCHING))]
    pressure = texture.clouds(height, width, 90, 31)
    edge_wobble = texture.clouds(height, width, 60, 37)
    check()

    def brush(band: Band) -> Field:
        dark = 1 - band.sample(tone)
        tooth = band.weave(grain, 0.62, 0.62)
        press = band.sample(pressure)
        dark *= _inside(band, band.sample(edge_wobble))
        light = np.ones_like(dark)
        for (angle, start, full, strength, thick), stroke in zip(HATCHING, strokes, strict=True):
            amount = ramp(dark, start, full)
            texture_here = band.weave(stroke, 17, thick, angle)
            cover = threshold(texture_here * 0.5 + tooth * 0.20 + amount * 2.6 - 1.40 + press * 0.08, 0.8)
            light *= 1 - cover * (strength * (0.45 + 0.50 * amount)) * (0.97 + 0.10 * tooth)
        line = np.maximum(ramp(band.sample(bold), 0.006, 0.035), 0.8 * ramp(band.sample(fine), 0.006, 0.03))
        light *= 1 - line * np.clip(0.86 + 0.16 * tooth + 0.06 * press, 0.25, 0.95)
        paper_light = 1 + 0.010 * tooth
        return mix(GRAPHITE, PAPER, light) * paper_light[..., None]

    return paint(height, width, check, brush)


def _inside(band: Band, wobble: Field) -> Field:
    """1 in the middle, falling to 0 at the sheet's margin, where a hand stops shading."""
    half_x, half_y = band.width / 2 / band.unit, band.height / 2 / band.unit
    reach = min(half_x, half_y)
    from_edge = np.minimum(half_x - np.abs(band.across()), half_y - np.abs(band.down())) / np.float32(reach)
    return ramp(from_edge + wobble * 0.035, 0.02, 0.22)
