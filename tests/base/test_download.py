"""download against real servers on loopback ports, which the test's reactor puts in the place of public addresses."""

import datetime
import ipaddress
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IHostnameResolver, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.budget import Budget
from boothd.base.download import download
from boothd.base.errors import BadAnswer, OutOfTime, Unavailable
from boothd.base.guard import Guard
from boothd.base.threads import Threads
from tests.support.clock import FakeClock

PUBLIC, OTHER = "93.184.215.14", "93.184.215.15"
PICTURE = b"\x89PNG" * 50_000


@implementer(IHostnameResolver)
class Names:
    """A resolver double: each name has a list of answers, one per time it is asked; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[Any]]] = {}
        self.asked: list[str] = []
        self.hold = False

    def resolveHostName(
        self,
        receiver: Any,
        name: str,
        port: int = 0,
        types: Any = None,
        semantics: str = "TCP",
    ) -> Any:
        self.asked.append(name)
        receiver.resolutionBegan(self)
        if self.hold:
            self.late = receiver
            return self
        answers = self.answers.get(name, [[]])
        for each in answers.pop(0) if len(answers) > 1 else answers[0]:
            if isinstance(each, str):
                kind = IPv6Address if ":" in each else IPv4Address
                receiver.addressResolved(kind("TCP", each, port))
            else:
                receiver.addressResolved(each)
        receiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        raise NotImplementedError


class Wires:
    """The reactor, but a public address and port lead to a loopback port; notes what was connected to."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.ports: dict[tuple[str, int], int] = {}
        self.connected: list[tuple[str, int]] = []
        self.connections: list[Any] = []

    def connectTCP(self, host: str, port: int, factory: Any, **kw: Any) -> Any:
        self.connected.append((host, port))
        to = self.ports.get((host, port), 1)  # nobody listens on port 1
        connector = self._reactor.connectTCP("127.0.0.1", to, factory, **kw)
        self.connections.append(connector)
        return connector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class Answers(Resource):
    """What the server says; notes requests and when a connection is closed."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(cast(Any, self))
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.gone: Deferred[None] = Deferred()
        self.came: Deferred[None] = Deferred()
        self.deaf: Any = None
        self.codes: dict[str, tuple[int, str]] = {}

    def render_GET(self, request: Any) -> Any:
        path = request.uri.decode()
        headers = {k.decode().lower(): v[0].decode() for k, v in request.requestHeaders.getAllRawHeaders()}
        self.requests.append((path, headers))
        request.notifyFinish().addBoth(lambda _: None if self.gone.called else self.gone.callback(None))
        if not self.came.called:
            self.came.callback(None)
        code, location = self.codes.get(path.partition("?")[0], (200, ""))
        request.setResponseCode(code)
        if location:
            request.setHeader(b"location", location.encode())
        request.setHeader(b"set-cookie", b"a=b")
        if path == "/picture" or code != 200:
            return PICTURE
        if path == "/broken":
            request.setHeader(b"content-length", b"90000")
            request.write(b"x" * 1000)
            request.channel.loseConnection()
        if path == "/chunked":
            request.write(PICTURE)
            request.write(PICTURE)
            request.finish()
        if path in {"/slow", "/deaf"}:
            request.write(b"x" * 1000)
        if path == "/deaf":
            self.deaf = request.channel.transport.transport
            self.deaf.pauseProducing()
        return NOT_DONE_YET  # "/silent": not even a head


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """A server's certificate. Twisted's own CertificateOptions warn about pyOpenSSL's old classes."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(certificate)
        self._context.use_privatekey(key)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context)


