"""Turns the screen into a recipe for the alpha of every pixel.

At a pixel the photo is `C = a F + (1 - a) B`. The screen's colour B is known from `screen`. The guest's colour F is
spread outward from where the guest is certainly solid. Both vary slowly, so they are kept for cells of some pixels,
and what is left for the pixel itself is linear in its colour: `a = offset - first * u - second * v`, where u and v are
how far the key channel stands over each of the two others. Grey differs in neither, so light and dark strands of the
same hair get the alpha that they should."""

from dataclasses import dataclass

import cv2
import numpy as np

from boothd.providers.studio.fill import Plane, fill, plane, smoothstep
from boothd.providers.studio.screen import Mask, Screen, others

FLOOR, CEILING = 0.02, 0.03  # alpha this near to 0 or 1 is taken for it; the noise that was measured is added
CLEAR = 2.0  # a floor above any alpha: nothing but screen here


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What a pixel needs to know from its cell; all planes are (h, w) cells.

    offset, first, second: the linear alpha above. core: 1 where the guest is certainly solid. ease: core / strength
    of the screen, so that `core - ease * difference` is the solid guest's alpha. floor: what counts as no alpha.
    screen: the bare screen. ceiling: how near to 1 counts as 1."""

    screen: Screen
    offset: Plane
    first: Plane
    second: Plane
    core: Plane
    ease: Plane
    floor: Plane
    ceiling: float


def make_recipe(small: Plane, screen: Screen, samples: Plane) -> Recipe:
    """Work out the recipe from the small picture.

    small: (h, w, 3) RGB, 0..255, a mean over each cell. samples: (h, w, 3), one single pixel out of each cell, from
    which the noise is measured."""
    strength = np.maximum(screen.difference(screen.colour), 4)
    cover = screen.cover(small)
    enclosed = _enclosed(cover)
    guest = _guest_colour(small, screen, plane(np.where(enclosed, 1, cover)))
    offset, first, second = _linear(screen, guest)
    for _ in range(2):
        cell_alpha = _apply(small, screen.key, offset, first, second)
        guest = _guest_colour(small, screen, plane(np.where(enclosed, 1, np.minimum(cover, cell_alpha))))
        offset, first, second = _linear(screen, guest)
    cell_alpha = np.clip(_apply(small, screen.key, offset, first, second), 0, 1)
    noise = _noise(_apply(samples, screen.key, offset, first, second)[screen.seen])
    core = _core(plane(np.where(enclosed, 1, cell_alpha)), plane(np.where(enclosed, 1, cover)))
    floor = plane(np.where(_clear(cell_alpha, cover, noise), CLEAR, min(FLOOR + 1.5 * noise, 0.12)))
    # in the core the colour difference may fall short of 1 by a quarter: greenish clothes, spill; enclosed: by anything
    lift = plane(np.where(enclosed, 20, 1.3)) * core
    return Recipe(
        screen, offset, first, second, lift, plane(lift / strength), floor, ceiling=min(CEILING + 1.5 * noise, 0.12)
    )


def _guest_colour(small: Plane, screen: Screen, cover: Plane) -> Plane:
    """The guest's own colour everywhere: measured where solid, spread outward from there.

    The cells at the rim are mixed with screen whatever their cover says, and where the lens was not in focus so are
    some further in. The deeper a cell lies in the guest, the more it counts."""
    solid = smoothstep(0.7, 0.97, cover)
    depth = plane(cv2.distanceTransform((cover > 0.6).astype(np.uint8), cv2.DIST_L2, 3))
    weights = np.maximum(smoothstep(1, 10, depth) ** 2, 1e-5) * solid**2
    guest = fill(small, plane(weights))
    return _turned(small, screen, guest, cover)


def _turned(small: Plane, screen: Screen, guest: Plane, cover: Plane) -> Plane:
    """`guest`, but where a cell's mixture does not point from the screen's colour to it, the grey it does point to."""
    ours, theirs, bare = (_differences(c, screen.key) for c in (small, guest, screen.colour))
    step, aim = bare - ours, bare - theirs
    length = np.sqrt((step**2).sum(axis=2) * (aim**2).sum(axis=2))
    agreement = (step * aim).sum(axis=2) / np.maximum(length, 1)
    doubt = smoothstep(0.006, 0.025, 1 - agreement) * smoothstep(0.1, 0.3, cover)
    doubt = plane(cv2.blur(doubt, (3, 3)))[..., None]
    # along the step, cover is 1 where the key channel no longer stands over the others; spill makes a solid grey's less
    share = np.clip(np.maximum(cover, 0.6 + (cover - 0.6) * 4 / 3), 0.1, 1)
    grey = small + (small - screen.colour) * ((1 - share) / share)[..., None]
    return plane(guest + (grey - guest) * doubt)


def _differences(rgb: Plane, key: int) -> Plane:
    """How far the key channel stands over each of the two others, (h, w, 2)."""
    return plane(np.stack([rgb[..., key] - rgb[..., other] for other in others(key)], axis=2))


def _linear(screen: Screen, guest: Plane) -> tuple[Plane, Plane, Plane]:
    """The projection on the line from the screen's colour to the guest's, in the plane of the colour differences."""
    one, two = others(screen.key)
    bare, key = screen.colour, screen.key
    bare_u, bare_v = bare[..., key] - bare[..., one], bare[..., key] - bare[..., two]
    u, v = bare_u - (guest[..., key] - guest[..., one]), bare_v - (guest[..., key] - guest[..., two])
    # a guest nearly of the screen's own colour would make noise into alpha: keep them apart
    strength = np.maximum(np.minimum(bare_u, bare_v), 4)
    short = np.maximum(0.5 * strength - np.minimum(u, v), 0)
    short *= np.hypot(u, v) < strength
    u, v = u + short, v + short
    length = np.maximum(u * u + v * v, 16)
    first, second = u / length, v / length
    return bare_u * first + bare_v * second, first, second


def _apply(rgb: Plane, key: int, offset: Plane, first: Plane, second: Plane) -> Plane:
    one, two = others(key)
    alpha: Plane = offset - first * (rgb[..., key] - rgb[..., one]) - second * (rgb[..., key] - rgb[..., two])
    return alpha


def _noise(alpha: Plane) -> float:
    """The spread of alpha over the bare screen (one standard deviation), deaf to what stands out."""
    if alpha.size < 16:
        return 0.02
    low, high = np.percentile(alpha, (15.9, 84.1))
    return float(high - low) / 2


def _enclosed(cover: Plane) -> Mask:
    """Patches near the key colour within the solid guest: a badge, a leaf on a shirt. Too green to be solid by
    themselves, not screen either."""
    count, labels = cv2.connectedComponents((cover < 0.8).astype(np.uint8), connectivity=8)
    least = np.full(count, np.inf, np.float32)
    np.minimum.at(least, np.asarray(labels, np.intp).ravel(), cover.ravel())
    open_ = np.zeros(count, np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        open_[edge] = True
    patch = (least > 0.25) & (~open_)
    patch[0] = False
    return np.asarray(patch[labels], np.bool_)


def _core(alpha: Plane, cover: Plane) -> Plane:
    """1 where the guest is solid with a rim of two cells to spare, soft at its edge.

    Deep inside cover is proof enough: a blue badge on an orange suit has little alpha if orange is what one expects."""
    depth = plane(cv2.distanceTransform((cover > 0.8).astype(np.uint8), cv2.DIST_L2, 3))
    deep = smoothstep(0.85, 0.97, cover) * smoothstep(4, 7, depth)
    solid = plane(cv2.erode(smoothstep(0.85, 0.97, alpha * (cover > 0.6)), np.ones((5, 5), np.uint8)))
    return plane(cv2.blur(np.maximum(solid, deep), (3, 3)))


def _clear(alpha: Plane, cover: Plane, noise: float) -> Mask:
    """Where there is nothing but screen: no trace of alpha within two cells, and specks that lie alone left out."""
    trace = (np.maximum(alpha, cover * 0.7) > 0.03 + noise).astype(np.uint8)
    near = cv2.dilate(trace, np.ones((5, 5), np.uint8))
    count, labels = cv2.connectedComponents(near, connectivity=8)
    most = np.zeros(count, np.float32)
    np.maximum.at(most, np.asarray(labels, np.intp).ravel(), alpha.ravel())
    most[0] = 0
    clear: Mask = most[labels] < 0.25
    return clear
