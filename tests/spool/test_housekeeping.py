"""Old days go, room is measured, and no bad turn ends it."""

import errno
import os
from datetime import date, timedelta
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.logger import LogEvent

from boothd.config import SpoolConfig
from boothd.spool import Kept, ResultIndex, Spool, State
from boothd.spool.housekeeping import CLEAN_EVERY_S, MEASURE_EVERY_S, Housekeeping
from boothd.spool.retention import remove_old_days, too_old
from tests.support.clock import FakeClock
from tests.support.deferreds import until
from tests.support.disk import FailingDisk
from tests.support.spools import accept, below, finished, result

TODAY = date(2026, 11, 20)
DAY_S = 86_400


def days_ago(*numbers: int) -> list[date]:
    return [TODAY - timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    ("keep_s", "first_to_go"),
    [
        (1, 2),
        (DAY_S, 2),
        (DAY_S + 1, 3),
        (1.5 * DAY_S, 3),
        (2 * DAY_S, 3),
        (30 * DAY_S, 31),
    ],
)
def test_a_day_goes_when_the_last_of_it_is_older_than_is_kept(keep_s: float, first_to_go: int) -> None:
    days = days_ago(*range(-1, 40))
    assert too_old(days, TODAY, keep_s) == sorted(days_ago(*range(first_to_go, 40)))


@given(st.lists(st.integers(-1000, 1000)), st.floats(0.001, 1e15))
def test_nothing_younger_than_is_kept_ever_goes(numbers: list[int], keep_s: float) -> None:
    for day in too_old(days_ago(*numbers), TODAY, keep_s):
        assert (TODAY - day).days * DAY_S - DAY_S >= keep_s


@pytest_twisted.ensureDeferred
async def test_old_days_are_removed_job_by_job(spool: Spool, clock: FakeClock, tmp_path: Path) -> None:
    for _ in range(4):
        await spool.move(await accept(spool), State.DONE, finished())
        await spool.move(await accept(spool), State.TRASH, finished("x"))
        clock.advance(DAY_S)
    assert await remove_old_days(spool, State.DONE, spool.today(), 2 * DAY_S) == 2
    assert [day.isoformat() for day in await spool.days(State.DONE)] == ["2026-11-22", "2026-11-23"]
    assert len(await spool.days(State.TRASH)) == 4
    assert len(below(tmp_path, "spool/done")) == 2 * 4


@pytest_twisted.ensureDeferred
async def test_what_lies_beside_the_jobs_of_an_old_day_goes_with_it(
    spool: Spool, clock: FakeClock, tmp_path: Path
) -> None:
    day = tmp_path / "trash" / "2026-11-01"
    day.mkdir()
    (day / "not a job").mkdir()
    assert await remove_old_days(spool, State.TRASH, spool.today(), DAY_S) == 1
    assert os.listdir(tmp_path / "trash") == []


@pytest_twisted.ensureDeferred
async def test_chores_are_done_again_and_again_and_survive_an_error(
    spool: Spool, disk: FailingDisk, clock: FakeClock, events: list[LogEvent]
) -> None:
    index, job = ResultIndex(), await accept(spool)
    index.add("photo", Kept(job, result(at=clock.now() - timedelta(days=4))))
    await spool.move(job, State.DONE, finished())
    housekeeping = Housekeeping(spool, index, clock, SpoolConfig)
    disk.fail["free_bytes"] = errno.EIO
    await housekeeping.start()
    await until(lambda: clock.timers == 2 and len(index) == 0)
    assert sum("log_failure" in event for event in events) == 1
    disk.fail.clear()
    spool.free_bytes = 0
    clock.advance(MEASURE_EVERY_S)
    await until(lambda: spool.free_bytes > 0 and clock.timers == 2)
    clock.step_wall(40 * DAY_S)
    clock.advance(CLEAN_EVERY_S)
    await until(lambda: clock.timers == 2)
    assert await spool.days(State.DONE) == []
    await housekeeping.stop()
    assert clock.timers == 0


@pytest_twisted.ensureDeferred
async def test_housekeeping_stops_in_the_midst_of_a_chore(spool: Spool, disk: FailingDisk, clock: FakeClock) -> None:
    housekeeping = Housekeeping(spool, ResultIndex(), clock, SpoolConfig)
    disk.hold = "free_bytes"
    await housekeeping.start()
    disk.holding.wait(10)
    stopping = ensureDeferred(housekeeping.stop())
    disk.let_go()
    await stopping
    assert clock.timers == 0