class World:
    """A web server for http and one for https, names for them, and downloads from them."""

    def __init__(self, reactor: Any, clock: FakeClock, disk: Threads, home: Path) -> None:
        self.reactor, self.names, self.disk, self.home = Wires(reactor), Names(), disk, home
        self.answers = Answers()
        self.site = Site(self.answers)
        self.clock = clock
        self.ca, self._ca_key = _authority()
        self._listening: list[Any] = []
        self.trust: Any = trustRootFromCertificates(
            [Certificate.loadPEM(self.ca.public_bytes(serialization.Encoding.PEM))]
        )
        self.names.answers = {"files.example.com": [[PUBLIC]], "other.example.com": [[OTHER]]}
        self.serve(PUBLIC, 443, self.certificate("files.example.com"))
        self.serve(PUBLIC, 80, None)
        self.guard = Guard((".example.com", PUBLIC), frozenset({"https", "http"}))

    def certificate(self, *names: str, days: int = 2) -> ServerTLS:
        return _certificate(self.ca, self._ca_key, names, days)

    def serve(self, host: str, port: int, certificate: ServerTLS | None, factory: Any = None) -> None:
        factory = factory or self.site
        if certificate is None:
            listening = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            listening = self.reactor.listenSSL(0, factory, certificate, interface="127.0.0.1")
        self._listening.append(listening)
        self.reactor.ports[host, port] = listening.getHost().port

    async def get(self, url: str, *, guard: Guard | None = None, max_bytes: int = 1 << 20, seconds: float = 30) -> int:
        return await download(
            url,
            self.home / "result",
            guard=guard or self.guard,
            reactor=self.reactor,
            resolver=self.names,
            trust_root=self.trust,
            max_bytes=max_bytes,
            disk=self.disk,
            budget=Budget.of(self.clock, seconds),
        )

    @property
    def left(self) -> list[str]:
        return [path.name for path in self.home.iterdir()]

    async def closed(self) -> None:
        """Until no connection is open any more."""
        while any(connector.state != "disconnected" for connector in self.reactor.connections):
            await self.turn()

    async def turn(self) -> None:
        """One turn of the reactor."""
        over: Deferred[None] = Deferred()
        self.reactor.callLater(0, over.callback, None)
        await over

    async def stop(self) -> None:
        await self.closed()
        for port in self._listening:
            await port.stopListening()


def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    builder = _builder(name, name, key, 2).add_extension(constraints, critical=True)
    return builder.sign(key, hashes.SHA256()), key


def _certificate(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, names: tuple[str, ...], days: int
) -> ServerTLS:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    alternatives = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
    )
    made = _builder(subject, ca.subject, key, days).add_extension(alternatives, critical=False)
    return ServerTLS(made.sign(ca_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


@pytest_twisted.async_yield_fixture()
async def world(clock: FakeClock, disk_threads: Threads, tmp_path: Path) -> AsyncIterator[World]:
    from twisted.internet import reactor  # noqa: TID251

    made = World(reactor, clock, disk_threads, tmp_path)
    yield made
    await made.stop()
    assert clock.timers == 0


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_result_is_fetched_from_the_address_that_was_checked(world: World, scheme: str) -> None:
    assert await world.get(f"{scheme}://Files.example.com/picture") == len(PICTURE)
    assert (world.home / "result").read_bytes() == PICTURE
    assert world.names.asked == ["files.example.com"]
    assert world.reactor.connected == [(PUBLIC, 443 if scheme == "https" else 80)]
    path, headers = world.answers.requests[0]
    assert path == "/picture"
    assert headers["host"] == "files.example.com"
    assert not {"cookie", "authorization", "referer"} & headers.keys()


@pytest_twisted.ensureDeferred
async def test_a_link_to_an_address_asks_no_resolver(world: World) -> None:
    world.serve(PUBLIC, 443, world.certificate(PUBLIC))
    assert await world.get(f"https://{PUBLIC}/picture") == len(PICTURE)
    assert world.names.asked == []


@pytest_twisted.ensureDeferred
async def test_a_name_that_changes_its_address_is_asked_once(world: World) -> None:
    world.names.answers["files.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    await world.get("http://files.example.com/picture")
    assert world.names.asked == ["files.example.com"]
    assert world.reactor.connected == [(PUBLIC, 80)]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        ["169.254.169.254", PUBLIC],
        [PUBLIC, "::ffff:192.168.1.1"],
        ["fe80::1%lo"],
        [PUBLIC, UNIXAddress("/run/docker.sock")],
    ],
)
async def test_a_name_with_one_forbidden_address_is_refused(world: World, answer: list[Any]) -> None:
    world.names.answers["files.example.com"] = [answer]
    with pytest.raises(BadAnswer, match=r"leads to .*address"):
        await world.get("http://files.example.com/picture")
    assert world.reactor.connected == []


@pytest_twisted.ensureDeferred
async def test_the_operators_own_server_is_reached_where_that_is_configured(world: World) -> None:
    world.names.answers["comfy.lan"] = [["192.168.1.20"]]
    world.serve("192.168.1.20", 8188, None)
    guard = Guard(("comfy.lan",), frozenset({"http"}), frozenset({8188}), private=True)
    assert await world.get("http://comfy.lan:8188/picture", guard=guard) == len(PICTURE)
    assert world.answers.requests[0][1]["host"] == "comfy.lan:8188"


@pytest_twisted.ensureDeferred
async def test_the_next_address_is_tried_ipv4_first(world: World) -> None:
    world.names.answers["files.example.com"] = [["2606:4700::1111", OTHER, PUBLIC, OTHER]]
    await world.get("http://files.example.com/picture")
    assert world.reactor.connected == [(OTHER, 80), (PUBLIC, 80)]


@pytest_twisted.ensureDeferred
async def test_no_more_than_four_addresses_are_tried(world: World) -> None:
    world.names.answers["files.example.com"] = [[f"93.184.1.{i}" for i in range(9)]]
    with pytest.raises(Unavailable, match=r"files\.example\.com cannot be reached: ConnectionRefusedError"):
        await world.get("http://files.example.com/picture?TOKEN")
    assert len(world.reactor.connected) == 4


@pytest_twisted.ensureDeferred
async def test_a_name_that_nobody_knows_is_unavailable(world: World) -> None:
    with pytest.raises(Unavailable, match=r"nobody\.example\.com is not found"):
        await world.get("http://nobody.example.com/picture?TOKEN")


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("names", "days"), [(("other.example.com",), 2), ((PUBLIC,), 2), (("files.example.com",), -1)])
async def test_a_certificate_for_another_name_or_time_is_refused(
    world: World, names: tuple[str, ...], days: int
) -> None:
    world.serve(PUBLIC, 443, world.certificate(*names, days=days))
    with pytest.raises(Unavailable, match=r"No secure connection to files\.example\.com: "):
        await world.get("https://files.example.com/picture?TOKEN")
    assert world.answers.requests == []


