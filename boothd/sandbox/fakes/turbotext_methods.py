"""Turbotext's methods and their fields. Source: facts/providers.md §5."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

AVAILABLE = "available_api"


@dataclass(frozen=True, slots=True)
class Method:
    """order: the fields with addresses of pictures, all of them required, the guest's photo first."""

    name: str
    title: str = ""
    order: tuple[str, ...] = ("url_image_target", "url")
    required: tuple[str, ...] = ()


METHODS = {
    method.name: method
    for method in (
        Method("generate_image2image", "Генерация изображения по фото и тексту", ("url",), ("content",)),
        Method("mix_images", "Микс фото"),
        # the guest's face is `url_image_target` here, the picture that it goes into is `url`
        Method("deepfake_photo", "Замена лица"),
        Method(AVAILABLE, "Список доступных методов", ()),
    )
}

RANGES = {"strength": (0, 80), "seed": (1, 10**10), "scale": (0.1, 20)}


def wrong_fields(method: Method, fields: Mapping[str, str]) -> str:
    """The first field that is missing or makes no sense, "" when all is well."""
    return next(_wrong(method, fields), "")


def _wrong(method: Method, fields: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in (*method.order, *method.required) if not fields.get(name))
    addresses = [name for name in (*method.order, "webhook") if name in fields]
    yield from (name for name in addresses if not fields[name].startswith(("http://", "https://")))
    for name, (least, most) in RANGES.items():
        try:
            if name in fields and not least <= float(fields[name]) <= most:
                yield name
        except ValueError:
            yield name
    if len(fields.get("negative_prompt", "").split()) > 80:
        yield "negative_prompt"
    if fields.get("face_restore", "False") not in {"True", "False"}:
        yield "face_restore"
