"""Comic: bold ink outlines, flat colours, Ben-Day dots in the shade."""

import cv2
import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.flow import flow_of
from boothd.providers.studio.looks.ink import contours, dots, edge_of, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced, drawn_tone, luminance

PERIOD = 7.0  # units between Ben-Day dots
INK = (22.0, 18.0, 30.0)


def comic(image: Image, check: Check) -> Image:
    """Redraw `image` as a printed comic; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 1.6e6)
    size = unit(work)
    flow = flow_of(luminance(work), 3 * size)
    check()
    tone = drawn_tone(work, local=0.7)
    check()
    calm = cv2.bilateralFilter(tone, 0, 0.1, 1.2 * size).astype(np.float32)
    check()
    outline = contours(calm, flow, 1.35 * size, 14 * size)
    check()
    small = balanced(working_copy(image, 0.5e6), 1.55)
    for _ in range(4):
        small = cv2.bilateralFilter(small, 7, 26, 4).astype(np.uint8, copy=False)
        check()
    light = np.maximum(luminance(small), np.float32(0.10))
    # Pure colour, apart from how light it is: lightness comes back in flat steps.
    hue = (small.astype(np.float32) / 255 / light[..., None]).astype(np.float32)
    steps = cv2.medianBlur(np.round(drawn_tone(small, local=0.3) * 255).astype(np.uint8), 7).astype(np.float32) / 255
    check()
    spot = cv2.bilateralFilter(tone, 0, 0.15, 2.0 * size).astype(np.float32, copy=False)
    check()
    grain = texture.paper(101)

    def brush(band: Band) -> Field:
        step = band.sample(steps)
        soft = 0.05 / max(0.5, band.unit)
        lit = threshold(step - 0.74, soft)
        middle = threshold(step - 0.44, soft)
        deep = threshold(step - 0.20, soft)
        screen = dots(band, PERIOD, 30)
        shade = ramp(step, 0.62, 0.40) * 0.42 + 0.12
        dotted = threshold(shade - screen, edge_of(PERIOD * band.unit)) * (1 - lit)
        level = 0.22 + 0.27 * deep + 0.23 * middle + 0.22 * lit
        level *= 1 - 0.26 * dotted
        paper = np.clip(0.985 + 0.012 * band.weave(grain, 0.8, 0.8), 0, 1)
        black = np.maximum(
            threshold(band.sample(outline) * 42 - 0.42, 1.0 / max(1.0, band.unit)),
            threshold(0.13 - band.sample(spot), 0.06 / max(0.6, band.unit)),
        )
        pure = band.sample(hue)
        out = np.minimum(pure * (level * 255)[..., None], 255.0)
        # Very light parts stay paper: comics do not print white.
        bare = 0.75 * ramp(step, 0.86, 0.92)
        for channel, (paper_colour, ink) in enumerate(zip((255.0, 251.0, 238.0), INK, strict=True)):
            plane = out[..., channel]
            plane += bare * (paper_colour - plane)
            plane *= paper * np.float32(paper_colour / 255)
            plane += black * (ink - plane)
        return np.asarray(out, np.float32)

    return paint(height, width, check, brush)
