"""Sets the guest before another picture: the studio's *background* replacement.

Pure functions over RGB pictures; no file, no reactor."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from boothd.providers.studio.grid import Picture
from boothd.providers.studio.keyer import Keyer


def replace_background(photo: Picture, reference: Picture, check: Callable[[], None]) -> Picture:
    """Set the guest of `photo` on `reference`.

    photo: (H, W, 3) RGB, before a green or blue screen. reference: (h, w, 3) RGB, scaled to fill and cropped around its
    centre. Returns (H, W, 3). check is called at least every 150 ms at twelve megapixels; what it raises goes through.
    Raises NoScreen."""
    keyer = Keyer(photo, check)
    height, width = photo.shape[:2]
    result = cover(reference, width, height)
    for tile in keyer.tiles():
        check()
        if keyer.is_clear(tile):
            continue
        planes, alpha = keyer.guest(tile)
        scene = tile.of(result)
        through = np.subtract(1, alpha, out=alpha)
        mixed = [plane + through * scene[..., channel] for channel, plane in enumerate(planes)]
        scene[:] = cv2.merge([(plane + 0.5).astype(np.uint8) for plane in mixed])
    return result


def find_alpha(photo: Picture, check: Callable[[], None]) -> NDArray[np.float32]:
    """The guest's alpha, (H, W), 0 for the screen to 1 for the solid guest. Raises NoScreen."""
    keyer = Keyer(photo, check)
    alpha = np.zeros(photo.shape[:2], np.float32)
    for tile in keyer.tiles():
        check()
        if not keyer.is_clear(tile):
            alpha[tile.top : tile.bottom, tile.left : tile.right] = keyer.alpha(tile, keyer.planes(tile))
    return alpha


def cut_out(photo: Picture, check: Callable[[], None]) -> NDArray[np.uint8]:
    """The guest alone, (H, W, 4) RGBA, not premultiplied, the screen's light taken out. Raises NoScreen."""
    keyer = Keyer(photo, check)
    result = np.zeros((*photo.shape[:2], 4), np.uint8)
    for tile in keyer.tiles():
        check()
        if keyer.is_clear(tile):
            continue
        planes, alpha = keyer.guest(tile)
        scale = 1 / np.maximum(alpha, 1 / 512)
        full = [np.minimum(plane * scale + 0.5, 255).astype(np.uint8) for plane in planes]
        tile.of(result)[:] = cv2.merge([*full, (alpha * 255 + 0.5).astype(np.uint8)])
    return result


def cover(picture: Picture, width: int, height: int) -> Picture:
    """Scale a picture to fill width x height pixels and crop what hangs over, the same on both sides."""
    have_height, have_width = picture.shape[:2]
    scale = max(width / have_width, height / have_height)
    take_width = min(have_width, max(1, round(width / scale)))
    take_height = min(have_height, max(1, round(height / scale)))
    left, top = (have_width - take_width) // 2, (have_height - take_height) // 2
    crop = picture[top : top + take_height, left : left + take_width]
    if (take_width, take_height) == (width, height):
        return np.array(crop, np.uint8)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(crop, (width, height), interpolation=method), np.uint8)
