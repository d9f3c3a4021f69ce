"""What a start makes of the jobs that the last run left in active/."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.logger import LogEvent

from boothd.base.errors import Charged, Refused, Unavailable
from boothd.base.threads import Threads
from boothd.booth.hot import ROOM, HotFolders
from boothd.booth.slots import SlotBook
from boothd.spool import State
from boothd.spool.journal import (
    Answered,
    Attempt,
    AttemptEnded,
    Finished,
    Queued,
    Result,
    Retried,
    read,
)
from tests.booth.booth_support import (
    BEGAN,
    PHOTO,
    TODAY,
    Booth,
    DirectingFake,
    FakeProvider,
    ResumingFake,
    directing_slot,
    kinds,
    last,
    live_slot,
    picture,
    run,
)

OpenBooth = Callable[..., Booth]
SHA256 = hashlib.sha256(PHOTO).hexdigest()
REVISION = live_slot().presets[0].revision


def attempt(number: int = 1, *, paid: bool = True) -> Attempt:
    return Attempt(at=BEGAN, number=number, provider="fake", model="fake-1", revision=REVISION, paid=paid)


def ended(number: int = 1, charged: Charged = Charged.NO, outcome: str = "busy") -> AttemptEnded:
    return AttemptEnded(at=BEGAN, number=number, provider="fake", model="fake-1", outcome=outcome, charged=charged)


def queued(number: int = 1) -> Queued:
    return Queued(at=BEGAN, number=number, queue_number="q7")


def result(**said: Any) -> Result:
    values: dict[str, Any] = {"at": BEGAN, "file": "result.jpg", "sha256": "1" * 64, "size_bytes": 3, "format": "JPEG"}
    values |= {"provider": "fake", "model": "fake-1", "revision": REVISION}
    return Result.model_validate(values | said)


def told(status: int = 200, code: str = "ok") -> Answered:
    return Answered(at=BEGAN, status=status, code=code)


def finished(code: str = "ok") -> Finished:
    return Finished(at=BEGAN, code=code)


def hot_of(booth: Booth) -> HotFolders:
    return HotFolders(
        booth.home.spool / "hot",
        booth.desk,
        reactor=None,
        clock=booth.clock,
        threads=cast(Threads, booth.threads),
    )


# --- a booth's photo: its client is gone ---------------------------------------------------------------------------------


def test_a_photo_that_nobody_called_for_is_interrupted_and_not_charged(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.leave_behind()
    booth.recover()
    directory, entries = booth.only_job(State.TRASH)
    assert kinds(entries) == ["received", "answered", "finished"]
    over = last(entries, Finished)
    assert (over.code, over.charged) == ("interrupted", Charged.NO)
    assert over.reason == "boothd was interrupted before the photo was answered; not charged."
    assert last(entries, Answered).status == 503
    assert (directory / "source.jpg").read_bytes() == PHOTO
    assert not booth.provider.calls


@pytest.mark.parametrize(
    ("charged", "said"), [(Charged.NO, "not charged"), (Charged.MAYBE, "perhaps charged"), (Charged.YES, "charged")]
)
def test_calls_that_ended_say_what_they_cost(open_booth: OpenBooth, charged: Charged, said: str) -> None:
    booth = open_booth()
    booth.leave_behind(attempt(), ended(charged=charged))
    booth.recover()
    _, entries = booth.only_job(State.TRASH)
    assert last(entries, Finished).charged is charged
    assert last(entries, Finished).reason.endswith(f"; {said}.")


def test_a_paid_call_without_an_end_may_have_been_charged(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.leave_behind(attempt())
    booth.recover()
    _, entries = booth.only_job(State.TRASH)
    over = last(entries, Finished)
    assert (over.code, over.charged) == ("interrupted", Charged.MAYBE)
    assert over.reason == "fake was being called when boothd was interrupted; it may have charged."


def test_a_free_call_without_an_end_cost_nothing(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.leave_behind(attempt(paid=False))
    booth.recover()
    assert last(booth.only_job(State.TRASH)[1], Finished).charged is Charged.NO


def test_a_slot_that_keeps_no_failures_keeps_none_after_a_crash_either(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.leave_behind(keep_failures=False)
    booth.leave_behind(told(502, "failed"), finished("failed"), id="20261120T170001.000-000002", keep_failures=False)
    booth.recover()
    for directory in booth.jobs(State.TRASH):
        assert [path.name for path in directory.iterdir()] == ["journal.jsonl"]


def test_a_picture_that_nobody_got_is_done_and_late(open_booth: OpenBooth) -> None:
    booth = open_booth()
    (booth.leave_behind(attempt(), ended(outcome="ok"), result()) / "result.jpg").write_bytes(b"pic")
    booth.recover()
    _, entries = booth.only_job(State.DONE)
    assert last(entries, Finished).late


def test_a_picture_that_was_answered_is_done(open_booth: OpenBooth) -> None:
    booth = open_booth()
    (booth.leave_behind(attempt(), ended(outcome="ok"), result(), told()) / "result.jpg").write_bytes(b"pic")
    booth.recover()
    _, entries = booth.only_job(State.DONE)
    assert not last(entries, Finished).late


@pytest.mark.parametrize(("code", "state"), [("ok", State.DONE), ("refused", State.TRASH)])
def test_a_job_that_was_over_is_only_moved(open_booth: OpenBooth, code: str, state: State) -> None:
    booth = open_booth()
    before = booth.leave_behind(told(), finished(code))
    lines = (before / "journal.jsonl").read_bytes()
    booth.recover()
    directory, _ = booth.only_job(state)
    assert (directory / "journal.jsonl").read_bytes() == lines
    assert directory.parent.name == TODAY.isoformat()


def test_what_was_before_a_retry_does_not_count(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.leave_behind(told(502, "failed"), finished("failed"), Retried(at=BEGAN), attempt(2))
    booth.recover()
    assert last(booth.only_job(State.TRASH)[1], Finished).charged is Charged.MAYBE


# --- a queue number: it is paid for --------------------------------------------------------------------------------------


def test_a_call_with_a_queue_number_is_polled_on(open_booth: OpenBooth) -> None:
    provider = ResumingFake(paid=True, holding=True)
    booth = open_booth(provider)
    booth.leave_behind(attempt(), queued(), sha256=SHA256)
    booth.recover()
    assert provider.resumed == ["q7"]
    assert booth.jobs(State.ACTIVE)
    provider.let_go()
    _, entries = booth.only_job(State.DONE)
    assert kinds(entries) == ["received", "attempt", "queued", "answered", "result", "attempt-ended", "finished"]
    assert last(entries, Answered).status == 503
    assert last(entries, Finished).late
    assert (last(entries, AttemptEnded).number, last(entries, AttemptEnded).charged) == (1, Charged.YES)
    assert booth.send().reply.headers["X-Boothd-Cached"] == "yes"
    assert not provider.calls


RENDERED = {"role": "render", "credit_provider": "seer", "credit_model": "seer-1"}
DIRECTED = directing_slot().presets[0].revision


def direction() -> tuple[Attempt, AttemptEnded]:
    """The prompt had been written, for money."""
    begun = attempt().model_copy(update={"provider": "seer", "model": "seer-1", "revision": DIRECTED, "role": "direct"})
    over = ended(charged=Charged.YES, outcome="ok").model_copy(update={"provider": "seer", "role": "direct"})
    return begun, over


def rendering() -> Attempt:
    return attempt(2).model_copy(update={"revision": DIRECTED, "price": Decimal("0.04"), **RENDERED})


def test_a_renderers_queue_number_is_polled_on_there_although_the_slot_is_the_directors(open_booth: OpenBooth) -> None:
    renderer, seer = ResumingFake(paid=True, holding=True), DirectingFake(paid=True)
    booth = open_booth(renderer, seer, slots=[directing_slot()])
    booth.leave_behind(*direction(), rendering(), queued(2), sha256=SHA256, slot="seer-1")
    booth.recover()
    assert renderer.resumed == ["q7"]
    renderer.let_go()
    _, entries = booth.only_job(State.DONE)
    assert (last(entries, Result).provider, last(entries, Result).model) == ("seer", "fake/fake-1")
    over = last(entries, AttemptEnded)
    assert (over.number, over.provider, over.role, over.credit_model) == (2, "fake", "render", "seer-1")
    assert booth.send().reply.headers["X-Boothd-Cached"] == "yes"
    assert (renderer.calls, seer.calls) == ([], [])


def test_a_rendering_whose_end_was_torn_off_gets_it_and_counts_for_the_director(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), DirectingFake(), slots=[directing_slot()])
    made = result(provider="seer", model="fake/fake-1", revision=DIRECTED)
    left = booth.leave_behind(*direction(), rendering(), made, slot="seer-1")
    (left / "result.jpg").write_bytes(b"pic")
    booth.recover()
    over = last(booth.only_job(State.DONE)[1], AttemptEnded)
    assert (over.provider, over.model, over.outcome, over.cost) == ("fake", "fake-1", "ok", Decimal("0.04"))
    assert booth.today()["models"]["fake"]["fake-1"]["rendered"] == 1
    assert booth.today()["models"]["seer"]["seer-1"]["pictures"] == 1


def test_a_photo_whose_prompt_had_been_written_says_that_it_was_charged(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), DirectingFake(), slots=[directing_slot()])
    booth.leave_behind(*direction(), slot="seer-1")
    booth.recover()
    assert last(booth.only_job(State.TRASH)[1], Finished).charged is Charged.YES


def test_what_interrupted_calls_may_have_cost_is_counted(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), DirectingFake(), slots=[directing_slot()])
    booth.leave_behind(*direction(), rendering(), slot="seer-1")
    booth.recover()
    _, entries = booth.only_job(State.TRASH)
    over = last(entries, AttemptEnded)
    assert (over.number, over.outcome, over.charged, over.cost) == (2, "interrupted", Charged.MAYBE, Decimal("0.04"))
    assert booth.stats.spent_today("fake") == Decimal("0.04")
    assert booth.today()["slots"]["seer-1"]["maybe charged"] == 1


def test_a_call_that_was_lost_beside_another_ones_picture_may_have_cost_too(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    left = booth.leave_behind(attempt(1), attempt(2), ended(2, Charged.YES, "ok"), result(), told())
    (left / "result.jpg").write_bytes(b"pic")
    booth.recover()
    _, entries = booth.only_job(State.DONE)
    assert [(e.number, e.outcome) for e in entries if isinstance(e, AttemptEnded)] == [(2, "ok"), (1, "interrupted")]


def test_the_same_photo_joins_a_call_that_is_polled_on(open_booth: OpenBooth) -> None:
    provider = ResumingFake(paid=True, holding=True)
    booth = open_booth(provider)
    booth.leave_behind(attempt(), queued(), sha256=SHA256)
    booth.recover()
    guest = booth.send()
    provider.let_go()
    assert guest.reply.headers["X-Boothd-Cached"] == "yes"
    assert not provider.calls


def test_a_queue_number_that_brings_nothing_is_filed_as_charged(open_booth: OpenBooth) -> None:
    booth = open_booth(ResumingFake(paid=True, fails=[Unavailable(charged=Charged.YES)]))
    booth.leave_behind(attempt(), queued())
    booth.recover()
    over = last(booth.only_job(State.TRASH)[1], Finished)
    assert over.code == "interrupted"
    assert over.charged in {Charged.YES, Charged.MAYBE}
    assert "number q7" in over.reason


@pytest.mark.parametrize("gone", ["slot", "provider", "ability"])
def test_a_queue_number_that_nobody_can_ask_for_is_filed_as_charged(open_booth: OpenBooth, gone: str) -> None:
    booth = open_booth(FakeProvider() if gone == "ability" else ResumingFake())
    booth.leave_behind(attempt(), queued())
    if gone == "slot":
        booth.slots = SlotBook({})
    elif gone == "provider":
        booth.services.clear()
    booth.recover()
    over = last(booth.only_job(State.TRASH)[1], Finished)
    assert over.charged is not Charged.NO
    assert "q7" in over.reason


def test_a_slot_whose_provider_is_another_now_does_not_ask_it_for_the_old_number(open_booth: OpenBooth) -> None:
    other = ResumingFake("other")
    booth = open_booth(other, ResumingFake(), slots=[live_slot("other")])
    booth.slots = SlotBook({"fake-1": live_slot("other")})
    booth.leave_behind(attempt(), queued())
    booth.recover()
    assert not other.resumed
    assert "the slot does not ask fake any more" in last(booth.only_job(State.TRASH)[1], Finished).reason


# --- rooms whose jobs can still be used ----------------------------------------------------------------------------------


def test_a_hot_folders_photo_is_run_again(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.leave_behind(room=ROOM, name="bride.jpg")
    booth.recover({ROOM: hot_of(booth)})
    _, entries = booth.only_job(State.DONE)
    assert kinds(entries)[1:] == ["attempt", "result", "attempt-ended", "answered", "finished"]
    assert not last(entries, Finished).late
    assert (booth.home.spool / "hot/fake-1/out/bride.jpg").is_file()


def test_the_calls_of_both_runs_are_told_apart_and_add_up(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), slots=[live_slot(paid_attempts=2)])
    booth.leave_behind(attempt(), ended(charged=Charged.YES), room=ROOM)
    booth.recover({ROOM: hot_of(booth)})
    _, entries = booth.only_job(State.DONE)
    assert [e.number for e in entries if isinstance(e, Attempt)] == [1, 2]


def test_a_photo_whose_paid_calls_are_used_up_is_not_paid_for_again(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), slots=[live_slot(paid_attempts=1)])
    booth.leave_behind(attempt(), ended(charged=Charged.YES), room=ROOM, name="bride.jpg")
    booth.recover({ROOM: hot_of(booth)})
    over = last(booth.only_job(State.TRASH)[1], Finished)
    assert (over.code, over.charged) == ("paid-attempts-used-up", Charged.YES)
    assert not booth.provider.calls
    assert (booth.home.spool / "hot/fake-1/failed/bride.jpg").read_bytes() == PHOTO


def test_a_hot_folders_paid_call_without_an_end_is_not_repeated(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.leave_behind(attempt(), room=ROOM)
    booth.recover({ROOM: hot_of(booth)})
    assert last(booth.only_job(State.TRASH)[1], Finished).charged is Charged.MAYBE
    assert not booth.provider.calls


def test_a_hot_folders_photo_whose_slot_is_gone_goes_to_trash(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.slots = SlotBook({})
    booth.leave_behind(room=ROOM)
    booth.recover({ROOM: hot_of(booth)})
    assert last(booth.only_job(State.TRASH)[1], Finished).code == "interrupted"


def test_a_hot_folders_picture_that_was_ready_still_gets_into_its_folder(open_booth: OpenBooth) -> None:
    booth = open_booth()
    left = booth.leave_behind(attempt(), ended(outcome="ok"), result(), room=ROOM, name="bride.jpg")
    (left / "result.jpg").write_bytes(b"pic")
    booth.recover({ROOM: hot_of(booth)})
    _, entries = booth.only_job(State.DONE)
    assert (booth.home.spool / "hot/fake-1/out/bride.jpg").read_bytes() == b"pic"
    assert last(entries, Answered).status == 200
    assert not booth.provider.calls


def test_a_hot_folders_picture_that_lies_there_already_is_not_put_there_twice(open_booth: OpenBooth) -> None:
    booth = open_booth()
    left = booth.leave_behind(attempt(), ended(outcome="ok"), result(), room=ROOM, name="bride.jpg")
    (left / "result.jpg").write_bytes(b"pic")
    out = booth.home.spool / "hot/fake-1/out"
    out.mkdir(parents=True)
    (out / "bride.jpg").hardlink_to(left / "result.jpg")
    booth.recover({ROOM: hot_of(booth)})
    assert [path.name for path in out.iterdir()] == ["bride.jpg"]


def test_a_hot_folders_queue_number_brings_its_picture_into_the_folder(open_booth: OpenBooth) -> None:
    booth = open_booth(ResumingFake(paid=True, holding=True))
    booth.leave_behind(attempt(), queued(), room=ROOM, name="bride.jpg")
    booth.recover({ROOM: hot_of(booth)})
    booth.provider.let_go()
    booth.only_job(State.DONE)
    assert (booth.home.spool / "hot/fake-1/out/bride.jpg").is_file()


def test_a_hot_folders_queue_number_that_brings_nothing_says_so_in_the_folder(open_booth: OpenBooth) -> None:
    booth = open_booth(ResumingFake(paid=True, fails=[Unavailable("It is broken.")]))
    booth.leave_behind(attempt(), queued(), room=ROOM, name="bride.jpg")
    booth.recover({ROOM: hot_of(booth)})
    assert last(booth.only_job(State.TRASH)[1], Finished).charged is Charged.YES
    assert (booth.home.spool / "hot/fake-1/failed/bride.jpg.txt").read_text() == "It is broken.\n"


def test_a_photo_whose_answer_exists_is_not_paid_for_again(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.send()
    booth.crash()
    again = open_booth(FakeProvider(paid=True))
    again.leave_behind(room=ROOM, name="bride.jpg", sha256=SHA256)
    again.recover({ROOM: hot_of(again)})
    assert not again.provider.calls
    assert (again.home.spool / "hot/fake-1/out/bride.jpg").is_file()


def test_a_result_file_that_no_journal_knows_is_not_in_the_way(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.send()
    (booth.leave_behind(room=ROOM, name="bride.jpg", sha256=SHA256) / "result.jpg").write_bytes(b"half")
    booth.recover({ROOM: hot_of(booth)})
    out = booth.home.spool / "hot/fake-1/out/bride.jpg"
    assert out.read_bytes() != b"half"


# --- damage ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("journal", "reason"),
    [
        (b"", "does not begin with the photo's arrival"),
        (b'{"kind": "received"\n', "line 1"),
        (b"\x00" * 512 + b"\n", "line 1"),
        (b'{"kind": "finished", "at": "2026-11-20T18:00:00Z", "code": "ok"}\n', "does not begin"),
        (b'{"kind": "something new", "at": "2026-11-20T18:00:00Z"}\n', "line 1"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_damaged_job_goes_to_trash_with_a_note(
    open_booth: OpenBooth, journal: bytes | None, reason: str, events: list[LogEvent]
) -> None:
    booth = open_booth()
    left = booth.leave_behind()
    if journal is None:
        (left / "journal.jsonl").unlink()
    else:
        (left / "journal.jsonl").write_bytes(journal)
    booth.recover()
    (directory,) = booth.jobs(State.TRASH)
    assert reason in (directory / "damaged.txt").read_text()
    assert (directory / "source.jpg").read_bytes() == PHOTO
    assert not booth.jobs(State.ACTIVE)
    (seen,) = run(booth.trash.newest(10))
    assert (seen.job, seen.code) == (left.name, "damaged")
    assert reason in seen.reason
    assert not seen.photo
    assert [event for event in events if event.get("job") == left.name]


def test_a_torn_last_line_is_not_damage(open_booth: OpenBooth) -> None:
    booth = open_booth()
    left = booth.leave_behind(attempt(paid=False))
    with (left / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"kind": "attempt-en')
    booth.recover()
    _, entries = booth.only_job(State.TRASH)
    assert kinds(entries) == ["received", "attempt", "answered", "finished"]


@pytest.mark.parametrize("what", ["a file", "a folder with a strange name"])
def test_what_is_no_job_does_not_keep_the_others(open_booth: OpenBooth, what: str, events: list[LogEvent]) -> None:
    booth = open_booth()
    stray = booth.spool.place(State.ACTIVE) / "00-what is this"
    stray.write_text("?") if what == "a file" else stray.mkdir()
    booth.leave_behind()
    booth.recover()
    assert last(read(booth.jobs(State.TRASH)[-1] / "journal.jsonl"), Finished).code == "interrupted"
    assert [event for event in events if event.get("job") == stray.name]


def test_a_job_that_cannot_be_filed_does_not_keep_the_others(open_booth: OpenBooth, events: list[LogEvent]) -> None:
    booth = open_booth()
    stuck = booth.leave_behind()
    blocking = booth.spool.place(State.TRASH) / TODAY.isoformat() / stuck.name
    blocking.mkdir(parents=True)
    (blocking / "in the way").write_text("")
    other = booth.leave_behind(id="20261120T170009.000-000009")
    booth.recover()
    assert [path.name for path in booth.jobs(State.ACTIVE)] == [stuck.name]
    assert (blocking.parent / other.name).is_dir()
    assert [event["job"] for event in events if "log_failure" in event] == [stuck.name]


# --- the index -------------------------------------------------------------------------------------------------------------


def test_an_answer_made_before_a_restart_is_served_unpaid_after_it(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    body = booth.send().body
    booth.crash()
    again = open_booth(FakeProvider(paid=True))
    again.recover()
    guest = again.send()
    assert guest.reply.headers["X-Boothd-Cached"] == "yes"
    assert guest.body == body
    assert not again.provider.calls


def test_an_answer_that_a_crash_left_in_active_is_served_too(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    left = booth.leave_behind(attempt(), ended(outcome="ok"), result(), sha256=SHA256)
    (left / "result.jpg").write_bytes(picture())
    booth.recover()
    assert booth.send().reply.headers["X-Boothd-Cached"] == "yes"


def test_days_that_are_too_long_ago_are_not_read(open_booth: OpenBooth, tmp_path: Path) -> None:
    booth = open_booth(FakeProvider(paid=True), spool={"floor": 0, "index": "1d"})
    booth.send()
    done = booth.spool.place(State.DONE)
    (done / TODAY.isoformat()).rename(done / "2026-11-18")
    booth.crash()
    again = open_booth(FakeProvider(paid=True), spool={"floor": 0, "index": "1d"})
    again.recover()
    assert len(again.index) == 0


def test_a_result_whose_file_is_gone_is_made_again(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.send()
    (booth.jobs(State.DONE)[0] / "result.jpg").unlink()
    booth.crash()
    again = open_booth(FakeProvider(paid=True))
    again.recover()
    assert again.send().reply.status == 200
    assert len(again.provider.calls) == 1


def test_a_damaged_journal_in_done_does_not_end_the_start(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.send()
    (booth.jobs(State.DONE)[0] / "journal.jsonl").write_bytes(b"?\n")
    booth.crash()
    again = open_booth()
    again.recover()
    assert len(again.index) == 0


def test_the_original_as_an_answer_is_not_remembered(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(fails=[Refused()]), slots=[live_slot(original=True)])
    booth.send()
    booth.crash()
    again = open_booth()
    again.recover()
    assert len(again.index) == 0
