"""A result that a service gives as a link: fetched to disk, from nowhere but where the guard allows.

Asking a name twice is the hole of every such check: the second answer may be another one (DNS rebinding). So a name is
resolved once, its addresses are checked, and the connection goes to one of these very addresses; TLS still checks the
certificate for the name. *All* addresses of a name must be allowed, not just one: a public host has no private address
beside its own, so a mixed answer is an attack or a broken resolver, and both are worth an error that says so."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.address import IPv4Address as FoundIPv4
from twisted.internet.address import IPv6Address as FoundIPv6
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IResolutionReceiver, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.budget import Budget
from boothd.base.errors import BadAnswer, Unavailable
from boothd.base.fetch import save_body
from boothd.base.guard import Address, Guard, Target
from boothd.base.threads import Threads

REDIRECTS = 3
"""Object stores need one; more than three go round in circles."""

ADDRESSES = 4
"""Of one host, that are tried one after the other."""

CONNECT_S = 10.0
"""Per address."""

_REDIRECTING = {301, 302, 303, 307, 308}


async def download(
    url: str,
    path: Path,
    *,
    guard: Guard,
    reactor: Any,
    resolver: Any,
    trust_root: Any = None,
    max_bytes: int,
    disk: Threads,
    budget: Budget,
) -> int:
    """Fetch `url` into the new file `path`; returns its size in bytes.

    reactor: to connect with. resolver: an IHostnameResolver, the reactor's `nameResolver`. trust_root: as
    `optionsForClientTLS` takes it (a CA bundle: `trustRootFromCertificates`); None is the system's, whose
    files are then read every time (8 ms of the reactor; a root made once takes 1 ms). One attempt, a connection of its
    own, no cookies, no keys. What arrives is not judged: any bytes, or none.

    Raises BadAnswer when the link is forbidden, dead or too long, Unavailable when the host cannot be reached or breaks
    off, OutOfTime, OSError; then no file is left. Texts name the host, never path or query: these hold tokens.
    Cancelling closes the connection."""
    target = guard.check_url(url)
    way = _Way(guard, reactor, resolver, trust_root)
    return await budget.limit(_download(target, path, way, max_bytes, disk))


async def _download(target: Target, path: Path, way: "_Way", max_bytes: int, disk: Threads) -> int:
    for _ in range(REDIRECTS + 1):
        endpoint = await way.endpoint(target)
        try:
            response = await way.ask(target, endpoint)
            if response.code == 200:
                return await save_body(response, path, max_bytes=max_bytes, disk=disk)
            target = way.next(target, response)
        finally:
            endpoint.abort()
    raise BadAnswer(f"The result link redirects more than {REDIRECTS} times, last to {target.host}.")


class _Way:
    """One download's tools: from a checked link to its response."""

    def __init__(self, guard: Guard, reactor: Any, resolver: Any, trust_root: Any) -> None:
        self._guard, self._reactor, self._resolver, self._trust_root = guard, reactor, resolver, trust_root

    async def endpoint(self, target: Target) -> "_Pinned":
        found = [target.address] if target.address is not None else await _resolve(self._resolver, target)
        if not found:
            raise Unavailable(f"The name {target.host} is not found.")
        return _Pinned(self._reactor, [self._guard.check_address(each) for each in found], target.port)

    async def ask(self, target: Target, pinned: "_Pinned") -> Any:
        """The response's head. Raises Unavailable, CancelledError."""
        endpoint: Any = pinned
        if target.scheme == "https":
            tls = optionsForClientTLS(target.host, trustRoot=self._trust_root)
            endpoint = wrapClientTLS(tls, endpoint, clock=self._reactor)
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        agent = Agent.usingEndpointFactory(self._reactor, _Only(endpoint), pool)
        headers = Headers({b"User-Agent": [b"boothd"], b"Accept": [b"*/*"]})
        try:
            return await agent.request(b"GET", target.url.encode("ascii"), headers)
        except (
            ConnectError, ConnectingCancelledError, ConnectionClosed, RequestTransmissionFailed,
            ResponseFailed, TLSError, VerificationError,
        ) as error:  # fmt: skip
            reasons = list(_reasons(error))
            if any(isinstance(reason, CancelledError | ConnectingCancelledError) for reason in reasons):
                raise CancelledError() from error
            if any(isinstance(reason, TLSError | VerificationError) for reason in reasons):
                raise Unavailable(f"No secure connection to {target.host}: {_said(reasons)}.") from error
            raise Unavailable(f"{target.host} cannot be reached: {_said(reasons)}.") from error

    def next(self, target: Target, response: Any) -> Target:
        """Where a response that is not the result leads. Raises BadAnswer, Unavailable."""
        code, host = response.code, target.host
        locations = response.headers.getRawHeaders(b"location", [])
        if code in _REDIRECTING and len(locations) == 1:
            return self._guard.follow(target, locations[0].decode("utf-8", "replace"))
        if code in {404, 410}:
            raise BadAnswer(f"The result link has expired: {host} answered {code}.")
        if code in {401, 403}:
            raise BadAnswer(f"{host} does not give out the result ({code}); its link may have expired.")
        if code >= 500 or code in {408, 425, 429}:
            raise Unavailable(f"{host} answered {code} instead of the result.")
        raise BadAnswer(f"{host} answered {code} instead of the result.")


