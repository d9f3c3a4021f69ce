"""A booth leaves before its picture is there: what is paid for is kept, marked late, and served unpaid when it comes again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boothd.spool.journal import Answered, Attempt, Queued, Shared
from tests.support.booth import Answer, Upload, post
from tests.support.daemon import wait_until
from tests.support.jobs import Found, directories, jobs
from tests.support.zoo import Seen, Zoo, check_money, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes
from tests.support.zoo_photos import alike

PROMPT = {"effect": "prompt", "prompt": "a pirate"}
DIRECTED = {**PROMPT, "options": {"renderer": "openai-images"}}
HELD = {
    "gemini": "[[hold]]",
    "openai-images": "[[hold]]",
    "turbotext": "[[webhook=never pending=0]] [[at=result hold]]",
}
"""How each service keeps a paid picture back until it is told to go on."""
SLOTS = {name: {1: PROMPT} for name in HELD} | {"deepseek": {1: DIRECTED}}


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), *SLOTS) as running:
        yield running


@pytest.fixture(scope="module")
def place(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    with zoo(tmp_path_factory.mktemp("zoo"), fakes, SLOTS) as running:
        yield running


def active(place: Zoo, so: Callable[[Found], object], what: str) -> Found:
    """The one job in work, once it is `so`."""

    def found() -> list[Found]:
        return [job for job in jobs(place.home, "active") if so(job)]

    wait_until(found, what)
    [job] = found()
    return job


def leave(place: Zoo, provider: str, photo: bytes, waits_at: str) -> str:
    """Send a photo and hang up once the fake `waits_at` holds it. Returns the job's id when boothd has noticed."""
    with Upload(place.daemon.port, place.daemon.path(provider, 1), photo) as upload:
        upload.send_rest()
        place.fakes[waits_at].wait_until_open(held=1)
    return active(place, lambda job: job.last(Answered), "the booth is noted as gone").id


def check_late(seen: Seen, code: str = "client-gone") -> None:
    """The picture came too late for the booth, and is there."""
    job, answered = seen.job, seen.job.last(Answered)
    assert job.state == "done"
    assert answered is not None
    assert answered.code == code
    assert job.finished is not None
    assert (job.finished.code, job.finished.late) == ("ok", True)
    assert alike((job.directory / "result.jpg").read_bytes(), seen.photo)


def check_served_unpaid(place: Zoo, provider: str, photo: bytes, of: str) -> None:
    """The same photo again gets the picture of the job `of`, and nobody charges."""
    before = place.charged()
    again = place.send(provider, 1, photo)
    assert (again.answer.status, again.answer.headers.get("x-boothd-cached")) == (200, "yes")
    assert alike(again.answer.body, photo)
    assert place.charged() == before
    assert again.job.all(Attempt) == []
    shared = again.job.last(Shared)
    assert shared is not None
    assert shared.job == of


@pytest.mark.parametrize("provider", sorted(HELD))
def test_a_paid_picture_comes_after_the_booth_has_left(place: Zoo, provider: str) -> None:
    place.tell({provider: HELD[provider]})
    photo, before, fake = place.photo(), len(place.fakes[provider].charges), place.fakes[provider]
    id = leave(place, provider, photo, provider)
    fake.release()
    late = place.filed(id)
    seen = _seen(place, photo, late)
    check_late(seen)
    assert seen.attempts(provider) == "ok yes"
    assert len(fake.charges) - before == 1
    check_money(seen, {provider: 1})
    check_served_unpaid(place, provider, photo, id)


def test_a_picture_that_another_draws_comes_after_the_booth_has_left(place: Zoo) -> None:
    place.tell({"openai-images": "[[hold]]"})
    photo, before = place.photo(), place.charged()
    id = leave(place, "deepseek", photo, "openai-images")
    place.fakes["openai-images"].release()
    seen = _seen(place, photo, place.filed(id))
    check_late(seen)
    assert seen.attempts("deepseek") == "ok yes, openai-images ok yes"
    after = place.charged()
    assert {name: after[name] - before[name] for name in after} == {
        "gemini": 0, "turbotext": 0, "deepseek": 1, "openai-images": 1,
    }  # fmt: skip
    check_served_unpaid(place, "deepseek", photo, id)


