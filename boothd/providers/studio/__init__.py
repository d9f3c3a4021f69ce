"""The built-in provider: no key, no network, no money.

*background* puts the guest, standing before a green or blue screen, onto the slot's reference picture. *style* draws the
photo anew in the look that the prompt names.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field
from twisted.internet.defer import CancelledError

from boothd.base import imaging
from boothd.base.errors import Charged, NotAPicture, OutOfTime, Refused
from boothd.base.photo import Photo
from boothd.providers.interfaces import Call, EffectType, Options, Picture, Preset, ProviderSettings
from boothd.providers.studio.background import replace_background
from boothd.providers.studio.looks import choose
from boothd.providers.studio.screen import NoScreen
from boothd.providers.tools import Tools

Check = Callable[[], None]


class StudioSettings(ProviderSettings):
    """`etc/providers/studio.yaml`."""

    concurrency: int = Field(default_factory=lambda: os.cpu_count() or 2, ge=1, le=64)


class Studio:
    """Works in the picture threads, on the photo as it lies on disk."""

    name: ClassVar[str] = "studio"
    title: ClassVar[str] = "Studio"
    effects: ClassVar[tuple[EffectType, ...]] = (
        EffectType("background", "Background", needs_reference=True),
        EffectType("style", "Style", also=("prompt",)),
    )
    paid: ClassVar[bool] = False
    Options: ClassVar[type[Options]] = Options
    Settings: ClassVar[type[ProviderSettings]] = StudioSettings

    def __init__(self, settings: Any, tools: Tools) -> None:
        self._tools = tools

    def model(self, preset: Preset) -> str:
        """The effect; for a style also the look."""
        return preset.effect if preset.effect == "background" else f"style/{choose(preset.prompt).name}"

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """See `Edits.edit`. Raises Refused for a photo without a screen or with broken data, and OutOfTime."""
        given_up = False

        def check() -> None:
            if given_up:
                raise OutOfTime()
            call.budget.check()

        try:
            await self._tools.pictures.run(make, photo.path, preset, call.answer, check)
        except CancelledError:
            given_up = True  # the thread sees it at its next step
            raise
        except (NoScreen, NotAPicture) as error:
            raise Refused(str(error), charged=Charged.NO) from error
        return Picture(call.answer, self.model(preset), finished=True)


def make(source: Path, preset: Preset, answer: Path, check: Check) -> None:
    """Read, work, write, in one thread. Raises NoScreen, NotAPicture, and what `check` raises."""
    photo = imaging.fit(imaging.load_rgb(source), preset.size)
    check()
    pixels = np.asarray(photo)
    if preset.effect == "background":
        scene = np.asarray(imaging.load_rgb(preset.references[0].path))
        made = replace_background(pixels, scene, check)
    else:
        made = choose(preset.prompt).apply(pixels, check)
    check()
    answer.write_bytes(imaging.encode(Image.fromarray(made), preset.format))
