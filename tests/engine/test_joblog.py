"""One log line says what became of a photo."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from twisted.logger import LogEvent, formatEvent

from boothd.base.errors import Charged
from boothd.engine.joblog import JobLog
from boothd.spool import Job, State
from boothd.spool.journal import Answered, Entry, FellBack, Finished, Undirected

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (Finished(at=AT, code="ok"), "J studio-1: done"),
        (Finished(at=AT, code="ok", late=True), "J studio-1: done, late"),
        (
            Finished(at=AT, code="refused", reason="There is no screen.", charged=Charged.NO),
            "J studio-1: refused, not charged: There is no screen.",
        ),
        (
            Finished(at=AT, code="out-of-time", reason="Not in time.", charged=Charged.MAYBE),
            "J studio-1: out-of-time, may have been charged: Not in time.",
        ),
        (
            FellBack(at=AT, provider="gemini", to="studio", code="busy", message="No room."),
            "J studio-1: gemini failed (busy: No room.); studio is next",
        ),
        (
            Undirected(at=AT, provider="deepseek", code="busy", message="No room."),
            "J studio-1: deepseek wrote no prompt (busy: No room.); the slot's own is used",
        ),
    ],
)
def test_the_end_of_a_job_is_one_line(entry: Entry, line: str, events: list[LogEvent]) -> None:
    JobLog().count(Job("J", Path("J"), State.ACTIVE, "studio-1"), [Answered(at=AT, status=200, code="ok"), entry])
    assert [formatEvent(event) for event in events] == [line]
