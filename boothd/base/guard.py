"""Which links of others may be fetched: a result URL is text from outside and must not reach into this network.

Nothing here touches the network. `download.py` asks before every connection. Source: DESIGN §4, operations.md §7."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urljoin

from boothd.base.errors import BadAnswer

Address = IPv4Address | IPv6Address

LONGEST_URL = 8192
"""Characters; the signed links of object stores have up to about 2,000."""

DEFAULT_PORTS = {"https": 443, "http": 80}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<netloc>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_NETLOC = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_KEPT_IN_URLS = "!#$%&'()*+,-./:;=?@[]_~"


def _nets(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


# First match wins. Source: the IANA special-purpose registries, and the clouds' own manuals for metadata.
_NEVER = {
    "metadata": _nets(
        "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
        "fd00:ec2::254/128", "fd20:ce::254/128",
    ),
    "link-local": _nets("169.254.0.0/16", "fe80::/10"),
    "unspecified": _nets("0.0.0.0/8", "::/128"),
    "multicast": _nets("224.0.0.0/4", "ff00::/8"),
    "tunnel": _nets("192.88.99.0/24", "2001::/32", "2002::/16"),  # Teredo and 6to4 carry an IPv4 address inside
    "reserved": _nets(
        "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "3ffe::/16", "3fff::/20",
    ),
}  # fmt: skip
_PRIVATE = {
    "loopback": _nets("127.0.0.0/8", "::1/128"),
    "private": _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "shared (carrier NAT)": _nets("100.64.0.0/10"),
}
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Target:
    """A link that has passed: where to connect, what to ask for.

    url: as it is sent, pure ASCII, without fragment. host: lower case, no trailing dot, an IPv6 address without
    brackets. address: set when the host is an address itself. It may hold tokens in path and query: show `host` only."""

    scheme: str
    host: str
    port: int
    address: Address | None
    url: str

    def __repr__(self) -> str:
        return f"Target({self.scheme}://{self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Guard:
    """Where results may be fetched from.

    hosts: "example.com" is that name alone, ".example.com" every name below it, "192.168.1.20" that address; lower case,
    international names as "xn--…". ports: None takes each scheme's own. private: whether a host may lead into the local
    network (loopback, private, carrier NAT; for the operator's own servers). Link-local addresses, where clouds keep
    their metadata, stay forbidden. Raises ValueError for a host that could never match."""

    hosts: tuple[str, ...]
    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] | None = None
    private: bool = False

    def __post_init__(self) -> None:
        for entry in self.hosts:
            found = read_host(entry.removeprefix("."))
            if found is None or found[0] != entry.removeprefix(".") or (entry.startswith(".") and found[1]):
                raise ValueError(f"{entry!r} is no host name; write example.com, .example.com or an address")
        if not self.schemes <= DEFAULT_PORTS.keys():
            raise ValueError("only https and http can be fetched")

    def check_url(self, url: str) -> Target:
        """The link, taken apart and spelt in one way only; raises BadAnswer, whose text names at most the host."""
        if len(url) > LONGEST_URL:
            raise BadAnswer("The result link is too long.")
        if _CONTROL.search(url):
            raise BadAnswer("The result link holds control characters.")
        parts = _URL.fullmatch(url)
        if parts is None:
            raise BadAnswer("The result link is not a web address.")
        scheme = parts["scheme"].lower()
        if scheme not in self.schemes:
            raise BadAnswer(f"The result link must begin with {' or '.join(sorted(self.schemes))}.")
        if "@" in parts["netloc"]:
            raise BadAnswer("The result link holds a user name.")
        netloc = _NETLOC.fullmatch(parts["netloc"])
        read = read_host(netloc["host"]) if netloc else None
        if netloc is None or read is None:
            raise BadAnswer("The result link has an oddly spelt host.")
        host, address = read
        if not self._allows(host):
            raise BadAnswer(f"The result link leads to {host}, which is not an allowed host.")
        port = int(netloc["port"] or DEFAULT_PORTS[scheme])
        if port not in (self.ports if self.ports is not None else {DEFAULT_PORTS[scheme]}):
            raise BadAnswer(f"The result link leads to port {port} of {host}, which is not allowed.")
        if address is not None:
            self.check_address(address)
        shown = f"[{host}]" if isinstance(address, IPv6Address) else host
        where = shown if port == DEFAULT_PORTS[scheme] else f"{shown}:{port}"
        rest = quote((parts["path"] or "/") + (parts["query"] or ""), safe=_KEPT_IN_URLS)
        return Target(scheme, host, port, address, f"{scheme}://{where}{rest}")

    def follow(self, target: Target, location: str) -> Target:
        """Where a redirect of `target` leads; raises BadAnswer as `check_url` does, and for a step from https to http."""
        if len(location) > LONGEST_URL or _CONTROL.search(location):
            raise BadAnswer(f"{target.host} redirects to a broken link.")
        try:
            joined = urljoin(target.url, location)
        except ValueError:  # its own opinion of brackets; the text of the error holds the link
            raise BadAnswer(f"{target.host} redirects to a broken link.") from None
        to = self.check_url(joined)
        if target.scheme == "https" and to.scheme != "https":
            raise BadAnswer(f"{target.host} redirects to a link without encryption.")
        return to

    def check_address(self, address: Address | str) -> Address:
        """The address to connect to; raises BadAnswer when it is not one of the internet's (or of an allowed LAN's).

        An IPv4 address inside an IPv6 one (mapped, NAT64) is judged itself; NAT64 is the way out of IPv6-only networks,
        never a way to a private address."""
        try:
            found = ip_address(address) if isinstance(address, str) else address
        except ValueError:
            raise BadAnswer("The result link leads to no internet address.") from None
        inner, private = found, self.private
        if isinstance(found, IPv6Address):
            if found.scope_id is not None:
                raise BadAnswer("The result link leads to a link-local address.")
            if found.ipv4_mapped is not None:
                inner = found.ipv4_mapped
            elif found in _NAT64:
                inner, private = IPv4Address(int(found) & 0xFFFFFFFF), False
        kind = _kind(inner, private)
        if kind:
            raise BadAnswer(f"The result link leads to {found}, a {kind} address.")
        return found

    def _allows(self, host: str) -> bool:
        return any(host.endswith(entry) if entry.startswith(".") else host == entry for entry in self.hosts)


def read_host(text: str) -> tuple[str, Address | None] | None:
    """A URL's host in its one spelling, and the address that it is, if it is one; None for any other spelling.

    Names are lower case without a trailing dot. Whatever `inet_aton` would take for an address (127.1, 0x7f000001,
    0177.0.0.1, 2130706433) ends in a number, and no name on the internet does: only a.b.c.d is taken."""
    try:
        if text.startswith("[") or ":" in text:
            found = IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
            return None if found.scope_id is not None else (str(found), found)
        name = text.lower().removesuffix(".")
        labels = name.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            address = IPv4Address(name)
            return str(address), address
    except ValueError:
        return None
    good = text.isascii() and len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return (name, None) if good else None


def _kind(address: Address, private: bool) -> str:
    """The kind of an address that must not be reached; empty for one that may."""
    for kind, nets in (_NEVER if private else {**_NEVER, **_PRIVATE}).items():
        if any(address in net for net in nets):
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "" if private and any(address in net for nets in _PRIVATE.values() for net in nets) else "reserved"
    return ""
