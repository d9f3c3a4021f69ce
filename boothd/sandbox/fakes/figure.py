"""Where the person probably is: good enough for a fake's cut-out, no more. For threads."""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
NEAR, FAR = 40.0, 90.0  # distance of colours, 0..255, at which a pixel is background and is not


def find_figure(photo: Plane) -> Plane:
    """Alpha, (H, W), 0..1, of an RGB photo, (H, W, 3), 0..255.

    What differs from the colour of the upper and side borders is the figure; where that finds too little or too much, a
    head and shoulders in the middle are."""
    height, width = photo.shape[:2]
    edge = max(1, min(height, width) // 16)
    border = np.concatenate(
        [photo[:edge].reshape(-1, 3), photo[:, :edge].reshape(-1, 3), photo[:, -edge:].reshape(-1, 3)]
    )
    # Hues without brightness, so that a screen's uneven light does not matter.
    apart = _hues(photo) - np.median(_hues(border[None])[0], axis=0)
    alpha = np.clip((np.linalg.norm(apart, axis=2) - NEAR) / (FAR - NEAR), 0, 1)
    sure = (alpha > 0.5).astype(np.uint8)
    kernel = np.ones((edge | 1, edge | 1), np.uint8)
    filled = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, kernel)
    filled = cv2.erode(filled, np.ones((3, 3), np.uint8))
    alpha = np.maximum(alpha, filled)
    alpha = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 1)
    if not 0.06 < float(alpha.mean()) < 0.75:
        alpha = _silhouette(width, height)
    return np.asarray(alpha, np.float32)


def box_of(alpha: Plane) -> tuple[int, int, int, int]:
    """ymin, xmin, ymax, xmax in thousandths, of what is more than half there; all of it when nothing is."""
    height, width = alpha.shape
    rows, columns = np.flatnonzero((alpha > 0.5).any(axis=1)), np.flatnonzero((alpha > 0.5).any(axis=0))
    if not len(rows):
        return 0, 0, 1000, 1000
    found = (rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width)
    top, left, bottom, right = (round(float(part) * 1000) for part in found)
    return top, left, bottom, right


def _hues(photo: Plane) -> Plane:
    red, green, blue = photo[..., 0], photo[..., 1], photo[..., 2]
    light = np.maximum(photo.mean(axis=-1), 24) / 128
    return np.stack([(green - red) / light, (green - blue) / light], axis=-1)


def _silhouette(width: int, height: int) -> Plane:
    alpha = np.zeros((height, width), np.float32)
    centre = (width // 2, round(height * 0.4))
    cv2.ellipse(alpha, centre, (round(height * 0.16), round(height * 0.21)), 0, 0, 360, (1.0,), -1)
    cv2.ellipse(alpha, (width // 2, height), (round(height * 0.38), round(height * 0.42)), 0, 180, 360, (1.0,), -1)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), max(1.0, height / 100)), np.float32)