@pytest_twisted.ensureDeferred
async def test_a_certificate_of_an_unknown_authority_is_refused(world: World) -> None:
    world.trust = None  # the system's, which does not know the test's
    with pytest.raises(Unavailable, match="No secure connection"):
        await world.get("https://files.example.com/picture")
    assert world.answers.requests == []


@pytest_twisted.ensureDeferred
async def test_a_server_without_tls_is_unavailable(world: World) -> None:
    world.serve(PUBLIC, 443, None, _saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(Unavailable, match="No secure connection"):
        await world.get("https://files.example.com/picture")


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_with_nothing_taken_along(world: World, code: int) -> None:
    world.serve(OTHER, 443, world.certificate("other.example.com"))
    world.answers.codes["/a"] = (code, "https://other.example.com/picture")
    assert await world.get("https://files.example.com/a?TOKEN") == len(PICTURE)
    assert world.names.asked == ["files.example.com", "other.example.com"]
    headers = world.answers.requests[1][1]
    assert headers["host"] == "other.example.com"
    assert "TOKEN" not in str(headers)
    assert "cookie" not in headers


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("https://127.0.0.1/x?TOKEN", r"127\.0\.0\.1, which is not an allowed host"),
        ("https://evil.com/?TOKEN", "evil.com, which is not an allowed host"),
        ("https://inside.example.com/?TOKEN", r"leads to 10\.0\.0\.7, a private address"),
        ("http://files.example.com/picture", "without encryption"),
        ("", "answered 302 instead"),
    ],
)
async def test_a_redirect_elsewhere_is_refused(world: World, location: str, text: str) -> None:
    world.names.answers["inside.example.com"] = [["10.0.0.7"]]
    world.answers.codes["/a"] = (302, location)
    with pytest.raises(BadAnswer, match=text) as caught:
        await world.get("https://files.example.com/a")
    assert "TOKEN" not in str(caught.value)
    assert world.reactor.connected == [(PUBLIC, 443)]
    assert world.left == []


