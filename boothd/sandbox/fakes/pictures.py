"""The pictures that the fakes make: the guest's photo, visibly worked on, so that a rehearsal looks like an event.

One photo, one prompt, one picture. All of it is for threads."""

import colorsys
import hashlib
import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from boothd.base import imaging
from boothd.sandbox.fakes.figure import find_figure
from boothd.sandbox.fakes.script import CALM, NotAScript, Words

MAX_PIXELS = 120_000_000
SEGMENT = 65_533  # bytes of a JPEG comment
Plane = NDArray[np.float32]


class Unreadable(Exception):
    """A photo is no picture that can be read. The message says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a picture shall be. size: width, height in pixels. draft: 0 for the picture itself, else one of its drafts."""

    prompt: str
    size: tuple[int, int]
    form: str = "JPEG"
    draft: int = 0


def dimensions(photo: bytes) -> tuple[int, int]:
    """Width and height of a photo, upright. Raises Unreadable."""
    image = _open(photo)
    width, height = image.size
    turned = Image.Image.getexif(image).get(0x0112, 1) in {5, 6, 7, 8}
    return (height, width) if turned else (width, height)


def make_picture(photos: Sequence[bytes], wanted: Wanted) -> Image.Image:
    """Work on the first of `photos`, the others being references; without any, draw. Raises Unreadable."""
    picture = _edited(photos, wanted) if photos else draw(wanted.prompt, wanted.size)
    if wanted.draft:
        picture = ImageOps.grayscale(picture).filter(ImageFilter.GaussianBlur(4 * wanted.draft)).convert("RGB")
    return _signed(picture)


