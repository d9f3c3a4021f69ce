"""The trash's pages: what failed, its thumbnail, and every button."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from PIL import Image
from twisted.internet.defer import Deferred

from boothd.base.assets import assets
from boothd.base.errors import NotFound, Refused, RequestError
from boothd.base.threads import Threads
from boothd.booth import thumbnails
from boothd.booth.slots import SlotBook
from boothd.booth.thumbnails import Thumbnails
from boothd.booth.trashpages import TrashPages
from boothd.http import FileBody, Pages, Reply
from boothd.spool import State
from tests.booth.booth_support import PHOTO, TODAY, Booth, FakeProvider, live_slot, picture, rotated, run
from tests.booth.test_booth_statistics_page import Form
from tests.booth.test_booth_status import Seen

OpenBooth = Callable[..., Booth]
DAY = TODAY.isoformat()


class Page:
    """A booth's trash pages."""

    def __init__(self, booth: Booth) -> None:
        self.booth = booth
        made = Thumbnails(cast(Threads, booth.pictures), cast(Threads, booth.threads))
        pages = TrashPages(booth.desk, booth.trash, made, Pages(assets("web")))
        self._routes = {route.name: route.handler for route in pages.routes()}

    def start(self, route: str, *at: str, **fields: Any) -> "Deferred[Reply]":
        size = {"size": fields.pop("size")} if "size" in fields else {}
        names = ("day", "id")[: len(at)]
        handler: Any = self._routes[route]
        return Deferred.fromCoroutine(handler(Form(**fields), **dict(zip(names, at, strict=True)), **size))

    def ask(self, route: str, *at: str, **fields: Any) -> Reply:
        return run(self.start(route, *at, **fields))

    def see(self, route: str = "trash", *at: str, **fields: Any) -> Seen:
        reply = self.ask(route, *at, **fields)
        assert reply.status == 200
        return Seen(reply.body.decode())  # type: ignore[union-attr]

    def press(self, route: str, *at: str, **fields: Any) -> str:
        """Send a form; where it leads."""
        reply = self.ask(route, *at, **fields)
        assert reply.status == 303
        return reply.headers["Location"]

    def thumbnail(self, job: str, size: int = 240) -> Image.Image:
        reply = self.ask("trash.thumbnail", DAY, job, size=size)
        assert reply.headers["Content-Type"] == "image/jpeg"
        assert isinstance(reply.body, FileBody)
        return Image.open(io.BytesIO(reply.body.path.read_bytes()))


@pytest.fixture
def booth(open_booth: OpenBooth) -> Booth:
    fakes = FakeProvider(paid=True), FakeProvider("other")
    return open_booth(*fakes, slots=[live_slot(name="Pencil & ink"), live_slot("other", prompt="oil")])


@pytest.fixture
def page(booth: Booth) -> Page:
    return Page(booth)


def fail(booth: Booth, photo: bytes = PHOTO) -> str:
    booth.provider.fails = [Refused("No <celebrities>.")]
    return str(booth.send(photo).error.job)


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_an_empty_trash_says_so_and_offers_nothing(page: Page) -> None:
    seen = page.see()
    assert "Nothing has failed." in seen.text
    assert seen.forms == []


def test_a_failed_photo_is_told_in_words_with_all_that_was_tried(booth: Booth, page: Page) -> None:
    job = fail(booth)
    seen = page.see()
    assert "The service refused the photo or the prompt No <celebrities>." in seen.text
    assert "20 Nov 18:00 · Pencil & ink · refused · the booth was told 422 · may have been charged" in seen.text
    assert "fake · fake-1 · 0.0 s · refused · may have been charged" in seen.text
    assert f'src="/trash/{DAY}/{job}/thumbnail/240"' in seen.html
    assert "<celebrities>" not in seen.html


def test_it_opens_on_the_newest_day_and_shows_the_one_that_is_chosen(booth: Booth, page: Page) -> None:
    old = fail(booth)
    booth.time.advance(timedelta(days=1).total_seconds())
    new = fail(booth, picture(size=(61, 40)))
    assert new in page.see().html
    seen = page.see(day=DAY)
    assert old in seen.html
    assert new not in seen.html
    assert "20 Nov 2026 (1)" in seen.text


def test_a_day_without_failures_is_shown_as_such(booth: Booth, page: Page) -> None:
    fail(booth)
    assert "Nothing of this day is left." in page.see(day="2026-11-01").text


