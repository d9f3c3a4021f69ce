"""An upload from its last byte to its reply, whatever the client does meanwhile."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image
from twisted.logger import LogEvent

from boothd.base.errors import (
    BadAnswer,
    Charged,
    NoSuchSlot,
    NotAPicture,
    OutOfTime,
    Refused,
    RequestError,
    SpoolUnhealthy,
    TooManyPixels,
    Unavailable,
    UnlistedFormat,
)
from boothd.booth.slots import SlotBook
from boothd.providers.interfaces import ProviderSettings
from boothd.spool import State
from boothd.spool.journal import Answered, AttemptEnded, Finished, Received, ReplyLost, Result, read
from tests.booth.booth_support import (
    PHOTO,
    Booth,
    DirectingFake,
    FakeProvider,
    directing_slot,
    kinds,
    last,
    live_slot,
    picture,
    rotated,
    run,
)
from tests.support.pictures import HEIC

OpenBooth = Callable[..., Booth]


def test_a_photo_is_answered_with_its_picture_and_lies_in_done(open_booth: OpenBooth) -> None:
    booth = open_booth()
    guest = booth.send()
    guest.has_it()
    assert guest.reply.status == 200
    directory, entries = booth.only_job(State.DONE)
    assert guest.body == (directory / "result.jpg").read_bytes()
    assert kinds(entries) == ["received", "attempt", "result", "attempt-ended", "answered", "finished"]
    assert (directory / "source.jpg").read_bytes() == PHOTO
    came = last(entries, Received)
    assert (came.room, came.slot, came.name, came.query) == ("booth", "fake-1", "IMG_0003.JPG", "session=42")
    assert came.form == (("user_id", "Acer"),)
    assert last(entries, Answered).seconds == 0.25
    assert booth.today()["slots"]["fake-1"]["answered"] == 1


def test_the_reply_names_its_job_maker_and_times(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True))
    guest = booth.send()
    booth.time.advance(3)
    booth.provider.let_go()
    directory, _ = booth.only_job(State.DONE)
    assert guest.reply.headers == {
        "Content-Type": "image/jpeg",
        "X-Boothd-Job": directory.name,
        "X-Boothd-Made-By": "fake",
        "Server-Timing": "receive;dur=250.0, wait;dur=0.0, work;dur=3000.0, encode;dur=0.0",
    }


def test_a_picture_that_was_made_before_says_so(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    first, second = booth.send(), booth.send()
    assert "X-Boothd-Cached" not in first.reply.headers
    assert second.reply.headers["X-Boothd-Cached"] == "yes"
    assert second.body == first.body
    assert len(booth.provider.calls) == 1


def test_a_chain_that_went_on_says_who_failed(open_booth: OpenBooth) -> None:
    first, other = FakeProvider(fails=[Refused()]), FakeProvider("other")
    booth = open_booth(first, other, slots=[live_slot("fake", 1, "other")])
    reply = booth.send().reply
    assert (reply.headers["X-Boothd-Made-By"], reply.headers["X-Boothd-Fell-Back"]) == ("other", "fake")


def test_a_png_slot_is_answered_as_png(open_booth: OpenBooth) -> None:
    provider = FakeProvider(answer=picture("PNG"))
    slot = live_slot(format="png")
    slot = type(slot)("fake", 1, slot.slot, tuple(type(p)("fake", "style", format="PNG") for p in slot.presets), False)
    booth = open_booth(provider, slots=[slot])
    assert booth.send().reply.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_rotated_photo_reaches_the_provider_upright(open_booth: OpenBooth, orientation: int, tmp_path: Any) -> None:
    booth = open_booth()
    assert booth.send(rotated(orientation)).reply.status == 200
    ((photo, _, _),) = booth.provider.calls
    (tmp_path / "sent.jpg").write_bytes(booth.provider.photos[0])
    with Image.open(tmp_path / "sent.jpg") as sent:
        assert sent.size == (photo.width, photo.height) == ((40, 60) if orientation >= 5 else (60, 40))
        assert sent.getexif().get(0x0112, 1) == 1
        assert sent.format == photo.format == "JPEG"
    assert photo.size_bytes == len(booth.provider.photos[0])


@pytest.mark.parametrize(("form", "photo"), [("WEBP", picture("WEBP")), ("HEIF", HEIC)])
def test_what_providers_do_not_read_reaches_them_as_jpeg(open_booth: OpenBooth, form: str, photo: bytes) -> None:
    booth = open_booth()
    assert booth.send(photo).reply.status == 200
    assert booth.provider.photos[0].startswith(b"\xff\xd8\xff")
    assert booth.provider.calls[0][0].format == "JPEG"
    directory, entries = booth.only_job(State.DONE)
    assert last(entries, Received).format == form
    assert not (directory / "upright.jpg").exists()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_an_upright_jpeg_or_png_is_sent_as_it_came(open_booth: OpenBooth, form: str) -> None:
    booth = open_booth()
    photo = picture(form)
    booth.send(photo)
    assert booth.provider.photos == [photo]


def test_a_photo_that_cannot_be_turned_is_filed_with_the_reason(open_booth: OpenBooth) -> None:
    booth = open_booth()
    photo = rotated(6, (1200, 800))
    guest = booth.send(
        photo[: len(photo) // 2] + b"\xff\xc0\x00\x02" + b"\xff\xd9"
    )  # its end is there, its middle broken
    assert guest.error.status == 502
    _, entries = booth.only_job(State.TRASH)
    assert last(entries, Finished).code == "failed"
    assert "cut short" in last(entries, Finished).reason


def test_a_photo_that_is_cut_short_is_refused_before_anybody_is_asked(open_booth: OpenBooth) -> None:
    booth = open_booth()
    photo = picture(size=(1200, 800))
    guest = booth.send(photo[: len(photo) // 2])
    assert (guest.error.status, guest.error.code) == (415, "not-a-picture")
    assert "cut short" in guest.error.message
    assert not booth.provider.calls


@pytest.mark.parametrize(
    ("photo", "error"),
    [
        (b"\xff\xd8\xff" + b"x" * 100, NotAPicture),
        (picture(size=(2000, 100)), TooManyPixels),
    ],
)
def test_what_is_no_usable_picture_leaves_nothing(
    open_booth: OpenBooth, photo: bytes, error: type[RequestError]
) -> None:
    booth = open_booth(upload={"max_pixels": 100_000})
    guest = booth.send(photo)
    assert type(guest.error) is error
    assert guest.error.job is None
    assert not [job for state in State for job in booth.jobs(state)]
    assert booth.today()["uploads not accepted"] == {error.code: 1}


@pytest.mark.parametrize(("photo", "error"), [(b"no picture" * 10, NotAPicture), (b"GIF89a" * 10, UnlistedFormat)])
def test_bytes_that_are_no_picture_are_refused_while_they_come(
    open_booth: OpenBooth, photo: bytes, error: type[Exception]
) -> None:
    booth = open_booth()
    with pytest.raises(error):
        booth.send(photo)
    assert not [job for state in State for job in booth.jobs(state)]


def test_a_failure_is_told_and_filed_with_its_reason(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(fails=[Refused("No celebrities.")], paid=True))
    guest = booth.send()
    assert (guest.error.status, guest.error.code, guest.error.message) == (422, "refused", "No celebrities.")
    directory, entries = booth.only_job(State.TRASH)
    assert guest.error.job == directory.name
    told, over = last(entries, Answered), last(entries, Finished)
    assert (told.status, told.code, told.message) == (422, "refused", "No celebrities.")
    assert (over.code, over.reason, over.charged) == ("refused", "No celebrities.", Charged.MAYBE)
    assert booth.today()["slots"]["fake-1"]["failed"] == {"refused": 1}


def test_a_slot_that_keeps_no_failures_keeps_the_journal_only(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(fails=[Refused()]), slots=[live_slot(keep_failures=False)])
    booth.send()
    directory, entries = booth.only_job(State.TRASH)
    assert [path.name for path in directory.iterdir()] == ["journal.jsonl"]
    assert last(entries, Finished).code == "refused"


# --- the client leaves -----------------------------------------------------------------------------------------------


def test_a_client_that_leaves_before_its_photo_is_accepted_does_not_lose_it(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.pictures.hold = True
    guest = booth.send()
    guest.leaves()
    booth.pictures.release()
    _, entries = booth.only_job(State.TRASH)
    assert (last(entries, Finished).code, last(entries, Finished).charged) == ("client-gone", Charged.NO)
    assert last(entries, Answered).status == 499
    assert not booth.provider.calls


def test_a_free_call_ends_with_its_client(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True))
    guest = booth.send()
    guest.leaves()
    assert booth.provider.cancelled == 1
    _, entries = booth.only_job(State.TRASH)
    assert (last(entries, Finished).code, last(entries, Finished).charged) == ("client-gone", Charged.NO)


def test_a_paid_answer_whose_client_left_is_kept_and_served_unpaid(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True, paid=True))
    guest = booth.send()
    guest.leaves()
    assert booth.jobs(State.ACTIVE)
    booth.provider.let_go()
    _, entries = booth.only_job(State.DONE)
    assert last(entries, Finished).late
    assert last(entries, Answered).code == "client-gone"
    assert booth.send().reply.headers["X-Boothd-Cached"] == "yes"
    assert len(booth.provider.calls) == 1


def test_a_client_that_leaves_while_it_waits_for_a_turn_costs_nothing(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True, paid=True))
    booth.services["fake"].turns.size = 1
    booth.send()
    second = booth.send(picture(colour="blue"))
    second.leaves()
    booth.provider.let_go()
    assert len(booth.provider.calls) == 1
    (directory,) = booth.jobs(State.TRASH)
    assert directory.name


def test_a_reply_that_is_lost_on_its_way_is_noted(open_booth: OpenBooth) -> None:
    booth = open_booth()
    guest = booth.send()
    guest.leaves()
    _, entries = booth.only_job(State.DONE)
    assert kinds(entries)[-3:] == ["answered", "finished", "reply-lost"]
    assert isinstance(entries[-1], ReplyLost)


def test_a_client_that_leaves_while_the_job_is_filed_does_not_disturb_it(
    open_booth: OpenBooth, events: list[LogEvent]
) -> None:
    booth = open_booth(FakeProvider(holding=True))
    guest = booth.send()
    booth.pictures.hold = True
    booth.provider.let_go()
    booth.threads.hold = True
    booth.pictures.release()
    guest.leaves()
    for _ in range(5):
        booth.threads.release()
    assert booth.jobs(State.ACTIVE) == []
    assert not [event for event in events if "log_failure" in event]


def test_a_lost_error_is_not_noted(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(fails=[Refused()]))
    booth.send().leaves()
    _, entries = booth.only_job(State.TRASH)
    assert "reply-lost" not in kinds(entries)


# --- time --------------------------------------------------------------------------------------------------------------


def test_when_time_is_over_the_booth_is_told_before_its_own_timeout(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True), budget={"total": 48, "reserve": 2})
    guest = booth.send(took_s=8)
    booth.time.pump([0.5] * 79)
    assert not guest.waits
    assert booth.clock.seconds() < 48
    assert (guest.error.status, guest.error.code) == (504, "out-of-time")
    directory, entries = booth.only_job(State.TRASH)
    assert guest.error.job == directory.name
    assert last(entries, Finished).code == "out-of-time"
    assert booth.provider.cancelled == 1


def test_the_budget_may_begin_when_the_photo_is_there(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True), budget={"total": 48, "reserve": 2, "starts": "accepted"})
    guest = booth.send(took_s=30)
    booth.time.pump([0.5] * 60)
    assert guest.waits
    booth.provider.let_go()
    assert guest.reply.status == 200


def test_a_disk_that_hangs_does_not_make_the_booth_wait(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.pictures.hold = True
    guest = booth.send()
    booth.time.pump([1] * 48)
    assert isinstance(guest.error, OutOfTime)
    booth.pictures.release()
    _, entries = booth.only_job(State.TRASH)
    assert (last(entries, Finished).code, last(entries, Finished).charged) == ("out-of-time", Charged.NO)


def test_an_answer_that_is_told_late_names_its_job(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True))
    guest = booth.send()
    booth.pictures.hold = True
    booth.provider.let_go()  # the answer is there, but decoding it takes for ever
    booth.time.pump([1] * 50)
    (directory,) = booth.jobs(State.ACTIVE) or booth.jobs(State.TRASH)
    assert isinstance(guest.error, OutOfTime)
    assert guest.error.job == directory.name


def test_a_paid_answer_that_comes_late_is_done_and_served_unpaid(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True, paid=True))
    guest = booth.send()
    booth.time.pump([0.5] * 96)
    assert isinstance(guest.error, OutOfTime)
    booth.provider.let_go()
    _, entries = booth.only_job(State.DONE)
    assert last(entries, Finished).late
    assert last(entries, Answered).code == "out-of-time"
    assert booth.today()["slots"]["fake-1"]["late"] == 1
    again = booth.send()
    assert again.reply.headers["X-Boothd-Cached"] == "yes"
    assert len(booth.provider.calls) == 1


@pytest.mark.parametrize("directed", [False, True])
def test_an_answer_at_55_s_for_a_booth_that_is_gone_at_49_is_kept_and_served_unpaid(
    open_booth: OpenBooth, directed: bool
) -> None:
    slow, seer = FakeProvider(holding=True, paid=True), DirectingFake(paid=True)
    slot = directing_slot() if directed else live_slot()
    booth = open_booth(slow, seer, slots=[slot], budget={"total": 60})
    for service in booth.services.values():
        service.reconfigure(service.provider, ProviderSettings(price=Decimal("0.04")))
    guest = booth.send(took_s=1)
    booth.time.pump([0.5] * 96)
    assert guest.waits
    guest.leaves()  # at 49 s
    (waiting,) = booth.jobs(State.ACTIVE)
    assert last(read(waiting / "journal.jsonl"), Answered).code == "client-gone"
    booth.time.pump([0.5] * 12)
    assert slow.cancelled == 0
    slow.let_go()  # at 55 s
    directory, entries = booth.only_job(State.DONE)
    assert kinds(entries)[-4:] == ["answered", "result", "attempt-ended", "finished"]
    assert last(entries, Finished).late
    ended = last(entries, AttemptEnded)
    assert (ended.outcome, ended.charged, ended.seconds) == ("ok", Charged.YES, 54)
    numbers, before = booth.today(), booth.stats.spent_today("fake")
    assert (numbers["slots"][slot.id]["late"], before) == (1, Decimal("0.04"))
    again = booth.send()
    assert again.reply.status == 200, "it is served at once"
    assert again.reply.headers["X-Boothd-Cached"] == "yes"
    assert again.body == (directory / "result.jpg").read_bytes()
    assert (len(slow.calls), len(seer.calls)) == (1, int(directed))
    assert booth.stats.spent_today("fake") == before
    assert booth.today()["models"] == numbers["models"]


def test_a_guest_who_leaves_while_the_prompt_is_written_costs_what_it_may_have(open_booth: OpenBooth) -> None:
    seer, fake = DirectingFake(paid=True, holding=True), FakeProvider(paid=True)
    booth = open_booth(fake, seer, slots=[directing_slot()])
    guest = booth.send()
    guest.leaves()
    _, entries = booth.only_job(State.TRASH)
    assert (last(entries, Finished).code, last(entries, Finished).charged) == ("client-gone", Charged.MAYBE)
    assert last(entries, AttemptEnded).outcome == "given-up"
    assert (seer.cancelled, fake.calls) == (1, [])


def test_a_late_failure_that_was_charged_for_certain_says_so(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True, paid=True, fails=[BadAnswer(charged=Charged.YES)]))
    booth.send()
    booth.time.pump([1] * 50)
    booth.provider.let_go()
    assert last(booth.only_job(State.TRASH)[1], Finished).charged is Charged.YES


def test_a_paid_answer_that_never_comes_ends_in_trash_as_perhaps_charged(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True, paid=True))
    booth.send()
    booth.time.pump([1] * 120)
    _, entries = booth.only_job(State.TRASH)
    assert (last(entries, Finished).code, last(entries, Finished).charged) == ("out-of-time", Charged.MAYBE)


def test_a_picture_is_sent_from_where_it_lies_while_a_late_answer_is_waited_for(open_booth: OpenBooth) -> None:
    slow, quick = FakeProvider(holding=True, paid=True), FakeProvider("quick")
    booth = open_booth(slow, quick, slots=[live_slot("fake", 1, "quick")])
    guest = booth.send()
    booth.time.pump([0.5] * 90)
    assert guest.reply.headers["X-Boothd-Made-By"] == "quick"
    slow.let_go()
    assert guest.body.startswith(b"\xff\xd8"), "the job must not move while its picture is being sent"
    assert booth.jobs(State.ACTIVE)
    guest.has_it()
    _, entries = booth.only_job(State.DONE)
    assert [e.provider for e in entries if isinstance(e, Result)] == ["quick", "fake"]
    assert not last(entries, Finished).late


def test_a_reply_lost_while_a_late_answer_is_waited_for_is_noted_before_the_job_moves(open_booth: OpenBooth) -> None:
    slow, quick = FakeProvider(holding=True, paid=True), FakeProvider("quick")
    booth = open_booth(slow, quick, slots=[live_slot("fake", 1, "quick")])
    guest = booth.send()
    booth.time.pump([0.5] * 90)
    slow.let_go()
    guest.leaves()
    _, entries = booth.only_job(State.DONE)
    assert kinds(entries)[-2:] == ["reply-lost", "finished"]


# --- defects and disks ---------------------------------------------------------------------------------------------------


def test_a_slot_that_changes_while_the_photo_comes_is_no_slot(open_booth: OpenBooth) -> None:
    booth = open_booth()
    old = next(iter(booth.slots))
    admission = booth.counter.admit(f"/upload/fake/1/{old.slot.key}", 10)
    assert admission is not None
    booth.slots = SlotBook({"fake-1": live_slot(key="n" * 22)})
    with pytest.raises(NoSuchSlot):
        booth.send(slot=old)
    assert booth.today()["uploads not accepted"] == {"no-such-slot": 1}


def test_a_slot_that_changes_before_the_last_byte_leaves_nothing(open_booth: OpenBooth) -> None:
    booth = open_booth()
    book = booth.slots

    class Changing(SlotBook):
        """The slot is there when the headers come, and gone when the body has come."""

        asked = 0

        def find(self, provider: str, number: int, key: str) -> Any:
            self.asked += 1
            return book.find(provider, number, key if self.asked == 1 else "another key")

    booth.slots = Changing({s.id: s for s in book})
    guest = booth.send()
    assert isinstance(guest.error, NoSuchSlot)
    assert not [job for state in State for job in booth.jobs(state)]
    assert booth.today()["uploads not accepted"] == {"no-such-slot": 1}


def test_a_preset_that_changes_applies_to_the_next_photo(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.send()
    booth.slots = SlotBook({"fake-1": live_slot(prompt="oil")})
    booth.send()
    assert [preset.prompt for _, preset, _ in booth.provider.calls] == ["pencil", "oil"]


def test_a_provider_with_a_defect_is_logged_with_the_job(open_booth: OpenBooth, events: list[LogEvent]) -> None:
    booth = open_booth(FakeProvider(fails=[ZeroDivisionError("a defect")]))
    guest = booth.send()
    assert guest.error.status == 502
    directory, entries = booth.only_job(State.TRASH)
    (event,) = [event for event in events if "log_failure" in event]
    assert event["job"] == directory.name
    assert event["log_failure"].check(ZeroDivisionError)
    assert "a defect" not in json.dumps([e.model_dump(mode="json") for e in entries])


def test_a_defect_of_our_own_is_answered_logged_and_filed(open_booth: OpenBooth, events: list[LogEvent]) -> None:
    booth = open_booth()
    booth.services["fake"].provider = object()  # type: ignore[assignment]
    guest = booth.send()
    directory, entries = booth.only_job(State.TRASH)
    assert (guest.error.status, guest.error.code, guest.error.job) == (500, "internal-error", directory.name)
    assert last(entries, Finished).code == "internal-error"
    assert directory.name in [event.get("job") for event in events if "log_failure" in event]


def test_a_disk_that_fails_under_the_last_step_is_told_and_the_job_is_not_lost(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True))
    guest = booth.send()

    def broken(fd: int) -> None:
        from boothd.spool import FsyncError

        raise FsyncError(5, "fsync failed")

    booth.spool.disk.sync = broken  # type: ignore[method-assign]
    booth.provider.let_go()
    assert isinstance(guest.error, SpoolUnhealthy)
    assert booth.jobs(State.ACTIVE) or booth.jobs(State.TRASH)


def test_a_short_outage_is_waited_out(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True, fails=[Unavailable(), Unavailable()]))
    guest = booth.send()
    booth.provider.let_go()
    assert guest.waits
    booth.time.pump([0.5] * 6)
    assert guest.reply.status == 200
    _, entries = booth.only_job(State.DONE)
    assert kinds(entries).count("attempt") == 3


def test_the_counter_can_be_waited_for(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True))
    guest = booth.send()
    empty: list[object] = []
    from twisted.internet.defer import Deferred

    Deferred.fromCoroutine(booth.counter.wait_until_empty()).addBoth(empty.append)
    run(booth.counter.close_doors())
    assert not empty
    booth.provider.let_go()
    guest.has_it()
    assert empty
