"""Statistics and trash as a browser gets them from a real daemon: the numbers, the password, the way back and out."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image

from tests.daemon.test_page import LOGIN, Browser, fail
from tests.support.booth import photo
from tests.support.daemon import PASSWORD, Daemon, make_home
from tests.support.jobs import job
from tests.support.runs import Curled, send
from tests.support.scripted.fixture import ScriptedServer, scripted

__all__ = ["scripted"]  # a fixture


@pytest.fixture
def browser(tmp_path: Path, scripted: ScriptedServer) -> Iterator[Browser]:
    slots: dict[int, dict[str, object]] = {
        1: {"prompt": "status=422", "name": "Pencil & ink"},
        2: {"prompt": "ok", "name": "Another one"},
    }
    home = make_home(tmp_path / "home", {"scripted": slots}, {"scripted": {"url": scripted.url}})
    with Daemon(home) as daemon:
        daemon.start()
        yield Browser(tmp_path, daemon)
        assert "Traceback" not in daemon.log


def see(browser: Browser, path: str) -> str:
    answer = browser.get(path, *LOGIN)
    assert answer.status == 200
    return answer.body.decode()


def post(browser: Browser, action: str, **fields: str) -> Curled:
    return browser.press(action, "--data", urlencode(fields))


def test_a_failure_is_shown_tried_on_another_slot_and_deleted_and_the_numbers_stay_true(browser: Browser) -> None:
    first = fail(browser)
    page = see(browser, "/statistics")
    assert "The service refused the photo or the prompt" in page
    (link,) = set(re.findall(r'href="(/trash/[^"]+)"', page))
    assert link.endswith(first)
    assert "Another one · scripted-2" in see(browser, link)

    # its picture, as small as it is shown and as it came
    (thumbnail,) = re.findall(r'src="(/trash/[^"]+)"', see(browser, "/trash"))
    with Image.open(io.BytesIO(browser.get(thumbnail, *LOGIN).body)) as small:
        assert small.format == "JPEG"
    assert browser.get(f"{link}/photo", *LOGIN).body == photo(1)

    # another slot makes it
    again = post(browser, f"{link}/again", slot="scripted-2")
    assert again.headers["location"].endswith("retried=done")
    assert job(browser.daemon.home, first).state == "done"
    assert "a later try succeeded" in see(browser, "/statistics")

    # the next one is deleted; after a crash the numbers are counted from the journals again
    second = fail(browser)
    gone = post(browser, link.replace(first, second) + "/delete")
    assert gone.headers["location"].endswith("deleted=1")
    assert second not in see(browser, "/trash")
    rows = list(csv.DictReader(io.StringIO(see(browser, "/statistics.csv"))))
    assert [(row["slot"], row["failed"], row["late"]) for row in rows if row["of"] == "slot"] == [
        ("scripted-1", "2", "1")
    ]
    browser.daemon.kill()
    browser.daemon.start()
    browser.base = f"http://127.0.0.1:{browser.daemon.port}"
    assert list(csv.DictReader(io.StringIO(see(browser, "/statistics.csv")))) == rows
    assert second not in see(browser, "/trash")


def test_a_new_upload_password_counts_from_the_next_photo(browser: Browser) -> None:
    assert f'value="{PASSWORD}"' in see(browser, "/statistics")
    answer = post(browser, "/statistics/password", password="кофе 17")
    assert answer.headers["location"] == "/statistics?changed=yes#password"
    picture = browser.folder / "guest.jpg"
    picture.write_bytes(photo(1))
    link = browser.daemon.link("scripted", 2)
    assert send(browser.folder, link, picture).error == "wrong-password"
    assert send(browser.folder, link, picture, password="кофе 17").status == 200
    assert "кофе 17" not in browser.daemon.log


def test_the_pages_need_the_login_no_inline_scripts_and_our_own_origin(browser: Browser) -> None:
    failed = fail(browser)
    (link,) = set(re.findall(r'href="(/trash/[^"#]+)"', see(browser, "/statistics")))
    for path in ("/statistics", "/statistics.csv", "/trash", link, f"{link}/photo", f"{link}/thumbnail/240"):
        assert browser.get(path).status == 401
    for path in ("/statistics", "/trash", link):
        page = see(browser, path)
        assert " style=" not in page
        assert not re.search(r' on\w+="', page)
        assert all(tag.startswith('<script type="module" src="/static/') for tag in re.findall(r"<script[^>]*>", page))
        for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
            assert browser.get(address).status == 200
    for action in ("/statistics/password", f"{link}/delete", f"{link}/again", f"{Path(link).parent}/empty"):
        assert browser.press(action, origin="http://evil.example").error == "foreign-origin"
    assert job(browser.daemon.home, failed).state == "trash"
