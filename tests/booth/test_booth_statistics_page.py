"""The statistics page: the password and its change, the numbers of some days, what failed, and the CSV."""

import csv
import io
import stat
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from twisted.internet.defer import Deferred

from boothd.base.assets import assets
from boothd.base.errors import Refused, RequestError
from boothd.base.threads import Threads
from boothd.booth import sheetfile
from boothd.booth.charts import chart
from boothd.booth.failures import Failures
from boothd.booth.statspages import StatsPages
from boothd.booth.sums import add_up
from boothd.config import read_yaml
from boothd.http import Pages, Reply
from boothd.providers.interfaces import ProviderSettings
from tests.booth.booth_support import TODAY, Booth, FakeProvider, live_slot, picture, run
from tests.booth.test_booth_status import Seen

OpenBooth = Callable[..., Booth]


class Form:
    """A request with these fields."""

    operator = "op"

    def __init__(self, **fields: str) -> None:
        self._fields = fields

    def getCookie(self, name: bytes) -> bytes | None:
        return None

    def getHeader(self, name: str) -> str | None:
        return None

    def field(self, name: str, default: str = "") -> str:
        return self._fields.get(name, default)


class Page:
    """A booth's statistics page, and its secrets file."""

    def __init__(self, booth: Booth) -> None:
        self.booth = booth
        self.file = booth.home.secrets_file
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump({"upload_password": booth.password, "keys": {"gemini": "AIza"}}))
        self.file.chmod(0o600)
        threads = cast(Threads, booth.threads)
        self.failures = Failures(booth.spool, threads, booth.clock)
        run(self.failures.start())
        pages = StatsPages(
            booth.desk,
            booth.stats,
            self.failures,
            Pages(assets("web")),
            threads,
            secrets_file=self.file,
            password=lambda: booth.password,
        )
        self._routes = {route.name: route.handler for route in pages.routes()}

    def ask(self, route: str, **fields: str) -> Reply:
        """The answer, however often it lets others have the reactor."""
        handler: Any = self._routes[route]
        asked: Deferred[Reply] = Deferred.fromCoroutine(handler(Form(**fields)))
        for _ in range(200):
            if asked.called:
                break
            self.booth.time.advance(0)
        return run(asked)

    def see(self, status: int = 200, /, **fields: str) -> Seen:
        reply = self.ask("statistics", **fields)
        assert reply.status == status
        return Seen(reply.body.decode())  # type: ignore[union-attr]

    def rows(self, **fields: str) -> list[dict[str, str]]:
        reply = self.ask("statistics.csv", **fields)
        return list(csv.DictReader(io.StringIO(reply.body.decode("utf-8"))))  # type: ignore[union-attr]

    def change(self, password: str, *, taken: bool = True, **more: str) -> Reply:
        """Send the form; the file is read again when `taken`."""
        handler: Any = self._routes["statistics.password"]
        asked: Deferred[Reply] = Deferred.fromCoroutine(handler(Form(password=password, **more)))
        if taken:
            self.booth.password = str(self.kept["upload_password"])
        self.booth.time.pump([0.1] * 50)
        return run(asked)

    @property
    def kept(self) -> dict[str, Any]:
        return read_yaml(self.file)


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOTHD_UPLOAD_PASSWORD", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def booth(open_booth: OpenBooth) -> Booth:
    booth = open_booth(FakeProvider(paid=True), slots=[live_slot(name="Pencil & ink")])
    booth.services["fake"].reconfigure(booth.services["fake"].provider, ProviderSettings(price=Decimal("0.04")))
    return booth


@pytest.fixture
def page(booth: Booth) -> Page:
    return Page(booth)


def fail(booth: Booth, width: int = 70) -> str:
    booth.provider.fails = [Refused("No <celebrities>.")]
    return str(booth.send(picture(size=(width, 40))).error.job)


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_a_fresh_home_has_a_page_without_numbers(page: Page) -> None:
    seen = page.see()
    for words in (
        "No provider was called.",
        "No photo came.",
        "No photo yet.",
        "Nothing has failed in the last 72 hours.",
    ):
        assert words in seen.text
    assert "svg" not in seen.tags


def test_an_evening_is_shown_by_model_and_by_slot_with_its_money(booth: Booth, page: Page) -> None:
    booth.send()
    fail(booth)
    seen = page.see()
    assert "Photos answered 1 Failed 1" in seen.text
    assert "Money 0.08 Fake Calls: 1 charged, 1 perhaps, 0 not" in seen.text
    assert "Fake fake-1 1 2 1 refused 1" in seen.text
    assert "Pencil & ink fake-1 2 1 1 refused 1" in seen.text
    assert "<celebrities>" not in seen.html


