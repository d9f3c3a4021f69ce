"""From a photo and a preset, or a wish, to a request in the server's dialect. Source: facts/providers.md §6."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boothd.base.errors import BadRequest, RequestError
from boothd.base.imaging import EXTENSIONS, MEDIA_TYPES, SNIFF_BYTES, known_format
from boothd.base.jsonbody import File, Tree, json_body
from boothd.base.photo import Photo
from boothd.base.pieces import PiecesBody
from boothd.base.threads import Threads
from boothd.providers.common.instructions import instruction, with_negative
from boothd.providers.common.multipart import Part, multipart_body
from boothd.providers.interfaces import EffectType, Preset, Wish
from boothd.providers.openai_images.settings import EditStyle, ImageField, OpenAIImagesOptions, OpenAIImagesSettings

MAX_IMAGE_URL = 20_971_520
"""Characters of a picture that stands in JSON."""

Style = EditStyle | Literal["none"]
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture of a request. what: for people. filename: neutral, never the guest's own."""

    path: Path
    size_bytes: int
    what: str
    filename: str
    media_type: str

    @property
    def prefix(self) -> str:
        return f"data:{self.media_type};base64,"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, in no dialect yet. fields: all but the pictures. pictures: the guest's photo first."""

    fields: Mapping[str, Value]
    model: str
    pictures: tuple[Upload, ...] = ()
    style: Style = "none"
    image_field: ImageField = "auto"

    @property
    def path(self) -> str:
        return "/images/edits" if self.style in {"multipart", "json-images"} else "/images/generations"

    async def body(self, disk: Threads) -> tuple[PiecesBody, str]:
        """The body for one attempt, and its media type."""
        if self.style == "multipart":
            parts = [Part(name, _written(value)) for name, value in self.fields.items()]
            parts += [Part(self._field, p.path, p.filename, p.media_type) for p in self.pictures]
            form = await multipart_body(parts, disk)
            return form, form.content_type
        urls = [File(picture.path, prefix=picture.prefix) for picture in self.pictures]
        tree: dict[str, Tree] = dict(self.fields)
        if self.style == "json-images":
            tree["images"] = [{"image_url": url} for url in urls]
        elif self.style == "input-references":
            tree["input_references"] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return await json_body(tree, disk), "application/json"

    @property
    def _field(self) -> str:
        if self.image_field != "auto":
            return self.image_field
        return "image" if len(self.pictures) == 1 else "image[]"


async def edit_request(
    photo: Photo, preset: Preset, effect: EffectType, settings: OpenAIImagesSettings, disk: Threads
) -> Request:
    """Raises BadRequest for a picture that cannot be sent so, and when there is no model."""
    options = options_of(preset.options)
    uploads = await disk.run(_uploads, photo, preset)
    if settings.edit_style != "multipart":
        for upload in uploads:
            _check_url(upload)
    prompt = instruction(effect.instruction, preset.prompt, len(preset.references), int(effect.needs_reference))
    fields = _fields(prompt, preset.negative, options, settings, options.size)
    return Request(fields, _model(options, settings), uploads, settings.edit_style, settings.image_field)


def draw_request(wish: Wish, settings: OpenAIImagesSettings) -> Request:
    """Raises BadRequest when there is no model."""
    options = options_of(wish.options)
    size = options.size or (_nearest(wish.size, settings.sizes) if wish.size else None)
    return Request(_fields(wish.prompt, wish.negative, options, settings, size), _model(options, settings))


def options_of(options: object) -> OpenAIImagesOptions:
    """The slot's fields; a chain's preset may have none."""
    return options if isinstance(options, OpenAIImagesOptions) else OpenAIImagesOptions()


def _model(options: OpenAIImagesOptions, settings: OpenAIImagesSettings) -> str:
    model = options.model or settings.model
    if not model and settings.model_needed:
        raise BadRequest(
            "No model is chosen: set `model` in the slot's options or in etc/providers/openai-images.yaml "
            "(or `model_needed: false` for a server that has one model only)."
        )
    return model


def _fields(
    prompt: str, negative: str, options: OpenAIImagesOptions, settings: OpenAIImagesSettings, size: str | None
) -> dict[str, Value]:
    """The least that every server takes, and what has been set."""
    in_words = "" if settings.negative_field else negative
    fields: dict[str, Value] = {"prompt": with_negative(prompt, in_words), "n": 1}
    wanted: dict[str, str | None] = {
        "model": _model(options, settings),
        "size": size,
        "quality": options.quality,
        "output_format": options.output_format,
        "background": options.background,
        "response_format": settings.response_format,
    }
    fields |= {name: value for name, value in wanted.items() if value}
    if settings.negative_field and negative:
        fields[settings.negative_field] = negative
    return {**options.extra, **fields}


def _uploads(photo: Photo, preset: Preset) -> tuple[Upload, ...]:
    references = enumerate((reference.path for reference in preset.references), 1)
    return (
        _upload(photo.path, "The photo", "photo"),
        *(_upload(path, f"Reference picture {number}", f"reference-{number}") for number, path in references),
    )


def _upload(path: Path, what: str, stem: str) -> Upload:
    try:
        with path.open("rb") as file:
            form = known_format(file.read(SNIFF_BYTES))
            size_bytes = file.seek(0, 2)
    except (OSError, RequestError) as error:
        raise BadRequest(f"{what} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if form == "HEIF":
        raise BadRequest(f"{what} is in HEIC format, which these servers do not read; save it as JPEG.")
    return Upload(path, size_bytes, what, stem + EXTENSIONS[form], MEDIA_TYPES[form])


def _check_url(upload: Upload) -> None:
    length = len(upload.prefix) + (upload.size_bytes + 2) // 3 * 4
    if length > MAX_IMAGE_URL:
        raise BadRequest(
            f"{upload.what} has {upload.size_bytes / 1e6:.1f} MB; as text in JSON that is {length:,} characters, "
            f"and at most {MAX_IMAGE_URL:,} are taken. Use a smaller picture, or edit_style: multipart."
        )


def _nearest(size: tuple[int, int], sizes: tuple[str, ...]) -> str:
    """The size whose shape is nearest; of equals, the first."""
    if not sizes:
        return f"{size[0]}x{size[1]}"

    def distance(text: str) -> float:
        width, height = map(int, text.split("x"))
        return abs(math.log(width / height) - math.log(size[0] / size[1]))

    return min(sizes, key=distance)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