@pytest.mark.parametrize("day", ["today", "..", "2026-13-01", "2026-11-20/.."])
def test_what_is_no_day_is_not_found(page: Page, day: str) -> None:
    with pytest.raises(NotFound):
        page.ask("trash", day=day)
    with pytest.raises(NotFound):
        page.ask("trash.empty", day, newest="20261120T180000.000-abcdef")


@pytest.mark.parametrize("number", ["0", "-1", "99", "many", "9" * 50, "²"])
def test_a_page_that_there_is_not_is_no_error(booth: Booth, page: Page, number: str) -> None:
    job = fail(booth)
    assert job in page.see(page=number).html


def test_a_photo_that_was_not_kept_offers_no_retry(open_booth: OpenBooth) -> None:
    booth = open_booth(slots=[live_slot(keep_failures=False)])
    job = fail(booth)
    seen = Page(booth).see("trash.job", DAY, job)
    assert "was not kept" in seen.text
    assert [form["action"] for form in seen.forms] == [f"/trash/{DAY}/{job}/delete"]


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_small_and_upright(booth: Booth, page: Page) -> None:
    job = fail(booth, rotated(6, size=(1200, 800)))
    small, large = page.thumbnail(job), page.thumbnail(job, 960)
    assert (small.size, large.size) == ((160, 240), (640, 960))
    assert small.getpixel((80, 20)) == pytest.approx((255, 255, 255), abs=8)  # the stored picture's left half is white


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_other_formats_have_one_too(booth: Booth, page: Page, form: str) -> None:
    assert page.thumbnail(fail(booth, picture(form, size=(480, 240)))).size == (240, 120)


