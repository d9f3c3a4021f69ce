"""Oil painting: thousands of brush strokes along the forms, large ones first, lit as relief over canvas."""

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.looks import texture
from boothd.providers.studio.looks.canvas import Band, blur, blur_plain, paint, unit, working_copy
from boothd.providers.studio.looks.flow import Flow, flow_of, smear
from boothd.providers.studio.looks.look import Check, Field, Image
from boothd.providers.studio.looks.tone import balanced, luminance

# brush width in units, stroke length in widths, how wrong the painting must be (0..255) before it gets a stroke
BRUSHES = ((38.0, 3.5, 0.0), (20.0, 4.0, 14.0), (10.0, 4.5, 20.0), (5.0, 4.5, 27.0))
MOST_STROKES = 12_000  # per brush: bounds the time for a picture that is all detail
STEPS = 6  # points per half stroke


def oil(image: Image, check: Check) -> Image:
    """Paint `image` in oil; RGB of the same size."""
    height, width = image.shape[:2]
    work = balanced(working_copy(image, 3.6e6), 1.25)
    check()
    size = unit(work)
    low = working_copy(work, 1.0e6)
    shrink = low.shape[0] / work.shape[0], low.shape[1] / work.shape[1]
    swirl = cv2.resize(texture.clouds(height, width, 300, 141), low.shape[1::-1]).astype(np.float32) * np.float32(0.8)
    flow = flow_of(luminance(low), 5 * unit(low), swirl + np.float32(0.5))
    check()
    # RGB plus, in the fourth plane, how thick the paint lies.
    canvas = np.full((*work.shape[:2], 4), 96, np.uint8)
    rng = np.random.default_rng(143)
    for brush_width, length, error in BRUSHES:
        _layer(canvas, work, low, flow, shrink, (brush_width * size, length, error), rng, check)
    body = _bristles(canvas, flow, size, check)
    weave = _weave()

    def brush(band: Band) -> Field:
        colour = band.sample(canvas, flags=cv2.INTER_CUBIC)[..., :3].astype(np.float32)
        relief = band.sample(body) + 0.020 * band.weave(weave, 0.55, 0.55)
        colour *= (1 + relief)[..., None]
        # Wet paint glints where the ridges face the light.
        colour += (np.maximum(relief - 0.07, 0) * 170)[..., None]
        return colour

    return paint(height, width, check, brush)


def _layer(
    canvas: Image,
    work: Image,
    low: Image,
    flow: Flow,
    shrink: tuple[float, float],
    brush: tuple[float, float, float],
    rng: np.random.Generator,
    check: Check,
) -> None:
    """Paint the strokes of one brush onto `canvas`, only where what is there differs from the picture by more than
    the brush's error; positions in the working copy's pixels, flow and colours at the size of `low`."""
    width_px, length, error = brush
    height, width = work.shape[:2]
    step = max(2.0, width_px * 0.62)
    rows, columns = max(1, int(height / step)), max(1, int(width / step))
    grid_y, grid_x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x = ((grid_x + rng.uniform(0.1, 0.9, grid_x.shape)) * (width / columns)).ravel()
    y = ((grid_y + rng.uniform(0.1, 0.9, grid_y.shape)) * (height / rows)).ravel()
    scale = width_px * shrink[1]
    target = blur(low.astype(np.float32), max(0.3, scale * 0.28))
    check()
    if error > 0:
        there = cv2.resize(canvas, low.shape[1::-1], interpolation=cv2.INTER_AREA)[..., :3].astype(np.float32)
        wrong = blur_plain(np.abs(there - target).max(axis=2), max(0.5, scale * 0.35))
        keep = _at(wrong, x, y, shrink) > error
        x, y = x[keep], y[keep]
    check()
    if x.size == 0:
        return
    order = rng.permutation(x.size)[:MOST_STROKES]
    x, y = x[order], y[order]
    colours = _at(target, x, y, shrink)
    check()
    paths, counts = _trace(x, y, colours, target, flow, shrink, width_px * length / 2 / STEPS, error)
    check()
    # No two loads of the brush are quite the same paint.
    colours = np.clip(colours + rng.normal(0, 4.0, colours.shape) + rng.normal(0, 5.0, (x.size, 1)), 0, 255)
    thick = rng.integers(40, 200, x.size)
    widths = np.maximum(1, np.round(width_px * rng.uniform(0.75, 1.15, x.size))).astype(int)
    for stroke in range(x.size):
        if stroke % 1000 == 0:
            check()
        red, green, blue = colours[stroke].tolist()
        cv2.polylines(
            canvas,
            [paths[stroke, STEPS - counts[0][stroke] : STEPS + 1 + counts[1][stroke]]],
            False,
            (red, green, blue, int(thick[stroke])),
            int(widths[stroke]),
        )


