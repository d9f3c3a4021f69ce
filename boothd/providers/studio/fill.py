"""Fills the unknown parts of a picture from its known ones."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Plane = NDArray[np.float32]


def plane(values: ArrayLike) -> Plane:
    """The values as float32, copied only if they are not yet."""
    return np.asarray(values, np.float32)


def fill(values: Plane, weights: Plane) -> Plane:
    """Spread what is known over what is not, smoothly, by a pyramid (pull, then push).

    values: (h, w, 3), any unit. weights: (h, w), from 0, unknown, to 1, known for certain.
    Where a weight is 1 the value stays; where it is 0 it comes from as near as the pyramid finds one.
    All zero weights give zeros."""
    height, width = weights.shape
    weight = weights[..., None]
    if min(height, width) <= 2:
        total = float(weights.sum())
        mean = (values * weight).sum(axis=(0, 1)) / total if total > 0 else np.zeros(values.shape[2], np.float32)
        return plane(values * weight + mean * (1 - weight))
    pulled, share = plane(cv2.pyrDown(values * weight)), plane(cv2.pyrDown(weights))
    pulled /= np.maximum(share, 1e-9)[..., None]
    # one certain cell out of four is enough for the cell above it
    coarse = fill(pulled, np.minimum(share * 4, 1))
    pushed = plane(cv2.pyrUp(coarse, dstsize=(width, height)))
    return pushed + (values - pushed) * weight


def smoothstep(low: float, high: float, x: Plane) -> Plane:
    """0 below `low`, 1 above `high`, an S between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return plane(t * t * (3 - 2 * t))
