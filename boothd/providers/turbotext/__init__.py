"""Turbotext: the guest's photo is handed over by link, queued, and fetched when it is ready.

Source: facts/providers.md §5, seeds/004. A queue entry costs when it is created; from then on it is waited for."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from boothd.base.budget import Budget
from boothd.base.errors import BadAnswer, Charged, WorkError
from boothd.base.photo import Photo
from boothd.providers.common.keys import KeyRing, tag
from boothd.providers.common.paid import Download, Remaining
from boothd.providers.interfaces import Call, EffectType, Offer, Options, Picture, Preset, ProviderSettings
from boothd.providers.tools import Tools
from boothd.providers.turbotext import result
from boothd.providers.turbotext.collect import Collector, Entry
from boothd.providers.turbotext.links import Links
from boothd.providers.turbotext.methods import EFFECTS, method_of, plan
from boothd.providers.turbotext.settings import TurbotextOptions, TurbotextSettings, result_guard
from boothd.providers.turbotext.webhook import Webhook
from boothd.providers.turbotext.wire import Wire

__all__ = ["Turbotext", "TurbotextOptions", "TurbotextSettings"]

AVAILABLE = "available_api"
APART_S = 2.0
"""Between the expiries of two attempts' links, whose clocks are rounded to whole seconds."""
_QUEUE_NUMBER = re.compile(r"(?P<method>\w+)/(?P<key>[0-9a-f]{8})/(?P<number>[A-Za-z0-9_-]+)")


class Turbotext:
    """Edits by queue: a created entry is journalled at once, so that a restart goes on where this one was."""

    log = Logger()
    name: ClassVar[str] = "turbotext"
    title: ClassVar[str] = "Turbotext"
    effects: ClassVar[tuple[EffectType, ...]] = EFFECTS
    paid: ClassVar[bool] = True
    needs_public_url: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = TurbotextOptions
    Settings: ClassVar[type[ProviderSettings]] = TurbotextSettings

    def __init__(self, settings: TurbotextSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._serial = count()
        self._keys = KeyRing(self.name, tools.keys, tools.clock)
        self._wire = Wire(settings.base_url, tools.client(settings.ca_bundle), tools.clock.now)
        self._guard = result_guard(settings)
        self._download = Download(tools, self._guard, self.name, settings.poll_s / 4)

    def model(self, preset: Preset) -> str:
        """The method."""
        return method_of(preset, self._settings)

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """See `Edits.edit`. Raises BadRequest when no `public_url` is set: Turbotext fetches its pictures itself."""
        asked = plan(preset, self._settings)
        links, webhook = Links(self._tools, call, APART_S * (next(self._serial) % 300)), self._webhook(call)
        try:
            used = preset.references[: len(asked.reference_fields)]
            urls = await links.publish(photo, used)
            addresses = dict(zip((asked.photo_field, *asked.reference_fields), urls, strict=True))
            fields = {**asked.fields, **addresses, **({"webhook": webhook.url} if webhook.url else {})}

            async def create(key: str) -> tuple[str, str]:
                return key, await self._wire.create(key, asked.method, fields)

            key, number = await self._keys.use(create)
            await call.queued(f"{asked.method}/{tag(key)}/{number}")
            with _kept_for_a_restart(links):
                return await self._collected(key, asked.method, number, call, webhook, self._settings.poll_s)
        finally:
            webhook.close()
            await links.withdraw()

    async def resume(self, queue_number: str, preset: Preset, call: Call) -> Picture:
        """See `Resumes.resume`. Raises WorkError when the key that paid is gone."""
        read = _QUEUE_NUMBER.fullmatch(queue_number)
        if read is None:
            raise WorkError("The queue number in the journal is none of Turbotext's.", charged=Charged.MAYBE)
        key = self._keys.find(read["key"])
        if key is None:
            raise WorkError(
                "The Turbotext key that this photo was queued with is no longer in secrets.yaml; only with it can the "
                "paid picture be fetched.",
                charged=Charged.YES,
            )
        links, webhook = Links(self._tools, call), self._webhook_again(call)
        try:
            with _kept_for_a_restart(links):
                await self._lay_out_again(links, preset, call)
                return await self._collected(key, read["method"], read["number"], call, webhook, first_pause_s=0)
        finally:
            webhook.close()
            await links.withdraw()

    async def offers(self, budget: Budget) -> Sequence[Offer] | None:
        """The methods of the account, “replace object” among them if there is such a one. See `Offers.offers`."""
        return await budget.limit(self._offers())

    async def _offers(self) -> Sequence[Offer] | None:
        async def create(key: str) -> tuple[str, str]:
            return key, await self._wire.create(key, AVAILABLE, {})

        key, number = await self._keys.use(create)
        while True:
            said = await self._wire.result(key, AVAILABLE, number)
            match result.read(said):
                case result.Waiting() | result.Unclear() | result.NotKnown():
                    await self._tools.clock.sleep(self._settings.poll_s)
                case result.Failed(error) if not isinstance(error, BadAnswer):
                    error.charged = Charged.NO
                    raise error
                case _:  # it names no picture, of course
                    methods = result.methods_of(said)
                    return None if methods is None else [Offer(name, about) for name, about in methods]

    async def _collected(
        self, key: str, method: str, number: str, call: Call, webhook: Webhook, first_pause_s: float
    ) -> Picture:
        tools = self._tools
        time = Remaining(tools.clock, call.budget)

        async def poll() -> Any:
            return await self._wire.result(key, method, number)

        async def fetch(address: str) -> None:
            url = result.absolute(address, self._settings.base_url, self._guard.hosts)
            await self._download.fetch(url, call.answer, time, self._settings.ca_bundle)

        entry = Entry(number, call.job)
        collector = Collector(entry, tools.clock, call.budget, poll, webhook, fetch, self._settings.poll_s)
        await collector.collect(first_pause_s)
        return Picture(call.answer, method)

    def _webhook(self, call: Call) -> Webhook:
        """Raises BadRequest when nobody could call: no `public_url` is set."""
        if not self._settings.webhook:
            return Webhook(None)
        return Webhook(self._tools.callbacks.expect(f"{call.job}/{call.answer.name}"))

    def _webhook_again(self, call: Call) -> Webhook:
        """The one of before the restart; without a `public_url` polling alone goes on."""
        try:
            return self._webhook(call)
        except WorkError as error:
            self.log.info("{job}: no webhook is expected: {reason}", job=call.job, reason=error.message)
            return Webhook(None)

    async def _lay_out_again(self, links: Links, preset: Preset, call: Call) -> None:
        """Turbotext may not have fetched the reference pictures yet; the guest's photo still lies where it was."""
        try:
            await links.lay_out(preset.references[: len(plan(preset, self._settings).reference_fields)])
        except WorkError as error:
            self.log.info(
                "{job}: reference pictures are not offered again: {reason}", job=call.job, reason=error.message
            )


@contextmanager
def _kept_for_a_restart(links: Links) -> Iterator[None]:
    """Who is cancelled while a journalled entry is waited for is taken up again, and Turbotext may fetch until then."""
    try:
        yield
    except CancelledError:
        links.keep()
        raise
