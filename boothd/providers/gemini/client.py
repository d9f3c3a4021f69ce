"""google-genai, one client per API key; what it raises becomes one of our errors.

Importing this takes over a second (the library), so it is done when a provider with a key is made. The library's own
retries are off, its timeouts too (`Budget` ends calls), it never uses aiohttp (it was given a client), and it never goes on
by itself where an answer says CONTINUATION, for each part is paid for. Source: facts/providers.md §1.6."""

import warnings
from collections.abc import AsyncIterable, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from google import genai
from google.genai import errors, types

from boothd.base.aio import from_asyncio
from boothd.base.errors import BadAnswer, BadRequest, Charged
from boothd.providers.common.ask import shortened
from boothd.providers.gemini.errors import SERVICE, explain
from boothd.providers.gemini.request import Asked
from boothd.providers.gemini.settings import GeminiSettings
from boothd.providers.gemini.transport import NO_ANSWER, Exchange
from boothd.providers.interfaces import Offer

T = TypeVar("T")

CATEGORIES = (
    types.HarmCategory.HARM_CATEGORY_HARASSMENT,
    types.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
    types.HarmCategory.HARM_CATEGORY_SEXUALLY_EXPLICIT,
    types.HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT,
)
ODD = (ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What the library raises for answers of no known shape (pydantic's and json's errors are ValueErrors)."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A picture that travels inside the request."""

    path: Path
    mime: str


@dataclass(frozen=True, slots=True)
class Remote:
    """A picture that lies at the service. name: files/abc123. title: its display name."""

    name: str
    uri: str
    mime: str
    title: str = ""
    state: str = "ACTIVE"
    created: datetime | None = None
    expires: datetime | None = None


class Account:
    """What one API key may do at the service."""

    def __init__(self, key: str, settings: GeminiSettings, http: httpx2.AsyncClient) -> None:
        # New reasons for ending come as warnings of an unknown value. Once for all threads, not `catch_warnings`.
        warnings.filterwarnings("ignore", module=r"google\.genai\.")
        self.key, self._settings = key, settings
        options = types.HttpOptions(
            base_url=settings.base_url, api_version=settings.api_version, httpx_async_client=http
        )
        self._client = genai.Client(vertexai=False, api_key=key, http_options=options).aio

    async def generate(
        self, asked: Asked, sources: Sequence[Inline | Remote], exchange: Exchange
    ) -> types.GenerateContentResponse:
        """Ask once. sources: the pictures of `asked`, each inside the request or uploaded.

        The answer's pictures are the exchange's. Raises FileGone and what `Edits.edit` raises."""
        parts = [_part(source, exchange) for source in sources]
        contents = types.Content(role="user", parts=[*parts, types.Part.from_text(text=asked.text)])
        config = _config(asked, self._settings, exchange.headers)
        call = self._client.models.generate_content(model=asked.model, contents=contents, config=config)
        try:
            return await from_asyncio(call)
        except errors.APIError as error:
            raise self._explained(error, asked.model, files=any(isinstance(s, Remote) for s in sources)) from error
        except ODD as error:
            if exchange.answered:
                raise BadAnswer(NO_ANSWER, charged=Charged.MAYBE) from error
            raise BadRequest(f"{SERVICE} cannot be asked this: {shortened(str(error))}") from error

    async def models(self) -> list[Offer]:
        """The models that can be asked, of all pages. Raises what `Edits.edit` raises."""
        found = await self._plain(_all(self._client.models.list()))
        able = [model for model in found if "generateContent" in (model.supported_actions or ())]
        return [Offer((model.name or "").removeprefix("models/"), model.display_name or "") for model in able]

    async def file(self, name: str) -> Remote:
        """An uploaded file as it is now. Raises FileGone and the like."""
        return remote(await self._plain(self._client.files.get(name=name)))

    async def files(self) -> list[Remote]:
        """All uploaded files of the key's project."""
        return [remote(file) for file in await self._plain(_all(self._client.files.list())) if file.name]

    async def delete(self, name: str) -> None:
        """Remove an uploaded file. Raises FileGone and the like."""
        await self._plain(self._client.files.delete(name=name))

    async def _plain(self, call: Awaitable[T]) -> T:
        """A call that costs nothing."""
        try:
            return await from_asyncio(call)
        except errors.APIError as error:
            raise self._explained(error, files=True) from error
        except ODD as error:
            raise BadAnswer(NO_ANSWER, charged=Charged.NO) from error

    def _explained(self, error: errors.APIError, model: str = "", *, files: bool) -> Exception:
        header = error.response.headers.get("retry-after")
        return explain(error.code, error.details, key=self.key, model=model, files=files, retry_after=header)


def remote(file: types.File | Mapping[str, Any]) -> Remote:
    """A file as the library or the service's JSON has it. Raises ValueError (pydantic's) for what is none."""
    if isinstance(file, Mapping):
        known = ("name", "uri", "mimeType", "displayName", "state", "createTime", "expirationTime")
        file = types.File.model_validate({name: file[name] for name in known if name in file})
    if not file.name or not file.uri:
        raise ValueError("a file without a name")
    state = file.state.value if file.state else "ACTIVE"
    title, mime = file.display_name or "", file.mime_type or ""
    return Remote(file.name, file.uri, mime, title, state, file.create_time, file.expiration_time)


async def _all(pages: Awaitable[AsyncIterable[T]]) -> list[T]:
    return [item async for item in await pages]


def _part(source: Inline | Remote, exchange: Exchange) -> types.Part:
    if isinstance(source, Remote):
        return types.Part.from_uri(file_uri=source.uri, mime_type=source.mime)
    return types.Part.from_bytes(data=exchange.send(source.path), mime_type=source.mime)


def _config(asked: Asked, settings: GeminiSettings, headers: dict[str, str]) -> types.GenerateContentConfig:
    image = {"aspect_ratio": asked.aspect, "image_size": asked.image_size}
    level = "low" if asked.thinking_low else asked.thinking
    return types.GenerateContentConfig(
        http_options=types.HttpOptions(headers=headers),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
        response_modalities=["TEXT", "IMAGE"] if asked.draws else ["TEXT"],
        image_config=types.ImageConfig(**image) if any(image.values()) else None,
        thinking_config=_thinking(level, asked.thinking_budget),
        seed=asked.seed,
        safety_settings=None if settings.safety is None else _safety(settings.safety),
    )


def _thinking(level: str | None, budget: int | None) -> types.ThinkingConfig | None:
    if level is not None:
        return types.ThinkingConfig(thinking_level=types.ThinkingLevel(level.upper()))
    return None if budget is None else types.ThinkingConfig(thinking_budget=budget)


def _safety(threshold: str) -> list[types.SafetySetting]:
    chosen = types.HarmBlockThreshold(threshold)
    return [types.SafetySetting(category=category, threshold=chosen) for category in CATEGORIES]