def _trace(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    colours: Field,
    target: Field,
    flow: Flow,
    shrink: tuple[float, float],
    step: float,
    error: float,
) -> tuple[NDArray[np.int32], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The course of each stroke through its middle (x, y): points, shape (n, 2 * STEPS + 1, 2), and how many of them
    count to either side before the picture's colour leaves the stroke's."""
    paths = np.empty((x.size, 2 * STEPS + 1, 2), np.float32)
    paths[:, STEPS] = np.stack([x, y], 1)
    counts = []
    bound = max(24.0, 1.6 * error)
    for side in (-1, 1):
        at_x, at_y = x.copy(), y.copy()
        way_x, way_y = side * _at(flow.x, x, y, shrink), side * _at(flow.y, x, y, shrink)
        alive = np.ones(x.size, bool)
        count = np.zeros(x.size, np.int64)
        for number in range(1, STEPS + 1):
            at_x, at_y = at_x + step * way_x, at_y + step * way_y
            paths[:, STEPS + side * number, 0], paths[:, STEPS + side * number, 1] = at_x, at_y
            alive &= np.abs(_at(target, at_x, at_y, shrink) - colours).max(axis=1) < bound
            count += alive
            next_x, next_y = _at(flow.x, at_x, at_y, shrink), _at(flow.y, at_x, at_y, shrink)
            turn = np.where(next_x * way_x + next_y * way_y < 0, np.float32(-1), np.float32(1))
            way_x, way_y = next_x * turn, next_y * turn
        counts.append(count)
    return np.round(paths).astype(np.int32), (counts[0], counts[1])


def _at(field: Field, x: NDArray[np.float32], y: NDArray[np.float32], shrink: tuple[float, float]) -> Field:
    rows = np.clip((y * shrink[0]).astype(np.int64), 0, field.shape[0] - 1)
    columns = np.clip((x * shrink[1]).astype(np.int64), 0, field.shape[1] - 1)
    return field[rows, columns]


def _bristles(canvas: Image, flow: Flow, size: float, check: Check) -> Field:
    """How the painted relief catches the light from above left, about -0.3..0.3; at half the canvas' area."""
    height, width = flow.x.shape
    height, width = round(height * 1.4), round(width * 1.4)
    wide = Flow(*(cv2.resize(part, (width, height)).astype(np.float32) for part in (flow.x, flow.y)))
    check()
    hairs = np.random.default_rng(147).standard_normal((height, width), np.float32)
    scale = (height * width) ** 0.5 / 1000
    hairs = smear(blur_plain(hairs, 0.55 * scale), wide, 22 * scale)
    check()
    hairs /= max(float(hairs.std()), 1e-4)
    check()
    thick = cv2.resize(canvas[..., 3].astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) / 255
    heights = blur_plain(thick.astype(np.float32) * np.float32(1.3) + hairs * np.float32(0.16), 0.6 * scale)
    check()
    light = cv2.Sobel(heights, cv2.CV_32F, 1, 0) + cv2.Sobel(heights, cv2.CV_32F, 0, 1)
    return np.asarray(np.tanh(light * (0.2 * scale)) * 0.30, np.float32)


def _weave() -> Field:
    """Linen: threads over and under, a repeatable tile, mean 0."""
    turn = np.arange(256, dtype=np.float32) * np.float32(2 * np.pi / 8)
    over = np.maximum(
        np.cos(turn)[None, :] * np.cos(turn / 2)[:, None], np.cos(turn)[:, None] * np.sin(turn / 2)[None, :]
    )
    linen = over + 0.25 * texture.tile(149, side=256, along=2.0, across=0.7)
    return np.asarray(linen - linen.mean(), np.float32)
