"""Where others reach this machine."""

import ipaddress

import pytest

from boothd.base.address import lan_address, listen_port


def test_this_machine_has_an_address() -> None:
    assert ipaddress.ip_address(lan_address())


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("tcp:8000", 8000),
        ("tcp:port=8000", 8000),
        ("tcp:8000:interface=::1", 8000),
        ("tcp6:8000", 8000),
        ("ssl:443:privateKey=key.pem", 443),
        ("unix:/run/boothd.sock", None),
        ("systemd:domain=INET:index=0", None),
        ("tcp:interface=localhost", None),
        ("", None),
    ],
)
def test_an_endpoint_names_its_port_or_none(endpoint: str, port: int | None) -> None:
    assert listen_port(endpoint) == port
