"""The words of the slots' pages that do not stand in a template: of options, effects, and what is wrong with a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boothd.http.languages import N_


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field. text: translatable where it is ours; values: what is put into it."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


LABELS: Mapping[str, str] = {
    "aspect": N_("Aspect ratio"),
    "background": N_("Background"),
    "cut_out": N_("Cut the guests out"),
    "extra": N_("Further fields"),
    "face_restore": N_("Restore the face"),
    "image_size": N_("Picture size"),
    "model": N_("Model"),
    "negative_prompt": N_("Negative prompt"),
    "original_language": N_("Language of the prompt"),
    "output_format": N_("Format of the answer"),
    "quality": N_("Quality"),
    "renderer": N_("Renderer"),
    "renderer_effect": N_("What the renderer does"),
    "scale": N_("Scale"),
    "seed": N_("Seed"),
    "size": N_("Size"),
    "strength": N_("Strength"),
    "thinking": N_("Thinking"),
}

# What providers write in English themselves; a text stands here only so that catalogues have it.
_HINTS = (
    N_("how far the picture may leave the photo"),
    N_("the same seed, the same chance"),
    N_("how closely the prompt is followed"),
    N_("what must not be seen, at most 80 words"),
    N_("the prompt's language: ru, en"),
    N_("make the face sharper afterwards"),
    N_("the model that looks at the photo; none: the provider's"),
    N_("makes this slot's pictures; none: the provider's model"),
    N_("width to height"),
    N_("about the longer side, in pixels"),
    N_("how long the model thinks before it draws"),
    N_("the same seed tends to the same picture"),
    N_("the guests' own pixels are cut out and kept, nothing is painted anew"),
    N_("the model; none: the provider's"),
    N_("auto or 1024x1536; none: as the server likes it"),
    N_("low, medium, high, …, as the model has them"),
    N_("the answer's format"),
    N_("for models that can do it"),
    N_("further fields of the request: seed, input_fidelity, …"),
    N_(
        "The name of this method stands in no source: boothd models turbotext shows what your account has; "
        "put the method and its fields under replace_object in etc/providers/turbotext.yaml."
    ),
)
_EFFECTS = (
    N_("Face swap"),
    N_("Prompt"),
    N_("Mix photo"),
    N_("Replace object"),
    N_("Style"),
    N_("Mix with a picture"),
)

NEEDS_REFERENCE = Problem(N_("This type needs a reference picture."))
NEEDS_PROMPT = Problem(N_("This type needs a prompt."))
NO_SUCH_EFFECT = Problem(N_("Choose a type."))
BOTH_SIDES = Problem(N_("Give width and height, or neither."))
NOT_YAML = Problem(N_("Write one “name: value” per line."))

_PYDANTIC: Mapping[str, str] = {
    "int_parsing": N_("Write a whole number."),
    "int_from_float": N_("Write a whole number."),
    "float_parsing": N_("Write a number."),
    "greater_than_equal": N_("At least %(ge)s."),
    "less_than_equal": N_("At most %(le)s."),
    "string_too_long": N_("At most %(max_length)s characters."),
    "literal_error": N_("Choose one of the list."),
    "string_pattern_mismatch": N_("This is not written as it should be."),
    "finite_number": N_("Write a number."),
}


def too_many(most: int) -> Problem:
    """More reference pictures than the effect takes."""
    return Problem(N_("This type takes at most %(most)s."), {"most": most})


def label_of(option: str) -> str:
    """What an option is called on the page; one that is not known here keeps its own name."""
    return LABELS.get(option) or option.replace("_", " ").capitalize()


def problem_of(error: Mapping[str, Any]) -> Problem:
    """Of one of pydantic's errors; what has no words here keeps pydantic's."""
    text = _PYDANTIC.get(error["type"])
    if text is not None:
        return Problem(text, error.get("ctx", {}))
    said = str(error["msg"]).removeprefix("Value error, ")
    return Problem(said[:1].upper() + said[1:])
