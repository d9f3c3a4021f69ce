"""The bench's provider: the least that any provider does, by treq and from disk to disk."""

from decimal import Decimal
from typing import Any, ClassVar

from twisted.web.client import FileBodyProducer

from boothd.base.errors import Unavailable
from boothd.base.fetch import save_body
from boothd.base.photo import Photo
from boothd.providers.interfaces import Call, EffectType, Options, Picture, Preset, ProviderSettings
from boothd.providers.tools import Tools


class BenchSettings(ProviderSettings):
    """url: of the service."""

    url: str = ""


class Bench:
    """The prompt is the path that is called: "edit" or "hold"."""

    name: ClassVar[str] = "bench"
    title: ClassVar[str] = "Bench"
    effects: ClassVar[tuple[EffectType, ...]] = (EffectType("prompt", "Prompt", needs_prompt=True),)
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = Options
    Settings: ClassVar[type[ProviderSettings]] = BenchSettings

    def __init__(self, settings: BenchSettings, tools: Tools) -> None:
        self._url, self._tools = settings.url, tools

    def model(self, preset: Preset) -> str:
        return "bench"

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        file = await self._tools.disk.run(photo.path.open, "rb")
        body = FileBodyProducer(file, readSize=256 << 10)
        url = f"{self._url}/{preset.prompt}"
        response: Any = await self._tools.http.post(url, data=body, unbuffered=True)
        if response.code != 200:
            raise Unavailable(f"The service answered {response.code}.")
        await save_body(response, call.answer, max_bytes=20_000_000, disk=self._tools.disk)
        return Picture(call.answer, "bench", cost=Decimal(0))
