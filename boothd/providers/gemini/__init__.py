"""Google's Gemini: changes photos, draws, and looks at photos. Source: facts/providers.md §1.

This module is quick to import; google-genai comes with the first provider that is made."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from boothd.base.budget import Budget
from boothd.base.errors import BadAnswer, BadRequest, Charged
from boothd.base.photo import Photo
from boothd.providers.common import instructions
from boothd.providers.common.keys import KeyRing
from boothd.providers.gemini import request
from boothd.providers.gemini.cost import Prices
from boothd.providers.gemini.reading import parse_found
from boothd.providers.gemini.settings import GeminiOptions, GeminiSettings
from boothd.providers.interfaces import (
    Call,
    EffectType,
    Found,
    Offer,
    Options,
    Picture,
    Preset,
    ProviderSettings,
    Question,
    Reading,
    Wish,
)
from boothd.providers.tools import Tools

__all__ = ["Gemini", "GeminiOptions", "GeminiSettings"]

MAX_REFERENCES = 13  # the guest's photo and 13 references: the 14 pictures that the newest model takes


class Gemini:
    """Implements edit, draw, read, offers, tidy. Raises NotConfigured without a key."""

    name: ClassVar[str] = "gemini"
    title: ClassVar[str] = "Gemini"
    effects: ClassVar[tuple[EffectType, ...]] = (
        EffectType(
            "face-swap",
            "Face swap",
            needs_reference=True,
            max_references=MAX_REFERENCES,
            instruction=instructions.FACE_SWAP,
        ),
        EffectType(
            "background",
            "Background",
            needs_reference=True,
            max_references=MAX_REFERENCES,
            instruction=instructions.BACKGROUND,
        ),
        EffectType(
            "prompt", "Prompt", needs_prompt=True, max_references=MAX_REFERENCES, instruction=instructions.PROMPT
        ),
    )
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = GeminiOptions
    Settings: ClassVar[type[ProviderSettings]] = GeminiSettings

    def __init__(self, settings: GeminiSettings, tools: Tools) -> None:
        keys = KeyRing(self.name, tools.keys, tools.clock)  # before what takes long to import
        import boothd.providers.gemini.cutting  # noqa: F401 (now, not while a photo waits)
        from boothd.providers.gemini.calls import Calls

        self._settings, self._tools = settings, tools
        self._calls = Calls(settings, keys, tools)
        self._prices = Prices(settings.price_per_million_input, settings.price_per_million_output)
        self._reading_prices = Prices(
            settings.reading_price_per_million_input, settings.reading_price_per_million_output
        )

    def model(self, preset: Preset) -> str:
        """The id of the model that makes the picture, or finds the guests that are cut out."""
        if _cuts_out(preset):
            return self._settings.mask_model
        return request.own(preset.options).model or self._settings.model

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """See `Edits.edit`."""
        if _cuts_out(preset):
            from boothd.providers.gemini.cutting import cut_out

            return await cut_out(self, photo, preset, call, self._tools.pictures)
        effect = next((effect for effect in self.effects if effect.name == preset.effect), None)
        if effect is None:
            raise BadRequest(f"Gemini has no effect {preset.effect!r}.")
        pictures = await self._tools.disk.run(request.measured, photo, preset.references)
        asked = request.edit(effect, preset, pictures, self._settings)
        cost = await self._calls.picture(asked, call, self._prices)
        return Picture(call.answer, asked.model, cost)

    async def draw(self, wish: Wish, call: Call) -> Picture:
        """See `Draws.draw`. The aspect ratio is the nearest that the model has."""
        asked = request.draw(wish, self._settings)
        cost = await self._calls.picture(asked, call, self._prices)
        return Picture(call.answer, asked.model, cost)

    async def read(self, photo: Photo, question: Question, call: Call) -> Reading:
        """See `Reads.read`."""
        (picture,) = await self._tools.disk.run(request.measured, photo)
        asked = request.read(question, picture, self._settings)
        words, cost = await self._calls.words(asked, call, self._reading_prices)
        if question.kind == "text":
            return Reading(words, asked.model, (), cost)
        found = await self._found(words, photo, call.answer, cost)
        return Reading(words, asked.model, found, cost)

    async def offers(self, budget: Budget) -> Sequence[Offer]:
        """The models that the key may use."""
        return await budget.limit(self._calls.offers())

    async def tidy(self, budget: Budget) -> None:
        """Delete guests' photos that were left at the service, and take up the references that lie there."""
        await self._calls.tidy(budget)

    async def _found(self, words: str, photo: Photo, stem: Path, cost: Decimal | None) -> tuple[Found, ...]:
        try:
            return await self._tools.pictures.run(parse_found, words, photo.width, photo.height, stem)
        except BadAnswer as error:
            error.charged, error.cost = Charged.YES, cost
            raise


def _cuts_out(preset: Preset) -> bool:
    return preset.effect == "background" and request.own(preset.options).cut_out
