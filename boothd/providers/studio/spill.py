"""Takes the screen out of the guest's colours: what shines through, and what its light has tinted."""

import numpy as np

from boothd.providers.studio.fill import Plane
from boothd.providers.studio.screen import others

STRICT = 0.35  # 0: the key channel may be as high as the higher of the others; 1: as the lower
OWN = 0.3  # more tint than this share of the screen's strength is no reflected light but the guest's own colour
KEPT = 0.5  # the share of the removed light that comes back as grey


def clean(planes: list[Plane], key: int, alpha: Plane, bare: Plane) -> None:
    """Make of a tile of the photo the guest alone, premultiplied with alpha, in place.

    planes: R, G and B, each (n, m), 0..255. alpha: (n, m), 0..1. bare: (n, m, 3), the screen's colour there."""
    through = 1 - alpha
    most = alpha * 255
    for channel, plane in enumerate(planes):
        np.subtract(plane, through * bare[..., channel], out=plane)
        np.clip(plane, 0, most, out=plane)
    one, two = others(key)
    first, second, keyed = planes[one], planes[two], planes[key]
    high, low = np.maximum(first, second), np.minimum(first, second)
    limit = high - STRICT * (high - low)
    excess = np.maximum(keyed - limit, 0)
    strength = bare[..., key] - np.maximum(bare[..., one], bare[..., two])
    excess = np.minimum(excess, OWN * strength * alpha, out=excess)
    keyed -= excess
    weight = 0.587 if key == 1 else 0.114  # of the key channel in what the eye takes for light
    excess *= KEPT * weight
    for plane in planes:
        np.minimum(plane + excess, most, out=plane)
