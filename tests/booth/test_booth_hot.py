"""Hot folders: which files are taken, when, and where their pictures and failures go."""

import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.logger import LogEvent

from boothd.base.errors import Refused
from boothd.base.threads import Threads
from boothd.base.units import size_text
from boothd.booth.hot import AT_ONCE, HotFolders
from boothd.booth.slots import SlotBook
from boothd.spool import State
from boothd.spool.journal import Answered, Finished, Received, read
from tests.booth.booth_support import PHOTO, Booth, FakeProvider, kinds, last, live_slot, picture, run

OpenBooth = Callable[..., Booth]


class Events:
    """What the watch's thread wants to have called in the reactor's; the test calls it."""

    def __init__(self) -> None:
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()

    def callFromThread(self, call: Callable[..., None], *args: Any) -> None:
        self._calls.put(lambda: call(*args))

    def next(self) -> None:
        """Wait for one, and call it."""
        self._calls.get(timeout=20)()


class Hot:
    """A booth with hot folders."""

    def __init__(self, booth: Booth) -> None:
        self.booth, self.events = booth, Events()
        self.folder = booth.home.spool / "hot" / "fake-1"
        self.out, self.failed = self.folder / "out", self.folder / "failed"
        self.folders = HotFolders(
            booth.home.spool / "hot",
            booth.desk,
            reactor=self.events,
            clock=booth.clock,
            threads=cast(Threads, booth.threads),
        )

    def drop(self, name: str | bytes, data: bytes = PHOTO) -> Path:
        """Put a file into the folder, and look."""
        path = self.folder / os.fsdecode(name)
        path.write_bytes(data)
        self.folders._look_soon()
        return path

    def settle(self) -> None:
        """Let the settling time pass, twice."""
        self.booth.time.pump([1, 1])

    def lying(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.fixture
def open_hot(open_booth: OpenBooth) -> Iterator[Callable[..., Hot]]:
    opened: list[Hot] = []

    def start(*providers: Any, **config: Any) -> Hot:
        opened.append(Hot(open_booth(*providers, **config)))
        run(opened[-1].folders.start())
        return opened[-1]

    yield start
    for hot in opened:
        run(hot.folders.stop())


OpenHot = Callable[..., Hot]


def test_a_photo_comes_out_under_its_name(open_hot: OpenHot) -> None:
    hot = open_hot()
    dropped = hot.drop("bride.jpg")
    hot.settle()
    assert not dropped.exists()
    assert hot.lying(hot.out) == ["bride.jpg"]
    directory, entries = hot.booth.only_job(State.DONE)
    assert (hot.out / "bride.jpg").read_bytes() == (directory / "result.jpg").read_bytes()
    assert kinds(entries) == ["received", "attempt", "result", "attempt-ended", "answered", "finished"]
    came = last(entries, Received)
    assert (came.room, came.slot, came.name) == ("hot", "fake-1", "bride.jpg")
    assert last(entries, Answered).status == 200


def test_the_watch_tells_of_a_photo(open_hot: OpenHot) -> None:
    hot = open_hot()
    (hot.folder / "bride.jpg").write_bytes(PHOTO)
    while not (hot.out / "bride.jpg").exists():
        hot.events.next()
        hot.booth.time.pump([0.2, 1, 1])


def test_a_photo_that_lies_there_at_the_start_is_taken(open_booth: OpenBooth) -> None:
    hot = Hot(open_booth())
    hot.folder.mkdir(parents=True)
    (hot.folder / "bride.jpg").write_bytes(PHOTO)
    run(hot.folders.start())
    hot.settle()
    assert hot.lying(hot.out) == ["bride.jpg"]
    run(hot.folders.stop())


def test_a_file_is_taken_once_it_has_stood_still(open_hot: OpenHot) -> None:
    hot = open_hot(hot={"settle": 3})
    path = hot.drop("bride.jpg", PHOTO[:100])
    for size in (200, 300, 400):
        hot.booth.time.advance(2.9)
        path.write_bytes(PHOTO[:size])
    hot.booth.time.advance(2.9)
    path.write_bytes(PHOTO)
    hot.booth.time.advance(2.9)
    assert not hot.booth.jobs(State.DONE)
    assert not hot.booth.jobs(State.ACTIVE)
    hot.booth.time.pump([3, 3])
    directory, _ = hot.booth.only_job(State.DONE)
    assert (directory / "source.jpg").read_bytes() == PHOTO


def test_a_file_that_grows_while_it_is_read_is_not_taken_yet(open_hot: OpenHot) -> None:
    hot = open_hot()
    path = hot.drop("bride.jpg", PHOTO[:200])
    hot.booth.time.advance(0.5)
    hot.booth.threads.hold = True
    hot.booth.time.advance(0.6)  # it has stood still, and is about to be read
    path.write_bytes(PHOTO)
    for _ in range(20):
        hot.booth.threads.release()
    hot.settle()
    directory, _ = hot.booth.only_job(State.DONE)
    assert (directory / "source.jpg").read_bytes() == PHOTO


def test_a_new_photo_under_the_same_name_is_not_removed_with_the_old_one(open_hot: OpenHot) -> None:
    hot = open_hot(FakeProvider(holding=True))
    hot.drop("IMG_0001.JPG")
    hot.settle()
    other = picture(colour="blue")
    hot.drop("IMG_0001.JPG", other)
    hot.booth.provider.let_go()
    hot.settle()
    assert hot.lying(hot.out) == ["IMG_0001-2.jpg", "IMG_0001.jpg"]
    assert hot.booth.provider.photos == [PHOTO, other]


def test_a_photo_replaced_before_it_is_removed_stays(open_hot: OpenHot) -> None:
    hot = open_hot()
    other = picture(colour="blue")
    path = hot.drop("IMG_0001.JPG")
    accept = hot.booth.spool.accept

    async def replaced_meanwhile(*args: Any) -> Any:
        accepted = await accept(*args)
        hot.booth.spool.accept = accept  # type: ignore[method-assign]
        path.write_bytes(other)
        return accepted

    hot.booth.spool.accept = replaced_meanwhile  # type: ignore[method-assign, assignment]
    hot.settle()
    hot.settle()
    assert hot.booth.provider.photos == [PHOTO, other]


def test_results_of_the_same_name_stand_beside_each_other(open_hot: OpenHot) -> None:
    hot = open_hot()
    for colour in ("red", "green", "blue"):
        hot.drop("bride.jpg", picture(colour=colour))
        hot.settle()
    assert hot.lying(hot.out) == ["bride-2.jpg", "bride-3.jpg", "bride.jpg"]


def test_a_failure_lies_in_failed_with_the_reason_beside_it(open_hot: OpenHot) -> None:
    hot = open_hot(FakeProvider(fails=[Refused("No celebrities.")]))
    hot.drop("bride.jpg")
    hot.settle()
    assert hot.lying(hot.failed) == ["bride.jpg", "bride.jpg.txt"]
    assert (hot.failed / "bride.jpg").read_bytes() == PHOTO
    assert (hot.failed / "bride.jpg.txt").read_text() == "No celebrities.\n"
    _, entries = hot.booth.only_job(State.TRASH)
    assert (last(entries, Answered).code, last(entries, Finished).code) == ("refused", "refused")


def test_failures_of_the_same_name_stand_beside_each_other(open_hot: OpenHot) -> None:
    hot = open_hot(FakeProvider(fails=[Refused("one"), Refused("two")]))
    for _ in range(2):
        hot.drop("bride.jpg")
        hot.settle()
    assert hot.lying(hot.failed) == ["bride-2.jpg", "bride-2.jpg.txt", "bride.jpg", "bride.jpg.txt"]


def test_a_slot_that_keeps_no_failures_still_gives_the_photo_back(open_hot: OpenHot) -> None:
    hot = open_hot(FakeProvider(fails=[Refused()]), slots=[live_slot(keep_failures=False)])
    hot.drop("bride.jpg")
    hot.settle()
    assert (hot.failed / "bride.jpg").read_bytes() == PHOTO
    assert [path.name for path in hot.booth.jobs(State.TRASH)[0].iterdir()] == ["journal.jsonl"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "The file is not a picture."),
        (b"this is a text, not a photo, whatever its name says", "The file is not a picture."),
        (b"GIF89a" + bytes(100), "This picture format is not taken. Send JPEG, PNG, WebP or HEIC."),
        (b"\xff\xd8\xff" + b"x" * 100, "The file begins like a picture but is broken."),
        (PHOTO + bytes(100_000), f"The file has {size_text(len(PHOTO) + 100_000)}; boothd takes at most 49 KiB."),
        (picture("PNG", (3000, 100)), "The picture has 3000×100 pixels; boothd takes at most 0 megapixels."),
    ],
)
def test_what_cannot_be_taken_lies_in_failed_and_in_no_spool(open_hot: OpenHot, data: bytes, reason: str) -> None:
    hot = open_hot(upload={"max_size": 50_000, "max_pixels": 100_000})
    dropped = hot.drop("bride.jpg", data)
    hot.settle()
    assert not dropped.exists()
    assert (hot.failed / "bride.jpg").read_bytes() == data
    assert (hot.failed / "bride.jpg.txt").read_text() == reason + "\n"
    assert not [job for state in State for job in hot.booth.jobs(state)]


