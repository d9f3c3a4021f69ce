"""Pictures at the service: references are uploaded once and used again, a guest's photo is deleted after its call.

A file belongs to a key's project, so everything here is per key. Files last 48 hours. Source: facts/providers.md §1.5."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from twisted.logger import Logger

from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadKey, BadRequest, WorkError
from boothd.providers.common.keys import tag
from boothd.providers.gemini.client import Account, Inline, Remote
from boothd.providers.gemini.errors import FileGone
from boothd.providers.gemini.request import Sent
from boothd.providers.gemini.shared import Shared
from boothd.providers.gemini.upload import Uploader

KEPT_S = 48 * 3600.0
"""How long a file lasts where its own times do not say."""
ENOUGH_S = 600.0
"""A reference that ends sooner is uploaded again: it must outlast the call, and its retries."""
SURE_S = 3600.0
"""A reference that was seen longer ago is looked for before it is used."""
ABANDONED = timedelta(hours=1)
"""Another daemon's guests' photos older than that were left behind by it."""
DELETE_S = 60.0
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reference at the service. ends_s, seen_s: on the clock, monotonic."""

    remote: Remote
    ends_s: float
    seen_s: float


class Files:
    """node: what tells this daemon's files from others' of the same account. inline_max: see `GeminiSettings`."""

    log = Logger()

    def __init__(self, uploader: Uploader, clock: Clock, node: str, inline_max: int) -> None:
        self._uploader, self._clock, self._inline_max = uploader, clock, inline_max
        self._ours = f"boothd-{node}-"
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._uploads: Shared[Remote] = Shared()
        self._guests: Counter[str] = Counter()  # display names of those that are in use
        self._background = Background()

    @asynccontextmanager
    async def sources(
        self, account: Account, pictures: Sequence[Sent], job: str
    ) -> AsyncIterator[list[Inline | Remote]]:
        """The pictures as a request may name them, in their order; what is a guest's is deleted at the end.

        What is too much for inside a request is uploaded, references first. Raises what `Edits.edit` raises."""
        upload = _too_much(pictures, self._inline_max)
        found: list[Inline | Remote] = []
        title = f"{self._ours}guest-{job}"
        self._guests[title] += 1
        guests: list[Remote] = []
        try:
            for picture in pictures:
                if picture not in upload:
                    found.append(Inline(picture.path, picture.mime))
                elif picture.sha256 is not None:
                    found.append(await self._reference(account, picture, picture.sha256))
                else:
                    guests.append(await self._uploader.upload(account.key, picture, title))
                    found.append(await self._ready(account, guests[-1]))
            yield found
        finally:
            self._guests[title] -= 1
            for guest in guests:
                self._background.start("a guest's picture at Gemini", self._delete(account, guest), job=job)

    def gone(self, account: Account, used: Sequence[Inline | Remote], error: FileGone) -> None:
        """The service has lost one of `used`, which the error may name: it is uploaded again when it is needed."""
        remotes = [source for source in used if isinstance(source, Remote)]
        named = {remote.name for remote in remotes if remote.name.removeprefix("files/") in error.message}
        names = named or {remote.name for remote in remotes}
        self._kept = {
            whose: kept
            for whose, kept in self._kept.items()
            if whose[0] != tag(account.key) or kept.remote.name not in names
        }

    async def tidy(self, account: Account, budget: Budget) -> None:
        """Delete what earlier runs have left, and use their references again. What fails is logged."""
        try:
            for file in await budget.limit(account.files()):
                if self._is_left(file):
                    await budget.limit(self._delete(account, file))
                else:
                    self._adopt(account, file)
        except WorkError as error:
            self.log.warn(
                "gemini: the files of key {key} could not be looked through: {error}", key=tag(account.key), error=error
            )

    # --- references --------------------------------------------------------------------------------------------------

    async def _reference(self, account: Account, picture: Sent, sha256: str) -> Remote:
        whose = (tag(account.key), sha256)
        kept, now_s = self._kept.get(whose), self._clock.seconds()
        if kept is not None and kept.ends_s - now_s > ENOUGH_S and now_s - kept.seen_s < SURE_S:
            return kept.remote
        return await self._uploads.get(whose, lambda: self._renewed(account, picture, whose))

    async def _renewed(self, account: Account, picture: Sent, whose: tuple[str, str]) -> Remote:
        """The reference as it lies there, or uploaded again."""
        kept = self._kept.get(whose)
        if kept is not None and kept.ends_s - self._clock.seconds() > ENOUGH_S and await self._is_there(account, kept):
            self._kept[whose] = replace(kept, seen_s=self._clock.seconds())
            return kept.remote
        self._kept.pop(whose, None)
        uploaded = await self._uploader.upload(account.key, picture, f"{self._ours}reference-{whose[1]}")
        ready = await self._ready(account, uploaded)
        now_s, lasts_s = self._clock.seconds(), KEPT_S
        if ready.created is not None and ready.expires is not None:
            lasts_s = (ready.expires - ready.created).total_seconds()
        self._kept[whose] = _Kept(ready, now_s + lasts_s, now_s)
        return ready

    async def _is_there(self, account: Account, kept: _Kept) -> bool:
        try:
            return (await account.file(kept.remote.name)).state == "ACTIVE"
        except (FileGone, BadKey, BadRequest):
            return False  # a key that is really refused says so at the upload

    def _adopt(self, account: Account, file: Remote) -> None:
        """Remember a reference of an earlier run, if it lasts."""
        begins = f"{self._ours}reference-"
        whose = (tag(account.key), file.title.removeprefix(begins))
        if not file.title.startswith(begins) or file.state != "ACTIVE" or file.expires is None or whose in self._kept:
            return
        left_s = (file.expires - self._clock.now()).total_seconds()
        if left_s > ENOUGH_S:
            now_s = self._clock.seconds()
            self._kept[whose] = _Kept(file, now_s + left_s, now_s)

    # --- any file ----------------------------------------------------------------------------------------------------

    async def _ready(self, account: Account, file: Remote) -> Remote:
        """Wait until the service has looked through a file."""
        while file.state == "PROCESSING":
            await self._clock.sleep(POLL_S)
            file = await account.file(file.name)
        if file.state == "FAILED":
            raise BadRequest("Gemini cannot read a picture that was uploaded to it.")
        return file

    def _is_left(self, file: Remote) -> bool:
        """Whether a guest's photo lies there that nobody needs any more."""
        if file.title.startswith(f"{self._ours}guest-"):
            return self._guests[file.title] <= 0
        begins, kind, _ = file.title.partition("-guest-")
        old = file.created is not None and self._clock.now() - file.created > ABANDONED
        return bool(kind) and begins.startswith("boothd-") and old

    async def _delete(self, account: Account, file: Remote) -> None:
        try:
            await Budget.of(self._clock, DELETE_S).limit(account.delete(file.name))
        except FileGone:
            pass
        except WorkError as error:
            self.log.warn("gemini: {title} could not be deleted: {error}", title=file.title, error=error)


def _too_much(pictures: Sequence[Sent], inline_max: int) -> set[Sent]:
    """What has to be uploaded so that the rest, as base64, has at most `inline_max` bytes."""
    references = {picture for picture in pictures if picture.sha256 is not None}
    if _base64_bytes(pictures) <= inline_max:
        return set()
    guests = [picture for picture in pictures if picture.sha256 is None]
    return references if _base64_bytes(guests) <= inline_max else set(pictures)


def _base64_bytes(pictures: Sequence[Sent]) -> int:
    return sum((picture.size_bytes + 2) // 3 * 4 for picture in pictures)
