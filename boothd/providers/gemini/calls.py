"""One attempt at Gemini: a key, the uploaded pictures, one paid request, the answer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import httpx2
from google.genai.types import GenerateContentResponse as Response

from boothd.base.budget import Budget
from boothd.base.errors import Unavailable
from boothd.base.jsonanswer import Blob
from boothd.providers.common.keys import KeyRing
from boothd.providers.gemini.answer import Answer
from boothd.providers.gemini.client import Account
from boothd.providers.gemini.cost import Prices
from boothd.providers.gemini.errors import FileGone
from boothd.providers.gemini.files import Files
from boothd.providers.gemini.request import Asked
from boothd.providers.gemini.settings import GeminiSettings
from boothd.providers.gemini.transport import Exchange, Transport
from boothd.providers.gemini.upload import Uploader
from boothd.providers.interfaces import Call, Offer
from boothd.providers.tools import Tools


class Calls:
    """Everything that goes to the service. Raises NotConfigured for a CA bundle that cannot be used."""

    def __init__(self, settings: GeminiSettings, keys: KeyRing, tools: Tools) -> None:
        client = tools.client(settings.ca_bundle)
        transport = Transport(client, tools.codec)
        http = httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False)
        self._keys, self._transport, self._disk = keys, transport, tools.disk
        self._accounts: Mapping[str, Account] = {key: Account(key, settings, http) for key in keys}
        self._files = Files(Uploader(client, settings, tools.disk), tools.clock, tools.node, settings.inline_max)

    async def picture(self, asked: Asked, call: Call, prices: Prices) -> Decimal | None:
        """Have a picture made, into the file `call.answer`; returns its cost. Raises as `Edits.edit` does."""
        async with self._asked(asked, call, prices) as answer:
            await self._disk.run(_keep, answer.picture(), call.answer)
            return answer.cost

    async def words(self, asked: Asked, call: Call, prices: Prices) -> tuple[str, Decimal | None]:
        """The answer in words, and its cost. Raises as `Edits.edit` does."""
        async with self._asked(asked, call, prices) as answer:
            return answer.words(), answer.cost

    async def offers(self) -> Sequence[Offer]:
        """The models. Raises as `Edits.edit` does."""
        return await self._keys.use(lambda key: self._accounts[key].models())

    async def tidy(self, budget: Budget) -> None:
        """See `Files.tidy`; for every key."""
        for account in self._accounts.values():
            await self._files.tidy(account, budget)

    @asynccontextmanager
    async def _asked(self, asked: Asked, call: Call, prices: Prices) -> AsyncIterator[Answer]:
        async with self._transport.exchange(call.answer) as exchange:
            response = await self._keys.use(lambda key: self._twice(self._accounts[key], asked, call.job, exchange))
            yield Answer(response, exchange.received, prices)

    async def _twice(self, account: Account, asked: Asked, job: str, exchange: Exchange) -> Response:
        """Ask; when an uploaded picture is gone, upload it again and ask once more. The first time cost nothing."""
        try:
            return await self._once(account, asked, job, exchange)
        except FileGone:
            try:
                return await self._once(account, asked, job, exchange)
            except FileGone as error:
                raise Unavailable(error.message, charged=error.charged) from error

    async def _once(self, account: Account, asked: Asked, job: str, exchange: Exchange) -> Response:
        async with self._files.sources(account, asked.pictures, job) as sources:
            try:
                return await account.generate(asked, sources, exchange)
            except FileGone as error:
                self._files.gone(account, sources, error)
                raise


def _keep(picture: Blob | bytes, path: Path) -> None:
    """Put what was made where it is expected. Blocks."""
    if isinstance(picture, Blob):
        picture.path.replace(path)
    else:
        path.write_bytes(picture)