@pytest.mark.parametrize(
    "name", [".hidden.jpg", "bride.jpg.part", "bride.tmp", "bride.jpg~", "notes.TXT", "x.crdownload", "a.filepart"]
)
def test_what_is_no_photo_by_its_name_is_left_alone(open_hot: OpenHot, name: str) -> None:
    hot = open_hot()
    dropped = hot.drop(name)
    hot.settle()
    assert dropped.read_bytes() == PHOTO
    assert not [job for state in State for job in hot.booth.jobs(state)]


def test_folders_and_links_are_left_alone(open_hot: OpenHot, tmp_path: Path) -> None:
    hot = open_hot()
    (hot.folder / "album").mkdir()
    (hot.folder / "album" / "bride.jpg").write_bytes(PHOTO)
    (tmp_path / "elsewhere.jpg").write_bytes(PHOTO)
    (hot.folder / "link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    os.mkfifo(hot.folder / "pipe.jpg")
    hot.folders._look_soon()
    hot.settle()
    assert not [job for state in State for job in hot.booth.jobs(state)]


def test_a_file_that_is_taken_away_while_it_is_looked_at_is_no_error(open_hot: OpenHot, events: list[LogEvent]) -> None:
    hot = open_hot()
    path = hot.drop("bride.jpg")
    hot.booth.time.advance(0.5)
    hot.booth.threads.hold = True
    hot.booth.time.advance(0.6)
    path.unlink()
    for _ in range(20):
        hot.booth.threads.release()
    hot.settle()
    assert not [job for state in State for job in hot.booth.jobs(state)]
    assert not hot.lying(hot.failed)
    assert not [event for event in events if "log_failure" in event]


def test_a_full_disk_makes_photos_wait_where_they_lie(open_hot: OpenHot) -> None:
    hot = open_hot(spool={"floor": 1000})
    hot.booth.spool.free_bytes = 0
    dropped = hot.drop("bride.jpg")
    hot.booth.time.pump([1] * 30)
    assert dropped.exists()
    assert not hot.lying(hot.failed)
    hot.booth.spool.free_bytes = 1 << 30
    hot.booth.time.pump([1] * 8)
    assert hot.lying(hot.out) == ["bride.jpg"]


def test_a_disk_that_is_full_while_a_photo_is_copied_loses_nothing(open_hot: OpenHot) -> None:
    hot = open_hot()
    disk = hot.booth.spool.disk
    write = disk.write

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    disk.write = full  # type: ignore[method-assign, assignment]
    dropped = hot.drop("bride.jpg")
    hot.booth.time.pump([1] * 8)
    assert dropped.read_bytes() == PHOTO
    assert not hot.booth.jobs(State.INCOMING)
    disk.write = write  # type: ignore[method-assign]
    hot.booth.time.pump([1] * 8)
    assert hot.lying(hot.out) == ["bride.jpg"]


def test_an_out_folder_that_cannot_be_written_is_waited_for(open_hot: OpenHot) -> None:
    hot = open_hot()
    hot.out.rmdir()
    hot.out.symlink_to("a disk that is not plugged in")
    hot.drop("bride.jpg")
    hot.booth.time.pump([1] * 12)
    assert hot.booth.jobs(State.ACTIVE)
    hot.out.unlink()
    hot.booth.time.pump([1] * 6)
    assert hot.lying(hot.out) == ["bride.jpg"]
    hot.booth.only_job(State.DONE)


def test_a_failed_folder_that_cannot_be_written_is_waited_for(open_hot: OpenHot) -> None:
    hot = open_hot()
    hot.failed.rmdir()
    hot.failed.symlink_to("a disk that is not plugged in")
    dropped = hot.drop("bride.jpg", b"no picture")
    hot.booth.time.pump([1] * 12)
    assert dropped.exists()
    hot.failed.unlink()
    hot.booth.time.pump([1] * 8)
    assert hot.lying(hot.failed) == ["bride.jpg", "bride.jpg.txt"]


def test_no_more_than_eight_are_worked_on_at_once(open_hot: OpenHot) -> None:
    hot = open_hot(FakeProvider(holding=True))
    hot.booth.services["fake"].turns.size = 100
    for number in range(AT_ONCE + 3):
        hot.drop(f"{number:02d}.jpg", picture(size=(60 + number, 40)))
    hot.settle()
    assert len(hot.booth.jobs(State.ACTIVE)) == len(hot.booth.provider.calls) == AT_ONCE
    assert len(hot.lying(hot.folder)) == 3
    hot.booth.provider.let_go()
    hot.settle()
    assert len(hot.lying(hot.out)) == AT_ONCE + 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"M\xe4dchen.jpg", "M�dchen.jpg"),
        ("Mädchen.jpg".encode(), "Mädchen.jpg"),
        ("Девочка.jpg".encode(), "Девочка.jpg"),
        (b"a\nb\tc.jpg", "a\nb\tc.jpg"),
        (b"C:\\photos\\1.jpg", "C:\\photos\\1.jpg"),
        (b"no ending", "no ending.jpg"),
    ],
)
def test_any_name_works(open_hot: OpenHot, name: bytes, text: str) -> None:
    hot = open_hot()
    hot.drop(name)
    hot.settle()
    assert hot.lying(hot.out) == [text]
    assert not hot.lying(hot.folder)
    _, entries = hot.booth.only_job(State.DONE)
    assert Path(last(entries, Received).name).stem == Path(text).stem


