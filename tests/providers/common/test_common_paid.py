"""A picture that is paid for: tried for as long as there is hope, told as paid whatever happens, and nothing left lying."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from boothd.base.budget import Budget
from boothd.base.errors import BadAnswer, Charged, OutOfTime, Unavailable
from boothd.base.guard import Guard
from boothd.base.threads import Threads
from boothd.providers.common.paid import END_S, MAX_BYTES, TRIES, TRIES_S, Download, Remaining
from tests.sandbox.fakes_support import asynchronous, photo, wait_for
from tests.support.clock import FakeClock, SkippingClock
from tests.support.deferreds import outcome
from tests.support.tools import Workbench

URL = "https://cdn.example.com/p/1.png?token=secret"
GUARD = Guard(("cdn.example.com",))
JPEG, PNG = photo(), photo(form="PNG")
CUT = JPEG[: len(JPEG) // 2]


@dataclass
class Links:
    """Fetches as scripted: bytes are what lies there, errors are raised, a Deferred is waited for; the last one stays.

    asked: of every try, the seconds that it was given. takes: lets a try's time pass."""

    script: list[Any] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    bundle: Path | None = None
    takes: Callable[[], None] = lambda: None

    async def __call__(
        self, url: str, path: Path, *, guard: Guard, max_bytes: int, budget: Budget, ca_bundle: Path | None = None
    ) -> int:
        assert (url, guard, max_bytes) == (URL, GUARD, MAX_BYTES)
        self.asked.append(budget.left_s())
        self.bundle = ca_bundle
        self.takes()
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, Deferred):
            found = await budget.limit(found)
        if isinstance(found, Exception):
            raise found
        return path.write_bytes(found)


@dataclass
class Place:
    """A download on scripted links, by a clock without pauses."""

    links: Links
    clock: SkippingClock
    path: Path
    download: Download

    async def fetch(self, *script: Any, seconds: float = 300, **more: Any) -> bytes:
        """What lies in the file afterwards."""
        self.links.script = list(script)
        await self.download.fetch(URL, self.path, Remaining(self.clock, Budget.of(self.clock, seconds)), **more)
        return self.path.read_bytes()


@pytest.fixture
def place(disk_threads: Threads, picture_threads: Threads, tmp_path: Path) -> Iterator[Place]:
    from twisted.internet import reactor  # noqa: TID251

    clock, links = SkippingClock(), Links()
    workbench = Workbench(reactor, clock, disk_threads, picture_threads)
    tools = replace(workbench.tools, fetch=links)
    yield Place(links, clock, tmp_path / "answer", Download(tools, GUARD, "some", 0.5))
    wait_for(Deferred.fromCoroutine(workbench.close()))


# --- tries -----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_link_that_works_is_asked_once(place: Place, tmp_path: Path) -> None:
    assert await place.fetch(PNG, ca_bundle=tmp_path / "ca.pem") == PNG
    assert (place.links.asked, place.clock.slept) == ([TRIES_S], [])
    assert place.links.bundle == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    "first", [BadAnswer("404"), Unavailable("503"), OutOfTime(), b"", b"<html>soon</html>", b"GIF89a...", CUT]
)
@asynchronous
async def test_what_is_no_picture_yet_is_tried_again_a_little_later(place: Place, first: Any) -> None:
    assert await place.fetch(first, JPEG) == JPEG
    assert place.clock.slept == [0.5]


@asynchronous
async def test_the_pauses_double_and_the_tries_are_counted(place: Place) -> None:
    with pytest.raises(BadAnswer, match="could not be fetched: gone") as caught:
        await place.fetch(Unavailable("gone"))
    assert caught.value.charged is Charged.YES
    assert (len(place.links.asked), place.clock.slept) == (TRIES, [0.5, 1, 2, 4])


@asynchronous
async def test_a_try_that_begins_late_is_the_last(place: Place) -> None:
    place.links.takes = lambda: place.clock.advance(TRIES_S / 2 - 1)
    with pytest.raises(BadAnswer):
        await place.fetch(Unavailable("slow"))
    assert place.clock.slept == [0.5, 1]


@pytest.mark.parametrize(("dead", "said"), [(b"", "is empty"), (b" <html>", "a web page"), (b"GIF89a", "no picture")])
@asynchronous
async def test_what_stays_no_picture_is_a_paid_bad_answer_and_leaves_no_file(
    place: Place, dead: bytes, said: str
) -> None:
    with pytest.raises(BadAnswer, match=said) as caught:
        await place.fetch(dead)
    assert (caught.value.charged, place.path.exists()) == (Charged.YES, False)


