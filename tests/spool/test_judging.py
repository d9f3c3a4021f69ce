"""What becomes of a job that a crash left in active/."""

from collections.abc import Sequence

import pytest
from hypothesis import given

from boothd.base.errors import Charged
from boothd.spool.journal import Entry, FellBack, Queued, ReplyLost, Retried, Shared
from boothd.spool.recovery import Complete, GoOnPolling, MaybeCharged, NotBegun, Over, Verdict, judge, spent, unended
from tests.support.entries import journals
from tests.support.spools import AT, answered, attempt, ended, finished, result

MADE = result()
RETRIED = Retried(at=AT)


def queued(number: int = 1, name: str = "q-1") -> Queued:
    return Queued(at=AT, number=number, queue_number=name)


DIRECTING = attempt(1).model_copy(update={"provider": "seer", "role": "direct"})
WRITTEN = ended(1).model_copy(update={"provider": "seer", "role": "direct"})
RENDERING = attempt(2).model_copy(update={"role": "render", "credit_provider": "seer", "credit_model": "s"})
RENDERED = result().model_copy(update={"provider": "seer", "model": "gemini/m"})

UNCHARGED = ended(1, Charged.NO, "busy")

JUDGEMENTS: list[tuple[str, Sequence[Entry], Verdict]] = [
    ("nothing happened yet", [], NotBegun(0, Charged.NO)),
    ("a free call was under way", [attempt(paid=False)], NotBegun(0, Charged.NO)),
    ("a paid call was under way", [attempt()], MaybeCharged(attempt())),
    ("a paid call ended without money", [attempt(), UNCHARGED], NotBegun(0, Charged.NO)),
    ("a paid call ended, perhaps with money", [attempt(), ended(1, Charged.MAYBE)], NotBegun(1, Charged.MAYBE)),
    (
        "two ended, one with money for certain",
        [attempt(1), ended(1, Charged.MAYBE), attempt(2), ended(2, Charged.YES)],
        NotBegun(2, Charged.YES),
    ),
    ("the second was under way", [attempt(1), UNCHARGED, attempt(2)], MaybeCharged(attempt(2))),
    ("it had a queue number", [attempt(), queued()], GoOnPolling(attempt(), "q-1")),
    ("a free one had a queue number", [attempt(paid=False), queued()], GoOnPolling(attempt(paid=False), "q-1")),
    ("its queue number changed", [attempt(), queued(), queued(name="q-2")], GoOnPolling(attempt(), "q-2")),
    ("a queued one ended", [attempt(), queued(), UNCHARGED], NotBegun(0, Charged.NO)),
    (
        "one without an end, then one in the queue",
        [attempt(1), attempt(2), queued(2)],
        GoOnPolling(attempt(2), "q-1"),
    ),
    ("a queue number of no attempt", [queued(3)], NotBegun(0, Charged.NO)),
    ("a result", [attempt(), ended(), MADE], Complete(MADE, late=True)),
    ("a result that was sent", [attempt(), ended(), MADE, answered()], Complete(MADE, late=False)),
    ("a result whose reply was lost", [MADE, answered(), ReplyLost(at=AT)], Complete(MADE, late=False)),
    ("a result after the error was told", [answered(504, "out-of-time"), MADE], Complete(MADE, late=True)),
    ("another job's result", [Shared(at=AT, job="j", provider="p", how="exists"), MADE], Complete(MADE, late=True)),
    ("two results", [result("a.jpg"), MADE], Complete(MADE, late=True)),
    ("told an error, a paid call goes on", [attempt(), answered(504, "out-of-time")], MaybeCharged(attempt())),
    (
        "fell back to a free provider",
        [attempt(), UNCHARGED, FellBack(at=AT, provider="a", to="b", code="busy", message=""), attempt(2, False)],
        NotBegun(0, Charged.NO),
    ),
    ("a prompt was being written", [DIRECTING], MaybeCharged(DIRECTING)),
    ("a prompt had been written, for money", [DIRECTING, WRITTEN], NotBegun(0, Charged.YES)),
    ("a direction's queue number is of no use", [DIRECTING, queued()], MaybeCharged(DIRECTING)),
    (
        "a rendering had a queue number",
        [DIRECTING, WRITTEN, RENDERING, queued(2)],
        GoOnPolling(RENDERING, "q-1"),
    ),
    (
        "a rendering whose end was torn off",
        [DIRECTING, WRITTEN, RENDERING, RENDERED],
        Complete(RENDERED, late=True, unended=RENDERING),
    ),
    ("over, with a picture", [MADE, answered(), finished()], Over(ok=True)),
    ("over, without one", [attempt(), finished("refused")], Over(ok=False)),
    ("tried again", [attempt(), finished("refused"), RETRIED], NotBegun(0, Charged.NO)),
    ("tried again after money was spent", [attempt(), ended(), finished("x"), RETRIED], NotBegun(0, Charged.NO)),
    ("under way again", [MADE, finished("x"), RETRIED, attempt(2)], MaybeCharged(attempt(2))),
    ("over again", [finished("x"), RETRIED, finished("y"), RETRIED, finished()], Over(ok=True)),
]


@pytest.mark.parametrize(("entries", "verdict"), [row[1:] for row in JUDGEMENTS], ids=[row[0] for row in JUDGEMENTS])
def test_a_job_is_judged_by_its_journal(entries: Sequence[Entry], verdict: Verdict) -> None:
    assert judge(entries) == verdict


@given(journals)
def test_every_journal_has_a_verdict(entries: Sequence[Entry]) -> None:
    verdict = judge(entries)
    if isinstance(verdict, MaybeCharged):
        assert verdict.attempt.paid
    if isinstance(verdict, NotBegun):
        assert verdict.spent == 0 or verdict.charged is not Charged.NO


@given(journals, journals)
def test_what_was_before_a_retry_does_not_count(before: Sequence[Entry], after: Sequence[Entry]) -> None:
    assert judge([*before, RETRIED, *after]) == judge([RETRIED, *after])


def test_spent_counts_what_cost_or_may_have() -> None:
    assert spent([]) == (0, Charged.NO)
    assert spent([ended(1, Charged.NO), ended(2, Charged.MAYBE)]) == (1, Charged.MAYBE)
    assert spent([ended(1, Charged.YES), ended(2, Charged.MAYBE)]) == (2, Charged.YES)
    assert spent([WRITTEN, ended(2, Charged.MAYBE)]) == (1, Charged.YES)


def test_what_has_no_end_is_every_paid_call_since_the_last_retry() -> None:
    assert unended([attempt(1), finished("x"), RETRIED, attempt(2), attempt(3), ended(3)]) == [attempt(2)]
    assert unended([attempt(1), attempt(2, paid=False), RENDERING.model_copy(update={"number": 3})]) == [
        attempt(1),
        RENDERING.model_copy(update={"number": 3}),
    ]
