"""What the model is asked: the pictures in their order, then the words, and how the answer shall be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from boothd.base.errors import BadRequest
from boothd.base.imaging import MEDIA_TYPES, SNIFF_BYTES, sniff
from boothd.base.photo import Photo
from boothd.providers.common.instructions import instruction, with_negative
from boothd.providers.gemini import models
from boothd.providers.gemini.reading import prompt_for
from boothd.providers.gemini.settings import GeminiOptions, GeminiSettings, Thinking
from boothd.providers.interfaces import EffectType, Preset, Question, Reference, Wish


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture that goes along. sha256: of a reference, which may be uploaded once for many calls; None = a guest's."""

    path: Path
    size_bytes: int
    mime: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a model. draws: whether a picture shall come. thinking_budget: in tokens, for Gemini 2.5."""

    model: str
    text: str
    pictures: tuple[Sent, ...] = ()
    draws: bool = True
    aspect: str | None = None
    image_size: str | None = None
    thinking: Thinking | None = None
    thinking_low: bool = False
    thinking_budget: int | None = None
    seed: int | None = None


def edit(effect: EffectType, preset: Preset, pictures: tuple[Sent, ...], settings: GeminiSettings) -> Asked:
    """Change the guest's photo, the first of `pictures`. Raises BadRequest for what the model does not take."""
    options = own(preset.options)
    model = options.model or settings.model
    models.check(model, options, len(pictures) - 1)
    expected = 1 if effect.needs_reference else 0
    text = instruction(effect.instruction, preset.prompt, len(pictures) - 1, expected)
    return _drawn(model, with_negative(text, preset.negative), options, pictures)


def draw(wish: Wish, settings: GeminiSettings) -> Asked:
    """Make a picture from words, in the shape and size nearest to what is wished. Raises BadRequest."""
    options = own(wish.options)
    model = options.model or settings.model
    if wish.size is not None:
        aspect = options.aspect or models.nearest_ratio(model, wish.size)
        size = options.image_size or models.smallest_size(model, wish.size)
        options = options.model_copy(update={"aspect": aspect, "image_size": size})
    models.check(model, options, 0)
    return _drawn(model, with_negative(wish.prompt, wish.negative), options, ())


def read(question: Question, picture: Sent, settings: GeminiSettings) -> Asked:
    """Look at a photo. Where things are is found better without thinking; source: seeds/004-booth.md, segmentation."""
    model = settings.mask_model if question.kind == "masks" else settings.reading_model
    places, name = question.kind != "text", model.removeprefix("models/")
    return Asked(
        model,
        prompt_for(question),
        (picture,),
        draws=False,
        # Gemini 3 cannot be kept from thinking, and not every one takes "minimal"; "low" all do.
        thinking_low=places and name.startswith("gemini-3"),
        thinking_budget=0 if places and name.startswith("gemini-2.5-flash") else None,
    )


def _drawn(model: str, text: str, options: GeminiOptions, pictures: tuple[Sent, ...]) -> Asked:
    return Asked(
        model,
        text,
        pictures,
        aspect=options.aspect,
        image_size=options.image_size,
        thinking=options.thinking,
        seed=options.seed,
    )


def own(options: object) -> GeminiOptions:
    """The options of a slot or a wish; the defaults where they are not Gemini's."""
    return options if isinstance(options, GeminiOptions) else GeminiOptions()


def measured(photo: Photo, references: Sequence[Reference] = ()) -> tuple[Sent, ...]:
    """The pictures as they will be sent, in their order. Blocks. Raises BadRequest for one that cannot be read."""
    guest = Sent(photo.path, photo.size_bytes, MEDIA_TYPES.get(photo.format, "image/jpeg"))
    return (guest, *(_reference(number, one) for number, one in enumerate(references, 1)))


def _reference(number: int, reference: Reference) -> Sent:
    try:
        with reference.path.open("rb") as file:
            form = sniff(file.read(SNIFF_BYTES))
        size_bytes = reference.path.stat().st_size
    except OSError as error:
        raise BadRequest(f"Reference picture {number} of the slot cannot be read ({error.strerror}).") from error
    if form not in MEDIA_TYPES:
        raise BadRequest(f"Reference picture {number} of the slot is not a JPEG, PNG, WebP or HEIC.")
    return Sent(reference.path, size_bytes, MEDIA_TYPES[form], reference.sha256)
