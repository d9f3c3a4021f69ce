"""What a listen endpoint says, as far as a command needs to know: kind, address, port."""

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
