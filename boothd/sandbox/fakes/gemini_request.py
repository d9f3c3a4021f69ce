"""What a generateContent request asks for. Source: facts/providers.md §1.2."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from boothd.sandbox.fakes.bulk import Bulk
from boothd.sandbox.fakes.gemini_models import Model
from boothd.sandbox.fakes.problems import Problem

TYPES = {"image/png", "image/jpeg", "image/jpg", "image/webp", "image/heic", "image/heif"}
VERTEX_ONLY = ("personGeneration", "outputMimeType", "outputCompressionQuality", "imageOutputOptions")
_SNAKE = re.compile(r"_([a-z0-9])")


@dataclass(frozen=True, slots=True)
class Inline:
    """A picture inside the request."""

    data: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Named:
    """A picture by the name of an uploaded file: files/abc123."""

    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """modalities: TEXT, IMAGE, or () = the model's own. config: generationConfig in camel case."""

    prompt: str
    system: str
    pictures: tuple[Inline | Named, ...]
    modalities: tuple[str, ...]
    config: dict[str, Any]
    order: tuple[str, ...]

    def draws(self, model: Model) -> bool:
        """Whether a picture is wanted. Raises Problem."""
        if "IMAGE" in self.modalities and not model.draws:
            raise invalid("The requested combination of response modalities (IMAGE) is not supported by the model.")
        return model.draws and (not self.modalities or "IMAGE" in self.modalities)

    @property
    def aspect_ratio(self) -> str:
        return str(self.config.get("imageConfig", {}).get("aspectRatio", ""))

    @property
    def image_size(self) -> str:
        return str(self.config.get("imageConfig", {}).get("imageSize", ""))

    @property
    def json_wanted(self) -> bool:
        return self.config.get("responseMimeType") == "application/json"


def invalid(message: str) -> Problem:
    return Problem(400, message)


def read_request(body: bytes) -> Request:
    """Parse a request's body; for threads. Raises Problem."""
    try:
        bulk = Bulk(body)
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from None
    value = _camel(bulk.value)
    contents = value.get("contents") if isinstance(value, dict) else None
    if isinstance(contents, dict):
        contents = [contents]
    if not isinstance(contents, list) or not contents:
        raise invalid("* GenerateContentRequest.contents: contents is not specified")
    texts: list[str] = []
    pictures: list[Inline | Named] = []
    order: list[str] = []
    for content in contents:
        for part in _parts(content):
            _part(part, bulk, texts, pictures, order)
    if not order:
        raise invalid("* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.")
    system = "\n".join(bulk.text(part.get("text", "")) for part in _parts(value.get("systemInstruction") or {}))
    config = value.get("generationConfig") or {}
    modalities = tuple(str(name).upper() for name in config.get("responseModalities", ()))
    return Request("\n".join(texts), system, tuple(pictures), modalities, config, tuple(order))


def check(request: Request, model: Model) -> None:
    """Refuse what the model does not take. Raises Problem."""
    image = request.config.get("imageConfig", {})
    for name in VERTEX_ONLY:
        if name in image:
            raise invalid(f"Invalid JSON payload received. Unknown name \"{name}\" at 'generation_config.image_config'")
    if request.aspect_ratio and request.aspect_ratio not in model.ratios:
        raise invalid(f"Invalid aspect ratio: {request.aspect_ratio}. Supported: {', '.join(model.ratios)}.")
    if request.image_size and request.image_size not in model.sizes:
        raise invalid(f"Image size {request.image_size} is not supported by models/{model.name}.")
    if int(request.config.get("candidateCount", 1)) != 1:
        raise invalid("Multiple candidates is not enabled for this model")
    if len(request.pictures) > model.max_pictures:
        raise invalid(f"Please use at most {model.max_pictures} images; {len(request.pictures)} were given.")


def _part(part: Any, bulk: Bulk, texts: list[str], pictures: list[Inline | Named], order: list[str]) -> None:
    inline, file = part.get("inlineData"), part.get("fileData")
    if "text" in part:
        texts.append(bulk.text(str(part["text"])))
        order.append("text")
    elif inline is not None:
        if inline.get("mimeType") not in TYPES:
            raise invalid(f"Unsupported MIME type: {inline.get('mimeType')}")
        try:
            data = bulk.decoded(str(inline.get("data", "")))
        except ValueError:
            raise invalid("Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64") from None
        pictures.append(Inline(data, hashlib.sha256(data).hexdigest()))
        order.append("picture")
    elif file is not None:
        found = re.search(r"files/([\w-]+)$", bulk.text(str(file.get("fileUri", ""))))
        if found is None:
            raise invalid(f"Invalid or unsupported file uri: {file.get('fileUri')}")
        pictures.append(Named(f"files/{found[1]}"))
        order.append("file")
    else:
        raise invalid("* GenerateContentRequest.contents[0].parts[0].data: required oneof field 'data' must be set")


def _parts(content: Any) -> list[dict[str, Any]]:
    parts = content.get("parts", []) if isinstance(content, dict) else []
    parts = [parts] if isinstance(parts, dict) else parts
    return [part for part in parts if isinstance(part, dict)]


def _camel(value: Any) -> Any:
    """Keys in camel case; the service takes both."""
    if isinstance(value, dict):
        return {_SNAKE.sub(lambda m: m[1].upper(), key): _camel(inner) for key, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value
