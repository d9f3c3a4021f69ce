"""Charcoal and white chalk on toned paper: smudged masses that follow the form, broken by the paper's tooth."""

import cv2
import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import flow_of, smear
from boothd.providers.studio.looks.ink import contours, sheet, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import drawn_tone

PAPER = (188.0, 171.0, 148.0)
COAL, CHALK = (30.0, 27.0, 26.0), (250.0, 246.0, 236.0)


def charcoal(image: Image, check: Check) -> Image:
    """Draw `image` in charcoal and chalk; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 1.8e6)
    check()
    size = unit(work)
    tone = drawn_tone(work, local=0.8)
    check()
    flow = flow_of(tone, 5 * size, idle_angle=0.95)
    check()
    rubbed = texture.noise(work.shape[0], work.shape[1], 1.1, 41)
    check()
    rubbed = smear(_fit(rubbed, tone), flow, 26 * size)
    rubbed /= max(float(rubbed.std()), 1e-4)
    check()
    soft = smear(blur(tone, 1.2 * size), flow, 6 * size)
    check()
    outline = contours(tone, flow, 1.7 * size, 12 * size, keep=0.975)
    check()
    grain = texture.paper(43)

    def brush(band: Band) -> Field:
        light = band.sample(soft)
        tooth = band.weave(grain, 0.7, 0.7)
        stroke = band.sample(rubbed)
        rough = 0.34 * stroke + 0.36 * tooth
        dark = ramp(light, 0.66, 0.04)
        # Two passes of the stick: a rubbed-in veil, and strokes that only catch the tooth.
        coal = 0.55 * dark * (0.8 + 0.2 * ramp(stroke, -1.5, 1.5))
        coal = np.maximum(coal, threshold(rough + 2.0 * dark - 0.95, 0.5) * (0.38 + 0.57 * dark))
        line = threshold(band.sample(outline) * 26 - 0.75 + 0.35 * tooth + 0.2 * stroke, 0.6)
        coal = np.maximum(coal, 0.9 * line)
        white = ramp(light, 0.60, 1.0)
        chalk = threshold(rough + 2.0 * white - 1.05, 0.6) * (0.30 + 0.62 * white) * (1 - line)
        out = sheet(band, PAPER, tooth, 0.022)
        for channel in range(3):
            plane = out[..., channel]
            plane += chalk * (CHALK[channel] - plane)
            plane += coal * (COAL[channel] - plane)
        return out

    return paint(height, width, check, brush)


def _fit(field: Field, like: Field) -> Field:
    height, width = like.shape
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False)
