"""What is known of the models that make pictures: what each takes, and which have been shut down.

Source: facts/providers.md §1.1. A model that is not listed may have come since: it is asked for what the slot says."""

import math
from dataclasses import dataclass

from boothd.base.errors import BadRequest
from boothd.providers.gemini.settings import GeminiOptions

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
ALL_RATIOS = (*RATIOS, "1:4", "1:8", "4:1", "8:1")
SIDES = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Pixels of the side of a square picture."""


@dataclass(frozen=True, slots=True)
class Model:
    """What a model takes. sizes: of pictures, () = it has no such field. thinks: whether `thinking` can be set."""

    max_references: int = 13
    ratios: tuple[str, ...] = RATIOS
    sizes: tuple[str, ...] = ("1K", "2K", "4K")
    thinks: bool = True


UNKNOWN = Model(ratios=ALL_RATIOS, sizes=tuple(SIDES))
"""The guest's photo and 13 references are the 14 pictures that the newest model takes."""

KNOWN = {
    "gemini-nano-banana-2.1": Model(ratios=ALL_RATIOS, sizes=tuple(SIDES)),  # whether it takes 512 is disputed
    "gemini-3-pro-image": Model(),
    "gemini-3.1-flash-image": Model(ratios=ALL_RATIOS, sizes=tuple(SIDES)),
    "gemini-3.1-flash-lite-image": Model(sizes=("1K",)),
    "gemini-2.5-flash-image": Model(max_references=2, sizes=(), thinks=False),
}
ENDED = {
    "gemini-3-pro-image-preview": "gemini-3-pro-image",
    "gemini-3.1-flash-image-preview": "gemini-3.1-flash-image",
}
"""Shut down on 2026-06-25, and what has come instead."""


def find(model: str) -> Model:
    """What `model` takes. Raises BadRequest for one that has been shut down."""
    name = model.removeprefix("models/")
    if name.startswith("imagen-"):
        raise BadRequest(f"{name} was shut down, as all Imagen models were; set model to gemini-3-pro-image.")
    if name in ENDED:
        raise BadRequest(f"{name} was shut down; set model to {ENDED[name]}.")
    return KNOWN.get(name, UNKNOWN)


def check(model: str, options: GeminiOptions, references: int) -> None:
    """Refuse what `model` is known not to take, before anything is sent. Raises BadRequest."""
    takes = find(model)
    if references > takes.max_references:
        raise BadRequest(f"{model} takes at most {takes.max_references} reference pictures; the slot has {references}.")
    if options.aspect is not None and options.aspect not in takes.ratios:
        raise BadRequest(f"{model} does not take aspect {options.aspect}; it takes {', '.join(takes.ratios)}.")
    if options.image_size is not None and options.image_size not in takes.sizes:
        choice = f"it takes {', '.join(takes.sizes)}" if takes.sizes else "it takes no image_size at all"
        raise BadRequest(f"{model} does not take image_size {options.image_size}; {choice}.")
    if options.thinking is not None and not takes.thinks:
        raise BadRequest(f"{model} does not think; leave thinking empty.")


def nearest_ratio(model: str, size: tuple[int, int]) -> str:
    """The aspect ratio of `model` that is nearest to (width, height)."""
    wanted = math.log(size[0] / size[1])

    def distance(ratio: str) -> float:
        width, _, height = ratio.partition(":")
        return abs(math.log(int(width) / int(height)) - wanted)

    return min(find(model).ratios, key=distance)


def smallest_size(model: str, size: tuple[int, int]) -> str | None:
    """The smallest picture size of `model` with at least the pixels of (width, height), else its largest.

    None where 1K, the models' default, does or where nothing is known of the model: then nothing need be said."""
    takes = KNOWN.get(model.removeprefix("models/"))
    if takes is None or size[0] * size[1] <= SIDES["1K"] ** 2:
        return None
    enough = [name for name in takes.sizes if SIDES[name] ** 2 >= size[0] * size[1]]
    return enough[0] if enough else (takes.sizes[-1] if takes.sizes else None)
