"""What a provider gets, for its tests: the real things where they need no network but loopback."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from boothd.base.budget import Budget
from boothd.base.clients import Clients
from boothd.base.clock import Clock
from boothd.base.errors import BadRequest
from boothd.base.imaging import inspect
from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.providers.interfaces import Call
from boothd.providers.tools import Tools


@dataclass
class PublishedLink:
    """A link whose address the test chooses."""

    url: str
    file: Path
    ttl_s: float
    withdrawn: bool = False

    def withdraw(self) -> None:
        self.withdrawn = True


@dataclass
class FakeMedia:
    """Publishes below `base`; without one there is no public address."""

    base: str | None = "http://booth.test"
    links: list[PublishedLink] = field(default_factory=list)

    def publish(self, file: Path, ttl_s: float) -> PublishedLink:
        if self.base is None:
            raise BadRequest("no public address")
        link = PublishedLink(f"{self.base}/{len(self.links)}/{file.name}", file, ttl_s)
        self.links.append(link)
        return link


class FakeExpected:
    def __init__(self, url: str) -> None:
        self.url = url
        self.came: Deferred[Any] = Deferred()
        self.closed = False

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeCallbacks:
    """Remembers what is expected, by name; the test fires `expected[name].came`."""

    base: str | None = "http://booth.test"
    expected: dict[str, FakeExpected] = field(default_factory=dict)

    def expect(self, name: str) -> FakeExpected:
        if self.base is None:
            raise BadRequest("no public address")
        self.expected[name] = FakeExpected(f"{self.base}/callback/{name}")
        return self.expected[name]


class Workbench:
    """Tools with real clients and threads; `close` it in the end."""

    def __init__(
        self,
        reactor: Any,
        clock: Clock,
        disk: Threads,
        pictures: Threads,
        *,
        keys: Sequence[str] = ("good-1",),
        media: Any = None,
        callbacks: Any = None,
    ) -> None:
        self._codec, self._clients = Threads(reactor, "codec", 1), Clients(reactor, disk)
        self.media, self.callbacks = media or FakeMedia(), callbacks or FakeCallbacks()
        self.tools = Tools(
            clock=clock,
            http=self._clients.get(),
            keys=tuple(keys),
            pictures=pictures,
            disk=disk,
            max_pixels=lambda: 80_000_000,
            codec=self._codec,
            client=self._clients.get,
            fetch=self._clients.fetch,
            media=self.media,
            callbacks=self.callbacks,
            node="node",
        )

    async def close(self) -> None:
        await self._clients.close()
        self._codec.stop()


@dataclass
class Asked:
    """A call of a test, and the queue numbers that were said to it."""

    call: Call
    numbers: list[str]


def make_call(clock: Clock, folder: Path, *, seconds: float = 30.0, job: str = "job-1", number: int = 1) -> Asked:
    """A call whose job directory is `folder`."""
    numbers: list[str] = []

    async def queued(number: str) -> None:
        numbers.append(number)

    return Asked(Call(job, Budget.of(clock, seconds), folder / f"answer-{number}", queued), numbers)


def photo_of(path: Path) -> Photo:
    """A photo file as the engine hands it on."""
    measures = inspect(path, 80_000_000)
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Photo(path, sha256, len(data), measures.width, measures.height, measures.format, measures.orientation)
