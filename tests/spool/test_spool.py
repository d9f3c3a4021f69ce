"""A photo's way through the spool: what is written in which order, in which threads, and what a broken disk does."""

import errno
import hashlib
import os
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import LogEvent

from boothd.base.errors import BrokenUpload, DiskFull, NotAPicture, RequestError, SpoolUnhealthy, UnlistedFormat
from boothd.base.threads import Threads
from boothd.spool import Disk, Job, Spool, SpoolInUse, State
from boothd.spool.incoming import HIGH_WATER
from boothd.spool.job import MOVES, ForbiddenMove, is_id, new_id
from boothd.spool.journal import Entry, dump, parse, read
from boothd.spool.spool import DAMAGED_NOTE, mend
from tests.support.clock import FakeClock
from tests.support.deferreds import until
from tests.support.disk import FailingDisk, RecordingDisk
from tests.support.spools import (
    PHOTO,
    PICTURE,
    accept,
    all_jobs,
    answered,
    attempt,
    below,
    ended,
    finished,
    make_spool,
    received_for,
    result,
    write_result,
)

DAY = "2026-11-20"
STATES = sorted(State, key=lambda state: state.value)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


# in


@pytest_twisted.ensureDeferred
async def test_an_accepted_photo_lies_in_active_with_its_journal(spool: Spool, tmp_path: Path) -> None:
    incoming = spool.receive()
    for start in range(0, len(PHOTO), 9_999):
        incoming.write(PHOTO[start : start + 9_999])
    await incoming.close()
    job = await spool.accept(incoming, received_for(incoming))
    assert (job.id, job.state, job.slot) == (incoming.id, State.ACTIVE, "studio-1")
    assert (job.directory / "source.jpg").read_bytes() == PHOTO
    (entry,) = read(job.journal)
    assert entry == received_for(incoming)
    assert incoming.arrived.sha256 == hashlib.sha256(PHOTO).hexdigest()
    assert incoming.arrived.size_bytes == len(PHOTO)
    assert below(tmp_path, "spool/incoming") == []


@pytest_twisted.ensureDeferred
async def test_nothing_is_promised_before_photo_journal_and_names_are_durable(spool: Spool, disk: FailingDisk) -> None:
    job = await accept(spool)
    assert disk.written == [
        ("make_dir", job.id),
        ("create", "source.jpg"),
        ("write", ""),
        ("sync", ""),
        ("append", "journal.jsonl"),
        ("write", ""),
        ("sync", ""),
        ("sync_dir", job.id),
        ("rename", job.id),
        ("sync_dir", "active"),
    ]


@pytest_twisted.ensureDeferred
async def test_nothing_is_on_disk_before_the_first_bytes_are_known(spool: Spool, disk: FailingDisk) -> None:
    incoming = spool.receive()
    incoming.write(PHOTO[:31])
    await incoming.close()
    assert disk.written[:2] == [("make_dir", incoming.id), ("create", "source.jpg")]


