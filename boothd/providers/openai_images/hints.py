"""Which switch to turn when a server refuses the dialect it is spoken to in. Source: facts/providers.md §6."""

import re

from boothd.base.errors import BadRequest, WorkError
from boothd.providers.common.openai import Said
from boothd.providers.openai_images.request import Request

_QUOTED = re.compile(r"['\"`‘“]([A-Za-z_][A-Za-z0-9_\[\].]*)['\"`’”]")
_PLAIN = frozenset({"prompt", "model", "n"})
_PICTURES = frozenset({"image", "images", "input_references"})
_SWITCHES = {
    "response_format": "Set response_format in the provider's settings to null, or to what the server takes.",
    "size": "Set a size that the model has, in the slot's options or under sizes.",
    "quality": "Change quality in the slot's options, or leave it out.",
    "output_format": "Change output_format in the slot's options, or leave it out.",
    "background": "Change background in the slot's options, or leave it out.",
}


def with_hint(error: WorkError, status: int, said: Said, request: Request, negative_field: str) -> WorkError:
    """The same error, its text saying what to change in the settings, where that can be told."""
    if type(error) is not BadRequest or said.misses_model(request.model):
        return error
    hint = _hint(status, said, request, negative_field)
    return BadRequest(f"{error.message} {hint}", charged=error.charged) if hint else error


def _hint(status: int, said: Said, request: Request, negative_field: str) -> str:
    if status in {404, 405}:
        return f"The server has no {request.path}; check base_url" + (" and edit_style." if request.pictures else ".")
    if status == 413:
        return "The pictures are too large for the server."
    if status == 415 or "unsupported_content_type" in said.names:
        return f"The server does not take edit_style: {request.style}; set another."
    for name in [said.param, *_QUOTED.findall(said.message)]:
        if found := _of_field(re.split(r"[.\[]", name)[0], request, negative_field):
            return found
    return ""


def _of_field(name: str, request: Request, negative_field: str) -> str:
    if name == "image" and request.style == "multipart":
        return "Set image_field to the name that the server wants, or another edit_style."
    if name in _PICTURES and request.pictures:
        return f"The server does not take edit_style: {request.style}; set another."
    if negative_field and name == negative_field:
        return "Set negative_field to the name that the server has, or leave it out."
    if name in request.fields and name not in _PLAIN:
        return _SWITCHES.get(name, f"Check {name} under extra in the slot's options.")
    return ""
