"""Where others on the network reach this machine."""

import socket


def lan_address() -> str:
    """This machine's address on its local network, "127.0.0.1" when it has none.

    A datagram socket that is connected, without sending anything, shows which address the system would use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737): nobody is there
            found: str = probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
        return found


def listen_port(endpoint: str) -> int | None:
    """The port of a Twisted endpoint string like `tcp:8000:interface=::1`; None when it names none."""
    kind, _, rest = endpoint.partition(":")
    first = rest.partition(":")[0].removeprefix("port=")
    return int(first) if kind in {"tcp", "tcp4", "tcp6", "ssl"} and first.isdigit() else None
