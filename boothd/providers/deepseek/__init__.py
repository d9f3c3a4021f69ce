"""DeepSeek: looks at photos and writes; it makes no pictures, so it directs those who do.

Wire facts: facts/providers.md §2."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from boothd.base.budget import Budget
from boothd.base.errors import BadAnswer, BadRequest, Charged, Refused
from boothd.base.jsonbody import File, Tree
from boothd.base.photo import Photo
from boothd.providers.common.ask import shortened
from boothd.providers.common.keys import KeyRing
from boothd.providers.common.openai import list_models
from boothd.providers.deepseek.chat import chat
from boothd.providers.deepseek.looking import LOW_SIDE, SIDE, Look
from boothd.providers.deepseek.orders import DIRECTOR, EFFECT_TYPES, READER, wish_of
from boothd.providers.deepseek.settings import DeepseekOptions, DeepseekSettings
from boothd.providers.deepseek.verdict import Said, read_said, read_verdict
from boothd.providers.interfaces import (
    Call,
    Direction,
    EffectType,
    NotConfigured,
    Offer,
    Options,
    Preset,
    ProviderSettings,
    Question,
    Reading,
)
from boothd.providers.tools import Tools

__all__ = ["Deepseek", "DeepseekOptions", "DeepseekSettings"]

MAX_LOOKED_AT = 4
"""Reference pictures that are shown; the renderer gets them all."""


class Deepseek:
    """Directs and reads, by one chat request each."""

    name: ClassVar[str] = "deepseek"
    title: ClassVar[str] = "Deepseek"
    effects: ClassVar[tuple[EffectType, ...]] = EFFECT_TYPES
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = DeepseekOptions
    Settings: ClassVar[type[ProviderSettings]] = DeepseekSettings

    def __init__(self, settings: DeepseekSettings, tools: Tools) -> None:
        if not settings.base_url:
            raise NotConfigured("no base_url; set it in etc/providers/deepseek.yaml")
        self._settings, self._tools = settings, tools
        self._keys = KeyRing(self.name, tools.keys, tools.clock)
        self._client = tools.client(settings.ca_bundle)

    def model(self, preset: Preset) -> str:
        """The slot's model, else the provider's."""
        chosen = preset.options.model if isinstance(preset.options, DeepseekOptions) else ""
        return chosen or self._settings.model

    async def direct(self, photo: Photo, preset: Preset, call: Call) -> Direction:
        """See `Directs.direct`. What the preset's own `negative` says stays said."""
        references = (preset.renderer or preset).references[:MAX_LOOKED_AT]
        model = self.model(preset)
        async with self._looks(photo, [reference.path for reference in references], call) as looks:
            content = self._content(looks, wish_of(preset, len(references)))
            said = await self._say(model, DIRECTOR, content, {"response_format": {"type": "json_object"}})
        self._check(said)
        verdict = read_verdict(said.content)
        if verdict is None:
            why = "its answer was cut off; raise max_tokens" if said.finish == "length" else "it wrote no prompt"
            raise BadAnswer(f"{self.title} gave no verdict: {why}.", charged=Charged.YES, cost=said.cost)
        if verdict.refuse:
            raise Refused(f"{self.title}: {shortened(verdict.refuse)}", charged=Charged.YES, cost=said.cost)
        return Direction(verdict.prompt, verdict.negative or preset.negative, model, said.cost)

    async def read(self, photo: Photo, question: Question, call: Call) -> Reading:
        """See `Reads.read`; in words only."""
        if question.kind != "text":
            raise BadRequest(f"{self.title} answers in words; it does not find boxes or masks.")
        model = self._settings.model
        async with self._looks(photo, [], call) as looks:
            said = await self._say(model, READER, self._content(looks, question.text), {})
        self._check(said)
        return Reading(said.content, model, cost=said.cost)

    async def offers(self, budget: Budget) -> Sequence[Offer] | None:
        """The account's models; the note says what each takes and gives."""

        async def ask_for(key: str) -> list[dict[str, Any]] | None:
            return await list_models(
                self._client,
                self._settings.base_url,
                {},
                service=self.title,
                key=key,
                now=self._tools.clock.now(),
                disk=self._tools.disk,
            )

        found = await budget.limit(self._keys.use(ask_for))
        return None if found is None else [Offer(entry["id"], _note(entry)) for entry in found]

    # --- one exchange ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _looks(self, photo: Photo, references: Sequence[Path], call: Call) -> AsyncIterator[list[Look]]:
        """Small copies beside the call's answer, for as long as they are needed."""
        sources = [(photo.path, "The photo")]
        sources += [(path, f"Reference picture {number}") for number, path in enumerate(references, 1)]
        looks = [
            Look(path, call.answer.with_name(f"{call.answer.name}-look-{place}.jpg"), what)
            for place, (path, what) in enumerate(sources)
        ]
        side = LOW_SIDE if self._settings.detail == "low" else SIDE
        try:
            for look in looks:
                await look.take(side, self._tools.max_pixels(), self._tools.pictures)
            yield looks
        finally:
            for look in looks:
                await look.remove(self._tools.disk)

    def _content(self, looks: Sequence[Look], text: str) -> list[Tree]:
        """The pictures in their order, then what is asked about them."""
        detail = self._settings.detail
        content: list[Tree] = []
        for look in looks:
            url = File(look.path, prefix="data:image/jpeg;base64,")
            content.append({"type": "image_url", "image_url": {"url": url, "detail": detail}})
        return [*content, {"type": "text", "text": text}]

    async def _say(self, model: str, system: str, content: Sequence[Tree], more: dict[str, Tree]) -> Said:
        settings = self._settings
        tree: dict[str, Tree] = {
            "model": model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": content}],
            "thinking": {"type": "disabled"},  # it is on by default, and can use up max_tokens
            **more,
            "max_tokens": settings.max_tokens,
            "stream": False,
        }
        call = partial(chat, self._client, settings.base_url, tree, model=model, service=self.title, tools=self._tools)
        answer = await self._keys.use(call)
        return read_said(answer, settings.price_per_million_input, settings.price_per_million_output)

    def _check(self, said: Said) -> None:
        if said.finish == "content_filter":
            raise Refused(f"{self.title} refused the photo or the prompt.", charged=Charged.YES, cost=said.cost)
        if not said.content:
            why = "; raise max_tokens" if said.finish == "length" else ""
            raise BadAnswer(f"{self.title} answered nothing{why}.", charged=Charged.YES, cost=said.cost)


def _note(entry: dict[str, Any]) -> str:
    """As GET /models says it: what goes in, what comes out."""
    takes, gives = entry.get("input_modalities"), entry.get("output_modalities")
    if not isinstance(takes, list) or not isinstance(gives, list):
        return ""
    blind = "" if "image" in takes else "; cannot see photos"
    return f"{', '.join(map(str, takes))} → {', '.join(map(str, gives))}{blind}"
