"""Pop art: four silkscreen panels, each in its own four inks, the key plate slightly off."""

import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, unit, working_copy
from boothd.providers.studio.looks.ink import Colour, threshold
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import drawn_tone

# light, middle, shade, key: from the ground up
PANELS: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    ((255, 222, 66), (255, 128, 158), (226, 38, 112), (30, 20, 70)),
    ((120, 220, 232), (255, 236, 150), (250, 118, 46), (20, 42, 96)),
    ((255, 176, 196), (126, 220, 170), (0, 146, 150), (72, 14, 66)),
    ((206, 232, 96), (250, 150, 80), (206, 36, 60), (16, 22, 40)),
)


def popart(image: Image, check: Check) -> Image:
    """Print `image` four times in loud colours; RGB of the same size."""
    height, width = image.shape[:2]
    work = working_copy(image, 0.8e6)
    size = unit(work)
    tone = drawn_tone(work, local=0.8)
    check()
    flat = np.clip(blur(tone, 1.6 * size), 0, 1)
    key = np.clip(tone + 1.2 * (tone - blur(tone, 5 * size)), 0, 1).astype(np.float32, copy=False)
    check()
    # Equal areas for the four inks, whatever the light was; a flat picture falls back on fixed steps.
    shares = np.quantile(flat[::3, ::3], (0.16, 0.42, 0.70))
    cuts = [0.6 * float(share) + 0.4 * step for share, step in zip(shares, (0.2, 0.45, 0.7), strict=True)]
    grain, mottle = texture.paper(91), texture.clouds(height, width, 12, 93)
    # Each panel is the whole picture at half size, so low-resolution fields repeat twice either way.
    fields = [np.tile(field, (2, 2)) for field in (flat, key)]
    check()

    def brush(band: Band) -> Field:
        tooth, blotch = band.weave(grain, 0.9, 0.9), band.sample(mottle)
        under, over = band.sample(fields[0]), band.sample(fields[1], 1.1, 1.4)
        soft = 0.045 / max(0.5, band.unit)
        light = threshold(under - cuts[2], soft)
        middle = threshold(under - cuts[1], soft)
        black = threshold(cuts[0] * 1.06 - over + 0.012 * tooth + 0.01 * blotch, soft)
        black *= 1 - 0.75 * threshold(0.5 * tooth + 0.5 * blotch - 1.5, 0.5)
        out = np.empty((band.rows, band.width, 3), np.float32)
        for row in range(2):
            above, below = ((band.height + 1) // 2) * row - band.top, ((band.height + 1) // 2) * (row + 1) - band.top
            rows = slice(max(0, above), max(0, min(band.rows, below)))
            for column in range(2):
                half = (band.width + 1) // 2
                part = rows, slice(half * column, min(band.width, half * (column + 1)))
                ground, mid, shade, ink = PANELS[row * 2 + column]
                for channel in range(3):
                    plane = np.full(light[part].shape, np.float32(shade[channel]))
                    plane += middle[part] * (mid[channel] - plane)
                    plane += light[part] * (ground[channel] - plane)
                    plane *= 1 + 0.012 * tooth[part]
                    plane += black[part] * (ink[channel] - plane)
                    out[(*part, channel)] = plane
        return out

    return paint(height, width, check, brush)
