"""`boothd link`: the address that goes into DSLR Remote Pro."""

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import quoteStringArgument

from boothd.base.endpoint import base_url, read_listen
from boothd.config import Home
from tests.cli.support import a_home, boothd, change, change_slot


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return a_home(tmp_path / "home", "listen: tcp:8123\n")


def link(home: Home, *words: str) -> str:
    said = boothd("link", "--home", home.path, *(words or ("studio", "1")))
    assert (said.status, said.err) == (0, "")
    return said.out.removesuffix("\n")


def test_a_link_begins_with_this_machines_address(home: Home) -> None:
    found = re.fullmatch(r"http://([^/]+):8123/upload/studio/1/([\w-]{22})", link(home))
    assert found is not None
    assert ipaddress.ip_address(found[1])


def test_a_link_begins_with_the_public_url_where_there_is_one(home: Home) -> None:
    for url in ("https://booth.example.com", "https://booth.example.com/", "http://booth.example.com:81/party"):
        change(home.config_file, public_url=url)
        assert link(home, "studio", "2").startswith(url.rstrip("/") + "/upload/studio/2/")


def test_a_link_follows_the_listen_option_as_up_does(home: Home) -> None:
    assert link(home, "studio", "1", "--listen", "tcp:8001:interface=10.0.0.5").startswith(
        "http://10.0.0.5:8001/upload/"
    )
    said = boothd("link", "--home", home.path, "studio", "1", "--listen", "unix:/run/other.sock")
    assert said.err.startswith("boothd: set public_url in boothd.yaml: listen is unix:/run/other.sock")
    change(home.config_file, public_url="https://booth.example.com")
    assert link(home, "studio", "1", "--listen", "tcp:8001").startswith("https://booth.example.com/upload/")


@pytest.mark.parametrize(
    ("listen", "base"),
    [
        ("tcp:8000:interface=127.0.0.1", "http://127.0.0.1:8000"),
        ("tcp:80:interface=10.0.0.5", "http://10.0.0.5"),
        ("ssl:443:interface=10.0.0.5", "https://10.0.0.5"),
        ("ssl:8443:privateKey=a.pem:interface=10.0.0.5", "https://10.0.0.5:8443"),
        (r"tcp6:8000:interface=\:\:1", "http://[::1]:8000"),
        ("tcp:port=8000:interface=127.0.0.1", "http://127.0.0.1:8000"),
    ],
)
def test_a_link_follows_the_listen_endpoint(listen: str, base: str) -> None:
    assert base_url(read_listen(listen)) == base


def test_an_endpoint_without_an_address_needs_a_public_url(home: Home) -> None:
    change(home.config_file, listen="unix:/run/boothd.sock")
    said = boothd("link", "--home", home.path, "studio", "1")
    assert said.status == 1
    assert said.err.startswith("boothd: set public_url in boothd.yaml: listen is unix:/run/boothd.sock")
    change(home.config_file, public_url="https://booth.example.com")
    assert link(home).startswith("https://booth.example.com/upload/studio/1/")


@given(port=st.integers(0, 65535), interface=st.ip_addresses().map(str), kind=st.sampled_from(["tcp", "tcp6", "ssl"]))
def test_endpoint_strings_are_read_back(port: int, interface: str, kind: str) -> None:
    listen = read_listen(f"{kind}:{port}:interface={quoteStringArgument(interface)}:backlog=50")
    assert (listen.kind, listen.port, listen.interface) == (kind, port, interface)


@given(st.text())
def test_any_endpoint_string_is_read_or_a_value_error(endpoint: str) -> None:
    try:
        read_listen(endpoint)
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("provider", "slot", "reason"),
    [
        ("studio", "20", "slot 20 of studio is empty"),
        ("studio", "3", "slot 3 of studio is disabled; its link would be refused"),
        ("studio", "21", "there are slots 1 to 20, not 21"),
        ("studio", "0", "there are slots 1 to 20, not 0"),
        ("magic", "1", "no provider is called magic; there are "),
    ],
)
def test_a_link_that_would_not_work_is_not_printed(home: Home, provider: str, slot: str, reason: str) -> None:
    change_slot(home, 3, enabled=False)
    said = boothd("link", "--home", home.path, provider, slot)
    assert (said.status, said.out) == (1, "")
    assert reason in said.err


def test_broken_slots_are_said_in_one_line(home: Home) -> None:
    change_slot(home, 1, effect="magic")
    said = boothd("link", "--home", home.path, "studio", "2")
    assert said.status == 1
    assert said.err == (
        f"boothd: {home.slots_file('studio')}: slots.1.effect: studio has no effect “magic”; it has background, style\n"
    )
