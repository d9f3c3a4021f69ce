"""What a look is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

Field = NDArray[np.floating[Any]]
"""float32 numbers per pixel: a tone 0..1 where 0 is black, shape (height, width), or RGB 0..255 with three planes."""

Check = Callable[[], None]
"""Called between steps; raises when the job's time is over. Nobody in here catches what it raises."""


@dataclass(frozen=True, slots=True)
class Look:
    """One photographic or artistic look.

    name: stable id, used in presets and journals. title_en, title_ru: for the pages.
    words: what a prompt calls it, in the notation of `words.py`.
    apply: a new picture of the same size, at least (1, 1); never writes into its input; deterministic.
    """

    name: str
    title_en: str
    title_ru: str
    words: tuple[str, ...]
    apply: Callable[[Image, Check], Image]
