"""The statistics are the sum of the journals, whatever happens."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from boothd.base.errors import Charged
from boothd.engine.stats import NOT_ACCEPTED
from boothd.spool import State
from boothd.spool.journal import (
    Answered,
    Attempt,
    AttemptEnded,
    Entry,
    FellBack,
    Finished,
    Result,
    Retried,
    Shared,
    dump,
)
from tests.support.engine import failures, logged
from tests.support.engine_evening import TODAY, Evening, an_evening


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    made = Evening(tmp_path)
    yield made
    made.crash()


def attempt_ended(at: datetime, **said: Any) -> AttemptEnded:
    fields: dict[str, Any] = {"number": 1, "provider": "gem", "model": "g-2.5", "outcome": "ok", "seconds": 1.5}
    return AttemptEnded(at=at, **fields | said)


def result(at: datetime, model: str = "g-2.5") -> Result:
    return Result(
        at=at,
        file="result.jpg",
        sha256="0" * 64,
        size_bytes=1,
        format="JPEG",
        provider="gem",
        model=model,
        revision="r",
    )


# --- what is counted -------------------------------------------------------------------------------------------------


def test_an_evening_in_numbers(evening: Evening) -> None:
    at = evening.clock.now()
    first, second, third = (evening.job() for _ in range(3))
    evening.add(first, Attempt(at=at, number=1, provider="gem", model="g-2.5", revision="r", paid=True))
    evening.add(
        first,
        attempt_ended(at, outcome="busy"),
        attempt_ended(at, outcome="bad-answer", charged=Charged.MAYBE, cost=Decimal("0.04")),
        result(at),
        attempt_ended(at, charged=Charged.YES, cost=Decimal("0.04")),
    )
    evening.move(first, State.DONE, Answered(at=at, status=200, code="ok", seconds=12.25), Finished(at=at, code="ok"))
    evening.add(second, Shared(at=at, job=first.id, provider="gem", how="exists"), result(at))
    evening.add(second, Answered(at=at, status=200, code="ok", seconds=0.5))
    evening.add(third, Shared(at=at, job=first.id, provider="gem", how="on its way"))
    evening.add(third, FellBack(at=at, provider="gem", to="original", code="refused", message=""))
    evening.add(third, Answered(at=at, status=504, code="out-of-time"), Finished(at=at, code="ok", late=True))
    evening.stats.count_upload("too-large")
    assert evening.stats.day(TODAY) == {
        "slots": {
            "fake-1": {
                "received": 3,
                "answered": 2,
                "seconds": Decimal("12.75"),
                "failed": {"out-of-time": 1},
                "fell back": 1,
                "cached": 1,
                "shared": 1,
                "late": 1,
                "charged": 1,
                "maybe charged": 1,
                "not charged": 1,
                "money": Decimal("0.08"),
            }
        },
        "models": {
            "gem": {
                "g-2.5": {
                    "attempts": 3,
                    "pictures": 1,
                    "seconds": Decimal("4.5"),
                    "failed": {"busy": 1, "bad-answer": 1},
                    "charged": 1,
                    "maybe charged": 1,
                    "not charged": 1,
                    "money": Decimal("0.08"),
                }
            }
        },
        NOT_ACCEPTED: {"too-large": 1},
    }


def test_a_rendered_picture_counts_for_who_directed_and_the_call_for_who_rendered(evening: Evening) -> None:
    at, job = evening.clock.now(), evening.job("seer-1")
    evening.add(
        job,
        attempt_ended(at, provider="seer", model="s", role="direct", charged=Charged.YES, cost=Decimal("0.001")),
        attempt_ended(at, number=2, role="render", outcome="busy", credit_provider="seer", credit_model="s"),
        attempt_ended(
            at,
            number=3,
            role="render",
            charged=Charged.YES,
            cost=Decimal("0.04"),
            credit_provider="seer",
            credit_model="s",
        ),
    )
    day = evening.stats.day(TODAY)
    assert day["models"] == {
        "seer": {
            "s": {
                "attempts": 1,
                "seconds": Decimal("1.5"),
                "directed": 1,
                "pictures": 1,
                "charged": 1,
                "money": Decimal("0.001"),
            }
        },
        "gem": {
            "g-2.5": {
                "attempts": 2,
                "seconds": 3,
                "rendered": 1,
                "failed": {"busy": 1},
                "charged": 1,
                "not charged": 1,
                "money": Decimal("0.04"),
            }
        },
    }
    assert day["slots"]["seer-1"] == {"received": 1, "charged": 2, "not charged": 1, "money": Decimal("0.041")}


def test_the_money_of_today_begins_anew_with_the_operator_s_day(evening: Evening) -> None:
    job = evening.job()
    for cost in ("0.04", "0.05"):
        evening.add(job, attempt_ended(evening.clock.now(), charged=Charged.YES, cost=Decimal(cost)))
    evening.add(job, attempt_ended(evening.clock.now(), model="other", charged=Charged.MAYBE, cost=Decimal("0.01")))
    assert evening.stats.spent_today("gem") == Decimal("0.10")
    assert evening.stats.spent_today("other") == 0
    evening.after(10 * 3600)  # five in the morning in Berlin
    assert evening.stats.spent_today("gem") == Decimal("0.10")
    evening.after(3600)
    assert evening.stats.spent_today("gem") == 0


@pytest.mark.parametrize("cleanly", [True, False])
def test_the_money_of_today_outlives_a_restart(evening: Evening, cleanly: bool) -> None:
    evening.add(evening.job(), attempt_ended(evening.clock.now(), charged=Charged.YES, cost=Decimal("0.04")))
    evening.stop() if cleanly else evening.crash()
    evening.open()
    assert evening.stats.spent_today("gem") == Decimal("0.04")


def test_an_evening_passes_midnight_whole(evening: Evening) -> None:
    evening.job()
    evening.after(9 * 3600)  # three in the morning, UTC
    evening.job()
    evening.after(3 * 3600 - 1800)  # half past six in Berlin
    evening.job()
    assert [evening.stats.day(day)["slots"]["fake-1"]["received"] for day in (TODAY, date(2026, 11, 21))] == [2, 1]
    assert evening.stats.day(date(2026, 11, 22)) == {}


def test_a_job_of_two_days_is_counted_on_both(evening: Evening) -> None:
    job = evening.job()
    evening.after(86_400)
    evening.move(job, State.TRASH, Answered(at=evening.clock.now(), status=503, code="interrupted"))
    assert evening.stats.day(date(2026, 11, 21)) == {"slots": {"fake-1": {"failed": {"interrupted": 1}}}}


# --- the file --------------------------------------------------------------------------------------------------------


def test_it_is_written_at_most_once_a_second(evening: Evening) -> None:
    evening.after(10)
    written = []
    for _ in range(30):
        evening.job()
        written.append(evening.saved["saved at"])
        evening.after(0.1)
    assert len(set(written)) == 3
    evening.after(1)
    assert evening.saved["days"]["2026-11-20"]["slots"]["fake-1"]["received"] == 30
    last = evening.saved
    evening.after(100)
    assert evening.saved == last


def test_it_can_be_read_by_people(evening: Evening) -> None:
    evening.job()
    evening.stop()
    assert evening.file.read_text() == (
        "# Written by boothd; the sum of the journals.\n"
        "saved at: '2026-11-20T18:00:00+00:00'\n"
        "stopped cleanly: true\n"
        "days:\n"
        "  '2026-11-20':\n"
        "    slots:\n"
        "      fake-1:\n"
        "        received: 1\n"
    )
    evening.open()


def test_while_it_runs_the_file_says_that_it_may_be_behind(evening: Evening) -> None:
    assert evening.saved["stopped cleanly"] is False


def test_stopping_waits_for_what_is_being_saved_and_saves_the_rest(evening: Evening) -> None:
    evening.after(10)
    evening.threads.hold()
    evening.job()
    evening.job()
    stopped: list[None] = []
    Deferred.fromCoroutine(evening.stats.stop()).addCallback(stopped.append)
    assert stopped == []
    evening.threads.release()
    assert stopped == [None]
    assert evening.saved["stopped cleanly"] is True
    assert evening.saved["days"]["2026-11-20"]["slots"]["fake-1"]["received"] == 2
    evening.crash()
    evening.open()


def test_after_the_stop_nothing_is_written(evening: Evening) -> None:
    evening.stop()
    evening.stats.count_upload("too-slow")
    assert evening.saved["stopped cleanly"] is True
    evening.open()


def test_when_it_cannot_be_written_the_old_one_stays_and_the_next_second_tries_again(evening: Evening) -> None:
    evening.after(10)
    before = evening.saved
    in_the_way = evening.file.with_suffix(".new")
    in_the_way.mkdir()
    with logged() as events:
        evening.job()
    assert [type(error) for error in failures(events)] == [IsADirectoryError]
    assert evening.saved == before
    in_the_way.rmdir()
    evening.after(1)
    assert evening.saved["days"]["2026-11-20"]["slots"]["fake-1"]["received"] == 1


# --- starting again --------------------------------------------------------------------------------------------------


def test_after_a_clean_stop_nothing_is_counted_again(evening: Evening) -> None:
    job = evening.job()
    evening.stop()
    (job.directory / "journal.jsonl").unlink()  # were it read, the photo would be missing
    evening.open()
    assert evening.stats.day(TODAY)["slots"]["fake-1"]["received"] == 1


def test_uploads_that_were_not_accepted_outlive_a_crash(evening: Evening) -> None:
    evening.stats.count_upload("too-large")
    evening.after(2)
    evening.crash()
    evening.open()
    assert evening.stats.day(TODAY) == {NOT_ACCEPTED: {"too-large": 1}}


def test_days_long_before_the_crash_are_not_counted_again(evening: Evening) -> None:
    old = evening.job()
    evening.move(old, State.DONE)
    evening.after(2)
    evening.after(3 * 86_400)
    evening.job()
    evening.after(2)
    (old.directory / "journal.jsonl").unlink()
    evening.crash()
    evening.open()
    assert evening.counted() == evening.sum()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1, 2]",
        "days: {",
        "{days: {}}",
        "{saved at: yesterday, stopped cleanly: true, days: {}}",
        "{saved at: '2026-11-20T18:00:00+00:00', stopped cleanly: true, days: {monday: {slots: {}}}}",
        "{saved at: '2026-11-20T18:00:00+00:00', stopped cleanly: true, days: {'2026-11-20': {slots: {a: {b: many}}}}}",
        "{saved at: '2026-11-20T18:00:00+00:00', stopped cleanly: true, days: {'2026-11-20': 7}}",
        "\0\1\2",
    ],
)
def test_a_broken_file_is_counted_anew(evening: Evening, text: str) -> None:
    evening.move(evening.job(), State.DONE)
    evening.job()
    evening.stop()
    evening.file.write_text(text)
    with logged() as events:
        evening.open()
    assert len(failures(events)) == 1
    assert evening.counted() == evening.sum()


def test_a_day_that_somebody_wrote_without_quotes_is_the_same_day(evening: Evening) -> None:
    evening.job()
    evening.stop()
    evening.file.write_text(evening.file.read_text().replace("'2026-11-20':", "2026-11-20:").replace("true", "false"))
    evening.open()
    assert evening.counted() == evening.sum()


def test_a_missing_file_is_counted_anew_without_a_word(evening: Evening) -> None:
    evening.move(evening.job(), State.TRASH)
    evening.stop()
    evening.file.unlink()
    with logged() as events:
        evening.open()
    assert failures(events) == []
    assert evening.counted() == evening.sum()


def test_a_damaged_journal_does_not_keep_the_others_from_being_counted(evening: Evening) -> None:
    damaged, _ = evening.job(), evening.job()
    del evening.told[damaged.id]
    evening.crash()
    (damaged.directory / "journal.jsonl").write_text("no journal\n")
    evening.open()
    assert evening.counted() == evening.sum()


MODELS = st.sampled_from(["g-2.5", "1.0", "yes", "null", "a: b", "'", "комикс", "a\nb", " ", "2026-11-20"]) | st.text(
    min_size=1, max_size=200
).filter(lambda text: text.isprintable())


@settings(max_examples=100, deadline=None)
@given(model=MODELS, code=MODELS, cost=st.decimals(0, 1000, places=4))
def test_whatever_things_are_called_the_file_keeps_it(model: str, code: str, cost: Decimal) -> None:
    with an_evening() as evening:
        at = evening.clock.now()
        job = evening.job("slot-1")
        evening.add(job, attempt_ended(at, model=model, outcome=code, charged=Charged.YES, cost=cost))
        evening.stop()
        evening.open()
        assert evening.counted() == evening.sum()


ENTRIES: Sequence[Callable[[datetime], Entry]] = [
    lambda at: Attempt(at=at, number=1, provider="gem", model="g-2.5", revision="r"),
    lambda at: attempt_ended(at, charged=Charged.YES, cost=Decimal("0.039")),
    lambda at: attempt_ended(at, outcome="busy", seconds=0.333),
    lambda at: result(at, "other"),
    lambda at: Shared(at=at, job="x", provider="gem", how="exists"),
    lambda at: FellBack(at=at, provider="gem", to="studio", code="busy", message=""),
    lambda at: Answered(at=at, status=200, code="ok", seconds=1.001),
    lambda at: Answered(at=at, status=502, code="busy"),
    lambda at: Finished(at=at, code="ok", late=True),
]

STEPS = st.one_of(
    st.tuples(st.just("job"), st.sampled_from(["fake-1", "fake-2"])),
    st.tuples(st.just("entry"), st.integers(0, 20), st.integers(0, len(ENTRIES) - 1)),
    st.tuples(st.just("move"), st.integers(0, 20), st.sampled_from([State.DONE, State.TRASH, State.ACTIVE])),
    st.tuples(st.just("time"), st.sampled_from([0.3, 1.0, 900.0, 40_000.0])),
    st.tuples(st.just("stop")),
    st.tuples(st.just("crash"), st.booleans(), st.booleans(), st.integers(0, 20)),
)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_the_numbers_are_the_journals_sum_whenever_it_crashes(steps: list[tuple[Any, ...]]) -> None:
    with an_evening() as evening:
        for step, *said in steps:
            _take(evening, step, said)
        assert evening.counted() == evening.sum()
        evening.crash()
        evening.open()
        assert evening.counted() == evening.sum()


def _take(evening: Evening, step: str, said: list[Any]) -> None:
    if step == "job":
        evening.job(said[0])
    elif step == "entry" and evening.jobs:
        job = evening.jobs[said[0] % len(evening.jobs)]
        if job.state is State.ACTIVE:  # afterwards only a lost reply is noted, which counts for nothing
            evening.add(job, ENTRIES[said[1]](evening.clock.now()))
    elif step == "move" and evening.jobs:
        job, to = evening.jobs[said[0] % len(evening.jobs)], said[1]
        if (job.state, to) in {(State.ACTIVE, State.DONE), (State.ACTIVE, State.TRASH), (State.TRASH, State.ACTIVE)}:
            entry = (
                Retried(at=evening.clock.now()) if to is State.ACTIVE else Finished(at=evening.clock.now(), code="ok")
            )
            evening.move(job, to, entry)
    elif step == "time":
        evening.after(said[0])
    elif step == "stop":
        evening.stop()
        evening.open()
    elif step == "crash":
        _crash(evening, *said)


def _crash(evening: Evening, half_saved: bool, uncounted: bool, place: int) -> None:
    """The process dies: perhaps while the file was written, perhaps between a journal's line and its counting."""
    if uncounted and evening.jobs:
        job = evening.jobs[place % len(evening.jobs)]
        if job.state is State.ACTIVE:
            entry = ENTRIES[place % len(ENTRIES)](evening.clock.now())
            evening.spool.disk.append(job.journal, dump([entry]))
            evening.told[job.id].append(entry)
    if half_saved:
        evening.file.with_suffix(".new").write_text("# Written by boo")
    evening.crash()
    evening.open()
