"""A slot set up from nothing on the pages of a real daemon, and a photo sent through the link that the page shows."""

import io
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from tests.support.booth import photo
from tests.support.daemon import OPERATOR, OPERATOR_PASSWORD, Daemon, make_home
from tests.support.runs import Curled, curl, send

LOGIN = ("-u", f"{OPERATOR}:{OPERATOR_PASSWORD}")
EDITOR = "/slots/studio/4"


class Operator:
    """curl as the operator's browser, without scripts."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        self.folder, self.daemon = folder, daemon
        self.base = f"http://127.0.0.1:{daemon.port}"

    def see(self, path: str) -> str:
        answer = curl(self.folder, self.base + path, *LOGIN)
        assert answer.status == 200
        return answer.body.decode()

    def post(self, path: str, *said: str, origin: str | None = None) -> Curled:
        browser = ("-H", f"Origin: {origin or self.base}", "-H", "User-Agent: Mozilla/5.0")
        return curl(self.folder, self.base + path, *LOGIN, *browser, *said)

    def save(self, **said: str) -> Curled:
        """Fill in the slot's form as it stands now."""
        revision = re.findall(r'name="revision" value="([^"]*)"', self.see(EDITOR))[0]
        fields = {"do": "save", "revision": revision, "enabled": "on", "format": "jpeg", "keep_failures": "on", **said}
        return self.post(
            EDITOR, *(arg for name, value in fields.items() for arg in ("--data-urlencode", f"{name}={value}"))
        )

    def link(self) -> str:
        return unescape(re.findall(r'id="link" value="([^"]*)"', self.see(EDITOR))[0])

    def send(self, link: str) -> Curled:
        guest = self.folder / "guest.jpg"
        guest.write_bytes(photo(1))
        return send(self.folder, link, guest)


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    home = make_home(tmp_path / "home", {})
    (home / "library" / "references").mkdir(parents=True)
    with Daemon(home) as daemon:
        daemon.start()
        yield Operator(tmp_path, daemon)
        assert "Traceback" not in daemon.log


def test_a_slot_is_set_up_from_nothing_and_a_photo_goes_through_its_copied_link(operator: Operator) -> None:
    assert "No slot of Studio is set up yet" in operator.see("/slots/studio")
    saved = operator.save(name="Карандаш", effect="style", prompt="A pencil drawing")
    assert (saved.status, saved.headers["location"]) == (303, f"{EDITOR}?said=saved")
    link = operator.link()
    assert f'value="{link}"' in operator.see("/slots/studio")
    answer = operator.send(link)
    assert answer.status == 200
    assert answer.headers["x-boothd-made-by"] == "studio"
    assert Image.open(io.BytesIO(answer.body)).format == "JPEG"
    assert "1<small>today" in operator.see("/slots/studio")


def test_a_change_is_in_force_when_the_page_comes_back(operator: Operator) -> None:
    operator.save(effect="style", prompt="A pencil drawing")
    link = operator.link()
    operator.save(effect="style", prompt="A pencil drawing", format="png")
    assert operator.send(link).headers["content-type"] == "image/png"
    operator.save(effect="style", prompt="A pencil drawing", enabled="")
    assert operator.send(link).error == "no-such-slot"


def test_a_reference_picture_is_added_by_a_plain_form(operator: Operator) -> None:
    page = operator.see(EDITOR)
    action = re.findall(r'formaction="([^"]*)" formenctype="multipart/form-data"', page)[0]
    beach = operator.folder / "My beach.png"
    Image.new("RGB", (1200, 800), "teal").save(beach)
    added = operator.post(
        action, "-F", "effect=background", "-F", "name=Beach", "-F", "revision=", "-F", f"file=@{beach}"
    )
    assert added.status == 200
    name = re.findall(r'name="reference" value="(my-beach-[0-9a-f]{12}\.png)"', added.body.decode())[0]
    preview = curl(operator.folder, f"{operator.base}/slots/references/{name}", *LOGIN)
    assert Image.open(io.BytesIO(preview.body)).size == (480, 320)
    assert curl(operator.folder, f"{operator.base}/slots/references/{name}").status == 401
    assert operator.save(effect="background", name="Beach", reference=name).status == 303
    assert name in operator.see(EDITOR)


def test_uploads_need_the_page_the_login_and_our_own_origin(operator: Operator) -> None:
    action = re.findall(r'formaction="([^"]*)"', operator.see(EDITOR))[0]
    file = ("-F", f"file=@{_picture(operator.folder)}")
    assert operator.post(action[:-1] + "~", *file).error == "not-found"
    assert operator.post(action, *file, origin="http://evil.example").error == "foreign-origin"
    assert curl(operator.folder, operator.base + action, *file).status == 401
    assert operator.post(EDITOR, "-d", "do=clear", origin="http://evil.example").error == "foreign-origin"
    assert list((operator.daemon.home / "library" / "references").iterdir()) == []
    assert list((operator.daemon.home / "spool" / "incoming").iterdir()) == []


def _picture(folder: Path) -> Path:
    path = folder / "picture.jpg"
    path.write_bytes(photo(2))
    return path


def test_no_page_has_anything_that_the_security_policy_forbids(operator: Operator) -> None:
    operator.save(effect="style", prompt="A pencil drawing")
    for path in ("/slots/studio", EDITOR, "/slots/deepseek/1", "/slots/turbotext"):
        page = operator.see(path)
        assert " style=" not in page
        assert not re.search(r' on\w+="', page)
        assert not re.search(r"<script(?! type=\"module\" src=\"/static/)", page)
        for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
            assert curl(operator.folder, operator.base + unescape(address)).status == 200
