"""A provider as another package brings one: it draws a frame of the slot's colour around the photo.

Its "service" is Pillow in boothd's picture threads; it wants a key, and refuses those that begin with "bad"."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image, ImageOps

from boothd.base.budget import Budget
from boothd.base.errors import BadKey
from boothd.base.photo import Photo
from boothd.providers.common.keys import KeyRing
from boothd.providers.interfaces import Call, EffectType, Offer, Options, Picture, Preset, ProviderSettings
from boothd.providers.tools import Tools


class TinyOptions(Options):
    """A slot's own fields."""

    model: str = "frame-1"


class TinySettings(ProviderSettings):
    """`etc/providers/tiny.yaml`. width: of the frame, in pixels."""

    width: int = 8


class Tiny:
    """The slot's prompt is the colour's name."""

    name: ClassVar[str] = "tiny"
    title: ClassVar[str] = "Tiny"
    effects: ClassVar[tuple[EffectType, ...]] = (EffectType("frame", "Frame", needs_prompt=True),)
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = TinyOptions
    Settings: ClassVar[type[ProviderSettings]] = TinySettings

    def __init__(self, settings: TinySettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._keys = KeyRing(self.name, tools.keys, tools.clock)

    def model(self, preset: Preset) -> str:
        """The slot's."""
        return str(preset.options.model_dump()["model"])

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """See `Edits.edit`."""

        async def framed(key: str) -> None:
            self._check(key)
            await self._tools.pictures.run(frame, photo.path, call.answer, self._settings.width, preset.prompt)

        await self._keys.use(framed)
        return Picture(call.answer, self.model(preset))

    async def offers(self, budget: Budget) -> Sequence[Offer]:
        """See `Offers.offers`."""

        async def listed(key: str) -> Sequence[Offer]:
            self._check(key)
            return [Offer("frame-1", "one colour"), Offer("frame-2", "two colours")]

        return await self._keys.use(listed)

    def _check(self, key: Any) -> None:
        if key.startswith("bad"):
            raise BadKey(f"Tiny does not know the key {key}.")


def frame(photo: Path, answer: Path, width: int, colour: str) -> None:
    """In a thread: put a frame around `photo`."""
    with Image.open(photo) as image:
        ImageOps.expand(image.convert("RGB"), width, colour).save(answer, "JPEG", quality=95)
