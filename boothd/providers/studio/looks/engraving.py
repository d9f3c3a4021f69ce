"""Engraving: parallel burin lines whose swelling carries the tone and whose course follows the relief."""

import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, mix, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import flow_of
from boothd.providers.studio.looks.ink import contours, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import drawn_tone

PAPER, INK = (247.0, 243.0, 230.0), (18.0, 34.0, 42.0)
PITCH = 4.6  # units between lines


def engraving(image: Image, check: Check) -> Image:
    """Cut `image` as a copper engraving; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 1.8e6)
    check()
    size = unit(work)
    tone = drawn_tone(work, local=0.8)
    check()
    flow = flow_of(tone, 2 * size)
    check()
    outline = contours(tone, flow, 0.9 * size, 8 * size, keep=0.985)
    check()
    # Light parts bulge towards the viewer, so lines bend over them as over a relief.
    relief = blur(tone, 11 * size) * np.float32(15) + blur(tone, 32 * size) * np.float32(44)
    waves = texture.clouds(height, width, 260, 51) * 5
    grain = texture.paper(53)
    check()

    def brush(band: Band) -> Field:
        light = band.sample(tone)
        dark = np.power(1 - light, np.float32(1.15))
        bend = band.sample(relief) + band.sample(waves)
        tooth = band.weave(grain, 0.8, 0.8)
        soft = min(1.0, 3.2 / (PITCH * band.unit))
        ink = np.zeros_like(dark)
        # (direction, bend, begins at, full at, widest): the first carries all tones, the others cross it in the darks.
        for angle, lift, start, full, widest in (
            (62, 1.0, 0.06, 1.0, 0.86),
            (-8, 0.75, 0.42, 1.0, 0.6),
            (27, -0.5, 0.72, 1.05, 0.55),
        ):
            cos, sin = np.float32(np.cos(np.radians(angle))), np.float32(np.sin(np.radians(angle)))
            phase = (band.across() * sin + band.down() * cos + bend * np.float32(lift)) * np.float32(1 / PITCH)
            phase -= np.floor(phase)
            ridge = np.abs(phase * 2 - 1)  # 0 on the line .. 1 between lines
            swell = ramp(dark, start, full) * widest
            line = threshold(swell - ridge + 0.04 * tooth, soft)
            # A line thinner than the burin's point breaks off.
            ink = np.maximum(ink, line * ramp(swell, 0.03, 0.10))
        ink = np.maximum(ink, ramp(band.sample(outline), 0.008, 0.022))
        ink *= 0.95 + 0.03 * tooth
        return mix(PAPER, INK, np.clip(ink, 0, 1)) * (1 + 0.008 * tooth)[..., None]

    return paint(height, width, check, brush)
