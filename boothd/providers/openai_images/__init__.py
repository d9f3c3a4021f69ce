"""Servers that speak OpenAI's image protocol: OpenAI's own, resellers', and an operator's.

Wire facts and dialects: facts/providers.md §6."""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from boothd.base.budget import Budget
from boothd.base.errors import BadRequest, Charged, WorkError
from boothd.base.jsonanswer import Blob
from boothd.base.photo import Photo
from boothd.providers.common.ask import ask, read_answer, retry_after_s
from boothd.providers.common.instructions import BACKGROUND, FACE_SWAP, PROMPT
from boothd.providers.common.keys import KeyRing
from boothd.providers.common.openai import Said, bearer, error_of, list_models, read_said, said_by
from boothd.providers.common.paid import Download, Remaining
from boothd.providers.interfaces import (
    Call,
    EffectType,
    NotConfigured,
    Offer,
    Options,
    Picture,
    Preset,
    ProviderSettings,
    Wish,
)
from boothd.providers.openai_images.answer import cost_of, files_of, find_picture
from boothd.providers.openai_images.hints import with_hint
from boothd.providers.openai_images.links import guard_of
from boothd.providers.openai_images.request import Request, draw_request, edit_request, options_of
from boothd.providers.openai_images.settings import OpenAIImagesOptions, OpenAIImagesSettings
from boothd.providers.tools import Tools

__all__ = ["OpenAIImages", "OpenAIImagesOptions", "OpenAIImagesSettings"]

T = TypeVar("T")

MAX_ANSWER = 128 << 20
"""Bytes of an answer; it goes to disk as it comes."""
PAUSE_S = 0.5
"""Before a result link that did not work is tried again."""
MAX_REFERENCES = 15
"""Sixteen pictures are taken, and the guest's is one of them."""


class OpenAIImages:
    """Edits and draws by one request each, synchronous and slow (10 to 180 s)."""

    name: ClassVar[str] = "openai-images"
    title: ClassVar[str] = "OpenAI images"
    effects: ClassVar[tuple[EffectType, ...]] = (
        EffectType(
            "face-swap", "Face swap", needs_reference=True, max_references=MAX_REFERENCES, instruction=FACE_SWAP
        ),
        EffectType(
            "background", "Background", needs_reference=True, max_references=MAX_REFERENCES, instruction=BACKGROUND
        ),
        EffectType(
            "prompt", "Prompt", needs_prompt=True, also=("style",), max_references=MAX_REFERENCES, instruction=PROMPT
        ),
    )
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = OpenAIImagesOptions
    Settings: ClassVar[type[ProviderSettings]] = OpenAIImagesSettings

    def __init__(self, settings: OpenAIImagesSettings, tools: Tools) -> None:
        if not settings.base_url:
            raise NotConfigured("no base_url; set it in etc/providers/openai-images.yaml")
        self._settings, self._tools = settings, tools
        self._keys = KeyRing(self.name, tools.keys, tools.clock) if tools.keys or settings.key_needed else None
        self._client = tools.client(settings.ca_bundle)
        self._own_host, guard = guard_of(settings)
        self._download = Download(tools, guard, self.name, PAUSE_S)

    def model(self, preset: Preset) -> str:
        """The slot's model, else the provider's."""
        return self._named(options_of(preset.options).model or self._settings.model)

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """See `Edits.edit`."""
        effect = next((effect for effect in self.effects if effect.name == preset.effect), None)
        if effect is None:
            raise BadRequest(f"{self.title} has no effect {preset.effect!r}.")
        if len(preset.references) > MAX_REFERENCES:
            raise BadRequest(f"{self.title} takes at most {MAX_REFERENCES} reference pictures.")
        return await self._make(await edit_request(photo, preset, effect, self._settings, self._tools.disk), call)

    async def draw(self, wish: Wish, call: Call) -> Picture:
        """See `Draws.draw`."""
        return await self._make(draw_request(wish, self._settings), call)

    async def offers(self, budget: Budget) -> Sequence[Offer] | None:
        """The models that GET /models lists."""

        async def ask_for(key: str) -> list[dict[str, Any]] | None:
            return await list_models(
                self._client,
                self._settings.base_url,
                self._settings.headers,
                service=self.title,
                key=key,
                now=self._tools.clock.now(),
                disk=self._tools.disk,
            )

        found = await budget.limit(self._with_key(ask_for))
        return None if found is None else [Offer(entry["id"], str(entry.get("owned_by") or "")) for entry in found]

    # --- one picture -------------------------------------------------------------------------------------------------

    async def _make(self, request: Request, call: Call) -> Picture:
        answer = await self._with_key(partial(self._send, request, call))
        try:
            self._check(answer, request)
            await self._keep(answer, call)
        finally:
            await self._tools.disk.run(_unlink, list(files_of(answer)))
        return Picture(call.answer, self._named(request.model), cost_of(answer))

    async def _send(self, request: Request, call: Call, key: str) -> Any:
        """The parsed answer. Raises what an error means."""
        body, media_type = await request.body(self._tools.disk)
        headers = {**bearer(key), **self._settings.headers, "Content-Type": media_type}
        response = await ask(
            self._client, "POST", self._settings.base_url + request.path, headers=headers, data=body, service=self.title
        )
        if not 200 <= response.code < 300:
            after_s = retry_after_s(response, self._tools.clock.now())
            raise self._error(response.code, await read_said(response, key), request, after_s)
        return await read_answer(
            response, call.answer, max_bytes=MAX_ANSWER, disk=self._tools.codec, service=self.title
        )

    def _check(self, answer: Any, request: Request) -> None:
        """Raise what an error means that comes with status 200, as some gateways send it."""
        if isinstance(answer, dict) and answer.get("error") and not answer.get("data"):
            said = said_by(answer, *self._tools.keys)
            status = int(said.code) if re.fullmatch(r"[45]\d\d", said.code) else 400
            error = self._error(status, said, request, None)
            error.charged = Charged.MAYBE
            raise error

    def _error(self, status: int, said: Said, request: Request, after_s: float | None) -> WorkError:
        error = error_of(status, said, service=self.title, model=request.model, after_s=after_s)
        return with_hint(error, status, said, request, self._settings.negative_field)

    async def _keep(self, answer: Any, call: Call) -> None:
        """Put the answer's picture into `call.answer`. Whatever goes wrong now is paid for."""
        found = find_picture(answer, self.title)
        try:
            if isinstance(found, Blob):
                await self._tools.disk.run(found.path.rename, call.answer)
            elif isinstance(found, bytes):
                await self._tools.disk.run(call.answer.write_bytes, found)
            else:
                await self._fetch(found, call)
        except WorkError as error:
            error.charged, error.cost = Charged.YES, cost_of(answer)
            raise

    async def _fetch(self, url: str, call: Call) -> None:
        host = urlsplit(url).hostname
        ca_bundle = self._settings.ca_bundle if host == self._own_host else None
        await self._download.fetch(url, call.answer, Remaining(self._tools.clock, call.budget), ca_bundle)

    async def _with_key(self, call: Callable[[str], Awaitable[T]]) -> T:
        return await (self._keys.use(call) if self._keys is not None else call(""))

    def _named(self, model: str) -> str:
        return model or "the server's own"


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