@pytest_twisted.ensureDeferred
async def test_every_hop_is_resolved_and_checked_anew(world: World) -> None:
    world.names.answers["files.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    world.answers.codes["/a"] = (302, "/picture")
    with pytest.raises(BadAnswer, match=r"127\.0\.0\.1, a loopback address"):
        await world.get("https://files.example.com/a")


@pytest_twisted.ensureDeferred
async def test_three_redirects_are_followed_and_no_fourth(world: World) -> None:
    hops = ["/a", "/b", "/c", "/d", "/picture"]
    world.answers.codes = {hop: (302, to) for hop, to in pairwise(hops)}
    assert await world.get("http://files.example.com/b") == len(PICTURE)
    (world.home / "result").unlink()
    with pytest.raises(BadAnswer, match="redirects more than 3 times"):
        await world.get("http://files.example.com/a")
    assert [path for path, _ in world.answers.requests] == [*hops[1:], *hops[:-1]]


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (404, BadAnswer, "has expired: files.example.com answered 404"),
        (410, BadAnswer, "has expired"),
        (403, BadAnswer, "does not give out the result"),
        (401, BadAnswer, "does not give out the result"),
        (206, BadAnswer, "answered 206"),
        (400, BadAnswer, "answered 400"),
        (429, Unavailable, "answered 429"),
        (500, Unavailable, "answered 500"),
        (503, Unavailable, "answered 503"),
    ],
)
async def test_any_other_answer_is_an_error(world: World, code: int, error: type[Exception], text: str) -> None:
    world.answers.codes["/x"] = (code, "")
    with pytest.raises(error, match=text) as caught:
        await world.get("https://files.example.com/x?TOKEN")
    assert "TOKEN" not in str(caught.value)
    assert len(world.answers.requests) == 1
    assert world.left == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize(
    ("path", "error", "text"),
    [("picture", BadAnswer, "MB"), ("chunked", BadAnswer, "MB"), ("broken", Unavailable, "broke off")],
)
async def test_a_body_that_is_too_long_or_broken_leaves_nothing(
    world: World, scheme: str, path: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        await world.get(f"{scheme}://files.example.com/{path}", max_bytes=100_000)
    await world.answers.gone
    assert world.left == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 nonsense\r\n\r\n", b"\x00" * 70_000])
async def test_what_is_no_http_is_unavailable(world: World, garbage: bytes) -> None:
    world.serve(PUBLIC, 80, None, _saying(garbage))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await world.get("http://files.example.com/picture")
    assert world.left == []


def _saying(words: bytes) -> Factory:
    class Saying(Protocol):
        def dataReceived(self, data: bytes) -> None:
            transport: Any = self.transport
            transport.write(words)
            transport.loseConnection()

    return Factory.forProtocol(Saying)


# --- time ------------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("path", ["silent", "slow"])
@pytest.mark.parametrize(("end", "error"), [("cancel", CancelledError), ("time", OutOfTime)])
async def test_when_it_is_over_the_connection_is_closed(
    world: World, scheme: str, path: str, end: str, error: type[Exception]
) -> None:
    running = ensureDeferred(world.get(f"{scheme}://files.example.com/{path}"))
    await world.answers.came
    _end(world, running, end)
    with pytest.raises(error):
        await running
    await world.answers.gone
    await world.closed()
    assert world.left == []


def _end(world: World, running: Any, end: str) -> None:
    if end == "cancel":
        running.cancel()
    else:
        world.clock.advance(31)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("end", "error"), [("cancel", CancelledError), ("time", OutOfTime)])
async def test_when_it_is_over_a_late_name_leads_nowhere(world: World, end: str, error: type[Exception]) -> None:
    world.names.hold = True
    running = ensureDeferred(world.get("https://files.example.com/picture"))
    _end(world, running, end)
    with pytest.raises(error):
        await running
    world.names.late.addressResolved(IPv4Address("TCP", PUBLIC, 443))
    world.names.late.resolutionComplete()
    assert world.reactor.connected == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("end", "error"), [("cancel", CancelledError), ("time", OutOfTime)])
async def test_when_it_is_over_nothing_goes_on_connecting(world: World, end: str, error: type[Exception]) -> None:
    running = ensureDeferred(world.get("https://files.example.com/picture"))
    _end(world, running, end)
    with pytest.raises(error):
        await running
    await world.closed()
    assert len(world.reactor.connected) == 1


@pytest_twisted.ensureDeferred
async def test_a_server_that_never_ends_tls_is_let_go(world: World) -> None:
    """TLS's own goodbye waits for the other side's; a connection to a deaf server would stay open."""
    running = ensureDeferred(world.get("https://files.example.com/deaf"))
    await world.answers.came
    for _ in range(50):  # until the head is here
        await world.turn()
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await world.closed()
    world.answers.deaf.resumeProducing()
    await world.answers.gone


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nothing_in_tls_is_let_go(world: World) -> None:
    heard: Deferred[None] = Deferred()
    gone: Deferred[None] = Deferred()
    world.serve(PUBLIC, 443, None, _mute(heard, gone))
    running = ensureDeferred(world.get("https://files.example.com/picture"))
    await heard
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await gone


def _mute(heard: Deferred[None], gone: Deferred[None]) -> Factory:
    class Mute(Protocol):
        def dataReceived(self, data: bytes) -> None:
            heard.callback(None)

        def connectionLost(self, reason: Any = None) -> None:
            gone.callback(None)

    return Factory.forProtocol(Mute)


@pytest_twisted.ensureDeferred
async def test_an_existing_file_is_never_overwritten(world: World) -> None:
    (world.home / "result").write_bytes(b"here first")
    with pytest.raises(FileExistsError):
        await world.get("http://files.example.com/picture")
    assert (world.home / "result").read_bytes() == b"here first"
