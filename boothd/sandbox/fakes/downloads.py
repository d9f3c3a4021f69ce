"""Pictures that a fake serves by address, and all that can be wrong with them."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.script import Script, Words
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.spoiling import LOGIN_PAGE, spoiled
from boothd.sandbox.fakes.wire import Answer, Exchange

KEPT = 500
PLACE = "link"
WORDS = {
    "type=MEDIA/TYPE": "at=link: served with this Content-Type",
    "cut-file": "at=link: a picture cut in half, as if that were all",
    "redirect=URL": "at=link: answers 302, to there",
    "host=HOST": "the picture's address names this host (and port) instead of the server's own",
}
"""With at=link; the common words hold there too: [[at=link status=404 fail-first=1]], [[at=link short]], [[at=link html]]."""


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    media_type: str
    script: Script
    until: datetime


class Downloads:
    """The last pictures of a fake. lasts: how long an address is good."""

    def __init__(self, fake: Fake, lasts: timedelta) -> None:
        self._fake, self._lasts = fake, lasts
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, data: bytes, script: Script, name: str) -> None:
        """Serve `data` as `name`."""
        self._kept[name] = _Kept(data, media_type(data), script, self._fake.clock.now() + self._lasts)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def serve(self, exchange: Exchange, name: str) -> Answer:
        """The answer to a GET. Raises Problem."""
        kept = self._kept.get(name)
        if kept is None:
            raise Problem(404, "There is no such file.")
        words = kept.script.at(PLACE, self._fake.happened, name)
        await self._fake.hinder(words)
        if "redirect" in words:
            return Answer(b"", 302, headers=(("location", words.text("redirect")),))
        if kept.until < self._fake.clock.now():
            raise Problem(410, "The file's time is over.")
        return spoiled(_file(kept, words), words)


def _file(kept: _Kept, words: Words) -> Answer:
    data = kept.data[: len(kept.data) // 2] if "cut-file" in words else kept.data
    return Answer(LOGIN_PAGE if "html" in words else data, media_type=words.text("type", kept.media_type))


def base_of(base: str, words: Words) -> str:
    """Where a picture's address is to lead. base: the server's own."""
    return f"{base.partition('//')[0]}//{words.text('host')}" if "host" in words else base


def media_type(data: bytes) -> str:
    """Of a picture that a fake has made."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if data[8:12] == b"WEBP" else "image/gif" if data.startswith(b"GIF8") else "image/jpeg"


def name_of(data: bytes) -> str:
    """A name that nobody guesses and that is the same for the same picture."""
    return f"{hashlib.sha256(data).hexdigest()[:24]}.{media_type(data).rpartition('/')[2]}"
