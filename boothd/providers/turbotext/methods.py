"""From a slot's effect to a method of Turbotext and its fields. Source: facts/providers.md §5.

`url` and `url_image_target` swap their roles between the methods: of a face swap `url` is the picture whose face is
replaced, of a mix the one that the style is taken from, of a prompt the guest's photo."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boothd.base.errors import BadRequest, Charged
from boothd.providers.common.instructions import with_negative
from boothd.providers.interfaces import EffectType, Preset
from boothd.providers.turbotext.settings import MOST_NEGATIVE_WORDS, TurbotextOptions, TurbotextSettings

EFFECTS = (
    EffectType("face-swap", "Face swap", needs_reference=True, max_references=1),
    EffectType("mix", "Mix photo", needs_reference=True, also=("background",), max_references=1),
    EffectType("background", "Background", needs_reference=True, also=("mix",), max_references=1),
    EffectType("prompt", "Prompt", needs_prompt=True, max_references=0),
    EffectType(
        "replace-object",
        "Replace object",
        note="The name of this method stands in no source: boothd models turbotext shows what your account has; "
        "put the method and its fields under replace_object in etc/providers/turbotext.yaml.",
    ),
)

_METHODS = {
    "face-swap": "deepfake_photo",
    "mix": "mix_images",
    "background": "mix_images",
    "prompt": "generate_image2image",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A method, the fields for the links to photo and reference pictures, and the fields that hold text."""

    method: str
    photo_field: str
    reference_fields: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


def method_of(preset: Preset, settings: TurbotextSettings) -> str:
    """The method's name, or the effect's where it has none."""
    return _METHODS.get(preset.effect) or settings.replace_object.method or preset.effect


def plan(preset: Preset, settings: TurbotextSettings) -> Plan:
    """What to ask for. Raises BadRequest when it cannot be."""
    made = _plan(preset, settings)
    if len(preset.references) < len(made.reference_fields):
        raise _cannot(
            f"The effect “{preset.effect}” needs {len(made.reference_fields)} reference pictures, "
            f"the slot has {len(preset.references)}."
        )
    return made


def _plan(preset: Preset, settings: TurbotextSettings) -> Plan:
    options = preset.options if isinstance(preset.options, TurbotextOptions) else TurbotextOptions()
    method = method_of(preset, settings)
    match preset.effect:
        case "face-swap":
            return Plan(method, "url_image_target", ("url",), _sent(face_restore=options.face_restore))
        case "mix" | "background":
            # It has no field for what must not be seen.
            content = with_negative(preset.prompt, preset.negative)
            return Plan(method, "url_image_target", ("url",), _sent(content=content))
        case "prompt":
            return Plan(method, "url", (), _prompt_fields(preset, options, settings))
        case "replace-object":
            return _replace_object(preset, settings)
    raise _cannot(f"Turbotext has no effect “{preset.effect}”.")


def _prompt_fields(preset: Preset, options: TurbotextOptions, settings: TurbotextSettings) -> dict[str, str]:
    negative = ", ".join(text for text in (options.negative_prompt, preset.negative) if text)
    return _sent(
        content=preset.prompt,
        strength=options.strength,
        seed=options.seed,
        scale=options.scale,
        negative_prompt=" ".join(negative.split()[:MOST_NEGATIVE_WORDS]),
        original_language=options.original_language,
        user_id=settings.user_id,
    )


def _replace_object(preset: Preset, settings: TurbotextSettings) -> Plan:
    configured = settings.replace_object
    if not configured.method:
        raise _cannot(
            "No method is set for “replace object”: put the name that your Turbotext account lists for it "
            "into etc/providers/turbotext.yaml under replace_object.method (`boothd check` shows the list)."
        )
    prompt = {configured.prompt_field: with_negative(preset.prompt, preset.negative)} if configured.prompt_field else {}
    fields = {**configured.fields, **_sent(**prompt)}
    return Plan(configured.method, configured.photo_field, configured.reference_fields, fields)


def _sent(**values: str | float | bool | None) -> dict[str, str]:
    """The fields that have a value, as they go over the wire: yes and no are `True` and `False`."""
    return {name: _text(value) for name, value in values.items() if value is not None and value != ""}


def _text(value: str | float | bool) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _cannot(message: str) -> BadRequest:
    return BadRequest(message, charged=Charged.NO)
