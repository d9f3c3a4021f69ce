"""A listening port: opened last, closed first, its requests answered before it goes."""

import resource
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from boothd.base.clock import Clock
from boothd.http.site import Site

BACKLOG = 1024  # connections that wait to be accepted; a hall full of booths comes at once
CLOSE_S = 2.0
_endpoint: Any = serverFromString
_WITH_BACKLOG = {"tcp", "tcp6", "ssl", "unix"}


class Listener:
    """A house part that serves `site` at a Twisted endpoint string.

    endpoint: `tcp:8000`, `tcp:8000:interface=127.0.0.1`, `tcp6:8000`, `ssl:...`. drain_s: how long `stop` waits for the
    requests that are being answered."""

    log = Logger()

    def __init__(self, endpoint: str, site: Site, *, reactor: Any, clock: Clock, drain_s: float = 60.0) -> None:
        self._endpoint = _with_backlog(endpoint)
        self._site, self._reactor, self._clock, self._drain_s = site, reactor, clock, drain_s
        self._port: Any = None

    @property
    def address(self) -> IAddress:
        """Where it listens, with the real port of `tcp:0`. Only while it listens."""
        if self._port is None:
            raise RuntimeError("the listener is not started")
        address: IAddress = self._port.getHost()
        return address

    @property
    def port(self) -> int:
        """The TCP port's number."""
        return int(self.address.port)

    async def start(self) -> None:
        """Listen. Raises CannotListenError, ValueError for a string that is no endpoint."""
        self._port = await _endpoint(self._reactor, self._endpoint).listen(self._site)
        self.log.info("listening at {address}", address=self._port.getHost())

    async def stop(self) -> None:
        """Accept nothing more, let what is being answered end, then close."""
        port, self._port = self._port, None
        if port is None:
            return
        closed = port.stopListening()
        if isinstance(closed, Deferred):
            await closed
        if not await self._drained(self._drain_s):
            self.log.warn("{count} connections are cut off", count=len(self._site.channels))
            self._site.abort()
            await self._drained(CLOSE_S)

    async def _drained(self, limit_s: float) -> bool:
        done = self._site.drain()
        done.addTimeout(limit_s, self._clock)  # type: ignore[arg-type]
        try:
            await done
        except TimedOut:
            return False
        return True


def _with_backlog(endpoint: str) -> str:
    kind = endpoint.partition(":")[0]
    if kind not in _WITH_BACKLOG or ":backlog=" in endpoint:
        return endpoint
    return f"{endpoint}:backlog={BACKLOG}"


def raise_file_limit() -> int:
    """Let this process open as many files and sockets as the system allows it; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return soft
    return hard
