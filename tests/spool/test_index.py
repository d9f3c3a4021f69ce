"""Which results are known."""

from datetime import timedelta
from pathlib import Path

from boothd.spool import Job, Kept, ResultIndex, State
from tests.support.spools import AT, result


def kept(name: str, minutes: int = 0, slot: str = "studio-1", revision: str = "r1") -> Kept:
    job = Job(name, Path("done") / name, State.DONE, slot)
    return Kept(job, result("result.jpg", at=AT + timedelta(minutes=minutes), revision=revision))


def test_a_result_is_found_by_photo_and_preset_revision() -> None:
    index, one = ResultIndex(), kept("one")
    index.add("photo", one)
    assert index.find("photo", "r1") is one
    assert one.path == Path("done/one/result.jpg")
    assert index.find("photo", "r2") is None
    assert index.find("another", "r1") is None
    assert len(index) == 1


def test_a_result_follows_its_job_when_that_moves() -> None:
    index, one = ResultIndex(), kept("one")
    index.add("photo", one)
    one.job.directory = Path("elsewhere")
    assert one.path == Path("elsewhere/result.jpg")


def test_the_newest_result_counts_in_whatever_order_they_are_added() -> None:
    index, old, new = ResultIndex(), kept("old"), kept("new", 5)
    for one in (new, old):
        index.add("photo", one)
    assert index.find("photo", "r1") is new
    assert index.last_of("studio-1") is new
    index.add("photo", newest := kept("newest", 6))
    assert (index.find("photo", "r1"), index.last_of("studio-1"), len(index)) == (newest, newest, 1)


def test_every_slot_has_its_last_result() -> None:
    index, one, two = ResultIndex(), kept("one"), kept("two", slot="studio-2")
    index.add("a", one)
    index.add("b", two)
    assert (index.last_of("studio-1"), index.last_of("studio-2")) == (one, two)
    assert index.last_of("studio-3") is None


def test_a_result_that_is_gone_is_forgotten() -> None:
    index = ResultIndex()
    index.add("photo", kept("one"))
    index.forget("photo", "r1")
    index.forget("photo", "r1")
    assert (index.find("photo", "r1"), index.last_of("studio-1"), len(index)) == (None, None, 0)


def test_forgetting_an_older_result_leaves_the_slots_last() -> None:
    index, last = ResultIndex(), kept("last", 5)
    index.add("a", kept("first"))
    index.add("b", last)
    index.forget("a", "r1")
    assert index.last_of("studio-1") is last


def test_what_is_older_than_a_moment_is_dropped() -> None:
    index = ResultIndex()
    for minute in range(10):
        index.add(f"photo{minute}", kept(f"job{minute}", minute))
    index.forget_before(AT + timedelta(minutes=7))
    assert [index.find(f"photo{minute}", "r1") is not None for minute in range(10)] == [False] * 7 + [True] * 3
    index.forget_before(AT + timedelta(days=1))
    assert len(index) == 0