@pytest.mark.parametrize("name", [b"\xe4" * 251 + b".jpg", "Ж".encode() * 125 + b".jpg", b"x" * 255])
@pytest.mark.parametrize("fails", [False, True])
def test_the_longest_names_work(open_hot: OpenHot, name: bytes, fails: bool) -> None:
    hot = open_hot(FakeProvider(fails=[Refused(), Refused()] if fails else []))
    for colour in ("red", "blue"):
        hot.drop(name, picture(colour=colour))
        hot.settle()
    assert not hot.lying(hot.folder)
    assert len(hot.lying(hot.failed if fails else hot.out)) == (4 if fails else 2)


def test_names_that_become_the_same_text_are_kept_apart(open_hot: OpenHot) -> None:
    hot = open_hot()
    hot.drop(b"\xe4.jpg", picture(colour="red"))
    hot.drop(b"\xe5.jpg", picture(colour="blue"))
    hot.settle()
    assert hot.lying(hot.out) == ["�-2.jpg", "�.jpg"]


def test_a_new_slot_gets_its_folder_and_an_old_one_is_not_looked_at(open_hot: OpenHot) -> None:
    hot = open_hot()
    hot.booth.slots = SlotBook({s.id: s for s in (live_slot(enabled=False), live_slot(number=2))})
    hot.folders.refresh()
    old = hot.drop("bride.jpg")
    new = hot.booth.home.spool / "hot" / "fake-2"
    (new / "bride.jpg").write_bytes(PHOTO)
    hot.folders._look_soon()
    hot.settle()
    assert old.exists()
    assert hot.lying(new / "out") == ["bride.jpg"]


