"""Pictures from outside are hostile: recognised by magic bytes, measured before decoding, decoded before use.

Everything here blocks and belongs into the picture threads, except `sniff`.
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pi_heif
from PIL import Image

from boothd.base.bare import is_bare
from boothd.base.errors import NotAPicture, TooManyPixels, UnlistedFormat
from boothd.base.heif import check_items
from boothd.base.srgb import in_srgb

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "HEIF": ".heic"}
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "HEIF": "image/heic"}
SNIFF_BYTES = 32
"""How many leading bytes `sniff` wants to see."""

OutputFormat = Literal["JPEG", "PNG"]
Check = Callable[[], None]

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# Our own limit is asked for at every opening (`inspect`); Pillow's global one must not warn first.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of odd EXIF; the daemon's log is not the place. Once for all threads: `catch_warnings` is not for threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

_OTHER_PICTURES = (
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"%!PS",
    b"\0\0\0\x0cJXL ",
    b"\xff\x0a",
    b"8BPS",
    b"\0\0\0\x0cjP",
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(head: bytes) -> str | None:
    """The format that the leading bytes announce: one of `FORMATS`, "other" for a picture of another kind, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "HEIF" if head[8:12] in _HEIF_BRANDS else "other"
    return "other" if head.startswith(_OTHER_PICTURES) else None


def known_format(head: bytes) -> str:
    """Like `sniff`, but raises NotAPicture or UnlistedFormat."""
    found = sniff(head)
    if found is None:
        raise NotAPicture()
    if found == "other":
        raise UnlistedFormat()
    return found


TAILS = 4 << 10, 1 << 20
"""Bytes at a file's end in which the end of the picture is looked for: nearly all have it in the first."""
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


@dataclass(frozen=True, slots=True)
class Measures:
    """What a picture's header says. width, height: pixels as stored; orientation: EXIF, 1 to 8."""

    format: str
    width: int
    height: int
    orientation: int


def inspect(path: Path, max_pixels: int) -> Measures:
    """Read a picture's header; it is decoded only when its end is missing, to see whether it is cut short.

    Raises NotAPicture, UnlistedFormat, TooManyPixels (more than `max_pixels`, all frames of a file counted once)."""
    with path.open("rb") as file:
        form = known_format(file.read(SNIFF_BYTES))
    with _opened(path, form) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooManyPixels(
                f"The picture has {width}×{height} pixels; boothd takes at most {max_pixels / 1e6:.0f} megapixels."
            )
        measures = Measures(form, width, height, _orientation(image))
        if not _has_end(path, form):
            _check_whole(image)
        return measures


def _has_end(path: Path, form: str) -> bool:
    """Whether a picture's last part is there; cameras write more of their own behind it."""
    end = _ENDS.get(form)
    if end is None:  # the other formats are decoded in any case before they go anywhere
        return True
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for tail in TAILS:
            file.seek(max(0, size - tail))
            if end in file.read():
                return True
    return False


def _check_whole(image: Image.Image) -> None:
    """Decode, a JPEG at an eighth of its size. Raises NotAPicture."""
    image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
    with _decoding("The picture is broken or cut short."):
        image.load()


def load_rgb(path: Path) -> Image.Image:
    """Decode a picture, upright, as RGB in sRGB; transparency goes onto white.

    Raises NotAPicture when the data are broken or cut short."""
    with path.open("rb") as file:
        form = known_format(file.read(SNIFF_BYTES))
    with _opened(path, form) as image:
        return _rgb(_upright(image))


def encode(image: Image.Image, form: OutputFormat, quality: int = 92) -> bytes:
    """Encode without any metadata; PNG keeps transparency. quality: JPEG's, 1 to 95."""
    out = io.BytesIO()
    if form == "JPEG":
        subsampling = "4:2:0" if quality < 95 else "4:4:4"
        _rgb(image).save(out, "JPEG", quality=quality, subsampling=subsampling, comment=b"")
    else:
        plain = image if image.mode == "RGBA" else _rgb(image)
        plain.save(out, "PNG", compress_level=3, icc_profile=None, transparency=None)
    return out.getvalue()


