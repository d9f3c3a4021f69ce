"""What the model finds in a photo: how it is asked for boxes and masks, and how its answer is read.

The answer is text from outside that was meant to be JSON. Source: seeds/004-booth.md, object detection and segmentation."""

import io
import json
import re
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from boothd.base.errors import BadAnswer, Charged
from boothd.providers.common.ask import shortened
from boothd.providers.gemini import polygons
from boothd.providers.gemini.polygons import SCALE, is_number
from boothd.providers.interfaces import Found, Question

MAX_ITEMS = 64
MAX_MASK_BYTES = 512 << 10
MAX_MASK_PIXELS = 1 << 22
MAX_AREA = 8
"""All masks together cover at most so many times the photo; 64 of the photo's size would keep a thread for minutes."""
MAX_BROKEN = 200
"""Beginnings of objects that are tried in vain before the rest is given up: each may cost a walk to the end."""

_TOKENS = "<start_of_mask>"
_UNKNOWN_MASKS = (
    "The model does not give masks in a form that boothd knows, but as tokens; set mask_model in "
    "etc/providers/gemini.yaml to a model that gives them as PNG (gemini-2.5-flash)."
)

_OBJECT = re.compile(r'\{\s*"')
_NOTHING = re.compile(r"\[\s*\]")
_PREFIX = re.compile(r"\s*data:[^,]{0,100},")
_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
_JSON = json.JSONDecoder(strict=False)

_BOXES = """\
Detect these things in the picture: {things}

Answer with a JSON list only. Each entry has the 2D bounding box in the key "box_2d", as [ymin, xmin, ymax, xmax] \
normalized to 0-1000, and a short descriptive text in the key "label". At most {most} entries. If there are none of these \
things, answer []."""

_MASKS = """\
Give the segmentation masks for these things in the picture: {things}

Answer with a JSON list only. Each entry has the 2D bounding box in the key "box_2d", as [ymin, xmin, ymax, xmax] \
normalized to 0-1000, the segmentation mask within the box in the key "mask", as a base64 PNG probability map \
(data:image/png;base64,...), and a short descriptive text in the key "label". At most {most} entries. If there are none of \
these things, answer []."""


def prompt_for(question: Question) -> str:
    """What the model is asked."""
    asked = {"boxes": _BOXES, "masks": _MASKS}.get(question.kind)
    return question.text if asked is None else asked.format(things=question.text.strip(), most=MAX_ITEMS)


def parse_found(text: str, width: int, height: int, stem: Path) -> tuple[Found, ...]:
    """Read the things in an answer; their masks are written to `stem`-mask-0.png and so on. Blocks.

    width, height: of the upright photo, pixels. Masks are base64 PNGs, as the API is documented; polygons, which it is not
    documented to give, have been seen and are taken too (`polygons`). An answer that was cut off keeps its whole entries; a
    mask that cannot be used is left out of its thing. Empty only when the answer is an empty list. Raises BadAnswer
    (charged), also when all masks are tokens that only the model's makers can read; OSError when a mask cannot be
    written."""
    found: list[Found] = []
    area = MAX_AREA * width * height
    for item in _items(text):
        box = _box(item.get("box_2d"), width, height)
        if box is None:
            continue
        label = item.get("label")
        size = (box[2] - box[0], box[3] - box[1])
        mask = _mask(item, box, width, height) if size[0] * size[1] <= area else None
        path = None
        if mask is not None:
            area -= size[0] * size[1]
            path = stem.with_name(f"{stem.name}-mask-{len(found)}.png")
            mask.resize(size, Image.Resampling.BICUBIC).save(path, "PNG", compress_level=1)
        found.append(Found(shortened(label) if isinstance(label, str) else "", box, path))
        if len(found) == MAX_ITEMS:
            break
    if _TOKENS in text and not any(thing.mask for thing in found):
        raise BadAnswer(_UNKNOWN_MASKS, charged=Charged.YES)
    if not found and not _says_nothing(text):
        raise BadAnswer("The model was asked where things are and answered without a box.", charged=Charged.YES)
    return tuple(found)


def _items(text: str) -> Iterator[dict[str, Any]]:
    """The objects with a box, wherever they stand in the text: after words, in fences, in a list that never ends."""
    at, broken = 0, 0
    while broken < MAX_BROKEN and (begins := _OBJECT.search(text, at)) is not None:
        try:
            value, at = _JSON.raw_decode(text, begins.start())
        except (ValueError, RecursionError):
            at, broken = begins.start() + 1, broken + 1
        else:
            yield from _boxed(value)


def _boxed(value: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The objects with a box in a value: itself, or in what is wrapped around them."""
    if isinstance(value, dict) and "box_2d" in value:
        yield value
    elif isinstance(value, dict | list) and depth < 4:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _boxed(each, depth + 1)


def _says_nothing(text: str) -> bool:
    """Whether the answer is that there are no such things."""
    return _OBJECT.search(text) is None and _NOTHING.search(text) is not None


def _box(said: object, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom in pixels, at least one pixel wide and high; None for what has no area in the photo."""
    if not isinstance(said, list) or len(said) != 4 or not all(is_number(value) for value in said):
        return None
    top, left, bottom, right = (min(max(value, 0), SCALE) / SCALE for value in said)
    (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    if left == right or top == bottom:
        return None
    x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return x, y, max(round(right * width), x + 1), max(round(bottom * height), y + 1)


def _mask(item: Mapping[str, Any], box: tuple[int, int, int, int], width: int, height: int) -> Image.Image | None:
    """A thing's mask, greyscale, the box's shape in any size; None for what is none."""
    for name in ("mask", "polygon", "contour"):
        said = item.get(name)
        mask = _probabilities(said) if isinstance(said, str) else polygons.draw(said, box, width, height)
        if mask is not None:
            return mask
    return None


def _probabilities(said: str) -> Image.Image | None:
    """A base64 PNG as greyscale; None for what is none."""
    if len(said) > MAX_MASK_BYTES * 4 // 3 + 200:
        return None
    prefix = _PREFIX.match(said)
    base64 = said[prefix.end() if prefix else 0 :].translate(_STANDARD).rstrip("=")
    try:
        data = a2b_base64(base64 + "=" * (-len(base64) % 4), strict_mode=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return _grey(image) if image.width * image.height <= MAX_MASK_PIXELS else None
    except Exception:  # noqa: BLE001 (decoders raise errors of every kind for broken data; nothing here touches a disk)
        return None


def _grey(image: Image.Image) -> Image.Image:
    """Decoded, 0..255. Sixteen bits are scaled, not clipped; what is transparent is not the thing."""
    image.load()
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value / 257).convert("L")
    if image.has_transparency_data:
        flat = Image.new("RGBA", image.size, "black")
        flat.alpha_composite(image.convert("RGBA"))
        return flat.convert("L")
    return image.convert("L")