@pytest.mark.parametrize("provider", sorted(HELD))
def test_a_paid_call_that_fails_after_the_booth_has_left_is_not_made_again(place: Zoo, provider: str) -> None:
    fails = {name: script.replace("hold]]", "hold drop]]") for name, script in HELD.items()}
    fails["turbotext"] = "[[webhook=never pending=0 error=face_not_detected]] [[at=result hold]]"
    place.tell({provider: fails[provider]})
    photo, fake = place.photo(), place.fakes[provider]
    before = len(fake.charges)
    id = leave(place, provider, photo, provider)
    fake.release()
    seen = _seen(place, photo, place.filed(id))
    outcome, charges = ("refused yes", 1) if provider == "turbotext" else ("unavailable maybe", 0)
    assert (seen.job.state, seen.attempts(provider)) == ("trash", outcome)
    assert len(fake.charges) - before == charges
    check_money(seen, {provider: charges})


def test_a_direction_that_nobody_waits_for_is_given_up(place: Zoo) -> None:
    """Nothing is drawn by it, and DeepSeek's connection is closed."""
    place.tell({"deepseek": "[[hold]]"})
    photo, fake, before = place.photo(), place.fakes["deepseek"], place.charged()
    with Upload(place.daemon.port, place.daemon.path("deepseek", 1), photo) as upload:
        upload.send_rest()
        fake.wait_until_open(held=1)
        id = active(place, lambda job: job.last(Attempt), "the call stands in the journal").id
    fake.wait_until_open(working=0)
    seen = _seen(place, photo, place.filed(id))
    assert fake.calls()[-1]["ended"] == "abandoned"
    assert (seen.job.state, seen.attempts("deepseek")) == ("trash", "given-up maybe")
    assert place.charged() == before


def test_a_queue_number_outlives_a_kill(place: Zoo) -> None:
    """The daemon dies while Turbotext has the photo: after the restart the picture is fetched, and paid for once."""
    place.tell({"turbotext": HELD["turbotext"]})
    photo, fake = place.photo(), place.fakes["turbotext"]
    before = len(fake.charges)
    with Upload(place.daemon.port, place.daemon.path("turbotext", 1), photo) as upload:
        upload.send_rest()
        fake.wait_until_open(held=1)
        id = active(place, lambda job: job.last(Queued), "the queue number stands in the journal").id
        place.daemon.kill()
    fake.wait_until_open(held=0)
    place.daemon.start()
    fake.wait_until_open(held=1)
    fake.release()
    seen = _seen(place, photo, place.filed(id))
    assert seen.job.state == "done"
    assert seen.attempts("turbotext") == "ok yes"
    assert len(fake.charges) - before == 1
    check_served_unpaid(place, "turbotext", photo, id)


@pytest.mark.parametrize("provider", ["gemini", "openai-images"])
def test_a_plain_call_that_a_kill_cut_may_have_been_charged(place: Zoo, provider: str) -> None:
    place.tell({provider: "[[charge-first hold]]"})
    photo, fake = place.photo(), place.fakes[provider]
    before = len(fake.charges)
    with Upload(place.daemon.port, place.daemon.path(provider, 1), photo) as upload:
        upload.send_rest()
        fake.wait_until_open(held=1)
        id = active(place, lambda job: job.last(Attempt), "the call stands in the journal").id
        place.daemon.kill()
    place.daemon.start()
    seen = _seen(place, photo, place.filed(id))
    assert (seen.job.state, seen.attempts(provider)) == ("trash", "interrupted maybe")
    assert len(fake.charges) - before == 1
    check_money(seen, {provider: 1})


def test_a_paid_picture_comes_after_the_booth_was_told_that_time_is_over(
    fakes: dict[str, FakeProcess], tmp_path: Path
) -> None:
    slots = {name: SLOTS[name] for name in HELD}
    with zoo(tmp_path, fakes, slots, budget={"total": 4, "reserve": 0.5, "starts": "accepted"}) as place:
        place.tell(HELD)
        before = place.charged()
        photos = {name: place.photo() for name in HELD}
        with ThreadPoolExecutor(len(HELD)) as pool:
            path = place.daemon.path
            told = {n: pool.submit(post, place.daemon.port, path(n, 1), photo) for n, photo in photos.items()}
        for provider, photo in photos.items():
            answer = told[provider].result()
            assert (answer.status, answer.code) == (504, "out-of-time")
            assert answer.job in {path.name for path in directories(place.home, "active")}
            place.fakes[provider].wait_until_open(held=1)
            place.fakes[provider].release()
            seen = Seen(photo, answer, place.filed(answer.job))
            check_late(seen, "out-of-time")
            assert seen.attempts(provider) == "ok yes"
            assert len(place.fakes[provider].charges) - before[provider] == 1
            check_served_unpaid(place, provider, photo, answer.job)


def _seen(place: Zoo, photo: bytes, job: Found) -> Seen:
    """There is no reply to look at."""
    return Seen(photo, Answer(0, {}, b""), job)
