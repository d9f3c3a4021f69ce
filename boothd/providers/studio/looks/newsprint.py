"""Newsprint: one black dot screen on cheap paper."""

import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, unit, working_copy
from boothd.providers.studio.looks.ink import dots, edge_of, print_ink, sheet, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import drawn_tone

PAPER, INK = (238.0, 231.0, 213.0), (26.0, 25.0, 28.0)
PERIOD = 6.4  # units between dots


def newsprint(image: Image, check: Check) -> Image:
    """Print `image` as a newspaper photo; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 1.6e6)
    tone = drawn_tone(work, local=0.6)
    check()
    size = unit(work)
    sharp = np.clip(tone + 1.1 * (tone - blur(tone, 2.5 * size)), 0, 1).astype(np.float32, copy=False)
    check()
    grain, stain = texture.paper(71), texture.clouds(height, width, 220, 73)
    pressure = texture.clouds(height, width, 40, 79)

    def brush(band: Band) -> Field:
        tooth = band.weave(grain, 0.8, 0.8)
        dark = 0.985 - band.sample(sharp) * 1.02
        # Dot gain: ink creeps along the fibres, so edges are ragged and the darks run together.
        screen = dots(band, PERIOD, 45)
        ink = threshold(
            dark * 1.04 - screen + 0.03 * tooth + 0.008 * band.sample(pressure), edge_of(PERIOD * band.unit)
        )
        ink *= np.clip(0.90 + 0.05 * tooth + 0.05 * band.sample(pressure), 0, 1)
        page = sheet(band, PAPER, tooth * 0.6 + band.sample(stain) * 0.8, 0.02)
        return print_ink(page, INK, ink)

    return paint(height, width, check, brush)