def test_days_can_be_chosen_and_add_up(booth: Booth, page: Page) -> None:
    booth.send()
    booth.time.advance(timedelta(days=2).total_seconds())
    for width in (61, 62):
        booth.send(picture(size=(width, 40)))
    assert "Photos answered 2" in page.see().text
    assert "Photos answered 1" in page.see(**{"from": "2026-11-20", "to": "2026-11-20"}).text
    assert "Photos answered 3" in page.see(**{"from": "2026-11-20", "to": "2026-11-22"}).text
    assert "Photos answered 0" in page.see(**{"from": "2026-11-21"}).text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"from": "yesterday"}, "This is not a day"),
        ({"to": "2026-13-01"}, "This is not a day"),
        ({"from": "2026-11-20", "to": "2026-11-19"}, "lies before the first"),
        ({"from": "2020-01-01", "to": "2026-11-20"}, "reach back 400 days"),
        ({"to": "9999-12-31"}, "has not come yet"),
    ],
)
def test_days_that_cannot_be_come_back_with_the_reason(page: Page, fields: dict[str, str], reason: str) -> None:
    seen = page.see(400, **fields)
    assert reason in seen.text
    (wrong,) = [field for field in seen.inputs if field.get("aria-invalid")]
    assert wrong["value"] in fields.values()
    with pytest.raises(RequestError):
        page.ask("statistics.csv", **fields)


def test_a_photo_stands_in_the_hour_in_which_it_came(booth: Booth, page: Page) -> None:
    booth.send()
    fail(booth)
    booth.time.advance(2 * 3600)
    fail(booth, 71)
    seen = page.see()
    assert "18:00 1 1" in seen.text
    assert "20:00 – 1" in seen.text
    assert seen.text.index("06:00 – –") < seen.text.index("18:00 1 1") < seen.text.index("05:00 – –")


def test_the_hours_of_a_day_whose_photos_are_gone_are_not_known(booth: Booth, page: Page) -> None:
    booth.send()
    booth.time.advance(timedelta(days=2).total_seconds())
    seen = page.see(**{"from": "2026-11-18"})
    assert "are no longer kept" in seen.text


def test_the_last_days_are_drawn_and_told_in_a_table(booth: Booth, page: Page) -> None:
    booth.send()
    booth.time.advance(timedelta(days=3).total_seconds())
    booth.send(picture(size=(61, 40)))
    seen = page.see()
    assert "20 Nov 2026 1 –" in seen.text
    assert seen.tags.count("rect") == 1 + 2  # an hour; two days
    assert 'href="/statistics?from=2026-11-20&amp;to=2026-11-20"' in seen.html
    assert "style=" not in seen.html


@pytest.mark.parametrize(
    ("highest", "most"), [(0, 0), (1, 2), (3, 4), (7, 8), (11, 20), (41, 60), (100, 100), (101, 200)]
)
def test_a_chart_ends_at_a_round_number(highest: int, most: int) -> None:
    assert chart([(TODAY, highest, 0)]).most == most


def test_bars_stand_on_the_ground_and_on_each_other() -> None:
    (bar,) = chart([(TODAY, 3, 1)]).bars
    assert (bar.made_y, bar.made_height, bar.failed_y, bar.failed_height) == (25, 75, 0, 25)


def test_slots_stand_in_the_order_of_their_numbers() -> None:
    sums = add_up([{"slots": {name: {"received": 1} for name in ("gem-10", "gem-2", "a-1", "odd")}}])
    assert [each.slot for each in sums.slots] == ["odd", "a-1", "gem-2", "gem-10"]


# --- what failed -----------------------------------------------------------------------------------------------------


def test_failures_are_told_in_words_with_a_way_to_the_trash(booth: Booth, page: Page) -> None:
    job = fail(booth)
    seen = page.see()
    assert "The service refused the photo or the prompt refused 1 1 1 1" in seen.text
    assert "No <celebrities>. 20 Nov 18:00 · Pencil & ink · the booth was told 422 · may have been charged" in seen.text
    assert f'href="/trash/2026-11-20/{job}"' in seen.html


# --- the password ----------------------------------------------------------------------------------------------------


def test_the_password_is_shown_and_can_be_copied(page: Page) -> None:
    seen = page.see()
    (shown,) = [field for field in seen.inputs if field.get("id") == "upload-password"]
    assert shown["value"] == page.booth.password
    assert 'data-copy="upload-password"' in seen.html


def test_a_new_password_is_written_whole_and_private_and_the_rest_stays(page: Page) -> None:
    page.file.chmod(0o644)
    reply = page.change("кофе и 123")
    assert (reply.status, reply.headers["Location"]) == (303, "/statistics?changed=yes#password")
    assert page.kept == {"upload_password": "кофе и 123", "keys": {"gemini": "AIza"}}
    assert stat.S_IMODE(page.file.stat().st_mode) == 0o600
    assert [path.name for path in page.file.parent.iterdir()] == ["secrets.yaml"]
    assert "is changed" in page.see(changed="yes").text


