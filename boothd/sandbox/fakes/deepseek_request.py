"""What a chat request to the fake DeepSeek asks for. Source: facts/providers.md §2. For threads."""

import hashlib
from dataclasses import dataclass
from typing import Any

from boothd.base.imaging import SNIFF_BYTES, sniff
from boothd.sandbox.fakes.bulk import Bulk
from boothd.sandbox.fakes.pictures import Unreadable, dimensions
from boothd.sandbox.fakes.problems import Problem

MAX_PICTURE = 32 << 20
MAX_SIDE, MAX_SIDE_OF_MANY, MANY, MOST = 8192, 4096, 15, 600
OLD_NAMES = {"deepseek-v4-flash": "deepseek-flash", "deepseek-v4-flash-vision-exp": "deepseek-flash"}


@dataclass(frozen=True, slots=True)
class Model:
    """sees: whether it takes pictures."""

    name: str
    title: str
    sees: bool

    def entry(self) -> dict[str, Any]:
        """As GET /models lists it."""
        return {
            "id": self.name,
            "object": "model",
            "owned_by": "deepseek",
            "name": self.title,
            "context_window": 1_048_576,
            "max_output_tokens": 393_216,
            "input_modalities": ["text", "image"] if self.sees else ["text"],
            "output_modalities": ["text"],
            "effort": ["low", "medium", "high"],
        }


MODELS = {
    model.name: model
    for model in (
        Model("deepseek-flash", "DeepSeek-V4.1-Flash", True),
        Model("deepseek-v4-pro", "DeepSeek-V4-Pro", False),
    )
}


@dataclass(frozen=True, slots=True)
class Request:
    """prompt: all texts. digests: sha256 of the pictures. sizes: width and height of each."""

    model: str
    prompt: str
    last: str
    digests: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    thinking: bool
    json_wanted: bool
    max_tokens: int
    stream: bool


def invalid(message: str) -> Problem:
    return Problem(400, message)


def read_request(body: bytes) -> Request:
    """Raises Problem."""
    try:
        bulk = Bulk(body)
    except ValueError as error:
        raise invalid(f"Failed to parse the request body as JSON: {error}") from None
    value = bulk.value if isinstance(bulk.value, dict) else {}
    model = MODELS.get(OLD_NAMES.get(str(value.get("model")), str(value.get("model"))))
    if model is None:
        raise invalid("Model Not Exist")
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Failed to deserialize the JSON body into the target type: missing field `messages`")
    texts: list[str] = []
    pictures: list[bytes] = []
    for number, message in enumerate(messages):
        _message(number, message, bulk, texts, pictures)
    if pictures and not model.sees:
        raise invalid(f"{model.name} does not support image input")
    prompt = "\n".join(texts)
    json_wanted = (value.get("response_format") or {}).get("type") == "json_object"
    if json_wanted and "json" not in prompt.lower():
        raise invalid(
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
        )
    max_tokens = value.get("max_tokens") or 32_768
    if not isinstance(max_tokens, int) or max_tokens < 1:
        raise Problem(422, "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]")
    digests = tuple(hashlib.sha256(picture).hexdigest() for picture in pictures)
    thinking = (value.get("thinking") or {}).get("type", "enabled") != "disabled"
    sizes = _sizes(pictures)
    stream = bool(value.get("stream"))
    return Request(str(value["model"]), prompt, texts[-1], digests, sizes, thinking, json_wanted, max_tokens, stream)


def _message(number: int, message: Any, bulk: Bulk, texts: list[str], pictures: list[bytes]) -> None:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        texts.append(bulk.text(content))
        return
    broken = f"Failed to deserialize the JSON body into the target type: messages[{number}]: "
    if not isinstance(content, list):
        raise invalid(f"{broken}invalid type for `content`")
    for part in content:
        if part.get("type") == "text":
            texts.append(bulk.text(str(part.get("text", ""))))
        elif part.get("type") == "image_url":
            pictures.append(_picture(part, bulk, broken))
        else:
            raise invalid(f"{broken}unknown variant `{part.get('type')}`, expected `text` or `image_url`")


def _picture(part: dict[str, Any], bulk: Bulk, broken: str) -> bytes:
    url = (part.get("image_url") or {}).get("url")
    head = bulk.head(url) if isinstance(url, str) else ""
    if not head.startswith("data:") or "," not in head:
        raise invalid(f"{broken}the sandbox takes pictures as data URLs only")
    try:
        data = bulk.decoded(str(url), head.index(",") + 1)
    except ValueError:
        raise invalid(f"{broken}invalid base64 in image_url") from None
    if len(data) > MAX_PICTURE:
        raise invalid("The image is larger than 32 MiB.")
    if sniff(data[:SNIFF_BYTES]) not in {"JPEG", "PNG", "WEBP"} and not data.startswith(b"GIF8"):
        raise invalid("Unsupported image format; use JPEG, PNG, GIF or WebP.")
    return data


def _sizes(pictures: list[bytes]) -> tuple[tuple[int, int], ...]:
    if len(pictures) > MOST:
        raise invalid(f"At most {MOST} images are taken.")
    try:
        sizes = tuple(dimensions(picture) for picture in pictures)
    except Unreadable as error:
        raise invalid(f"The image could not be decoded: {error}") from None
    limit = MAX_SIDE if len(pictures) < MANY else MAX_SIDE_OF_MANY
    if any(max(size) > limit for size in sizes):
        raise invalid(f"An image's side is longer than {limit} pixels.")
    return sizes
