"""Clients against a real TLS server whose authority is our own."""

import datetime
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.budget import Budget
from boothd.base.clients import BadBundle, Clients
from boothd.base.errors import Unavailable
from boothd.base.guard import Guard
from boothd.base.threads import Threads
from boothd.providers.common.ask import ask, read_text
from tests.http.http_support import asynchronous, wait_for
from tests.support.clock import FakeClock

ADDRESS = ipaddress.IPv4Address("127.0.0.1")


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key, self.key, name, ca=True)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, address: ipaddress.IPv4Address = ADDRESS) -> "ServerTLS":
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return ServerTLS(self._sign("server", key, self.key, str(issuer), ca=False, address=address), key)

    def _sign(self, name: str, key: Any, by: Any, issuer: str, *, ca: bool, address: Any = ADDRESS) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
            .sign(by, hashes.SHA256())
        )


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """A server's certificate."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(certificate)
        self._context.use_privatekey(key)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context)


class Answers(Resource):
    """Says hello; knows over which connections it was asked."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(cast(Any, self))
        self.connections: list[int] = []

    def render_GET(self, request: Any) -> bytes:
        self.connections.append(id(request.channel))
        return b"hello"


class World:
    """A server, and our clients."""

    def __init__(self, reactor: Any, disk: Threads, home: Path) -> None:
        self._reactor, self.home = reactor, home
        self.ours, self.others = Authority("Our own"), Authority("Somebody's")
        self.answers = Answers()
        self.clients = Clients(reactor, disk)
        self._listening: list[Any] = []
        self.url = self.serve(self.ours.server())
        self.bundle = self.write(self.ours.pem)

    def serve(self, certificate: ServerTLS | None) -> str:
        site = Site(self.answers)
        if certificate is None:
            listening = self._reactor.listenTCP(0, site, interface="127.0.0.1")
        else:
            listening = self._reactor.listenSSL(0, site, certificate, interface="127.0.0.1")
        self._listening.append(listening)
        return f"{'https' if certificate else 'http'}://127.0.0.1:{listening.getHost().port}/"

    def write(self, *pems: bytes, name: str = "bundle.pem") -> Path:
        file = self.home / name
        file.write_bytes(b"".join(pems))
        return file

    async def hear(self, bundle: Path | None, url: str | None = None) -> str:
        response = await ask(self.clients.get(bundle), "GET", url or self.url, headers={}, service="Fake")
        return await read_text(response)

    async def stop(self) -> None:
        await self.clients.close()
        for listening in self._listening:
            await listening.stopListening()


@pytest.fixture
def world(disk_threads: Threads, tmp_path: Path) -> Iterator[World]:
    from twisted.internet import reactor  # noqa: TID251

    made = World(reactor, disk_threads, tmp_path)
    yield made
    wait_for(Deferred.fromCoroutine(made.stop()))


@asynchronous
async def test_a_server_of_the_bundles_authority_is_trusted(world: World) -> None:
    assert await world.hear(world.bundle) == "hello"


@asynchronous
async def test_without_the_bundle_it_is_not(world: World) -> None:
    with pytest.raises(Unavailable, match=r"No secure connection to Fake.*ca_bundle"):
        await world.hear(None)
    assert world.answers.connections == []


@asynchronous
async def test_only_the_bundles_authorities_are_trusted(world: World) -> None:
    with pytest.raises(Unavailable, match="No secure connection"):
        await world.hear(world.bundle, world.serve(world.others.server()))
    assert world.answers.connections == []


@asynchronous
async def test_a_bundle_may_hold_several_authorities_and_words_between_them(world: World) -> None:
    both = world.write("# Оурс\n".encode(), world.ours.pem, b"\r\n\r\nothers:\r\n", world.others.pem, name="both.pem")
    for authority in (world.ours, world.others):
        assert await world.hear(both, world.serve(authority.server())) == "hello"


@asynchronous
async def test_the_certificate_must_be_for_the_address(world: World) -> None:
    elsewhere = world.serve(world.ours.server(ipaddress.IPv4Address("127.0.0.2")))
    with pytest.raises(Unavailable, match="its certificate is not trusted"):
        await world.hear(world.bundle, elsewhere)
    assert world.answers.connections == []


@asynchronous
async def test_an_address_without_encryption_needs_no_authority(world: World) -> None:
    assert await world.hear(world.bundle, world.serve(None)) == "hello"


@asynchronous
async def test_connections_are_kept_and_used_again(world: World) -> None:
    for _ in range(3):
        assert await world.hear(world.bundle) == "hello"
    assert len(set(world.answers.connections)) == 1
    assert len(world.answers.connections) == 3


@asynchronous
async def test_closing_ends_the_idle_connections(world: World) -> None:
    await world.hear(world.bundle)
    await world.clients.close()
    await world.hear(world.bundle)
    assert len(set(world.answers.connections)) == 2


def test_there_is_one_client_for_each_bundle(world: World) -> None:
    other = world.write(world.others.pem, name="other.pem")
    assert world.clients.get(world.bundle) is world.clients.get(world.bundle)
    assert world.clients.get() is world.clients.get(None)
    assert len({id(world.clients.get(each)) for each in (None, world.bundle, other)}) == 3


@asynchronous
async def test_a_bundle_that_was_changed_is_read_anew(world: World) -> None:
    await world.hear(world.bundle)
    world.write(world.others.pem)
    os.utime(world.bundle, ns=(1, 1))
    with pytest.raises(Unavailable):
        await world.hear(world.bundle)
    assert await world.hear(world.bundle, world.serve(world.others.server())) == "hello"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no certificate"),
        (b"a text\n", "no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\n", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
def test_a_bundle_of_no_use_is_told_with_its_name(world: World, content: bytes, said: str) -> None:
    file = world.write(content, name="broken.pem")
    with pytest.raises(BadBundle, match=said) as caught:
        world.clients.get(file)
    assert str(file) in str(caught.value)


def test_a_bundle_cut_short_is_not_half_trusted(world: World) -> None:
    file = world.write(world.ours.pem, world.others.pem[: len(world.others.pem) // 2], name="cut.pem")
    with pytest.raises(BadBundle, match="cannot be read"):
        world.clients.get(file)


def test_a_bundle_that_is_missing_or_a_folder_is_told_with_its_name(world: World) -> None:
    for file in (world.home / "missing.pem", world.home):
        with pytest.raises(BadBundle, match="cannot be read") as caught:
            world.clients.get(file)
        assert str(file) in str(caught.value)


@asynchronous
async def test_a_bundle_that_was_mended_is_taken(world: World) -> None:
    file = world.write(b"", name="late.pem")
    os.utime(file, ns=(1, 1))
    with pytest.raises(BadBundle):
        world.clients.get(file)
    file.write_bytes(world.ours.pem)
    assert await world.hear(file) == "hello"


@asynchronous
async def test_results_are_fetched_with_the_same_trust(world: World, clock: FakeClock) -> None:
    port = int(world.url.rpartition(":")[2].strip("/"))
    guard = Guard(("127.0.0.1",), ports=frozenset({port}), private=True)

    async def fetch(name: str, bundle: Path | None) -> int:
        budget = Budget.of(clock, 30)
        return await world.clients.fetch(
            world.url, world.home / name, guard=guard, max_bytes=100, budget=budget, ca_bundle=bundle
        )

    assert await fetch("trusted", world.bundle) == 5
    with pytest.raises(Unavailable):
        await fetch("foreign", None)
    assert not (world.home / "foreign").exists()
