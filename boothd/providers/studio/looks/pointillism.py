"""Pointillism: the picture as dabs of pure colour that only the eye mixes."""

import cv2
import numpy as np

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, paint, unit, working_copy
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced

# radius in units, distance between dabs in radii, colour scatter 0..255
LAYERS = ((8.4, 1.15, 13.0), (5.4, 1.35, 24.0), (2.9, 1.4, 14.0))
GROUND = (238, 228, 204)


def pointillism(image: Image, check: Check) -> Image:
    """Dab `image` together; RGB of the same size."""
    height, width = image.shape[:2]
    source = working_copy(image, 1.0e6)
    source = balanced(source, 1.5)
    check()
    work = working_copy(image, 5.0e6)
    size = unit(work)
    # RGB plus a height for the light on each dab.
    canvas = np.empty((*work.shape[:2], 4), np.uint8)
    canvas[:] = (*GROUND, 60)
    rng = np.random.default_rng(151)
    detail = _detail(source)
    for number, (radius, gap, scatter) in enumerate(LAYERS):
        check()
        _dab(canvas, source, detail if number == 2 else None, (radius * size, gap, scatter), rng, check)
    check()
    ridge = _light(canvas, size)
    check()
    grain = texture.paper(153)

    def brush(band: Band) -> Field:
        colour = band.sample(canvas, flags=cv2.INTER_CUBIC)[..., :3].astype(np.float32)
        colour *= (1 + band.sample(ridge) + 0.018 * band.weave(grain, 1.0, 1.0))[..., None]
        return colour

    return paint(height, width, check, brush)


def _detail(source: Image) -> Field:
    tone = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.abs(tone - blur(tone, 4 * unit(source)))


def _dab(
    canvas: Image,
    source: Image,
    detail: Field | None,
    dab: tuple[float, float, float],
    rng: np.random.Generator,
    check: Check,
) -> None:
    """One layer of dabs (radius in pixels, distance in radii, scatter 0..255); with `detail` only where it is high."""
    radius, gap, scatter = dab
    height, width = canvas.shape[:2]
    step = max(1.5, radius * gap)
    rows, columns = max(1, int(height / step)), max(1, int(width / step))
    grid_y, grid_x = np.mgrid[0:rows, 0:columns]
    y = ((grid_y + rng.uniform(0, 1, grid_y.shape)) * (height / rows)).ravel()
    x = ((grid_x + 0.5 * (grid_y % 2) + rng.uniform(0, 1, grid_x.shape) - 0.25) * (width / columns)).ravel()
    row = np.clip((y / height * source.shape[0]).astype(int), 0, source.shape[0] - 1)
    column = np.clip((x / width * source.shape[1]).astype(int), 0, source.shape[1] - 1)
    if detail is not None:
        keep = detail[row, column] > 6
        x, y, row, column = x[keep], y[keep], row[keep], column[keep]
    smooth = cv2.blur(source, (3, 3))
    colours = smooth[row, column].astype(np.float64)
    # Neighbouring dabs differ in hue, not in light: what one has too much of red the next has too little.
    tint = rng.normal(0, scatter, colours.shape)
    tint -= (tint @ np.array((0.299, 0.587, 0.114)))[:, None]
    colours = np.clip(colours + tint + rng.normal(0, scatter * 0.22, (x.size, 1)), 0, 255)
    radii = radius * rng.uniform(0.72, 1.12, x.size)
    order = rng.permutation(x.size)
    centres = np.round(np.stack([x, y], 1) * 16).astype(int).tolist()
    sizes = np.maximum(8, np.round(radii * 16)).astype(int).tolist()
    thick = rng.integers(70, 250, x.size).tolist()
    paints = colours.tolist()
    for count, dot in enumerate(order.tolist()):
        if count % 4000 == 0:
            check()
        cv2.circle(canvas, centres[dot], sizes[dot], (*paints[dot], thick[dot]), -1, cv2.LINE_AA, 4)


def _light(canvas: Image, size: float) -> Field:
    """The light on the dabs' edges, about -0.25..0.25."""
    half = (
        cv2.resize(canvas[..., 3], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        if min(canvas.shape[:2]) > 4
        else canvas[..., 3]
    )
    heights = blur(half.astype(np.float32) / 255, 0.45 * size)
    slope = cv2.Sobel(heights, cv2.CV_32F, 1, 0) + cv2.Sobel(heights, cv2.CV_32F, 0, 1)
    return np.asarray(np.tanh(slope * 0.35) * 0.2, np.float32)
