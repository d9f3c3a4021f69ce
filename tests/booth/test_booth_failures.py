"""The failures of the last days: heard as they happen, read again after a start."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from boothd.base import errors
from boothd.base.errors import Busy, Charged, Refused
from boothd.base.threads import Threads
from boothd.booth import failures as module
from boothd.booth.desk import ClientGone
from boothd.booth.failures import CAUSES, Failure, Failures
from boothd.spool import State
from boothd.spool.journal import Answered, Finished
from tests.booth.booth_support import BEGAN, TODAY, Booth, FakeProvider, picture, run

OpenBooth = Callable[..., Booth]


def listening(booth: Booth) -> Failures:
    found = Failures(booth.spool, cast(Threads, booth.threads), booth.clock)
    run(found.start())
    return found


@pytest.fixture
def booth(open_booth: OpenBooth) -> Booth:
    return open_booth(FakeProvider(paid=True))


def fail(booth: Booth, error: Exception | None = None, width: int = 60) -> str:
    booth.provider.fails.append(error or Refused("No celebrities."))
    return str(booth.send(picture(size=(width, 40))).error.job)


def without_time(failure: Failure) -> tuple[Any, ...]:
    return failure.job, failure.slot, failure.code, failure.reason, failure.status, failure.charged, failure.day


def test_a_photo_that_succeeds_is_no_failure(booth: Booth) -> None:
    failures = listening(booth)
    booth.send()
    assert failures.newest(20) == []
    assert failures.by_cause() == {}


def test_a_failure_says_why_what_the_booth_was_told_what_it_cost_and_where_it_lies(booth: Booth) -> None:
    failures = listening(booth)
    job = fail(booth)
    (failure,) = failures.newest(20)
    assert without_time(failure) == (job, "fake-1", "refused", "No celebrities.", 422, Charged.MAYBE, TODAY)


def test_the_newest_come_first_and_no_more_than_asked_for(booth: Booth) -> None:
    failures = listening(booth)
    jobs = []
    for number in range(4):
        jobs.append(fail(booth, width=60 + number))
        booth.time.advance(60)
    assert [failure.job for failure in failures.newest(3)] == jobs[:0:-1]


def test_they_are_counted_by_cause_over_several_spans(booth: Booth) -> None:
    failures = listening(booth)
    fail(booth, width=60)
    booth.time.advance(30 * 3600)
    for width in (61, 62):
        fail(booth, Refused(), width=width)
    booth.time.advance(5 * 3600)
    booth.provider.fails = [Busy(retry_after_s=1000)]
    booth.send(picture(size=(70, 40)))
    assert failures.by_cause() == {"refused": (0, 2, 2, 3), "busy": (1, 1, 1, 1)}


def test_after_three_days_they_are_forgotten(booth: Booth) -> None:
    failures = listening(booth)
    fail(booth)
    booth.time.advance(73 * 3600)
    last = fail(booth, width=61)
    assert [failure.job for failure in failures.newest(20)] == [last]


def test_no_more_are_kept_than_fit(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    failures = listening(booth)
    jobs = [fail(booth, width=60 + number) for number in range(4)]
    assert {failure.job for failure in failures.newest(20)} == set(jobs[2:])


def test_a_later_try_that_succeeds_is_said(booth: Booth) -> None:
    failures = listening(booth)
    job = fail(booth)
    run(booth.trash.retry(TODAY, job))
    (failure,) = failures.newest(20)
    assert (failure.after, failure.day) == ("retried", None)


def test_a_later_try_that_fails_counts_once_with_its_new_reason(booth: Booth) -> None:
    failures = listening(booth)
    job = fail(booth)
    booth.time.advance(3600)
    booth.provider.fails = [Refused("Still none.")]
    run(booth.trash.retry(TODAY, job))
    (failure,) = failures.newest(20)
    assert (failure.reason, failure.status, failure.at) == ("Still none.", None, booth.clock.now())
    assert failures.by_cause() == {"refused": (1, 1, 1, 1)}


def test_a_picture_that_comes_late_is_said(booth: Booth) -> None:
    failures = listening(booth)
    booth.provider.queue_number = "7"
    booth.provider.holding = True
    booth.send()
    booth.time.pump([1] * 60)
    (failure,) = failures.newest(20)
    assert (failure.code, failure.charged, failure.after) == ("out-of-time", None, "")
    booth.provider.let_go()
    (failure,) = failures.newest(20)
    assert failure.after == "late"


def test_after_a_start_they_are_read_from_the_journals(booth: Booth, open_booth: OpenBooth) -> None:
    before = listening(booth)
    for width in (60, 61):
        fail(booth, width=width)
        booth.time.advance(60)
    booth.send(picture(size=(90, 40)))
    booth.crash()
    again = open_booth()
    again.time.advance(3600)
    failures = listening(again)
    assert [without_time(each) for each in failures.newest(20)] == [without_time(each) for each in before.newest(20)]


def test_a_booth_that_was_told_an_error_is_remembered_though_the_picture_came_late(
    booth: Booth, open_booth: OpenBooth
) -> None:
    told = Answered(at=BEGAN, status=504, code="out-of-time", message="Too late.")
    left = booth.leave_behind(told, Finished(at=BEGAN, code="ok", late=True))
    folder = booth.spool.place(State.DONE) / TODAY.isoformat()
    folder.mkdir(parents=True)
    left.rename(folder / left.name)
    (failure,) = listening(booth).newest(20)
    assert (failure.code, failure.after, failure.day) == ("out-of-time", "late", None)


def test_what_happens_while_the_journals_are_read_is_newer_than_they_are(booth: Booth) -> None:
    first = fail(booth)
    booth.time.advance(60)
    booth.threads.hold = True
    failures = Failures(booth.spool, cast(Threads, booth.threads), booth.clock)
    run(failures.start())
    reading, booth.threads._held = booth.threads._held, []
    booth.threads.hold = False
    second = fail(booth, width=61)
    for turn in reading:
        turn.callback(None)
    assert [failure.job for failure in failures.newest(20)] == [second, first]


def test_a_damaged_journal_keeps_no_other_from_being_read(booth: Booth) -> None:
    damaged, sound = fail(booth), fail(booth, width=61)
    (booth.spool.place(State.TRASH) / TODAY.isoformat() / damaged / "journal.jsonl").write_bytes(b"?\n")
    assert [failure.job for failure in listening(booth).newest(20)] == [sound]


def test_old_days_are_not_read(booth: Booth) -> None:
    fail(booth)
    booth.time.advance(timedelta(days=6).total_seconds())
    assert listening(booth).newest(20) == []


def test_no_more_journals_are_read_than_allowed(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READ", 2)
    jobs = []
    for number in range(4):
        jobs.append(fail(booth, width=60 + number))
        booth.time.advance(1)
    assert [failure.job for failure in listening(booth).newest(20)] == [jobs[3], jobs[2]]


def test_once_stopped_they_hear_nothing_more(booth: Booth) -> None:
    failures = listening(booth)
    run(failures.stop())
    fail(booth)
    assert failures.newest(20) == []


def test_every_error_of_the_work_has_words() -> None:
    found: list[Any] = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in found if issubclass(kind, errors.WorkError)]
    assert len(kinds) > 5
    assert {kind.code for kind in (*kinds, ClientGone)} <= CAUSES.keys()
