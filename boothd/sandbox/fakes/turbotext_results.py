"""The shapes that the fake Turbotext's answers have. Source: facts/providers.md §5."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boothd.sandbox.fakes.downloads import base_of
from boothd.sandbox.fakes.script import Words
from boothd.sandbox.fakes.wire import Answer

WORDS = {
    "yes=text": '`success` is "true" or "false", not a boolean',
    "place=PLACE": "the picture's address stands at top, data, list, text (data.image as one) or none",
    "address=KIND": "the address is absolute, relative or without its scheme (no-scheme)",
    "limits": "with a `limits` block",
    "error-field=NAME": "with error: its text is in error, errors or message",
    "stray-bracket": "at=result: the JSON has a bracket too many, as in the documentation's sample",
}


@dataclass(frozen=True, slots=True)
class Done:
    """A finished picture. name: of its file. size: in pixels. base: the server's address."""

    method: str
    fields: Mapping[str, str]
    name: str
    size: tuple[int, int]
    base: str


def say(value: Mapping[str, Any], words: Words, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """JSON as PHP writes it."""
    if words.text("yes") == "text" and "success" in value:
        value = {**value, "success": "true" if value["success"] else "false"}
    text = json.dumps(value).replace("/", "\\/")
    if "stray-bracket" in words:
        text = text[:-1] + "]}"
    return Answer(text.encode(), status, headers=headers)


def failure(message: str, words: Words) -> dict[str, Any]:
    """`success: false` with free text."""
    return {"success": False, words.one_of("error-field", "error", "errors", "message"): message.replace("+", " ")}


def result(done: Done, words: Words) -> dict[str, Any]:
    """What get_result says of a picture: each method its own way, unless the script says otherwise."""
    makers = {"generate_image2image": _image2image, "deepfake_photo": _deepfake}
    said = makers.get(done.method, _mix)(done, words)
    if "place" in words:
        place = words.one_of("place", "top", "data", "list", "text", "none")
        said.pop("uploaded_image", None)
        said["data"].pop("image", None)
        address = _address(done, words, "absolute")
        match place:
            case "top":
                said["uploaded_image"] = address
            case "data":
                said["data"]["uploaded_image"] = address
            case "list":
                said["data"]["image"] = [address]
            case "text":
                said["data"]["image"] = address
    if "limits" in words:
        said["limits"] = {"foto_limit": 42, "text_limit": 0}
    return said


def forbidden() -> dict[str, Any]:
    """Refused for what is on the picture."""
    return {"success": True, "error": "", "data": {"image": [], "forbidden_content": True, "face_restore": "False"}}


def _image2image(done: Done, words: Words) -> dict[str, Any]:
    data = {
        "user_id": int(done.fields.get("user_id") or 1),
        "image": [_address(done, words, "relative")],
        "prompt": done.fields.get("content", ""),
        "width": done.size[0],
        "height": done.size[1],
        "scale": float(done.fields.get("scale") or 7.5),
        "seed": int(done.fields.get("seed") or 5443937701),
        "strength": int(float(done.fields.get("strength") or 40)),
        "original_language": done.fields.get("original_language") or "ru",
    }
    return {"success": True, "error": "", "data": data}


def _mix(done: Done, words: Words) -> dict[str, Any]:
    data = {"content": done.fields.get("content", ""), "width": done.size[0], "height": done.size[1]}
    return {"success": True, "error": "", "data": data, "uploaded_image": _address(done, words, "absolute")}


def _deepfake(done: Done, words: Words) -> dict[str, Any]:
    address = _address(done, words, "absolute")
    restored = "True" if done.fields.get("face_restore", "").lower() in {"true", "1"} else "False"
    data = {"image": [address], "forbidden_content": False, "face_restore": restored}
    return {"success": True, "error": "", "data": data, "uploaded_image": address}


def _address(done: Done, words: Words, usual: str) -> str:
    base = base_of(done.base, words)
    kinds = {
        "absolute": f"{base}/download.php?f={done.name}",
        "relative": f"image/{done.name}",
        "no-scheme": f"{base.partition(':')[2]}/download.php?f={done.name}",
    }
    return kinds[words.one_of("address", usual, *kinds)]
