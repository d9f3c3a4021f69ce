"""The daemon ends at every moment of the write order; the next start finds every promised photo, whole, in one place."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest_twisted

from boothd.base.threads import Threads
from boothd.spool import Disk, Job, State
from boothd.spool.journal import Answered, Attempt, Entry, Finished, Result, read, received
from boothd.spool.spool import mend
from tests.support.clock import FakeClock
from tests.support.disk import RecordingDisk
from tests.support.spools import PHOTO, all_jobs, below, make_spool

ROOT = Path(__file__).parents[2]


def crash_everywhere(tmp_path: Path, scenario: str) -> Sequence[Path]:
    """The homes that are left, one for each moment, and one in which nothing went wrong."""
    script = [sys.executable, "-m", "tests.support.crashes", str(tmp_path), scenario]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    moments = int(done.stdout)
    homes = [tmp_path / str(moment) for moment in range(moments + 1)]
    assert [home.is_dir() for home in homes] == [True] * len(homes)
    return homes


def promises(home: Path) -> list[str]:
    noted = home / "promised"
    return noted.read_text().split() if noted.exists() else []


async def restart(home: Path, threads: Threads, clock: FakeClock) -> None:
    """A fresh spool starts and sweeps; every job that is left is mended."""
    spool = make_spool(home, Disk(), threads, clock, seed=2)
    await spool.start()
    await spool.stop()
    assert below(home, "spool/incoming") == []


def the_job(home: Path) -> tuple[Job, Sequence[Entry]]:
    """The one job of a home, whole; its journal can be read once mended, and written on."""
    (directory,) = [d for d in all_jobs(home) if read_arrival(d) == hashlib.sha256(PHOTO).hexdigest()]
    assert (directory / "source.jpg").read_bytes() == PHOTO
    job = Job(directory.name, directory, State.ACTIVE)
    mend(job, RecordingDisk())
    entries = read(job.journal)
    assert received(entries).sha256 == hashlib.sha256(PHOTO).hexdigest()
    return job, entries


def read_arrival(directory: Path) -> str:
    return received(read(directory / "journal.jsonl")).sha256


def where(job: Job, home: Path) -> str:
    return job.directory.relative_to(home).parts[-3 if "active" not in job.directory.parts else -2]


def check_result(job: Job, entries: Sequence[Entry], *, promised: bool) -> None:
    """A result that is journalled is there, whole."""
    results = [entry for entry in entries if isinstance(entry, Result)]
    assert results or not promised
    for made in results:
        assert hashlib.sha256((job.directory / made.file).read_bytes()).hexdigest() == made.sha256


@pytest_twisted.ensureDeferred
async def test_a_photo_is_promised_and_whole_or_not_there(
    tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    homes = crash_everywhere(tmp_path, "arrive")
    seen = set()
    for home in homes:
        await restart(home, disk_threads, clock)
        jobs = all_jobs(home)
        if "accepted" in promises(home):
            assert len(jobs) == 1
        if jobs:
            job, entries = the_job(home)
            assert (where(job, home), len(entries)) == ("active", 1)
        seen.add((len(jobs), "accepted" in promises(home)))
    assert seen == {(0, False), (1, False), (1, True)}  # before the rename; between it and the promise; after
    assert len(homes) > 20


@pytest_twisted.ensureDeferred
async def test_a_job_is_in_active_or_done_and_what_it_was_promised_is_there(
    tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    places = set()
    for home in crash_everywhere(tmp_path, "finish"):
        await restart(home, disk_threads, clock)
        job, entries = the_job(home)
        place = where(job, home)
        assert any(isinstance(e, Attempt) for e in entries) or "attempt" not in promises(home)
        check_result(job, entries, promised="result" in promises(home))
        assert place == "done" or "done" not in promises(home)
        if place == "done":
            assert isinstance(entries[-2], Answered)
            assert isinstance(entries[-1], Finished)
        places.add(place)
    assert places == {"active", "done"}


@pytest_twisted.ensureDeferred
async def test_a_failed_job_is_in_active_or_trash(tmp_path: Path, disk_threads: Threads, clock: FakeClock) -> None:
    places = set()
    for home in crash_everywhere(tmp_path, "fail"):
        await restart(home, disk_threads, clock)
        job, entries = the_job(home)
        place = where(job, home)
        assert place == "trash" or "trash" not in promises(home)
        if place == "trash":
            assert isinstance(entries[-1], Finished)
            assert sorted(p.name for p in job.directory.iterdir()) == ["journal.jsonl", "source.jpg"]
        places.add(place)
    assert places == {"active", "trash"}


@pytest_twisted.ensureDeferred
async def test_a_retried_job_is_in_trash_active_or_done(
    tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    places = set()
    for home in crash_everywhere(tmp_path, "retry"):
        await restart(home, disk_threads, clock)
        job, entries = the_job(home)
        check_result(job, entries, promised="result" in promises(home))
        places.add(where(job, home))
        assert where(job, home) == "done" or "done" not in promises(home)
    assert places == {"trash", "active", "done"}


@pytest_twisted.ensureDeferred
async def test_a_shared_result_is_there_when_the_journal_says_so(
    tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    for home in crash_everywhere(tmp_path, "share"):
        await restart(home, disk_threads, clock)
        jobs = all_jobs(home)
        assert len(jobs) == 2
        for directory in jobs:
            job = Job(directory.name, directory, State.ACTIVE)
            mend(job, RecordingDisk())
            promised = "result" in promises(home) or directory.parent.name != "active"
            check_result(job, read(job.journal), promised=promised)


@pytest_twisted.ensureDeferred
async def test_a_discarded_upload_is_gone_after_the_next_start(
    tmp_path: Path, disk_threads: Threads, clock: FakeClock
) -> None:
    for home in crash_everywhere(tmp_path, "throw_away"):
        await restart(home, disk_threads, clock)
        assert all_jobs(home) == []
