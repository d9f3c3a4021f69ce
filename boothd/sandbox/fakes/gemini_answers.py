"""The fake Gemini's answers of status 200, refusals among them. Source: facts/providers.md §1.3. For threads."""

import hashlib
from typing import Any

from boothd.sandbox.fakes.bulk import Hole, dump
from boothd.sandbox.fakes.gemini_models import SIDES, Model
from boothd.sandbox.fakes.gemini_reading import WORDS as READING_WORDS
from boothd.sandbox.fakes.gemini_reading import read_photos
from boothd.sandbox.fakes.gemini_request import Request
from boothd.sandbox.fakes.pictures import Wanted, dimensions, picture_bytes, shaped
from boothd.sandbox.fakes.script import Words, without_blocks
from boothd.sandbox.fakes.wire import Answer

WORDS = {
    "no-image": "200, finishReason NO_IMAGE, a text instead of a picture",
    "text-only": "200, finishReason STOP, a text instead of a picture",
    "finish=REASON": "200 without a picture and with this finishReason (IMAGE_SAFETY, …)",
    "content=KIND": "with finish: `content` is absent (the default), empty or no-parts",
    "block=REASON": "200, the prompt refused: promptFeedback.blockReason and no `candidates`",
    "no-candidates": "200, `candidates` an empty list",
    "thoughts=N": 'so many pictures with "thought": true before the picture',
    "drafts=N": "so many pictures without that mark before the picture",
    "mime-lies": "mimeType says image/png for a JPEG and the other way round",
    "no-usage": "without usageMetadata",
    **READING_WORDS,
}
TOKENS = {"512": 747, "1K": 1290, "2K": 1680, "4K": 2520}  # of one picture that goes out
TOKENS_IN = 258  # of one picture that comes in


def make_answer(request: Request, photos: list[bytes], model: Model, words: Words) -> Answer:
    """The body for a request that is in order. Raises pictures.Unreadable, NotAScript."""
    draws = request.draws(model)
    usage = _usage(request, draws=draws, words=words)
    tail: dict[str, Any] = {} if "no-usage" in words else {"usageMetadata": usage}
    tail |= {"modelVersion": model.name, "responseId": hashlib.sha256(request.prompt.encode()).hexdigest()[:22]}
    if "block" in words:
        return Answer(dump({"promptFeedback": {"blockReason": words.text("block")}, **tail}))
    if "no-candidates" in words:
        return Answer(dump({"candidates": [], **tail}))
    return Answer(dump({"candidates": [_candidate(request, photos, model, words)], **tail}))


def size_of(request: Request, photos: list[bytes]) -> tuple[int, int]:
    """Width and height of the picture that is asked for: the aspect ratio's, else the first photo's, else square."""
    pixels = SIDES[request.image_size or "1K"] ** 2
    if request.aspect_ratio:
        wide, _, high = request.aspect_ratio.partition(":")
        return shaped(pixels, int(wide) / int(high))
    width, height = dimensions(photos[0]) if photos else (1, 1)
    return shaped(pixels, width / height)


def _candidate(request: Request, photos: list[bytes], model: Model, words: Words) -> dict[str, Any]:
    if "finish" in words:
        kind = words.one_of("content", "absent", "empty", "no-parts")
        kinds: dict[str, dict[str, Any]] = {
            "absent": {},
            "empty": {"content": {"parts": []}},
            "no-parts": {"content": {"role": "model"}},
        }
        content = kinds[kind]
        return {**content, "finishReason": words.text("finish"), "index": 0}
    if not request.draws(model):
        text = read_photos(photos, f"{request.system}\n{request.prompt}", bare=request.json_wanted, words=words)
        reason = "MAX_TOKENS" if "cut" in words else "STOP"
        return _content([{"text": text.decode()}], reason)
    if "no-image" in words or "text-only" in words:
        said = "I cannot make this picture, but I can describe it."
        return _content([{"text": said}], "NO_IMAGE" if "no-image" in words else "STOP")
    parts = []
    thoughts, drafts = words.count("thoughts"), words.count("drafts")
    size = size_of(request, photos)
    prompt = without_blocks(request.prompt)
    for number in range(thoughts + drafts, 0, -1):
        part = _picture(photos, Wanted(prompt, (size[0] // 2, size[1] // 2), draft=number), Words({}))
        parts.append({**part, "thought": True} if number > drafts else part)
    if thoughts:
        parts.insert(0, {"text": "**Composing the picture**", "thought": True})
    if request.modalities != ("IMAGE",):
        parts.append({"text": "Here is your picture."})
    parts.append(_picture(photos, Wanted(prompt, size), words))
    return _content(parts, "STOP")


def _content(parts: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    return {"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": 0}


def _picture(photos: list[bytes], wanted: Wanted, words: Words) -> dict[str, Any]:
    data = picture_bytes(photos, wanted, words)
    png = data.startswith(b"\x89PNG") != ("mime-lies" in words)
    webp = data[8:12] == b"WEBP"
    return {
        "inlineData": {"mimeType": "image/webp" if webp else f"image/{'png' if png else 'jpeg'}", "data": Hole(data)}
    }


def _usage(request: Request, *, draws: bool, words: Words) -> dict[str, Any]:
    text_in = max(1, len(request.prompt + request.system) // 4)
    pictures_in = TOKENS_IN * len(request.pictures)
    nothing = {"block", "no-candidates", "finish"} & words.said.keys()
    made = draws and not nothing and not {"no-image", "text-only"} & words.said.keys()
    out = TOKENS[request.image_size or "1K"] if made else 0 if nothing else 40
    thoughts = 180 * words.count("thoughts")
    details = [{"modality": "TEXT", "tokenCount": text_in}]
    if pictures_in:
        details.append({"modality": "IMAGE", "tokenCount": pictures_in})
    usage: dict[str, Any] = {"promptTokenCount": text_in + pictures_in}
    if out:
        usage["candidatesTokenCount"] = out
        kind = "IMAGE" if made else "TEXT"
        usage["candidatesTokensDetails"] = [{"modality": kind, "tokenCount": out}]
    usage |= {"totalTokenCount": text_in + pictures_in + out + thoughts, "promptTokensDetails": details}
    return {**usage, "thoughtsTokenCount": thoughts} if thoughts else usage
