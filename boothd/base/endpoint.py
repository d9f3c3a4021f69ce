"""A Twisted endpoint string: what it says (kind, address, port), and whether boothd can use it.

Nothing here imports the reactor.
"""

import re
import socket
from dataclasses import dataclass

from boothd.base.address import lan_address

_TCP = {"tcp": 4, "tcp6": 6, "ssl": 4}
ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared with, not listened at)


@dataclass(frozen=True, slots=True)
class Listen:
    """scheme: of the links. interface: "" = all of this machine's addresses. port: None where there is none (unix:)."""

    kind: str
    scheme: str
    interface: str
    port: int | None

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if self.kind == "tcp6" or ":" in self.interface else socket.AF_INET


def read_listen(endpoint: str) -> Listen:
    """Read a Twisted endpoint string. Raises ValueError when its port is none."""
    kind, *parts = (re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", endpoint))
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    plain = [part for part in parts if "=" not in part]
    scheme = "https" if kind == "ssl" else "http"
    if kind not in _TCP:
        return Listen(kind, scheme, "", None)
    port = int(named.get("port", plain[0] if plain else ""))
    if not 0 <= port <= 65535:
        raise ValueError(f"there is no port {port}")
    return Listen(kind, scheme, named.get("interface", ""), port)


def base_url(listen: Listen) -> str:
    """How a booth in the same network reaches it. Raises ValueError where that cannot be known."""
    if listen.port is None:
        raise ValueError(f"an endpoint {listen.kind}: has no address of its own")
    host = lan_address() if listen.interface in ANYWHERE else listen.interface
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[listen.scheme]
    return f"{listen.scheme}://{host}" + ("" if listen.port == usual else f":{listen.port}")


def endpoint_problem(endpoint: str) -> str | None:
    """Why this is no endpoint string that can be listened at; None: it is one. Blocks: the key files of `ssl:` are read."""
    from twisted.internet.endpoints import serverFromString

    try:
        read_listen(endpoint)
        if not endpoint.startswith("systemd:"):  # what those mean, only the process knows that systemd started
            serverFromString(object(), endpoint)
    except OSError as error:
        return f"{endpoint!r} cannot be used ({error.filename}: {error.strerror})"
    except Exception as error:  # noqa: BLE001 (endpoint plugins raise what they like)
        return f"{endpoint!r} is not an endpoint ({error}); write it like tcp:8000"
    return None
