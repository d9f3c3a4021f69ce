"""What failed, why, and one more try."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent

from boothd.base.errors import Charged, NoSuchSlot, NotFound, Refused, Unavailable
from boothd.booth.slots import SlotBook
from boothd.spool import State
from boothd.spool.journal import Attempt, Finished, read
from tests.booth.booth_support import PHOTO, TODAY, Booth, FakeProvider, kinds, last, live_slot, picture, run

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
