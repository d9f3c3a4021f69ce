"""The status page as a browser gets it from a real daemon: behind the login, without scripts, with one action."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booth import photo
from tests.support.daemon import OPERATOR, OPERATOR_PASSWORD, PASSWORD, Daemon, make_home
from tests.support.jobs import job
from tests.support.runs import Curled, curl, send
from tests.support.scripted.fixture import ScriptedServer, scripted

__all__ = ["scripted"]  # a fixture

LOGIN = ("-u", f"{OPERATOR}:{OPERATOR_PASSWORD}")


class Browser:
    """curl as a browser that shows the page."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        self.folder, self.daemon = folder, daemon
        self.base = f"http://127.0.0.1:{daemon.port}"

    def get(self, path: str, *more: str) -> Curled:
        return curl(self.folder, self.base + path, *more)

    def page(self) -> str:
        answer = self.get("/", *LOGIN)
        assert answer.status == 200
        return answer.body.decode()

    def press(self, action: str, *more: str, origin: str | None = None) -> Curled:
        """Send a form of the page."""
        said = ("-X", "POST", "-H", f"Origin: {origin or self.base}", "-H", "User-Agent: Mozilla/5.0")
        return self.get(action, *LOGIN, *said, *more)


@pytest.fixture
def browser(tmp_path: Path, scripted: ScriptedServer) -> Iterator[Browser]:
    slots: dict[int, dict[str, object]] = {
        1: {"prompt": "fail-first=1 status=422", "name": "Pencil & ink"},
        2: {"prompt": "ok", "enabled": False},
    }
    home = make_home(tmp_path / "home", {"scripted": slots}, {"scripted": {"url": scripted.url}})
    with Daemon(home) as daemon:
        daemon.start()
        yield Browser(tmp_path, daemon)
        assert "Traceback" not in daemon.log


def fail(browser: Browser) -> str:
    """Let a photo fail; its job."""
    picture = browser.folder / "guest.jpg"
    picture.write_bytes(photo(1))
    answer = send(browser.folder, browser.daemon.link("scripted", 1), picture)
    assert answer.error == "refused"
    return str(answer.said["job"])


def test_nobody_sees_it_without_the_login(browser: Browser) -> None:
    for login in ((), ("-u", "op:wrong"), ("-u", f"nobody:{OPERATOR_PASSWORD}")):
        answer = browser.get("/", *login)
        assert (answer.status, answer.error) == (401, "login-required")
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert PASSWORD not in answer.body.decode()


def test_it_shows_links_password_and_state_and_brings_its_style(browser: Browser) -> None:
    page = browser.page()
    assert f'value="{browser.base}{browser.daemon.path("scripted", 1)}"' in page
    assert browser.daemon.path("scripted", 2) not in page
    assert PASSWORD in page
    assert "Pencil &amp; ink" in page
    assert "All is well" in page
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert browser.get(address).status == 200


def test_it_needs_no_scripts_and_no_other_server(browser: Browser) -> None:
    answer = browser.get("/", *LOGIN)
    page = answer.body.decode()
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r' on\w+="', page)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith(("/", "#")) for address in addresses)


def test_the_button_tries_a_failed_photo_again(browser: Browser) -> None:
    failed = fail(browser)
    page = browser.page()
    assert "scripted 422" in page
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', page)
    answer = browser.press(action)
    assert (answer.status, answer.headers["location"]) == (303, "/?retried=done#trash")
    assert job(browser.daemon.home, failed).state == "done"
    assert "lies in done" in browser.get("/?retried=done", *LOGIN).body.decode()
    assert "Nothing has failed." in browser.page()
    assert browser.press(action).status == 404


def test_another_sites_page_cannot_press_it(browser: Browser) -> None:
    failed = fail(browser)
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', browser.page())
    assert browser.press(action, origin="http://evil.example").error == "foreign-origin"
    assert browser.press(action, "-H", "Sec-Fetch-Site: cross-site").error == "foreign-origin"
    assert browser.get(action, "-X", "POST").status == 401
    assert browser.get(action, *LOGIN).error == "method-not-allowed"
    assert job(browser.daemon.home, failed).state == "trash"


@pytest.mark.parametrize(
    "path",
    [
        "/trash/2026-11-20/20261120T180000.000-abcdef/retry",
        "/trash/today/20261120T180000.000-abcdef/retry",
        "/trash/..%2f..%2fspool/20261120T180000.000-abcdef/retry",
        "/trash/2026-11-20/..%2f..%2fetc/retry",
        "/trash/2026-11-20/%00/retry",
        "/trash/2026-11-20/../../retry",
    ],
)
def test_tricks_with_the_address_find_nothing(browser: Browser, path: str) -> None:
    assert browser.press(path, "--path-as-is").status == 404