def picture_bytes(photos: Sequence[bytes], wanted: Wanted, words: Words = CALM) -> bytes:
    """The picture as the script wants it: its size, its format, or no picture at all. Raises Unreadable, NotAScript."""
    if "not-a-picture" in words:
        return b"This is no picture. " * 100
    if "bomb" in words:
        return _bomb()
    form = words.text("format", wanted.form).upper().replace("JPG", "JPEG")
    if form not in {"JPEG", "PNG", "WEBP"}:
        raise NotAScript(f"format={form}")
    size = words.pixels("picture") or wanted.size
    if "canned" in words:
        return _canned(size, form, words.size("size"))
    picture = make_picture(photos, Wanted(wanted.prompt, size, form, wanted.draft))
    out = io.BytesIO()
    if "gif" in words:
        picture.quantize(64).save(out, "GIF")
    elif form == "PNG":
        picture.save(out, "PNG", compress_level=1)
    else:
        picture.save(out, form, quality=88)
    data = padded(out.getvalue(), words.size("size"))
    return data[: len(data) // 2] if "truncated" in words else data


@lru_cache(maxsize=8)
def _canned(size: tuple[int, int], form: str, size_bytes: int) -> bytes:
    out = io.BytesIO()
    make_picture([], Wanted("canned", size)).save(out, form)
    return padded(out.getvalue(), size_bytes)


def draw(prompt: str, size: tuple[int, int]) -> Image.Image:
    """Soft lights in the colours of the prompt."""
    luck = np.random.default_rng(int(_digest(prompt)[:8], 16))
    small = (max(8, size[0] // 8), max(8, size[1] // 8))
    y, x = np.mgrid[0 : small[1], 0 : small[0]].astype(np.float32)
    y, x = y / small[1], x / small[0]
    scene = _colour(prompt, 0.35) * (0.35 + 0.5 * y[..., None])
    for number in range(7):
        centre, radius = luck.random(2), 0.08 + 0.25 * luck.random()
        light = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2))
        scene = scene + light[..., None] * _colour(f"{prompt} {number}", 0.9) * 0.35
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    return image.resize(size, Image.Resampling.BICUBIC)


def padded(picture: bytes, size_bytes: int) -> bytes:
    """The same JPEG or PNG with filling that decoders skip, `size_bytes` long if it is not longer already."""
    missing = size_bytes - len(picture)
    if missing < 16:
        return picture
    if picture.startswith(b"\xff\xd8"):
        parts = [picture[:2]]
        while missing > 4:
            length = min(SEGMENT, missing - 4)
            length -= 4 if 0 < missing - 4 - length < 5 else 0
            parts += [b"\xff\xfe", (length + 2).to_bytes(2, "big"), _filling()[:length]]
            missing -= length + 4
        return b"".join([*parts, picture[2:]])
    if picture.startswith(b"\x89PNG"):
        chunk = b"saNd" + (_filling() * (missing // SEGMENT + 1))[: missing - 12]
        whole = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        return picture[:-12] + whole + picture[-12:]
    return picture


@cache
def _filling() -> bytes:
    return Random(1).randbytes(SEGMENT)  # noqa: S311 (filling)


def _edited(photos: Sequence[bytes], wanted: Wanted) -> Image.Image:
    guest = _load(photos[0], wanted.size)
    if len(photos) > 1:
        scene = _tinted(_load(photos[1], wanted.size), wanted.prompt, 0.25)
        alpha = find_figure(np.asarray(guest.resize(_small(wanted.size)), np.float32))
        mask = Image.fromarray((alpha * 255).astype(np.uint8)).resize(wanted.size, Image.Resampling.BICUBIC)
        scene.paste(_tinted(guest, wanted.prompt, 0.15), mask=mask)
        _thumbnails(scene, [_load(photo, _small(wanted.size)) for photo in photos[2:]])
        return scene
    return _tinted(guest, wanted.prompt, 0.45)


def _tinted(image: Image.Image, prompt: str, strength: float) -> Image.Image:
    """Posterised a little, in the prompt's two colours."""
    grey = ImageOps.autocontrast(ImageOps.grayscale(image), cutoff=1)
    dark, light = _colour(prompt, 0.18), _colour(prompt[::-1], 1.0)
    inked = ImageOps.colorize(grey, _rgb(dark), _rgb(0.35 * light + 0.65 * 255))
    return Image.blend(ImageOps.posterize(image, 4), inked, strength)


def _thumbnails(scene: Image.Image, others: Sequence[Image.Image]) -> None:
    """Further references stand small along the left edge, so that one sees that they arrived."""
    side = max(16, min(scene.size) // 9)
    for number, image in enumerate(others[: max(1, scene.height // (side + 6) - 1)]):
        scene.paste(ImageOps.fit(image, (side, side)), (side // 3, side // 3 + number * (side + 6)))


def _signed(picture: Image.Image) -> Image.Image:
    """With a thin frame and the word SANDBOX in a corner."""
    pen, unit = ImageDraw.Draw(picture), max(1, min(picture.size) // 120)
    pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=(245, 240, 228), width=2 * unit)
    font = ImageFont.load_default(max(8, 4 * unit))
    left, top, right, bottom = pen.textbbox((0, 0), "SANDBOX", font=font)
    place = (picture.width - (right - left) - 5 * unit, picture.height - (bottom - top) - 6 * unit)
    pen.text((place[0] + 1, place[1] + 1), "SANDBOX", fill=(20, 20, 20), font=font)
    pen.text(place, "SANDBOX", fill=(255, 255, 255), font=font)
    return picture


def _open(photo: bytes) -> Image.Image:
    if imaging.sniff(photo[: imaging.SNIFF_BYTES]) is None:
        raise Unreadable("it does not begin like a picture")
    try:
        image = Image.open(io.BytesIO(photo), formats=[*imaging.FORMATS, "GIF"])
    except Exception as error:
        raise Unreadable(str(error)) from error
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable("it has too many pixels")
    return image


def _load(photo: bytes, size: tuple[int, int]) -> Image.Image:
    """A photo upright, cut and scaled to `size`."""
    image = _open(photo)
    try:
        image.draft("RGB", (2 * max(size), 2 * max(size)))
        upright = ImageOps.exif_transpose(image).convert("RGB")
    except Exception as error:
        raise Unreadable(str(error)) from error
    return ImageOps.fit(upright, size, Image.Resampling.BICUBIC)


def _small(size: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, 384 / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _colour(text: str, value: float) -> NDArray[np.float64]:
    """A colour that belongs to a text, 0..255."""
    hue = int(_digest(text)[:4], 16) / 0xFFFF
    return np.array(colorsys.hsv_to_rgb(hue, 0.6, value)) * 255


def _rgb(colour: NDArray[np.float64]) -> tuple[int, int, int]:
    red, green, blue = (int(part) for part in colour)
    return red, green, blue


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _bomb() -> bytes:
    out = io.BytesIO()
    Image.new("L", (1, 1)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def shaped(pixels: int, shape: float) -> tuple[int, int]:
    """Width and height of about so many pixels, width / height being `shape`; multiples of 16."""
    width = math.sqrt(pixels * shape)
    return max(16, round(width / 16) * 16), max(16, round(width / shape / 16) * 16)
