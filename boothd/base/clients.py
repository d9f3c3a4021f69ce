"""HTTP clients for services: one for the system's authorities, one for each CA bundle."""

import ssl
from pathlib import Path
from typing import Any, cast

from OpenSSL.crypto import FILETYPE_ASN1, FILETYPE_PEM, X509, load_certificate
from OpenSSL.crypto import Error as PEMError
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent, IPolicyForHTTPS
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.budget import Budget
from boothd.base.download import download
from boothd.base.guard import Guard
from boothd.base.threads import Threads

CONNECT_S = 10.0
KEPT_OPEN = 32
"""Idle connections to one host that are kept for the next call."""
KEPT_S = 20
"""... for so long; a balancer that has forgotten one lets the next call on it hang."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class BadBundle(Exception):
    """A CA bundle cannot be used. The message names the file and the reason."""


@implementer(IPolicyForHTTPS)
class _Trust:
    """Trusts one root, made once: reading the system's takes 8 ms of the reactor."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        return optionsForClientTLS(hostname.decode("ascii"), trustRoot=self._root)


class Clients:
    """Makes clients, and keeps them: connections outlive a reload.

    disk: the threads that write what is fetched."""

    def __init__(self, reactor: Any, disk: Threads) -> None:
        self._reactor, self._disk = reactor, disk
        self._clients: dict[tuple[Path, int] | None, Any] = {}
        self._roots: dict[tuple[Path, int] | None, Any] = {}
        self._pools: list[HTTPConnectionPool] = []

    def get(self, ca_bundle: Path | None = None) -> Any:
        """A `treq.client.HTTPClient` without retries. Blocks to read a bundle. Raises BadBundle."""
        import treq.client

        key = _key(ca_bundle)
        if key not in self._clients:
            pool = HTTPConnectionPool(self._reactor)
            pool.retryAutomatically = False  # there is one retry loop, in the engine
            pool.maxPersistentPerHost, pool.cachedConnectionTimeout = KEPT_OPEN, KEPT_S
            self._pools.append(pool)
            agent = Agent(self._reactor, _Trust(self._root(key)), connectTimeout=CONNECT_S, pool=pool)
            self._clients[key] = treq.client.HTTPClient(cast(IAgent, agent))
        return self._clients[key]

    async def fetch(
        self, url: str, path: Path, *, guard: Guard, max_bytes: int, budget: Budget, ca_bundle: Path | None = None
    ) -> int:
        """Fetch a result link; see `download`."""
        return await download(
            url,
            path,
            guard=guard,
            reactor=self._reactor,
            resolver=self._reactor.nameResolver,
            trust_root=self._root(_key(ca_bundle)),
            max_bytes=max_bytes,
            disk=self._disk,
            budget=budget,
        )

    async def close(self) -> None:
        """Close the connections that are idle."""
        for pool in self._pools:
            await pool.closeCachedConnections()

    def _root(self, key: tuple[Path, int] | None) -> Any:
        if key not in self._roots:
            certificates = _system() if key is None else _certificates(key[0])
            self._roots[key] = trustRootFromCertificates(certificates) if certificates else platformTrust()
        return self._roots[key]


def check_bundle(ca_bundle: Path) -> None:
    """Raise BadBundle when the file cannot be used. Blocks."""
    _certificates(ca_bundle)


def _key(ca_bundle: Path | None) -> tuple[Path, int] | None:
    """A bundle that has been changed is another one."""
    if ca_bundle is None:
        return None
    try:
        return ca_bundle, ca_bundle.stat().st_mtime_ns
    except OSError as error:
        raise BadBundle(f"{ca_bundle} cannot be read ({error.strerror})") from None


def _system() -> list[Certificate]:
    """The system's authorities (or SSL_CERT_FILE's), where they lie in one file."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return [_wrapped(load_certificate(FILETYPE_ASN1, der)) for der in found]


def _certificates(file: Path) -> list[Certificate]:
    try:
        blocks = file.read_text(encoding="ascii", errors="replace").split(_BEGIN)[1:]
        found = [
            load_certificate(FILETYPE_PEM, (_BEGIN + block.partition(_END)[0] + _END).encode()) for block in blocks
        ]
    except OSError as error:
        raise BadBundle(f"{file} cannot be read ({error.strerror})") from None
    except (PEMError, ValueError) as error:
        raise BadBundle(f"{file} holds a certificate that cannot be read") from error
    if not found:
        raise BadBundle(f"{file} holds no certificate (-----BEGIN CERTIFICATE-----)")
    return [_wrapped(certificate) for certificate in found]


def _wrapped(certificate: X509) -> Certificate:
    wrapped: Certificate = Certificate(certificate)
    return wrapped
