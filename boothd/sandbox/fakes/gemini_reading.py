"""What the fake Gemini reads in a photo: words, boxes, masks. For threads."""

import io
import json
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from boothd.sandbox.fakes.bulk import Hole, dump
from boothd.sandbox.fakes.figure import box_of, find_figure
from boothd.sandbox.fakes.pictures import Unreadable, dimensions
from boothd.sandbox.fakes.script import Words

SIDE = 512  # pixels of the longer side in which a figure is sought

WORDS = {
    "no-fence": "the JSON of an answer that reads without ```json around it",
    "chatty": "with sentences before and after it",
    "cut": "it breaks off (finishReason MAX_TOKENS)",
    "boxes=N": "so many boxes; 0: an empty list",
    "no-mask": "boxes without masks",
    "bad-mask": "masks that are no pictures",
}


def read_photos(photos: list[bytes], prompt: str, *, bare: bool, words: Words) -> bytes:
    """The answer's text, UTF-8. bare: JSON was asked for by its MIME type. Raises Unreadable."""
    asked = prompt.lower()
    masks = "segmentation" in asked or "mask" in asked
    if masks or "box_2d" in asked or "bounding box" in asked:
        said = dump(_things(photos, words, masks=masks))
    elif bare or "json" in asked:
        said = json.dumps(_description(photos)).encode()
    else:
        return str(_description(photos)["description"]).encode()
    if "cut" in words:
        return b"```json\n" + said[: len(said) * 2 // 3]
    if "chatty" in words:
        return b"Sure, here is what I found:\n```json\n" + said + b"\n```\nLet me know if you need more."
    return said if bare or "no-fence" in words else b"```json\n" + said + b"\n```"


def _things(photos: list[bytes], words: Words, *, masks: bool) -> list[dict[str, Any]]:
    if not photos:
        return []
    alpha = _alpha(photos[0])
    top, left, bottom, right = box_of(alpha)
    things = []
    for number in range(words.count("boxes", 1)):
        shift = 40 * number
        box = [min(top + shift, 990), min(left + shift, 990), bottom, right]
        thing: dict[str, Any] = {"box_2d": box}
        if masks and "no-mask" not in words:
            mask = b"no picture" if "bad-mask" in words else _mask(alpha, (top, left, bottom, right))
            thing["mask"] = Hole(mask, "data:image/png;base64,")
        things.append({**thing, "label": "person" if number == 0 else f"person {number + 1}"})
    return things


def _alpha(photo: bytes) -> Any:
    with _opened(photo) as image:
        small = ImageOps.contain(ImageOps.exif_transpose(image).convert("RGB"), (SIDE, SIDE))
        return find_figure(np.asarray(small, np.float32))


def _mask(alpha: Any, box: tuple[int, int, int, int]) -> bytes:
    """A probability map, 0..255, of what lies in the box."""
    height, width = alpha.shape
    top, bottom = (round(box[at] / 1000 * height) for at in (0, 2))
    left, right = (round(box[at] / 1000 * width) for at in (1, 3))
    part = (np.clip(alpha[top : max(bottom, top + 1), left : max(right, left + 1)], 0, 1) * 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(part).resize((256, 256), Image.Resampling.BILINEAR).save(out, "PNG")
    return out.getvalue()


def _description(photos: list[bytes]) -> dict[str, Any]:
    if not photos:
        return {"description": "There is no picture.", "tags": []}
    width, height = dimensions(photos[0])
    with _opened(photos[0]) as image:
        image.draft("RGB", (64, 64))
        red, _, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    tone = "warm" if red > blue else "cool"
    said = f"A sandbox reading: {len(photos)} pictures, the first of {width}x{height} pixels in {tone} colours."
    return {"description": said, "tags": ["portrait", tone, "event"]}


def _opened(photo: bytes) -> Image.Image:
    dimensions(photo)
    try:
        image = Image.open(io.BytesIO(photo))
        image.load()
    except Exception as error:
        raise Unreadable(str(error)) from error
    return image
