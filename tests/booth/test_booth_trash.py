"""What failed, why, and one more try."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from boothd.base.errors import Charged, NoSuchSlot, NotFound, Refused, Unavailable
from boothd.booth import discarded
from boothd.booth.slots import SlotBook
from boothd.booth.thumbnails import make_thumbnails
from boothd.booth.trash import PAGE
from boothd.providers.interfaces import ProviderSettings
from boothd.spool import State
from boothd.spool.journal import Attempt, Entry, Finished, Result, read
from boothd.spool.retention import remove_old_days
from tests.booth.booth_support import BEGAN, PHOTO, TODAY, Booth, FakeProvider, kinds, last, live_slot, picture, run

OpenBooth = Callable[..., Booth]


def failed(booth: Booth, photo: bytes = PHOTO) -> str:
    """Send a photo that fails; its job."""
    booth.provider.fails.append(Refused("No celebrities."))
    return str(booth.send(photo).error.job)


def test_an_empty_trash_is_empty(open_booth: OpenBooth) -> None:
    assert run(open_booth().trash.newest(20)) == []


def test_the_newest_come_first_and_no_more_than_asked_for(open_booth: OpenBooth) -> None:
    booth = open_booth()
    jobs = []
    for number in range(5):
        jobs.append(failed(booth, picture(size=(60 + number, 40))))
        booth.time.advance(60)
    assert [item.job for item in run(booth.trash.newest(3))] == jobs[:1:-1]


def test_an_item_says_what_happened(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    job = failed(booth)
    (item,) = run(booth.trash.newest(20))
    assert (item.job, item.day, item.slot) == (job, TODAY, "fake-1")
    assert (item.code, item.reason, item.charged, item.photo) == ("refused", "No celebrities.", Charged.MAYBE, True)


def test_days_are_listed_newest_first(open_booth: OpenBooth) -> None:
    booth = open_booth()
    old = failed(booth)
    place = booth.spool.place(State.TRASH)
    (place / TODAY.isoformat()).rename(place / (TODAY - timedelta(days=3)).isoformat())
    new = failed(booth)
    (place / "not a day").mkdir()
    (place / TODAY.isoformat() / "not a job").mkdir()
    assert [item.job for item in run(booth.trash.newest(20))] == [new, old]


def test_a_job_whose_reason_the_full_disk_did_not_take_is_listed(open_booth: OpenBooth) -> None:
    booth = open_booth()
    left = booth.leave_behind()
    folder = booth.spool.place(State.TRASH) / TODAY.isoformat()
    folder.mkdir(parents=True)
    left.rename(folder / left.name)
    (item,) = run(booth.trash.newest(20))
    assert (item.code, item.reason) == ("unknown", "The disk was full.")


def test_a_retry_that_succeeds_lies_in_done(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    assert run(booth.trash.retry(TODAY, job)) == "done"
    directory, entries = booth.only_job(State.DONE)
    assert directory.name == job
    assert kinds(entries)[kinds(entries).index("retried") :] == [
        "retried",
        "attempt",
        "result",
        "attempt-ended",
        "finished",
    ]
    assert last(entries, Finished).late
    assert [e.number for e in entries if isinstance(e, Attempt)] == [1, 2]
    assert booth.send().reply.headers["X-Boothd-Cached"] == "yes"


def test_a_retry_that_fails_lies_in_trash_again_with_the_new_reason(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    booth.provider.fails = [Refused("Still none.")]
    assert run(booth.trash.retry(TODAY, job)) == "refused"
    directory, entries = booth.only_job(State.TRASH)
    assert directory.name == job
    assert last(entries, Finished).reason == "Still none."
    (item,) = run(booth.trash.newest(20))
    assert item.reason == "Still none."


def test_a_retry_pays_anew_and_asks_anew(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), slots=[live_slot(paid_attempts=1)])
    booth.send()  # an answer for this photo exists
    booth.slots = SlotBook({"fake-1": live_slot(paid_attempts=1, prompt="oil")})
    job = failed(booth)
    booth.slots = SlotBook({"fake-1": live_slot(paid_attempts=1)})
    assert run(booth.trash.retry(TODAY, job)) == "done"
    assert len(booth.provider.calls) == 3


def test_a_retry_uses_the_slot_as_it_is_now(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    booth.slots = SlotBook({"fake-1": live_slot(prompt="oil", enabled=False)})
    run(booth.trash.retry(TODAY, job))
    assert booth.provider.calls[-1][1].prompt == "oil"


def test_a_retry_whose_slot_is_gone_changes_nothing(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    booth.slots = SlotBook({})
    with pytest.raises(NoSuchSlot, match="fake-1 is gone"):
        run(booth.trash.retry(TODAY, job))
    booth.only_job(State.TRASH)


def test_a_photo_that_was_not_kept_cannot_be_tried_again(open_booth: OpenBooth) -> None:
    booth = open_booth(slots=[live_slot(keep_failures=False)])
    job = failed(booth)
    assert not run(booth.trash.newest(1))[0].photo
    with pytest.raises(NotFound, match="does not keep"):
        run(booth.trash.retry(TODAY, job))
    booth.only_job(State.TRASH)


def test_a_damaged_job_cannot_be_tried_again(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    (booth.jobs(State.TRASH)[0] / "journal.jsonl").write_bytes(b"?\n")
    with pytest.raises(NotFound, match="damaged"):
        run(booth.trash.retry(TODAY, job))
    assert booth.jobs(State.TRASH)


@pytest.mark.parametrize(
    "id",
    [
        "",
        ".",
        "..",
        "../../spool/done",
        "20261120T180000.000-ABCDEF",
        "20261120T180000.000-abcdef/../x",
        "20261120T180000.000-abcdef\n",
        "*",
        "\0",
    ],
)
def test_tricks_with_the_id_find_nothing_and_touch_nothing(open_booth: OpenBooth, id: str) -> None:
    booth = open_booth()
    failed(booth)
    before = sorted(booth.home.path.rglob("*"))
    with pytest.raises(NotFound):
        run(booth.trash.retry(TODAY, id))
    assert sorted(booth.home.path.rglob("*")) == before


def test_another_day_is_another_place(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    with pytest.raises(NotFound):
        run(booth.trash.retry(date(2026, 11, 19), job))


def test_two_clicks_are_one_retry(open_booth: OpenBooth, events: list[LogEvent]) -> None:
    booth = open_booth()
    job = failed(booth)
    booth.threads.hold = True
    clicks: list[list[object]] = [[], []]
    for click in clicks:
        Deferred.fromCoroutine(booth.trash.retry(TODAY, job)).addBoth(click.append)
    while booth.threads._held:
        booth.threads.release()
        booth.threads.hold = True
    outcomes = [click[0] for click in clicks]
    assert "done" in outcomes
    (other,) = [outcome for outcome in outcomes if outcome != "done"]
    assert other.check(NotFound)  # type: ignore[attr-defined]
    booth.only_job(State.DONE)
    assert len(booth.provider.calls) == 2
    assert not [event for event in events if "log_failure" in event]


def test_a_retry_goes_on_when_its_browser_leaves(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    job = failed(booth)
    booth.provider.holding = True
    click = Deferred.fromCoroutine(booth.trash.retry(TODAY, job))
    click.cancel()
    click.addErrback(lambda failure: failure.trap(CancelledError))
    assert booth.jobs(State.ACTIVE)
    booth.provider.let_go()
    _, entries = booth.only_job(State.DONE)
    assert last(entries, Finished).code == "ok"


def test_a_retry_under_way_is_left_to_the_next_start(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    job = failed(booth)
    booth.provider.holding = True
    click = Deferred.fromCoroutine(booth.trash.retry(TODAY, job))
    click.addErrback(lambda failure: failure.trap(CancelledError))
    run(booth.trash.stop())
    run(booth.desk.stop())
    run(booth.engine.stop())
    booth.crash()
    (left,) = booth.jobs(State.ACTIVE)
    assert left.name == job
    again = open_booth(FakeProvider(paid=True))
    again.recover()
    _, entries = again.only_job(State.TRASH)
    assert last(entries, Finished).charged is Charged.MAYBE


def test_a_retry_waits_longer_than_a_booth_does(open_booth: OpenBooth) -> None:
    booth = open_booth(hot={"budget": "5m"})
    job = failed(booth)
    booth.provider.holding = True
    click: list[object] = []
    Deferred.fromCoroutine(booth.trash.retry(TODAY, job)).addBoth(click.append)
    booth.time.pump([1] * 200)
    assert not click
    booth.provider.let_go()
    assert click == ["done"]


def test_a_full_disk_ends_a_retry_with_its_code(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    real = booth.spool.disk.sync_file

    def full(path: Path) -> None:
        booth.spool.disk.sync_file = real  # type: ignore[method-assign]
        raise OSError(28, "No space left on device")

    booth.spool.disk.sync_file = full  # type: ignore[method-assign]
    assert run(booth.trash.retry(TODAY, job)) == "disk-full"
    _, entries = booth.only_job(State.TRASH)
    assert last(entries, Finished).code == "disk-full"
    assert run(booth.trash.retry(TODAY, job)) == "done"


def test_a_retry_through_a_chain_ends_where_the_chain_does(open_booth: OpenBooth) -> None:
    first, other = FakeProvider(), FakeProvider("other")
    booth = open_booth(first, other, slots=[live_slot("fake", 1, "other")])
    first.fails, other.fails = [Refused()], [Unavailable("It is down.", charged=Charged.NO)] * 20
    guest = booth.send()
    booth.time.pump([1] * 60)
    first.fails, other.fails = [Refused()], []
    assert run(booth.trash.retry(TODAY, str(guest.error.job))) == "done"
    directory = booth.jobs(State.DONE)[0]
    assert "fell-back" in kinds(read(directory / "journal.jsonl"))


# --- day by day ------------------------------------------------------------------------------------------------------


def fill(booth: Booth, count: int) -> list[str]:
    """So many failed jobs of today, a second apart; their ids."""
    return [failed_at(booth, number) for number in range(count)]


def failed_at(booth: Booth, number: int) -> str:
    at = BEGAN + timedelta(seconds=number)
    id = f"{at:%Y%m%dT%H%M%S}.000-{number:06x}"
    left = booth.leave_behind(Finished(at=at, code="busy", reason="Busy."), id=id)
    folder = booth.spool.place(State.TRASH) / TODAY.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    left.rename(folder / id)
    return id


def test_a_day_is_shown_in_pages_newest_first(open_booth: OpenBooth) -> None:
    booth = open_booth()
    jobs = fill(booth, 103)[::-1]
    sheets = [run(booth.trash.sheet(TODAY, number)) for number in (1, 2, 3)]
    assert [item.job for sheet in sheets for item in sheet.jobs] == jobs
    assert {(sheet.pages, sheet.total, sheet.newest) for sheet in sheets} == {(3, 103, jobs[0])}


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (2, 2), (99, 2)])
def test_a_page_that_there_is_not_is_the_nearest_one(open_booth: OpenBooth, asked: int, given: int) -> None:
    booth = open_booth()
    fill(booth, 51)
    assert run(booth.trash.sheet(TODAY, asked)).number == given


def test_only_the_journals_of_the_page_are_read(open_booth: OpenBooth, monkeypatch: pytest.MonkeyPatch) -> None:
    booth = open_booth()
    fill(booth, 120)
    seen: list[Path] = []

    def counted(path: Path) -> Sequence[Entry]:
        seen.append(path)
        return read(path)

    monkeypatch.setattr(discarded, "read", counted)
    run(booth.trash.sheet(TODAY, 2))
    assert len(seen) == PAGE


def test_days_are_counted_and_those_without_jobs_left_out(open_booth: OpenBooth) -> None:
    booth = open_booth()
    fill(booth, 3)
    (booth.spool.place(State.TRASH) / "2026-11-01").mkdir()
    assert run(booth.trash.days()) == {TODAY: 3}


def test_the_calls_of_a_job_are_told(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, ProviderSettings(price=Decimal("0.04")))
    job = failed(booth)
    item = run(booth.trash.find(TODAY, job))
    (call,) = item.attempts
    assert (call.provider, call.model, call.code) == ("fake", "fake-1", "refused")
    assert (call.charged, call.cost, item.told) == (Charged.MAYBE, Decimal("0.04"), 422)


# --- another slot ----------------------------------------------------------------------------------------------------


def two_slots(open_booth: OpenBooth) -> Booth:
    first, other = FakeProvider(paid=True), FakeProvider("other", paid=True)
    booth = open_booth(first, other, slots=[live_slot(), live_slot("other", prompt="oil")])
    for service in booth.services.values():
        service.reconfigure(service.provider, ProviderSettings(price=Decimal("0.04")))
    return booth


def test_a_photo_can_be_tried_on_another_slot(open_booth: OpenBooth) -> None:
    booth = two_slots(open_booth)
    job = failed(booth)
    assert run(booth.trash.retry(TODAY, job, "other-1")) == "done"
    _, entries = booth.only_job(State.DONE)
    assert last(entries, Result).provider == "other"


def test_what_another_slot_makes_counts_for_its_model_and_for_the_slot_the_photo_came_to(open_booth: OpenBooth) -> None:
    booth = two_slots(open_booth)
    run(booth.trash.retry(TODAY, failed(booth), "other-1"))
    today = booth.today()
    assert today["models"]["other"]["fake-1"]["pictures"] == 1
    assert today["slots"].keys() == {"fake-1"}
    assert (today["slots"]["fake-1"]["late"], today["slots"]["fake-1"]["money"]) == (1, Decimal("0.08"))
    before = booth.today()
    booth.crash()
    assert open_booth().today() == before


def test_a_slot_that_there_is_not_is_refused_and_the_job_stays(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    with pytest.raises(NoSuchSlot, match="other-7 is gone"):
        run(booth.trash.retry(TODAY, job, "other-7"))
    booth.only_job(State.TRASH)
    assert run(booth.trash.retry(TODAY, job)) == "done"


# --- deleting --------------------------------------------------------------------------------------------------------


def files_of(booth: Booth, job: str) -> list[str]:
    folder = booth.spool.place(State.TRASH) / TODAY.isoformat()
    return sorted(path.name for path in [*(folder / job).iterdir(), *folder.glob(f"thumbnails/{job}*")])


def test_a_deleted_photo_is_gone_with_its_thumbnails_and_shown_no_more(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job, other = failed(booth), failed(booth, picture(size=(61, 40)))
    make_thumbnails(run(booth.trash.photo(TODAY, job))[0], 10**6)
    run(booth.trash.delete(TODAY, job))
    assert files_of(booth, job) == ["journal.jsonl"]
    assert [item.job for item in run(booth.trash.newest(20))] == [other]
    assert [item.job for item in run(booth.trash.sheet(TODAY, 1)).jobs] == [other]
    assert run(booth.trash.days()) == {TODAY: 1}
    for work in (booth.trash.find, booth.trash.photo, booth.trash.delete, booth.trash.retry):
        with pytest.raises(NotFound):
            run(work(TODAY, job))


def test_deleting_changes_no_statistics_not_even_when_they_are_counted_anew(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, ProviderSettings(price=Decimal("0.04")))
    jobs = [failed(booth, picture(size=(60 + number, 40))) for number in range(3)]
    before = booth.today()
    run(booth.trash.delete(TODAY, jobs[0]))
    run(booth.trash.empty(TODAY, jobs[-1]))
    assert booth.today() == before
    booth.crash()  # not cleanly stopped: the next start counts the journals
    again = open_booth()
    assert again.today() == before
    assert run(again.trash.newest(20)) == []


def test_a_day_is_emptied_up_to_what_was_seen(open_booth: OpenBooth) -> None:
    booth = open_booth()
    jobs = fill(booth, 250)
    assert run(booth.trash.empty(TODAY, jobs[-2])) == 249
    assert [item.job for item in run(booth.trash.newest(20))] == [jobs[-1]]
    assert run(booth.trash.empty(TODAY, jobs[-1])) == 1
    assert run(booth.trash.days()) == {}


def test_emptying_goes_on_when_its_browser_leaves(open_booth: OpenBooth) -> None:
    booth = open_booth()
    jobs = fill(booth, 150)
    booth.threads.hold = True
    click = Deferred.fromCoroutine(booth.trash.empty(TODAY, jobs[-1]))
    click.addErrback(lambda failure: failure.trap(CancelledError))
    for _ in range(3):  # what lies there, what of it is deleted already, the first hundred
        booth.threads.release()
        booth.threads.hold = True
    click.cancel()
    booth.threads.release()
    assert run(booth.trash.days()) == {}


def test_a_job_that_is_tried_again_is_not_deleted(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    booth.provider.holding = True
    trying = Deferred.fromCoroutine(booth.trash.retry(TODAY, job))
    with pytest.raises(NotFound):
        run(booth.trash.delete(TODAY, job))
    assert run(booth.trash.empty(TODAY, job)) == 0
    booth.provider.let_go()
    assert run(trying) == "done"


def test_deleting_and_trying_again_at_once_lose_nothing(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job = failed(booth)
    booth.threads.hold = True
    outcomes: list[object] = []
    Deferred.fromCoroutine(booth.trash.delete(TODAY, job)).addBoth(outcomes.append)
    Deferred.fromCoroutine(booth.trash.retry(TODAY, job)).addBoth(outcomes.append)
    while booth.threads._held:
        booth.threads.release()
        booth.threads.hold = True
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert refused.check(NotFound)
    assert booth.jobs(State.ACTIVE) == []
    assert len(booth.provider.calls) in {1, 2}


def test_what_a_crash_left_of_a_line_spoils_no_other(open_booth: OpenBooth) -> None:
    booth = open_booth()
    first, second = fill(booth, 2)
    (booth.spool.place(State.TRASH) / TODAY.isoformat() / "deleted").write_text("\n20261120T1800")
    run(booth.trash.delete(TODAY, first))
    assert [item.job for item in run(booth.trash.newest(20))] == [second]


def test_the_old_days_take_all_of_it_along(open_booth: OpenBooth) -> None:
    booth = open_booth()
    job, other = failed(booth), failed(booth, picture(size=(61, 40)))
    make_thumbnails(run(booth.trash.photo(TODAY, other))[0], 10**6)
    run(booth.trash.delete(TODAY, job))
    run(remove_old_days(booth.spool, State.TRASH, TODAY + timedelta(days=40), 86_400))
    assert list(booth.spool.place(State.TRASH).iterdir()) == []
