"""Finds the screen behind the guest: its key colour, and how that colour varies with the light."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.fill import Plane, fill, plane, smoothstep

Mask = NDArray[np.bool_]

GREEN, BLUE = 1, 2
HUES = {GREEN: (90.0, 172.0), BLUE: (200.0, 262.0)}  # degrees; a lawn is yellower, a summer sky less blue
MIN_AREA, MIN_BORDER = 0.05, 0.2  # shares of the picture and of its left, top and right rim
MIN_PURITY = {GREEN: 0.27, BLUE: 0.38}  # how far the key channel stands over the two others, as a share of itself
MIN_LIGHT = 14.0  # of 255: darker than this a colour is noise
HUE_SPREAD = 20.0
TURNS = 12  # at most, in following a shadow toward the guest


class NoScreen(ValueError):
    """There is no green or blue screen behind the guest in this photo, so its background cannot be replaced."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """The empty screen as it would look without the guest, at the scale of the small picture it was found in.

    key: the index of the channel keyed on, GREEN or BLUE. colour: (h, w, 3) RGB, 0..255.
    seen: (h, w), where the screen itself shows and `colour` is measured, not guessed."""

    key: int
    colour: Plane
    seen: Mask

    def difference(self, rgb: Plane) -> Plane:
        """How far the key channel stands over the higher of the others, in levels; negative for skin and the like."""
        return key_difference(rgb, self.key)

    def cover(self, rgb: Plane) -> Plane:
        """The share of the screen that something hides: 0 for the bare screen, 1 for whatever is not of its colour.

        Classic colour difference: exact for grey things, too high for others, so a first guess only."""
        strength = np.maximum(self.difference(self.colour), 4)
        return plane(np.clip(1 - self.difference(rgb) / strength, 0, 1))


def key_difference(rgb: Plane, key: int) -> Plane:
    """The key channel less the higher of the two others, in levels."""
    first, second = others(key)
    difference: Plane = rgb[..., key] - np.maximum(rgb[..., first], rgb[..., second])
    return difference


def others(key: int) -> tuple[int, int]:
    """The two channels that are not the key."""
    return (0, 3 - key)


def find_screen(small: Plane, check: Callable[[], None]) -> Screen:
    """Find the screen in a photo shrunk to some hundred pixels.

    small: (h, w, 3) RGB, 0..255. check is called between the turns. Raises NoScreen."""
    key, mask = _key_area(small)
    inner = _shrunk(mask, 1)
    blurred = fill(small, (inner if inner.any() else mask).astype(np.float32))
    blurred = plane(cv2.GaussianBlur(blurred, (0, 0), 0.03 * float(np.hypot(*mask.shape))))
    screen = Screen(key, blurred, inner)
    for turn in range(TURNS):
        check()
        seen = _agreeing(small, screen, mask, first=turn == 0)
        if not seen.any() or (turn > 1 and np.count_nonzero(seen & ~screen.seen) < 0.0005 * seen.size):
            break
        screen = Screen(key, fill(small, seen.astype(np.float32)), seen)
    return screen


def _key_area(small: Plane) -> tuple[int, Mask]:
    """The key channel and the cells that have the screen's hue and are about as pure as it is."""
    height, width = small.shape[:2]
    hue = cv2.cvtColor(small / np.float32(255), cv2.COLOR_RGB2HSV)[..., 0]
    rim = np.zeros((height, width), np.bool_)
    band = max(1, round(0.08 * min(height, width)))
    rim[:band] = rim[:, :band] = rim[:, -band:] = True  # guests stand in the bottom rim
    found: list[tuple[float, int, Mask]] = []
    for key, (low, high) in HUES.items():
        purity = key_difference(small, key) / np.maximum(small[..., key], 1)
        mask = (hue > low) & (hue < high) & (small[..., key] > MIN_LIGHT) & (purity > 0.6 * MIN_PURITY[key])
        if not mask.any():
            continue
        weight = np.where(rim, 4.0, 1.0) * purity * mask
        histogram, edges = np.histogram(hue, bins=round((high - low) / 3), range=(low, high), weights=weight)
        peak = float(edges[int(np.argmax(np.convolve(histogram, np.ones(5), "same")))]) + 1.5
        mask &= np.abs(hue - peak) < HUE_SPREAD
        usual = float(np.median(purity[mask & rim])) if (mask & rim).any() else 0.0
        mask &= purity > 0.5 * usual
        if usual >= MIN_PURITY[key] and mask.mean() >= MIN_AREA and mask[rim].mean() >= MIN_BORDER:
            found.append((float((weight * mask).sum()), key, mask))
    if not found:
        raise NoScreen
    _, key, mask = max(found, key=lambda one: one[0])
    return key, _without_badges(small, mask, mask & rim)


def _without_badges(small: Plane, mask: Mask, trusted: Mask) -> Mask:
    """`mask` without islands of another tint than the screen's: a leaf on a shirt, not the gap between arm and body."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    tints = (small / np.maximum(small.sum(axis=2, keepdims=True), 1)).reshape(-1, 3)
    usual = np.median(tints[trusted.ravel()], axis=0)
    where = np.asarray(labels, np.intp).ravel()
    sizes = np.maximum(np.bincount(where, minlength=count), 1)
    means = np.stack([np.bincount(where, tints[:, channel], minlength=count) / sizes for channel in range(3)], axis=1)
    odd = np.abs(means - usual).sum(axis=1) > 0.12
    odd[where[trusted.ravel()]] = False
    return np.asarray(mask & ~odd[where].reshape(mask.shape), np.bool_)


def _agreeing(small: Plane, screen: Screen, mask: Mask, *, first: bool) -> Mask:
    """The cells of `mask` that the bare screen explains.

    A dark hair over the screen and a shadow on it have the same colours. Thin ones are taken for hair. Near the guest
    only what continues the screen around it is screen, so that a soft shadow is followed turn by turn; far from the
    guest all that has the screen's tint is. first: `screen` is a blurred guess with hair in it, so look only at what is
    far, or flat."""
    strength = np.maximum(screen.difference(screen.colour), 4)
    light = plane(screen.difference(small) / strength)
    ours, theirs = (c / np.maximum(c.sum(axis=2, keepdims=True), 1) for c in (small, screen.colour))
    tint = np.abs(ours - theirs).sum(axis=2)
    solid = cv2.morphologyEx((~mask | (light < 0.4)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    diagonal = float(np.hypot(*mask.shape))
    away = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 3) if solid.any() else np.full(mask.shape, diagonal)
    far = smoothstep(0.04 * diagonal, 0.16 * diagonal, away.astype(np.float32))
    tinted = tint < 0.03 + 0.07 * far
    thin = light < cv2.medianBlur(light, 5) * (0.975 - 0.1 * far)
    fits = np.abs(light - 1) < 0.05 + 0.35 * far
    if first:
        wide = (9, 9)
        mean = cv2.blur(light, wide)
        rough = np.sqrt(np.maximum(cv2.blur(light * light, wide) - mean * mean, 0))
        fits = (far > 0.5) | ((rough < 0.04 * mean) & _shrunk(mask, 4))
    agreeing: Mask = mask & tinted & ~thin & fits
    return agreeing


def _shrunk(mask: Mask, cells: int) -> Mask:
    """`mask` without the rim of so many cells; the picture's own edge is no rim."""
    kernel = np.ones((2 * cells + 1, 2 * cells + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), kernel).astype(np.bool_)
