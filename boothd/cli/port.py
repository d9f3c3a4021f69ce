"""Whether the daemon could listen where it is told to."""

import errno
import http.client
import socket
import ssl
from collections.abc import Callable

from boothd.base.endpoint import ANYWHERE, Listen, read_listen


def port_problem(endpoint: str, runs: Callable[[], bool]) -> str | None:
    """Why boothd could not listen at this endpoint; None: it could, or is doing so. runs: whether the home's daemon does."""
    listen = read_listen(endpoint)
    if listen.port is None:
        return None
    try:
        _try(listen)
    except OSError as error:
        return _reason(error, listen, runs)
    return None


def free_port(wanted: int = 0) -> int:
    """`wanted` if it is free on the loopback interface, else one that is."""
    for port in (wanted, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise OSError("no port is free")


def _try(listen: Listen) -> None:
    with socket.socket(listen.family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((listen.interface, listen.port))
        tried.listen(1)


def _reason(error: OSError, listen: Listen, runs: Callable[[], bool]) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return _in_use(listen, runs)
    if error.errno == errno.EACCES:
        return f"this user may not listen at port {listen.port}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {listen.interface}"
    return f"cannot listen at port {listen.port} ({error.strerror or error})"


def _in_use(listen: Listen, runs: Callable[[], bool]) -> str | None:
    if not _is_boothd(listen):
        return f"port {listen.port} is in use by another program"
    if runs():
        return None
    return f"port {listen.port} is in use by another boothd (a demo?); stop it, or choose another port in listen"


def _is_boothd(listen: Listen) -> bool:
    near = "::1" if listen.family == socket.AF_INET6 else "127.0.0.1"
    host = near if listen.interface in ANYWHERE else listen.interface
    connection = http.client.HTTPConnection(host, listen.port, timeout=3)
    if listen.scheme == "https":
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE  # only asked who it is
        connection = http.client.HTTPSConnection(host, listen.port, timeout=3, context=unverified)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().read(100) == b"alive\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
