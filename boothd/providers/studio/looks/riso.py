"""Risograph: three spot colours, grainy screens, not quite in register."""

import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, ramp, unit, working_copy
from boothd.providers.studio.looks.ink import print_ink, sheet, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced, drawn_tone

PAPER = (250.0, 246.0, 236.0)
CORAL, TEAL, SUN = (255.0, 88.0, 84.0), (0.0, 96.0, 128.0), (255.0, 214.0, 64.0)


def riso(image: Image, check: Check) -> Image:
    """Print `image` with a stencil duplicator's inks; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 1.6e6)
    size = unit(work)
    tone = drawn_tone(work, local=0.7)
    colour = balanced(work, 1.25).astype(np.float32) / 255
    check()
    detail = tone + 0.8 * (tone - blur(tone, 2 * size))
    warm = colour[..., 0] - colour[..., 2]
    # What each stencil prints, 0..1: teal draws the darks, coral the warm middle, sun the lit warm parts.
    teal = ramp(detail + 0.32 * warm, 0.60, -0.04)
    coral = np.clip(
        0.62 * ramp(tone, 0.90, 0.20) * ramp(warm, -0.35, 0.05)
        + 0.75 * ramp(colour[..., 0] - colour[..., 1], 0.03, 0.45),
        0,
        1,
    )
    sun = np.clip(0.80 * ramp(warm, 0.06, 0.7) * ramp(tone, 0.05, 0.4) + 0.04, 0, 1).astype(np.float32)
    check()
    plates = ((sun, SUN, 1.2, -0.8), (coral, CORAL, -1.6, 0.9), (teal, TEAL, 0.9, 1.5))
    grains = [texture.tile(80 + plate, along=0.75, across=0.75) for plate in range(3)]
    rollers = [texture.clouds(height, width, 150, 85 + plate) for plate in range(3)]
    grain = texture.paper(89)
    check()

    def brush(band: Band) -> Field:
        tooth = band.weave(grain, 0.8, 0.8)
        page = sheet(band, PAPER, tooth, 0.010)
        for (stencil, ink, dx, dy), speck, roller in zip(plates, grains, rollers, strict=True):
            amount = band.sample(stencil, dx, dy)
            screen = band.weave(speck, 0.6, 0.6)
            cover = threshold(amount * 3.6 - 1.8 - screen * 0.72, 0.8)
            cover *= np.clip(0.92 + 0.05 * band.sample(roller) + 0.03 * tooth, 0, 1)
            print_ink(page, ink, cover)
        return page

    return paint(height, width, check, brush)
