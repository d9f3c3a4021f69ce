"""Which way the forms in a picture run, and smearing along it."""

from dataclasses import dataclass

import cv2
import numpy as np

from boothd.providers.studio.looks.canvas import blur
from boothd.providers.studio.looks.look import Field


@dataclass(frozen=True, slots=True)
class Flow:
    """x, y: the unit vector along the forms; its sign means nothing."""

    x: Field
    y: Field


def flow_of(tone: Field, sigma_px: float, idle_angle: Field | float = 0.6) -> Flow:
    """The direction of least change around each pixel, averaged over `sigma_px`.

    tone: 0..1. Where nothing points anywhere the direction drifts to `idle_angle` (radians)."""
    fine = blur(tone, max(0.8, sigma_px / 4))
    gx = cv2.Scharr(fine, cv2.CV_32F, 1, 0, scale=1 / 16)
    gy = cv2.Scharr(fine, cv2.CV_32F, 0, 1, scale=1 / 16)
    # Doubling the angle makes opposite gradients agree, so that they can be averaged.
    same, cross = gx * gx - gy * gy, 2 * gx * gy
    same, cross = blur(same, sigma_px), blur(cross, sigma_px)
    idle = np.float32(4e-6)
    # The gradient stands across the form: turn by 90 degrees, which in doubled angles is a change of sign.
    double = np.arctan2(
        -cross + idle * np.sin(2 * np.asarray(idle_angle, np.float32)),
        -same + idle * np.cos(2 * np.asarray(idle_angle, np.float32)),
    )
    angle = double * np.float32(0.5)
    return Flow(
        np.cos(angle).astype(np.float32, copy=False),
        np.sin(angle).astype(np.float32, copy=False),
    )


def smear(picture: Field, flow: Flow, length_px: float) -> Field:
    """`picture` averaged along the flow over about `length_px` to either side (line integral, by doubling)."""
    height, width = picture.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    reach = 1.0
    out = picture
    while reach <= max(1.0, length_px / 2):
        ahead = cv2.remap(
            out, x + reach * flow.x, y + reach * flow.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        behind = cv2.remap(
            out, x - reach * flow.x, y - reach * flow.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        out = (out + ahead + behind) * np.float32(1 / 3)
        reach *= 2
    return out.astype(np.float32, copy=False)
