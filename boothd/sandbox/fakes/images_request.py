"""What an images request asks for, in each of the dialects. Source: facts/providers.md §6. For threads."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import multipart

from boothd.sandbox.fakes.bulk import Bulk
from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.script import Words

KNOWN = frozenset(
    {"prompt", "model", "n", "size", "quality", "background", "output_format", "output_compression", "moderation"}
    | {"user", "stream", "partial_images", "input_fidelity"}
)
"""What GPT image models take beside pictures; anything else is refused in strict mode."""

PIECE = 256 << 10


@dataclass(slots=True)
class Request:
    """fields: as sent. pictures: the guest's photo first. style: multipart, json-images, input_references, none."""

    fields: dict[str, Any] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)
    mask: bytes = b""
    style: str = "none"
    names: list[str] = field(default_factory=list)

    @property
    def prompt(self) -> str:
        return str(self.fields.get("prompt") or "")

    @property
    def model(self) -> str:
        return str(self.fields.get("model") or "gpt-image-1")

    def digests(self) -> tuple[str, ...]:
        return tuple(hashlib.sha256(picture).hexdigest() for picture in self.pictures)


def invalid(message: str, param: str = "", code: str = "") -> Problem:
    return Problem(400, message, code, Words({"param": param} if param else {}))


def read_form(body: bytes, content_type: str) -> Request:
    """A multipart form. Raises Problem."""
    kind, options = multipart.parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise invalid("The form's Content-Type names no boundary.")
    request = Request(style="multipart")
    part: Any = None
    data: list[bytes] = []
    try:
        with multipart.PushMultipartParser(options["boundary"], max_header_count=16) as parser:
            for at in range(0, len(body), PIECE):
                for event in parser.parse(body[at : at + PIECE]):
                    if isinstance(event, multipart.MultipartSegment):
                        part, data = event, []
                    elif event is None:
                        _add_part(request, part, b"".join(data))
                    else:
                        data.append(bytes(event))
    except multipart.MultipartError as error:
        raise invalid(f"The form is broken: {error}") from None
    return request


def read_json(body: bytes) -> Request:
    """A JSON body: plain, with `images`, or with `input_references`. Raises Problem."""
    try:
        bulk = Bulk(body)
    except ValueError:
        raise invalid("We could not parse the JSON body of your request.") from None
    if not isinstance(bulk.value, dict):
        raise invalid("The JSON body of your request is no object.")
    request = Request(
        {name: bulk.text(value) if isinstance(value, str) else value for name, value in bulk.value.items()}
    )
    for name, style in (("images", "json-images"), ("input_references", "input_references")):
        if name in bulk.value:
            request.style = style
            del request.fields[name]
            request.pictures += [_picture(bulk, entry) for entry in bulk.value[name]]
            request.names += [name] * len(bulk.value[name])
    return request


def _add_part(request: Request, part: Any, data: bytes) -> None:
    request.names.append(part.name)
    if part.name in {"image", "image[]"}:
        if not part.filename:
            raise invalid("Expected a file, but got a string instead.", part.name)
        request.pictures.append(data)
    elif part.name == "mask":
        request.mask = data
    else:
        request.fields[part.name] = data.decode("utf-8", "replace")


def _picture(bulk: Bulk, entry: Any) -> bytes:
    url = entry.get("image_url") if isinstance(entry, dict) else None
    url = url.get("url") if isinstance(url, dict) else url
    if not isinstance(url, str):
        raise invalid("A picture has no `image_url`; the sandbox keeps no files by id.", "images")
    head = bulk.head(url)
    if not head.startswith("data:image/") or ";base64," not in head:
        raise invalid("A picture is no data URL; the sandbox fetches none by address.", "images")
    try:
        return bulk.decoded(url, head.index(",") + 1)
    except ValueError:
        raise invalid("A picture's data URL is no base64.", "images") from None