def fit(image: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    """Shrink so that neither side exceeds `size` (width, height); never enlarge."""
    if size is None or _fits(image, size):
        return image
    factor = min(size[0] / image.width, size[1] / image.height)
    smaller = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(smaller, Image.Resampling.LANCZOS)


def finish(
    answer: Path, form: OutputFormat, size: tuple[int, int] | None, max_pixels: int, check: Check
) -> bytes | None:
    """Check what a provider answered by decoding all of it; return it as the slot wants it.

    None: the file is already just that (right format and size, upright, no metadata) and can be used as it is.
    `check` is called between steps and may raise. Raises NotAPicture, UnlistedFormat, TooManyPixels."""
    measures = inspect(answer, max_pixels)
    check()
    as_wanted = measures.format == form and measures.orientation == 1 and is_bare(answer, form)
    with _opened(answer, measures.format) as image:
        picture = _upright(image)
    check()
    if as_wanted and picture.mode in {"RGB", "RGBA"} and (size is None or _fits(picture, size)):
        return None
    picture = fit(in_srgb(picture) if form == "PNG" and picture.mode == "RGBA" else _rgb(picture), size)
    check()
    return encode(picture, form)


@dataclass(frozen=True, slots=True)
class Written:
    """A picture file that was just written, not yet durable. sha256: hex digest."""

    sha256: str
    size_bytes: int


def finish_into(
    answer: Path, target: Path, form: OutputFormat, size: tuple[int, int] | None, max_pixels: int, check: Check
) -> Written:
    """`finish` the file `answer` as the file `target`; `answer` is used up. Raises as `finish` does."""
    data = finish(answer, form, size, max_pixels, check)
    if data is None:
        answer.rename(target)
    else:
        _write(target, data)
        answer.unlink()
    return measure(target)


def copy_as(source: Path, target: Path, form: OutputFormat, size: tuple[int, int] | None) -> Written:
    """Write `source`, upright and without metadata, as `target`; `source` stays. Raises NotAPicture."""
    _write(target, encode(fit(load_rgb(source), size), form, quality=95))
    return measure(target)


def measure(path: Path) -> Written:
    """Size and sha256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Written(digest, file.tell())


def upright_jpeg(path: Path) -> bytes:
    """The same photo as an upright JPEG without metadata, for providers that read nothing else. Raises NotAPicture."""
    return encode(load_rgb(path), "JPEG", quality=95)


def _write(target: Path, data: bytes) -> None:
    try:
        target.write_bytes(data)
    except OSError:
        with suppress(OSError):
            target.unlink()  # half a picture is none
        raise


def _opened(path: Path, form: str) -> Image.Image:
    if form == "HEIF":
        check_items(path)
    with _decoding("The file begins like a picture but is broken."):
        return Image.open(path, formats=[form])


def _upright(image: Image.Image) -> Image.Image:
    """Decode all of it (of many frames, the first) and turn it as `_orientation` says."""
    turn = _TURNS.get(_orientation(image))
    with _decoding("The picture is broken or cut short."):
        image.load()
        return image if turn is None else image.transpose(turn)


@contextmanager
def _decoding(message: str) -> Iterator[None]:
    """Decoders raise errors of every kind for broken data; only those of the disk itself stay what they are."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NotAPicture(message) from error


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    """EXIF's, from what stands before the pixels: the getexif of a PNG would decode them to look behind them too."""
    try:
        value = Image.Image.getexif(image).get(0x0112, 1)
    except Exception:  # noqa: BLE001 (broken EXIF is no reason to lose the photo)
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _fits(image: Image.Image, size: tuple[int, int]) -> bool:
    return image.width <= size[0] and image.height <= size[1]


def _rgb(image: Image.Image) -> Image.Image:
    image = in_srgb(image)
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        flat = Image.new("RGBA", image.size, "white")
        flat.alpha_composite(with_alpha)
        return flat.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