def test_a_password_can_be_made_up(page: Page) -> None:
    before = page.booth.password
    page.change("ignored", make="yes")
    made = page.kept["upload_password"]
    assert made not in {before, "ignored"}
    assert len(made) == 17


def test_a_password_that_is_not_taken_in_time_is_said(page: Page) -> None:
    reply = page.change("new one", taken=False)
    assert reply.headers["Location"] == "/statistics?changed=not-yet#password"
    assert "has not taken it yet" in page.see(changed="not-yet").text


@pytest.mark.parametrize("password", ["", "  ", " a", "a ", "a\nb", "a" * 201])
def test_a_password_that_no_booth_could_send_comes_back_with_the_reason(page: Page, password: str) -> None:
    before = page.file.read_bytes()
    reply = page.change(password)
    assert reply.status == 400
    seen = Seen(reply.body.decode())  # type: ignore[union-attr]
    (wrong,) = [field for field in seen.inputs if field.get("aria-invalid")]
    assert wrong["name"] == "password"
    assert "wrong" in seen.classes
    assert page.file.read_bytes() == before


def test_a_broken_file_is_not_rewritten(page: Page) -> None:
    page.file.write_text("upload_password: [\n")
    reply = page.change("new one", taken=False)
    assert reply.status == 400
    assert "must be put right first" in reply.body.decode()  # type: ignore[union-attr]
    assert page.file.read_text() == "upload_password: [\n"


def test_a_file_that_cannot_be_written_is_said(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    reply = page.change("new one", taken=False)
    assert reply.status == 400
    assert "cannot be written. <code>No space left on device</code>" in reply.body.decode()  # type: ignore[union-attr]


def test_a_password_of_the_environment_is_shown_and_cannot_be_changed(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTHD_UPLOAD_PASSWORD", page.booth.password)
    seen = page.see()
    assert "It comes from the environment (BOOTHD_UPLOAD_PASSWORD)" in seen.text
    assert [form for form in seen.forms if form.get("method") == "post"] == []
    before = page.file.read_bytes()
    assert page.change("new one", taken=False).status == 400
    assert page.file.read_bytes() == before


def test_a_password_of_the_credentials_is_said_to_be(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "upload_password").write_text("from systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "It comes from the system's credentials (upload_password)" in page.see().text


def test_without_a_password_the_form_stands_open(page: Page) -> None:
    page.booth.password = ""
    seen = page.see()
    assert "no booth is let in" in seen.text
    assert "<details open>" in seen.html


# --- the CSV ---------------------------------------------------------------------------------------------------------


def test_the_csv_has_a_row_per_day_and_model_and_per_day_and_slot(booth: Booth, page: Page) -> None:
    booth.send()
    fail(booth)
    booth.time.advance(timedelta(days=1).total_seconds())
    booth.send(picture(size=(61, 40)))
    rows = page.rows(**{"from": "2026-11-20", "to": "2026-11-21"})
    assert [(row["day"], row["of"], row["provider"], row["model"], row["slot"]) for row in rows] == [
        ("2026-11-20", "model", "fake", "fake-1", ""),
        ("2026-11-20", "slot", "", "", "fake-1"),
        ("2026-11-21", "model", "fake", "fake-1", ""),
        ("2026-11-21", "slot", "", "", "fake-1"),
    ]
    model, slot = rows[:2]
    assert (model["calls"], model["pictures"], model["failed"], model["money"]) == ("2", "1", "1", "0.08")
    assert (slot["received"], slot["answered"], slot["failed"], slot["charged"]) == ("2", "1", "1", "1")
    assert slot["mean_seconds"] == "0.250"


def test_the_csv_is_a_file_to_keep(page: Page) -> None:
    headers = page.ask("statistics.csv", **{"from": "2026-11-01", "to": "2026-11-20"}).headers
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Content-Disposition"] == 'attachment; filename="boothd-2026-11-01-2026-11-20.csv"'
    assert page.rows() == []


@pytest.mark.parametrize("model", ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_that_looks_like_a_formula_is_none(model: str) -> None:
    data = sheetfile.header() + sheetfile.rows_of(TODAY, {"models": {"gem": {model: {"attempts": 1}}}})
    (row,) = csv.DictReader(io.StringIO(data.decode(), newline=""))
    assert row["model"] == f"'{model}"


def test_400_days_are_read_piece_by_piece(booth: Booth, page: Page) -> None:
    handler: Any = page._routes["statistics.csv"]
    asked: Deferred[Reply] = Deferred.fromCoroutine(handler(Form(**{"from": "2025-10-18", "to": "2026-11-20"})))
    assert not asked.called
    assert page.rows(**{"from": "2025-10-18", "to": "2026-11-20"}) == []
    assert asked.called