@pytest.mark.parametrize(
    ("data", "error"), [(b"<html>" * 20, NotAPicture), (b"GIF89a" + bytes(50), UnlistedFormat), (b"", NotAPicture)]
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_picture_never_touches_the_disk(
    spool: Spool, disk: FailingDisk, data: bytes, error: type[RequestError]
) -> None:
    incoming = spool.receive()
    if data:
        with pytest.raises(error):
            incoming.write(data)
        with pytest.raises(error):  # and it stays what it is
            incoming.write(PHOTO)
    with pytest.raises(error):
        await incoming.close()
    incoming.discard()
    await spool.stop()
    assert [name for name, _ in disk.written if name != "remove_tree"] == []


@pytest_twisted.ensureDeferred
async def test_the_file_is_named_by_what_it_is(spool: Spool) -> None:
    job = await accept(spool, b"\x89PNG\r\n\x1a\n" + bytes(1000))
    assert sorted(os.listdir(job.directory)) == ["journal.jsonl", "source.png"]


@pytest_twisted.ensureDeferred
async def test_the_disk_is_never_touched_in_the_reactors_thread(
    tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    disk = RecordingDisk()
    spool = make_spool(tmp_path, disk, disk_threads, clock)
    await spool.start()
    job, gone = await accept(spool), spool.receive()
    gone.write(PHOTO)
    gone.discard()
    write_result(job)
    await spool.append(job, attempt())
    await spool.keep_file(job, "result.jpg", result())
    other = await accept(spool)
    await spool.link_file(other, "result.jpg", job, "result.jpg", result())
    await spool.move(job, State.DONE, finished())
    await spool.move(other, State.TRASH, finished("x"))
    await spool.quarantine((await accept(spool)).directory, "torn")
    await spool.remove(job.directory)
    await spool.look_for_room()
    await spool.stop()
    assert {step.name for step in disk.steps} >= {"link", "remove_tree", "rename", "sync_file", "free_bytes"}
    assert threading.get_ident() not in {step.thread for step in disk.steps}


@pytest_twisted.ensureDeferred
async def test_a_sender_is_told_to_wait_and_when_to_go_on(spool: Spool, disk: FailingDisk) -> None:
    incoming, resumed = spool.receive(), Deferred[None]()
    incoming.on_drain(lambda: resumed.callback(None))
    disk.hold = "write"
    assert incoming.write(PHOTO[:4000])
    wrote = 4000
    while incoming.write(b"x" * 50_000):
        wrote += 50_000
    wrote += 50_000
    assert HIGH_WATER <= wrote < HIGH_WATER + 100_000
    assert not resumed.called
    disk.let_go()
    await resumed
    assert incoming.write(b"x")
    await incoming.close()
    assert incoming.arrived.size_bytes == wrote + 1
    incoming.discard()


@pytest_twisted.ensureDeferred
async def test_a_whole_file_is_taken_at_once(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO * 30)
    incoming = spool.receive()
    await incoming.copy_from(tmp_path / "photo")
    job = await spool.accept(incoming, received_for(incoming))
    assert (job.directory / "source.jpg").read_bytes() == PHOTO * 30
    assert incoming.arrived.sha256 == hashlib.sha256(PHOTO * 30).hexdigest()


@pytest.mark.parametrize(("data", "error"), [(b"", NotAPicture), (b"GIF89a", UnlistedFormat)])
@pytest_twisted.ensureDeferred
async def test_a_whole_file_that_is_no_picture_is_refused(
    spool: Spool, tmp_path: Path, data: bytes, error: type[RequestError]
) -> None:
    (tmp_path / "photo").write_bytes(data)
    with pytest.raises(error):
        await spool.receive().copy_from(tmp_path / "photo")


@pytest_twisted.ensureDeferred
async def test_a_source_that_cannot_be_read_does_not_make_the_spool_unhealthy(spool: Spool) -> None:
    """It may lie on a stick that was pulled out."""
    incoming = spool.receive()
    with pytest.raises(OSError, match="Input/output error"):
        await incoming.copy_from(Path("/proc/self/mem"))
    with pytest.raises(FileNotFoundError):
        await incoming.copy_from(Path("/nowhere"))
    assert spool.unhealthy is None


# out again


@pytest.mark.parametrize("moment", ["before a byte", "few bytes", "while writing", "closed", "accepted", "twice"])
@pytest_twisted.ensureDeferred
async def test_a_discarded_upload_leaves_nothing(spool: Spool, disk: FailingDisk, tmp_path: Path, moment: str) -> None:
    files = open_files()
    incoming = spool.receive()
    if moment == "few bytes":
        incoming.write(PHOTO[:10])
    if moment == "while writing":
        disk.hold = "write"
        incoming.write(PHOTO)
        incoming.write(PHOTO)
    if moment in {"closed", "accepted", "twice"}:
        incoming.write(PHOTO)
        await incoming.close()
    if moment == "accepted":
        await spool.accept(incoming, received_for(incoming))
    incoming.discard()
    if moment == "twice":
        incoming.discard()
    assert incoming.write(PHOTO)  # what still comes is thrown away
    disk.let_go()
    await spool.stop()
    assert below(tmp_path, "spool/incoming") == []
    assert len(below(tmp_path, "spool/active")) == (3 if moment == "accepted" else 0)
    assert open_files() <= files


@pytest_twisted.ensureDeferred
async def test_a_discarded_upload_cannot_be_accepted(spool: Spool, tmp_path: Path) -> None:
    incoming = spool.receive()
    incoming.write(PHOTO)
    await incoming.close()
    incoming.discard()
    with pytest.raises(BrokenUpload):
        await spool.accept(incoming, received_for(incoming))
    assert below(tmp_path, "spool/active") == []


@pytest_twisted.ensureDeferred
async def test_a_discard_during_the_commit_waits_and_takes_nothing_away(
    spool: Spool, disk: FailingDisk, tmp_path: Path
) -> None:
    incoming = spool.receive()
    incoming.write(PHOTO)
    await incoming.close()
    disk.hold = "sync"
    accepting = ensureDeferred(spool.accept(incoming, received_for(incoming)))
    disk.holding.wait(10)
    incoming.discard()
    disk.let_go()
    job = await accepting
    await spool.stop()
    assert (job.directory / "source.jpg").read_bytes() == PHOTO


# on its way


@pytest_twisted.ensureDeferred
async def test_a_result_is_durable_before_the_journal_says_so(spool: Spool, disk: FailingDisk) -> None:
    job = await accept(spool)
    made = write_result(job)
    disk.steps.clear()
    await spool.keep_file(job, "result.jpg", ended(), made)
    assert disk.written == [
        ("sync_file", "result.jpg"),
        ("sync", ""),
        ("sync_dir", job.id),
        ("append", "journal.jsonl"),
        ("write", ""),
        ("sync", ""),
    ]
    assert list(read(job.journal))[1:] == [ended(), made]


@pytest_twisted.ensureDeferred
async def test_a_result_is_shared_by_a_second_name(spool: Spool, tmp_path: Path) -> None:
    one, two = await accept(spool), await accept(spool)
    write_result(one)
    await spool.move(one, State.DONE, finished())
    (two.directory / "result-2.jpg").write_bytes(b"what a crash left")
    assert await spool.link_file(two, "result-2.jpg", one, "result.jpg", result("result-2.jpg"))
    assert (two.directory / "result-2.jpg").read_bytes() == PICTURE
    assert list(read(two.journal))[1:] == [result("result-2.jpg")]
    await spool.remove(one.directory)
    assert (two.directory / "result-2.jpg").read_bytes() == PICTURE


@pytest_twisted.ensureDeferred
async def test_a_result_that_is_gone_is_not_shared(spool: Spool) -> None:
    one, two = await accept(spool), await accept(spool)
    assert not await spool.link_file(two, "result.jpg", one, "result.jpg", result())
    assert len(read(two.journal)) == 1


@pytest_twisted.ensureDeferred
async def test_a_result_is_shared_while_its_job_is_moving(spool: Spool, disk: FailingDisk) -> None:
    one, two = await accept(spool), await accept(spool)
    write_result(one)
    disk.hold = "renamed"
    moving = ensureDeferred(spool.move(one, State.DONE, finished()))
    disk.holding.wait(10)
    disk.steps.clear()
    sharing = ensureDeferred(spool.link_file(two, "result.jpg", one, "result.jpg", result()))
    await until(lambda: ("unlink", "result.jpg") in disk.written)
    disk.let_go()
    await moving
    assert await sharing


class CopyingDisk(RecordingDisk):
    """A file system without hard links."""

    def link(self, old: Path, new: Path) -> None:
        real = os.link

        def refuse(*args: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links here")

        os.link = refuse  # type: ignore[assignment]
        try:
            super().link(old, new)
        finally:
            os.link = real


def test_where_there_are_no_links_the_copy_is_durable(tmp_path: Path) -> None:
    disk = CopyingDisk()
    (tmp_path / "old").write_bytes(PICTURE)
    disk.link(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == PICTURE
    assert [name for name, _ in disk.written] == ["link", "sync_file", "sync"]


@pytest_twisted.ensureDeferred
async def test_a_finished_job_moves_to_its_day_without_its_scratch_files(
    spool: Spool, disk: FailingDisk, tmp_path: Path
) -> None:
    job = await accept(spool)
    for name in ("answer-1", "answer-2", "upright.jpg"):
        (job.directory / name).write_bytes(b"x")
    write_result(job)
    disk.steps.clear()
    await spool.move(job, State.DONE, answered(), finished())
    assert (job.state, job.directory) == (State.DONE, tmp_path / "spool" / "done" / DAY / job.id)
    assert sorted(os.listdir(job.directory)) == ["journal.jsonl", "result.jpg", "source.jpg"]
    assert list(read(job.journal))[1:] == [answered(), finished()]
    steps = [step for step in disk.written if step[0] not in {"unlink", "write", "sync"}]
    assert steps == [
        ("append", "journal.jsonl"),
        ("make_dir", DAY),
        ("sync_dir", "done"),
        ("rename", job.id),
        ("sync_dir", DAY),
    ]


@pytest_twisted.ensureDeferred
async def test_what_a_slot_does_not_keep_is_dropped(spool: Spool) -> None:
    job = await accept(spool)
    await spool.move(job, State.TRASH, finished("refused"), drop=["source.jpg", "never-there.jpg"])
    assert os.listdir(job.directory) == ["journal.jsonl"]


@pytest_twisted.ensureDeferred
async def test_a_job_in_the_trash_can_be_tried_again(spool: Spool, tmp_path: Path) -> None:
    job = await accept(spool)
    await spool.move(job, State.TRASH, finished("refused"))
    await spool.move(job, State.ACTIVE)
    assert (job.state, job.directory.parent) == (State.ACTIVE, tmp_path / "spool" / "active")
    assert list(read(job.journal))[1:] == [finished("refused")]
    await spool.move(job, State.DONE, finished())
    assert len(read(job.journal)) == 3


@pytest_twisted.ensureDeferred
async def test_jobs_are_listed_by_state_and_day(spool: Spool, clock: FakeClock, tmp_path: Path) -> None:
    jobs = []
    for _ in range(3):
        jobs.append(await accept(spool))
        clock.advance(1)
    assert [job.id for job in await spool.active()] == [job.id for job in jobs]
    await spool.move(jobs[0], State.DONE, finished())
    clock.advance(86_400)
    await spool.move(jobs[1], State.DONE, finished())
    await spool.move(jobs[2], State.TRASH, finished("x"))
    for stray in ("20261120", "notes", ".DS_Store"):
        (tmp_path / "spool" / "done" / stray).mkdir()
    (tmp_path / "spool" / "done" / DAY / "notes").mkdir()
    first, second = date(2026, 11, 20), date(2026, 11, 21)
    assert await spool.days(State.DONE) == [first, second]
    assert await spool.days(State.TRASH) == [second]
    assert [job.id for job in await spool.jobs_of(State.DONE, first)] == [jobs[0].id]
    assert [job.directory for job in await spool.jobs_of(State.TRASH, second)] == [jobs[2].directory]
    assert await spool.jobs_of(State.TRASH, first) == []


@pytest_twisted.ensureDeferred
async def test_listeners_are_told_of_every_entry_and_cannot_undo_it(spool: Spool, events: list[LogEvent]) -> None:
    told: list[Entry] = []

    def fail(job: Job, entries: Sequence[Entry]) -> None:
        raise ZeroDivisionError

    spool.journaled += [fail, lambda job, entries: told.extend(entries)]
    job = await accept(spool)
    await spool.append(job, attempt())
    await spool.move(job, State.DONE, finished())
    assert told == list(read(job.journal))
    assert sum("log_failure" in event for event in events) == 3


@pytest_twisted.ensureDeferred
async def test_an_entry_that_comes_while_the_job_moves_goes_along(spool: Spool, disk: FailingDisk) -> None:
    job = await accept(spool)
    disk.hold = "rename"
    moving = ensureDeferred(spool.move(job, State.DONE, finished()))
    disk.holding.wait(10)
    appending = ensureDeferred(spool.append(job, answered()))
    disk.let_go()
    await moving
    await appending
    assert list(read(job.journal))[1:] == [finished(), answered()]


@pytest_twisted.ensureDeferred
async def test_a_write_whose_caller_is_cancelled_is_told_of_all_the_same(spool: Spool, disk: FailingDisk) -> None:
    told: list[Entry] = []
    job = await accept(spool)
    spool.journaled.append(lambda job, entries: told.extend(entries))
    disk.hold = "append"
    appending = ensureDeferred(spool.append(job, attempt()))
    disk.holding.wait(10)
    appending.cancel()
    disk.let_go()
    with pytest.raises(CancelledError):
        await appending
    assert told == [attempt()] == list(read(job.journal))[1:]


# the table of moves


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_the_table_lets_no_job_out_of_done_nor_back_into_incoming(path: list[State]) -> None:
    state = State.INCOMING
    for to in path:
        if to in MOVES[state]:
            assert to is not State.INCOMING
            assert state is not State.DONE
            state = to


@pytest_twisted.ensureDeferred
async def test_a_job_goes_only_where_the_table_says(spool: Spool, disk: FailingDisk, tmp_path: Path) -> None:
    random = Random(3)
    for _ in range(12):
        job = await accept(spool)
        for _ in range(6):
            to, before = random.choice(STATES), (job.state, job.directory)
            if to in MOVES[job.state]:
                await spool.move(job, to, finished())
                assert job.state is to
                assert job.journal.is_file()
                continue
            disk.steps.clear()
            tree = below(tmp_path, "spool", "trash")
            with pytest.raises(ForbiddenMove):
                await spool.move(job, to, finished())
            assert (job.state, job.directory) == before
            assert ([name for name, _ in disk.written], below(tmp_path, "spool", "trash")) == ([], tree)


@pytest_twisted.ensureDeferred
async def test_of_two_moves_at_once_one_wins(spool: Spool, disk: FailingDisk, tmp_path: Path) -> None:
    job = await accept(spool)
    disk.hold = "rename"
    first = ensureDeferred(spool.move(job, State.DONE, finished()))
    disk.holding.wait(10)
    second = ensureDeferred(spool.move(job, State.TRASH, finished("x")))
    disk.let_go()
    await first
    with pytest.raises(ForbiddenMove):
        await second
    assert all_jobs(tmp_path) == [job.directory]
    assert list(read(job.journal))[1:] == [finished()]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()), st.integers())  # noqa: DTZ001
def test_ids_are_ids_and_sort_by_time(at: datetime, seed: int) -> None:
    one = new_id(at, Random(seed))
    assert is_id(one)
    later = new_id(datetime.fromtimestamp(at.timestamp() + 0.002, UTC), Random(seed + 1))
    assert one < later


@pytest.mark.parametrize("name", ["", "damaged.txt", "20261120T174512.439-7f3a9", "20261120T174512.439-7f3a9c\n", ".."])
def test_other_names_are_no_ids(name: str) -> None:
    assert not is_id(name)


# a broken disk


@pytest.mark.parametrize("step", ["sync", "sync_dir"])
@pytest_twisted.ensureDeferred
async def test_a_failed_fsync_refuses_the_photo_for_good(
    spool: Spool, disk: FailingDisk, tmp_path: Path, step: str
) -> None:
    incoming = spool.receive()
    incoming.write(PHOTO)
    await incoming.close()
    disk.fail[step] = errno.EIO
    with pytest.raises(SpoolUnhealthy):
        await spool.accept(incoming, received_for(incoming))
    disk.fail.clear()
    disk.steps.clear()
    assert spool.unhealthy == os.strerror(errno.EIO)
    with pytest.raises(SpoolUnhealthy):
        spool.check_room(0)
    with pytest.raises(SpoolUnhealthy):
        await spool.accept(incoming, received_for(incoming))
    incoming.discard()
    await spool.look_for_room()
    assert "sync" not in {name for name, _ in disk.written}
    assert spool.unhealthy
    await spool.stop()
    assert below(tmp_path, "spool/incoming", "spool/active") == []


@pytest.mark.parametrize("step", ["sync", "sync_dir"])
@pytest_twisted.ensureDeferred
async def test_a_job_whose_fsync_failed_is_never_written_again(spool: Spool, disk: FailingDisk, step: str) -> None:
    job, other = await accept(spool), await accept(spool)
    write_result(job)
    disk.fail[step] = errno.EIO
    with pytest.raises(SpoolUnhealthy):
        await spool.keep_file(job, "result.jpg", ended(), result())
    disk.fail.clear()
    disk.steps.clear()
    for write in (
        spool.append(job, answered()),
        spool.keep_file(job, "result.jpg", result()),
        spool.move(job, State.TRASH, finished("x")),
    ):
        with pytest.raises(SpoolUnhealthy):
            await write
    assert disk.written == []
    assert job.state is State.ACTIVE
    assert len(read(job.journal)) == 1
    await spool.move(other, State.TRASH, finished("x"))  # its own files are sound
    assert other.state is State.TRASH


@pytest_twisted.ensureDeferred
async def test_a_failed_fsync_is_never_taken_for_a_full_disk(spool: Spool, disk: FailingDisk) -> None:
    job = await accept(spool)
    disk.fail["sync"] = errno.ENOSPC
    with pytest.raises(SpoolUnhealthy):
        await spool.move(job, State.DONE, finished())
    assert job.state is State.ACTIVE


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
@pytest_twisted.ensureDeferred
async def test_an_io_error_while_an_upload_is_written_makes_the_spool_unhealthy(
    spool: Spool, disk: FailingDisk, number: int
) -> None:
    incoming, resumed = spool.receive(), list[int]()
    incoming.on_drain(lambda: resumed.append(1))
    disk.fail["write"] = number
    incoming.write(PHOTO)
    with pytest.raises(SpoolUnhealthy):
        await incoming.close()
    with pytest.raises(SpoolUnhealthy):
        incoming.write(PHOTO)
    assert resumed  # a sender that waited comes back and is told
    incoming.discard()


@pytest_twisted.ensureDeferred
async def test_an_upload_that_misses_bytes_for_whatever_reason_is_not_accepted(
    spool: Spool, disk: FailingDisk, tmp_path: Path, events: list[LogEvent]
) -> None:
    incoming = spool.receive()
    disk.fail["create"] = errno.EMFILE
    incoming.write(PHOTO)
    with pytest.raises(OSError, match="Too many open files"):
        await incoming.close()
    disk.fail.clear()
    with pytest.raises(OSError, match="Too many open files"):
        incoming.write(PHOTO)
    with pytest.raises(OSError, match="Too many open files"):
        await incoming.close()
    incoming.discard()
    await spool.stop()
    assert spool.unhealthy is None
    assert below(tmp_path, "spool/incoming") == []
    assert sum("log_failure" in event for event in events) == 1


# a full disk


@pytest_twisted.ensureDeferred
async def test_a_full_disk_refuses_the_upload_and_is_used_again_once_there_is_room(
    spool: Spool, disk: FailingDisk, tmp_path: Path
) -> None:
    incoming = spool.receive()
    disk.fill()
    incoming.write(PHOTO)
    with pytest.raises(DiskFull):
        await incoming.close()
    incoming.discard()
    disk.make_room()
    await spool.look_for_room()
    spool.check_room(len(PHOTO))
    assert spool.unhealthy is None
    assert (await accept(spool)).state is State.ACTIVE
    await spool.stop()
    assert below(tmp_path, "spool/incoming") == []


@pytest_twisted.ensureDeferred
async def test_a_disk_that_fills_up_at_the_journal_promises_nothing(
    spool: Spool, disk: FailingDisk, tmp_path: Path
) -> None:
    incoming = spool.receive()
    incoming.write(PHOTO)
    await incoming.close()
    disk.fill()
    with pytest.raises(DiskFull):
        await spool.accept(incoming, received_for(incoming))
    incoming.discard()
    await spool.stop()
    assert below(tmp_path, "spool/incoming", "spool/active") == []


@pytest_twisted.ensureDeferred
async def test_a_line_that_did_not_fit_does_not_spoil_the_next_one(spool: Spool, disk: FailingDisk) -> None:
    job = await accept(spool)
    disk.fill()
    with pytest.raises(DiskFull):
        await spool.append(job, attempt())
    disk.make_room()
    await spool.append(job, ended())
    assert list(read(job.journal))[1:] == [ended()]


@pytest_twisted.ensureDeferred
async def test_a_job_moves_although_its_last_lines_do_not_fit(
    spool: Spool, disk: FailingDisk, events: list[LogEvent]
) -> None:
    job = await accept(spool)
    disk.fill()
    await spool.move(job, State.TRASH, finished("disk-full"))
    assert job.state is State.TRASH
    assert len(read(job.journal)) == 1
    assert any("too full for its journal" in str(event.get("log_format")) for event in events)


@pytest_twisted.ensureDeferred
async def test_no_upload_is_taken_below_the_floor(tmp_path: Path, disk_threads: Threads, clock: FakeClock) -> None:
    floor = 0
    spool = Spool(
        tmp_path / "spool",
        tmp_path / "trash",
        disk=Disk(),
        threads=disk_threads,
        clock=clock,
        random=Random(1),
        day_of=lambda when: when.date(),
        floor_bytes=lambda: floor,
    )
    with pytest.raises(DiskFull):  # before it is measured
        spool.check_room(1)
    await spool.start()
    spool.check_room(1)
    floor = spool.free_bytes - 10
    spool.check_room(10)
    with pytest.raises(DiskFull):
        spool.check_room(11)
    await spool.stop()


# its start


@pytest_twisted.ensureDeferred
async def test_one_boothd_works_on_a_spool(
    spool: Spool, tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    writing = spool.receive()
    writing.write(PHOTO)
    await writing.close()
    second = make_spool(tmp_path, Disk(), disk_threads, clock)
    with pytest.raises(SpoolInUse):
        await second.start()
    assert len(below(tmp_path, "spool/incoming")) == 2  # nothing of the first one was swept
    await second.stop()
    with pytest.raises(SpoolInUse):
        await second.start()
    writing.discard()
    await spool.stop()
    await second.start()
    await second.stop()


@pytest_twisted.ensureDeferred
async def test_a_start_sweeps_what_never_arrived(tmp_path: Path, disk_threads: Threads, clock: FakeClock) -> None:
    incoming = tmp_path / "spool" / "incoming"
    (incoming / "20261120T174512.439-7f3a9c").mkdir(parents=True)
    (incoming / "20261120T174512.439-7f3a9c" / "source.jpg").write_bytes(PHOTO)
    (incoming / ".DS_Store").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_bytes(b"x")
    (incoming / "link").symlink_to(tmp_path / "elsewhere")
    spool = make_spool(tmp_path, Disk(), disk_threads, clock)
    await spool.start()
    assert below(tmp_path, "spool/incoming") == []
    assert (tmp_path / "elsewhere" / "precious").exists()
    await spool.stop()


@pytest_twisted.ensureDeferred
async def test_a_start_that_fails_lets_the_spool_go(tmp_path: Path, disk_threads: Threads, clock: FakeClock) -> None:
    disk = FailingDisk()
    disk.fail["remove_tree"] = errno.EACCES
    (tmp_path / "spool" / "incoming" / "x").mkdir(parents=True)
    spool = make_spool(tmp_path, disk, disk_threads, clock)
    with pytest.raises(PermissionError):
        await spool.start()
    disk.fail.clear()
    again = make_spool(tmp_path, disk, disk_threads, clock)
    await again.start()
    await again.stop()


@pytest_twisted.ensureDeferred
async def test_whatever_lies_in_active_is_listed_so_that_it_is_judged(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "spool" / "active" / "what is this").mkdir()
    assert [job.id for job in await spool.active()] == ["what is this"]


@pytest_twisted.ensureDeferred
async def test_what_is_damaged_goes_to_the_trash_with_a_note(spool: Spool, tmp_path: Path) -> None:
    job = await accept(spool)
    await spool.quarantine(job.directory, "line 2 of the journal: ...")
    place = tmp_path / "trash" / DAY / job.id
    assert (place / DAMAGED_NOTE).read_text() == "line 2 of the journal: ...\n"
    assert (place / "source.jpg").read_bytes() == PHOTO
    job.directory.mkdir()
    await spool.quarantine(job.directory, "a second one of that name")
    assert sorted(os.listdir(place.parent)) == [job.id, f"{job.id}-1"]


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_no_job_goes_to_the_trash_as_it_is(spool: Spool, tmp_path: Path) -> None:
    stray = tmp_path / "spool" / "active" / ".DS_Store"
    stray.write_bytes(b"x")
    await spool.quarantine(stray, "not a job")
    assert (tmp_path / "trash" / DAY / ".DS_Store").read_bytes() == b"x"


@pytest_twisted.ensureDeferred
async def test_a_torn_journal_is_mended_and_goes_on(spool: Spool, disk: FailingDisk) -> None:
    job = await accept(spool)
    whole = job.journal.read_bytes()
    for torn in (dump([attempt()])[:-1], b"\0" * 40, b"{"):
        job.journal.write_bytes(whole + torn)
        mend(job, disk)
        assert job.journal.read_bytes() == whole
    disk.steps.clear()
    mend(job, disk)
    assert disk.written == []
    await spool.append(job, ended())
    assert parse(job.journal.read_bytes())[0][1:] == [ended()]