@implementer(IStreamClientEndpoint)
class _Pinned:
    """Connects to one of the given addresses, whatever the name leads to by now; IPv4 first, since more venues have it."""

    def __init__(self, reactor: Any, addresses: list[Address], port: int) -> None:
        self._reactor, self._port = reactor, port
        self._addresses = sorted(dict.fromkeys(addresses), key=lambda each: each.version)[:ADDRESSES]
        self._transport: Any = None

    def connect(self, factory: Any) -> Any:
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: Any) -> Any:
        failed: ConnectError | None = None
        for address in self._addresses:
            kind = TCP4ClientEndpoint if isinstance(address, IPv4Address) else TCP6ClientEndpoint
            try:
                protocol = await kind(self._reactor, str(address), self._port, timeout=CONNECT_S).connect(factory)
            except ConnectError as error:
                failed = error
            else:
                self._transport = protocol.transport
                return protocol
        raise failed or ConnectError()

    def abort(self) -> None:
        """Close the connection now. A TLS layer would wait for the other side to say goodbye; this does not."""
        if self._transport is not None:
            self._transport.abortConnection()


@implementer(IAgentEndpointFactory)
class _Only:
    """Gives the agent the one endpoint there is."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> Any:
        return self._endpoint


@implementer(IResolutionReceiver)
class _Answers:
    """Collects the addresses of a name."""

    def __init__(self, found: "Deferred[list[str]]") -> None:
        self._found, self._addresses = found, list[str]()

    def resolutionBegan(self, resolution: Any) -> None:
        """Nothing to note: Twisted's own resolver cannot be cancelled."""

    def addressResolved(self, address: Any) -> None:
        # What is neither is no address to the guard.
        self._addresses.append(address.host if isinstance(address, FoundIPv4 | FoundIPv6) else "")

    def resolutionComplete(self) -> None:
        if not self._found.called:
            self._found.callback(self._addresses)


async def _resolve(resolver: Any, target: Target) -> list[str]:
    found: Deferred[list[str]] = Deferred()
    resolver.resolveHostName(_Answers(found), target.host, target.port)
    return await found


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """The error and all that Twisted has wrapped into it."""
    yield error
    for reason in getattr(error, "reasons", []):
        if isinstance(reason, Failure) and reason.value is not None:
            yield from _reasons(reason.value)


def _said(reasons: list[BaseException]) -> str:
    """What the innermost error is called; its text may be long and hold what a person does not need."""
    return type(reasons[-1]).__name__