@asynchronous
async def test_what_still_looks_cut_at_the_last_try_is_left_for_the_decoder_to_judge(place: Place) -> None:
    assert await place.fetch(CUT) == CUT
    assert len(place.links.asked) == TRIES


@asynchronous
async def test_a_link_that_is_not_allowed_is_not_asked_and_names_the_settings(place: Place) -> None:
    with pytest.raises(BadAnswer, match=r"elsewhere\.example.*result_hosts.*etc/providers/some\.yaml") as caught:
        await place.download.fetch(
            "https://elsewhere.example/?token=secret", place.path, Remaining(place.clock, Budget.of(place.clock, 9))
        )
    assert (caught.value.charged, place.links.asked) == (Charged.YES, [])
    assert "secret" not in caught.value.message


# --- time ------------------------------------------------------------------------------------------------------------


@asynchronous
async def test_at_the_budgets_end_it_is_out_of_time_and_paid(place: Place) -> None:
    with pytest.raises(OutOfTime) as caught:
        await place.fetch(Unavailable("gone"), seconds=2)
    assert caught.value.charged is Charged.YES
    assert place.clock.slept == pytest.approx([0.5, 1, 2 - END_S - 1.5])  # never beyond the end


@asynchronous
async def test_a_try_has_what_is_left_of_the_budget(place: Place) -> None:
    assert await place.fetch(PNG, seconds=10) == PNG
    assert place.links.asked == [pytest.approx(10 - END_S)]


@asynchronous
async def test_a_try_that_hangs_is_given_up_for_another_one(place: Place) -> None:
    hanging: Deferred[Any] = Deferred()
    waiting = Deferred.fromCoroutine(place.fetch(hanging, PNG))
    place.clock.advance(TRIES_S)
    assert await waiting == PNG
    assert (hanging.called, place.links.asked) == (True, [TRIES_S, TRIES_S])


@asynchronous
async def test_cancelling_ends_the_try_and_is_not_taken_for_a_dead_link(place: Place) -> None:
    hanging: Deferred[Any] = Deferred()
    waiting = Deferred.fromCoroutine(place.fetch(hanging, PNG))
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    assert (hanging.called, place.links.asked, place.clock.timers) == (True, [TRIES_S], 0)


@asynchronous
async def test_cancelling_ends_the_pause(disk_threads: Threads, picture_threads: Threads, tmp_path: Path) -> None:
    from twisted.internet import reactor  # noqa: TID251

    clock, links = FakeClock(), Links([Unavailable("gone")])
    workbench = Workbench(reactor, clock, disk_threads, picture_threads)
    download = Download(replace(workbench.tools, fetch=links), GUARD, "some", 0.5)
    waiting = Deferred.fromCoroutine(download.fetch(URL, tmp_path / "answer", Remaining(clock, Budget.of(clock, 300))))
    assert clock.timers == 1
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    assert (len(links.asked), clock.timers) == (1, 0)
    await workbench.close()


# --- what is left of the time ----------------------------------------------------------------------------------------


def test_what_is_left_ends_a_moment_before_the_budget_and_follows_it_when_it_is_moved(clock: FakeClock) -> None:
    budget = Budget.of(clock, 10)
    time = Remaining(clock, budget)
    assert time.left_s() == pytest.approx(10 - END_S)
    assert time.budget(3).left_s() == pytest.approx(3)
    clock.advance(9)
    assert time.budget(3).left_s() == pytest.approx(1 - END_S)
    clock.advance(1 - END_S)
    with pytest.raises(OutOfTime) as caught:
        time.left_s()
    assert caught.value.charged is Charged.YES
    budget.deadline_s += 5
    assert time.left_s() == pytest.approx(5)


@asynchronous
async def test_whoever_sleeps_is_woken_at_the_end_and_told(clock: FakeClock) -> None:
    time = Remaining(clock, Budget.of(clock, 4))
    end = outcome(Deferred.fromCoroutine(time.sleep(3)))
    clock.advance(3)
    assert end == [None]
    end = outcome(Deferred.fromCoroutine(time.sleep(3)))
    clock.advance(1 - END_S)
    assert isinstance(end[0], OutOfTime)
