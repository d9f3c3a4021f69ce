"""A provider whose service does what the prompt tells it (`tests.support.scripted.server`), as another package brings one."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.web._newclient import RequestNotSent, RequestTransmissionFailed
from twisted.web.client import FileBodyProducer, ResponseFailed

from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    Refused,
    Unavailable,
    WorkError,
)
from boothd.base.fetch import save_body
from boothd.base.photo import Photo
from boothd.providers.interfaces import (
    Call,
    EffectType,
    NotConfigured,
    Options,
    Picture,
    Preset,
    ProviderSettings,
)
from boothd.providers.tools import Tools

MOST_BYTES = 20_000_000
MOST_BYTES_OF_AN_ERROR = 64_000
_SAYS: dict[int, type[WorkError]] = {
    400: BadRequest,
    401: BadKey,
    402: OutOfCredit,
    404: BadAnswer,
    422: Refused,
    429: Busy,
}


class ScriptedOptions(Options):
    """`model` is part of the script, too."""

    model: str = "scripted-1"


class ScriptedSettings(ProviderSettings):
    """url: where the server listens ("http://127.0.0.1:8099")."""

    url: str = ""


class Scripted:
    """Posts the photo from disk; the answer goes to disk."""

    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Scripted"
    effects: ClassVar[tuple[EffectType, ...]] = (
        EffectType("prompt", "Prompt"),
        EffectType("background", "Background"),
        EffectType("style", "Style"),
    )
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = ScriptedOptions
    Settings: ClassVar[type[ProviderSettings]] = ScriptedSettings

    def __init__(self, settings: Any, tools: Tools) -> None:
        if not settings.url:
            raise NotConfigured("scripted: set its url in etc/providers/scripted.yaml.")
        self._url, self._tools = settings.url.rstrip("/"), tools
        self._headers = {"Authorization": f"Bearer {tools.keys[0]}"} if tools.keys else {}

    def model(self, preset: Preset) -> str:
        return str(preset.options.model_dump().get("model", "scripted-1"))

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """See `Edits.edit`."""
        file: Any = await self._tools.disk.run(photo.path.open, "rb")
        try:
            said = {"prompt": preset.prompt, "model": self.model(preset)}
            answer = await self._ask("POST", "/edit", params=said, data=FileBodyProducer(file))
            if answer.code != 202:
                return await self._picture(answer, preset, call)
            queued = await self._said(answer, call)
        finally:
            file.close()
        await call.queued(queued["queue number"])
        return await self._polled(queued, preset, call)

    async def resume(self, queue_number: str, preset: Preset, call: Call) -> Picture:
        """See `Resumes.resume`."""
        return await self._polled({"queue number": queue_number, "poll after": 0.0}, preset, call)

    async def _polled(self, queued: dict[str, Any], preset: Preset, call: Call) -> Picture:
        while True:
            await self._tools.clock.sleep(float(queued["poll after"]))
            answer = await self._ask("GET", f"/queue/{queued['queue number']}")
            if answer.code != 202:
                return await self._picture(answer, preset, call)
            queued = await self._said(answer, call)

    async def _ask(self, method: str, path: str, **body: Any) -> Any:
        try:
            return await self._tools.http.request(
                method, self._url + path, headers=self._headers, allow_redirects=False, unbuffered=True, **body
            )
        except (ConnectError, DNSLookupError, RequestNotSent) as error:
            raise Unavailable(f"The service cannot be reached: {error}", charged=Charged.NO) from error
        except (ResponseFailed, RequestTransmissionFailed) as error:
            if any(reason.check(CancelledError) for reason in error.reasons):
                raise CancelledError() from error
            raise Unavailable("The service closed the connection.", charged=Charged.MAYBE) from error

    async def _picture(self, answer: Any, preset: Preset, call: Call) -> Picture:
        if answer.code != 200:
            raise await self._error(answer, call)
        try:
            await save_body(answer, call.answer, max_bytes=MOST_BYTES, disk=self._tools.disk)
        except (BadAnswer, Unavailable) as error:
            raise type(error)(error.message, charged=Charged.YES) from error
        cost = answer.headers.getRawHeaders("x-cost", [None])[0]
        return Picture(call.answer, self.model(preset), None if cost is None else Decimal(cost))

    async def _error(self, answer: Any, call: Call) -> WorkError:
        said = await self._said(answer, call)
        after = answer.headers.getRawHeaders("retry-after", [None])[0]
        kind = _SAYS.get(answer.code, Unavailable if answer.code >= 500 else BadAnswer)
        charged = Charged(said["charged"]) if "charged" in said else None
        return kind(
            str(said.get("message", "")), charged=charged, retry_after_s=None if after is None else float(after)
        )

    async def _said(self, answer: Any, call: Call) -> dict[str, Any]:
        """A short JSON body. Raises BadAnswer, Unavailable."""
        path = call.answer.with_name(f"{call.answer.name}.said")
        await self._tools.disk.run(path.unlink, missing_ok=True)
        await save_body(answer, path, max_bytes=MOST_BYTES_OF_AN_ERROR, disk=self._tools.disk)
        try:
            said: Any = json.loads(await self._tools.disk.run(Path.read_bytes, path))
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise BadAnswer("The service said something that is no JSON.")
        return said
