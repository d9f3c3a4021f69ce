"""Colours as sRGB, in eight bits, whatever profile or depth a picture came with."""

import io

import numpy as np
from PIL import Image, ImageCms


def in_srgb(image: Image.Image) -> Image.Image:
    """The same picture with its colour profile worked in; RGBA stays RGBA."""
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode in {"P", "PA", "LA", "1"}:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a broken profile is no reason to lose the photo; its numbers are taken as sRGB
    if converted is None:
        return image
    converted.info.pop("icc_profile", None)
    return converted


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16 bits of grey (PNG) as 8 bits; Pillow's own conversion cuts off what is brighter than 255."""
    grey = np.asarray(image)
    found = Image.fromarray((grey >> 8).astype(np.uint8))
    found.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    see_through = image.info.get("transparency")
    if isinstance(see_through, int):
        found.putalpha(Image.fromarray(np.where(grey == see_through, 0, 255).astype(np.uint8)))
    return found