def test_changes_that_come_one_upon_the_other_leave_one_watch(open_hot: OpenHot) -> None:
    import threading

    hot = open_hot()
    before = threading.active_count()
    hot.booth.threads.hold = True
    for _ in range(5):
        hot.folders.refresh()
    while hot.booth.threads._held:
        hot.booth.threads.release()
        hot.booth.threads.hold = True
    hot.booth.threads.release()
    assert threading.active_count() == before


def test_without_hot_folders_none_are_made(open_hot: OpenHot) -> None:
    hot = open_hot(hot={"enabled": False})
    assert not hot.folder.exists()


def test_a_photo_under_way_at_the_stop_is_finished_after_the_next_start(open_booth: OpenBooth) -> None:
    hot = Hot(open_booth(FakeProvider(holding=True)))
    run(hot.folders.start())
    hot.drop("bride.jpg")
    hot.settle()
    run(hot.folders.stop())
    run(hot.booth.engine.stop())
    hot.booth.crash()
    again = Hot(open_booth())
    again.booth.recover({"hot": again.folders})
    run(again.folders.start())
    assert again.lying(again.out) == ["bride.jpg"]
    assert not hot.lying(hot.folder)
    again.booth.only_job(State.DONE)
    run(again.folders.stop())


def test_an_evenings_budget_is_its_own(open_hot: OpenHot) -> None:
    hot = open_hot(FakeProvider(holding=True), hot={"budget": "5m"}, budget={"total": 48})
    hot.drop("bride.jpg")
    hot.settle()
    hot.booth.time.pump([1] * 200)
    assert hot.booth.jobs(State.ACTIVE)
    hot.booth.time.pump([1] * 100)
    (directory,) = hot.booth.jobs(State.TRASH)
    assert last(read(directory / "journal.jsonl"), Finished).code == "out-of-time"
    assert "not ready in time" in (hot.failed / "bride.jpg.txt").read_text()
