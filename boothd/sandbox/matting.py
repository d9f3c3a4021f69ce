"""Cuts a figure out of an ordinary photo along a trimap drawn by hand.

Closed-form matting (A. Levin, D. Lischinski, Y. Weiss, *A Closed Form Solution to Natural Image Matting*, 2006): within
any window of 3x3 pixels alpha is taken to be a linear function of colour. Only the pixels that the trimap leaves open
are solved for, by conjugate gradients."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Plane = NDArray[np.float32]
Exact = NDArray[np.float64]
Index = NDArray[np.intp]

RIDGE = 2e-5  # keeps a window of one colour solvable; in squared shares of full light
STEPS = 40


def plane(values: ArrayLike) -> Plane:
    """The values as float32, copied only if they are not yet."""
    return np.asarray(values, np.float32)


def cut_out(photo: Plane, trimap: NDArray[np.uint8]) -> tuple[Plane, Plane]:
    """Find alpha and the figure's own colour.

    photo: (H, W, 3) RGB, 0..255. trimap: (H, W), 0 outside, 255 inside, anything else unknown.
    Returns the colour, (H, W, 3), spread beyond the figure too, and alpha, (H, W), 0..1."""
    inside = _spread(photo, (trimap == 255).astype(np.float32))
    outside = _spread(photo, (trimap == 0).astype(np.float32))
    open_ = (trimap > 0) & (trimap < 255)
    toward = inside - outside
    first = ((photo - outside) * toward).sum(axis=2) / np.maximum((toward**2).sum(axis=2), 200)
    first = np.where(open_, np.clip(first, 0, 1), trimap / 255)
    alpha = np.clip(_solve(plane(photo / 255), first, open_), 0, 1).astype(np.float32)
    share = alpha[..., None]
    own = np.clip((photo - (1 - share) * outside) / np.maximum(share, 0.05), 0, 255)
    trust = np.clip((share - 0.6) / 0.35, 0, 1)  # a thin mixture says little of what is in it
    own = np.where(share > 0.999, photo, inside + trust * (own - inside))
    return own.astype(np.float32), alpha


def _spread(photo: Plane, known: Plane) -> Plane:
    """`photo` where known, elsewhere the mean of what is known around, from as near as there is any."""
    result, have = photo * known[..., None], known.copy()
    for sigma in (1.0, 2.0, 4.0, 8.0, 16.0, 64.0):
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        mean = cv2.GaussianBlur(photo * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-9)[..., None]
        share = np.clip(weight / 0.02, 0, 1) * (1 - have)
        result += share[..., None] * mean
        have += share
    return (result / np.maximum(have, 1e-6)[..., None]).astype(np.float32)


def _solve(photo: Plane, alpha: Exact, open_: NDArray[np.bool_]) -> Exact:
    """Alpha in the open pixels, beginning with the alpha given."""
    windows = _windows(open_)
    colours = photo.reshape(-1, 3).astype(np.float64)[windows]
    colours -= colours.mean(axis=1, keepdims=True)
    ridge = RIDGE * np.eye(3)
    inverse = np.linalg.inv(colours.transpose(0, 2, 1) @ colours / 9 + ridge)
    free = open_.ravel()

    def energy(values: Exact) -> Exact:
        """What each window cannot explain, gathered at its pixels: the matting Laplacian times `values`."""
        rest = values[windows]
        rest = rest - rest.mean(axis=1, keepdims=True)
        slope = inverse @ (colours.transpose(0, 2, 1) @ rest[..., None]) / 9
        rest -= (colours @ slope)[..., 0]
        gathered = np.bincount(windows.ravel(), rest.ravel(), minlength=values.size)
        return np.where(free, gathered, 0)

    found = alpha.ravel().copy()
    residual = -energy(found)
    direction, norm = residual.copy(), float(residual @ residual)
    for _ in range(STEPS):
        if norm < 1e-9:
            break
        curved = energy(direction)
        step = norm / float(direction @ curved)
        found += step * direction
        residual -= step * curved
        before, norm = norm, float(residual @ residual)
        direction = residual + (norm / before) * direction
    return found.reshape(alpha.shape)


def _windows(open_: NDArray[np.bool_]) -> Index:
    """The pixel numbers of every 3x3 window that holds an open pixel, (n, 9)."""
    width = open_.shape[1]
    centres = cv2.dilate(open_.astype(np.uint8), np.ones((3, 3), np.uint8))
    centres[[0, -1]] = 0
    centres[:, [0, -1]] = 0
    middle = np.flatnonzero(centres)
    around = np.array([dy * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    windows: Index = middle[:, None] + around[None]
    return windows