def test_a_photo_is_decoded_once_whatever_is_asked_for(
    booth: Booth, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[object] = []
    real = thumbnails.make_thumbnails

    def counted(*args: Any) -> None:
        decoded.append(args)
        real(*args)

    monkeypatch.setattr(thumbnails, "make_thumbnails", counted)
    job = fail(booth)
    booth.pictures.hold = True
    waiting = [page.start("trash.thumbnail", DAY, job, size=size) for size in (240, 960, 240)]
    waiting[0].cancel()  # its browser leaves
    waiting[0].addErrback(lambda failure: None)
    booth.pictures.release()
    for asked in waiting[1:]:
        assert run(asked).status == 200
    page.thumbnail(job)
    assert len(decoded) == 1


def test_a_broken_photo_has_no_thumbnail_and_is_not_decoded_again(booth: Booth, page: Page) -> None:
    job = fail(booth)
    (directory,) = booth.jobs(State.TRASH)
    (directory / "source.jpg").write_bytes(PHOTO[: len(PHOTO) // 2])
    for _ in range(2):
        with pytest.raises(NotFound):
            page.ask("trash.thumbnail", DAY, job, size=240)
    assert [file.stat().st_size for file in directory.parent.glob("thumbnails/*.jpg")] == [0, 0]


def test_a_photo_that_goes_while_its_thumbnail_is_made_leaves_none(booth: Booth, page: Page) -> None:
    job = fail(booth)
    booth.pictures.hold = True
    asked = page.start("trash.thumbnail", DAY, job, size=240)
    run(booth.trash.delete(TODAY, job))
    booth.pictures.release()
    with pytest.raises(NotFound):
        run(asked)
    assert list(booth.spool.place(State.TRASH).rglob("*.jpg")) == []


@pytest.mark.parametrize("size", [0, 1, 241, 100_000])
def test_no_other_sizes_are_made(booth: Booth, page: Page, size: int) -> None:
    job = fail(booth)
    with pytest.raises(NotFound):
        page.ask("trash.thumbnail", DAY, job, size=size)


def test_the_original_can_be_downloaded_as_it_came(booth: Booth, page: Page) -> None:
    photo = picture("PNG")
    job = fail(booth, photo)
    reply = page.ask("trash.photo", DAY, job)
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{job}.png"'
    assert reply.headers["Content-Type"] == "image/png"
    assert isinstance(reply.body, FileBody)
    assert reply.body.path.read_bytes() == photo


@pytest.mark.parametrize("id", ["", "..", "20261120T180000.000-abcdef", "../20261120T180000.000-abcdef"])
def test_tricks_with_the_id_find_no_picture(page: Page, id: str) -> None:
    for route, more in (("trash.photo", {}), ("trash.thumbnail", {"size": 240})):
        with pytest.raises(NotFound):
            page.ask(route, DAY, id, **more)


# --- what is done ----------------------------------------------------------------------------------------------------


def test_a_retry_leads_back_to_its_day_and_page_and_says_how_it_ended(booth: Booth, page: Page) -> None:
    job = fail(booth)
    assert page.press("trash.again", DAY, job, page="3") == f"/trash?day={DAY}&page=3&retried=done"
    assert "lies in done" in page.see(retried="done").text
    booth.provider.fails = [Refused("Still none.")]
    other = fail(booth, picture(size=(61, 40)))
    booth.provider.fails = [Refused("Still none.")]
    assert page.press("trash.again", DAY, other) == f"/trash?day={DAY}&retried=refused"
    assert "The retry failed too: The service refused" in page.see(retried="refused").text


def test_a_retry_on_another_slot_is_chosen_from_a_menu(booth: Booth, page: Page) -> None:
    job = fail(booth)
    seen = page.see("trash.job", DAY, job)
    assert '<option value="fake-1" selected>Pencil &amp; ink · fake-1</option>' in seen.html
    assert '<option value="other-1">other-1</option>' in seen.html
    assert page.press("trash.again", DAY, job, slot="other-1").endswith("retried=done")


def test_the_menu_has_no_slots_that_are_switched_off_but_the_photos_own(booth: Booth, page: Page) -> None:
    job = fail(booth)
    booth.slots = SlotBook(
        {"fake-1": live_slot(enabled=False), "other-1": live_slot("other", enabled=False), "o": live_slot("other", 2)}
    )
    html = page.see("trash.job", DAY, job).html
    assert "fake-1 (switched off)" in html
    assert "other-1" not in html
    assert "other-2" in html


def test_a_slot_that_is_gone_is_said(booth: Booth, page: Page) -> None:
    job = fail(booth)
    assert "retried=no-slot" in page.press("trash.again", DAY, job, slot="gone-1")
    assert "choose another one" in page.see(retried="no-slot").text


def test_a_long_retry_does_not_keep_the_page_waiting(booth: Booth, page: Page) -> None:
    job = fail(booth)
    booth.provider.holding = True
    pressed = page.start("trash.again", DAY, job)
    booth.time.pump([1] * 20)
    assert run(pressed).headers["Location"] == f"/trash?day={DAY}&retried=under-way"
    booth.provider.let_go()
    assert len(booth.jobs(State.DONE)) == 1


def test_one_photo_is_deleted_after_it_was_asked(booth: Booth, page: Page) -> None:
    job, other = fail(booth), fail(booth, picture(size=(61, 40)))
    assert f'action="/trash/{DAY}/{job}/delete"' in page.see().html
    assert page.press("trash.delete", DAY, job, page="1") == f"/trash?day={DAY}&page=1&deleted=1"
    seen = page.see(deleted="1")
    assert "1 photo was deleted." in seen.text
    assert job not in seen.html
    assert other in seen.html


def test_what_somebody_else_has_deleted_is_no_error(booth: Booth, page: Page) -> None:
    job = fail(booth)
    run(booth.trash.delete(TODAY, job))
    for route in ("trash.delete", "trash.again"):
        assert page.press(route, DAY, job) == f"/trash?day={DAY}&gone=yes"
    assert page.press("trash.job", DAY, job) == f"/trash?day={DAY}&gone=yes"
    assert "not in the trash any more" in page.see(gone="yes").text


def test_a_day_is_emptied_after_it_was_said_how_many_go(booth: Booth, page: Page) -> None:
    fail(booth)
    fail(booth, picture(size=(61, 40)))
    seen = page.see()
    assert "All 2 photos of 20 Nov 2026 are gone for good then." in seen.text
    newest = seen.html.split('name="newest" value="')[1].split('"')[0]
    assert page.press("trash.empty", DAY, newest=newest) == f"/trash?day={DAY}&deleted=2"
    assert "2 photos were deleted." in page.see(deleted="2").text


def test_a_day_is_not_emptied_without_saying_up_to_where(booth: Booth, page: Page) -> None:
    fail(booth)
    with pytest.raises(RequestError):
        page.ask("trash.empty", DAY)
    assert len(booth.jobs(State.TRASH)) == 1


def test_what_the_address_says_is_escaped(page: Page) -> None:
    evil = "<script>alert(1)</script>"
    assert evil not in page.see(retried=evil, deleted=evil, gone=evil, slot=evil).html
