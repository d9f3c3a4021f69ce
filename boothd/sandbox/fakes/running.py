"""A fake on a port."""

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from boothd.base.clock import Clock
from boothd.base.threads import Threads
from boothd.sandbox.fakes.control import Control
from boothd.sandbox.fakes.ledger import Ledger
from boothd.sandbox.fakes.server import Fake, Tools
from boothd.sandbox.fakes.wire import Site


class Running:
    """One fake that listens; made by `start_fake`.

    fake: its inside, for tests in the same process. port: where it listens."""

    def __init__(self, fake: Fake, site: Site, reactor: Any, interface: str, pools: tuple[Threads, ...]) -> None:
        self.fake, self._site, self._reactor, self._interface, self._pools = fake, site, reactor, interface, pools
        self.port = 0
        self._listening: Any = None

    @property
    def url(self) -> str:
        return f"http://{self._interface}:{self.port}"

    def listen(self, port: int) -> None:
        """Raises CannotListenError."""
        self._listening = self._reactor.listenTCP(port, self._site, backlog=1024, interface=self._interface)
        self.port = self._listening.getHost().port

    async def refuse(self, seconds: float) -> None:
        """Close the port for a while; open connections go on."""
        if self._listening is not None:
            listening, self._listening = self._listening, None
            await listening.stopListening()
            self.fake.clock.callLater(seconds, self._again)

    def _again(self) -> None:
        if self._listening is None:
            self.listen(self.port)

    async def stop(self) -> None:
        """Close the port, drop every connection, end the threads."""
        self.fake.clock.stop()
        if self._listening is not None:
            await self._listening.stopListening()
        self._site.abort()
        await self.fake.until(lambda: not self._site.connections)
        await self.fake.stop()
        for pool in self._pools:
            pool.stop()
        self.fake.ledger.close()


def start_fake(
    reactor: Any,
    kind: type[Fake],
    *,
    port: int = 0,
    interface: str = "127.0.0.1",
    ledger: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 1,
) -> Running:
    """Start a fake on `port`, 0 = a free one.

    ledger: the file of its charges. settings: see the fake's `Settings`. seed: of its luck (latency, failures).
    Raises ValueError (pydantic's) for settings that make no sense, OSError, CannotListenError."""
    from twisted.web.client import Agent

    chosen = kind.Settings.model_validate(dict(settings or {}))
    pictures, disk = Threads(reactor, f"{kind.name}-pictures", os.cpu_count() or 2), Threads(reactor, kind.name, 1)
    clock = Clock(reactor)
    agent: Any = Agent(reactor, connectTimeout=10)
    luck = Random(seed)  # noqa: S311 (a rehearsal's luck)
    fake = kind(Tools(clock, luck, pictures, Ledger(disk, ledger), agent), chosen)
    site = Site(fake, reactor)
    fake.connections = lambda: len(site.connections)
    running = Running(fake, site, reactor, interface, (pictures, disk))
    Control(fake, running.refuse)
    running.listen(port)
    return running
