"""Gemini misbehaves: the reply to the booth, the job, the money. Source: facts/providers.md §1, §10."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.daemon import wait_until
from tests.support.jobs import sha256_of
from tests.support.zoo import Row, Zoo, rows, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes

NAME = "gemini"
ONCE, TWICE, FACE, PLACE, CUT = 1, 2, 3, 4, 5
"""Slots: one call may cost; two may; the other effects; guests are cut out, nothing is painted."""

SLOTS: Mapping[int, Mapping[str, Any]] = {
    ONCE: {"effect": "prompt", "prompt": "a pirate", "paid_attempts": 1},
    TWICE: {"effect": "prompt", "prompt": "a pirate at sea", "paid_attempts": 2},
    FACE: {"effect": "face-swap", "references": ["scene.png"]},
    PLACE: {"effect": "background", "references": ["scene.png"]},
    CUT: {"effect": "background", "references": ["scene.png"], "paid_attempts": 1, "options": {"cut_out": True}},
}


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), NAME) as running:
        yield running


@pytest.fixture(scope="module")
def place(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    with zoo(tmp_path_factory.mktemp("zoo"), fakes, {NAME: SLOTS}) as running:
        yield running


@rows(
    Row("a picture comes", "", "200 ok", "ok yes", 1),
    Row("a guest is put into a picture", "", "200 ok", "ok yes", 1, slot=FACE, guest=False),
    Row("a guest is put into a place", "", "200 ok", "ok yes", 1, slot=PLACE, guest=False),
    Row("thoughts come before the picture", "[[thoughts=2]]", "200 ok", "ok yes", 1),
    Row("drafts come before the picture", "[[drafts=3]]", "200 ok", "ok yes", 1),
    Row("thoughts and drafts come before the picture", "[[thoughts=2 drafts=2]]", "200 ok", "ok yes", 1),
    Row("a media type lies", "[[mime-lies]]", "200 ok", "ok yes", 1),
    Row("no usage is told", "[[no-usage]]", "200 ok", "ok yes", 1),
    Row("a picture is PNG", "[[format=png]]", "200 ok", "ok yes", 1),
    Row("a picture is WebP", "[[format=webp]]", "200 ok", "ok yes", 1),
    Row("a picture has eight megabytes", "[[size=8M]]", "200 ok", "ok yes", 1),
    Row("a picture is large", "[[picture=2048x1536]]", "200 ok", "ok yes", 1),
    Row("a body trickles in", "[[slow-body=0.2]]", "200 ok", "ok yes", 1),
)
def test_a_picture(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


REFUSED = "422 refused"


@rows(
    Row("a prompt is prohibited", "[[block=PROHIBITED_CONTENT]]", REFUSED, "refused maybe", 1),
    Row("a prompt is not safe", "[[block=SAFETY]]", REFUSED, "refused maybe", 1),
    Row("a prompt is blocked for a new reason", "[[block=SOMETHING_NEW]]", REFUSED, "refused maybe", 1),
    Row("a picture is not safe, no content", "[[finish=IMAGE_SAFETY]]", REFUSED, "refused maybe", 1),
    Row("a picture is not safe, no parts", "[[finish=IMAGE_SAFETY content=empty]]", REFUSED, "refused maybe", 1),
    Row("a picture is not safe, parts absent", "[[finish=IMAGE_SAFETY content=no-parts]]", REFUSED, "refused maybe", 1),
    Row("a picture is prohibited", "[[finish=IMAGE_PROHIBITED_CONTENT]]", REFUSED, "refused maybe", 1),
    Row("a text is not safe", "[[finish=SAFETY]]", REFUSED, "refused maybe", 1),
    Row("a picture recites", "[[finish=IMAGE_RECITATION]]", REFUSED, "refused maybe", 1),
)
def test_a_refusal_is_told_to_the_booth_and_not_tried_again(place: Zoo, row: Row) -> None:
    place.check(NAME, replace(row, slot=TWICE))


@rows(
    Row("a key is wrong, which is 400 here", "", "502 bad-key", "bad-key no", 0, settings={"keys": ["another"]}),
    Row("an account has no credit", "[[status=402]]", "502 out-of-credit", "out-of-credit no", 0),
    Row("a key may not do this", "[[status=403]]", "502 bad-key", "bad-key no", 0),
    Row("a request is wrong", "[[status=400]]", "502 bad-request-to-provider", "bad-request-to-provider no", 0),
    Row("a key's project is not served here", "[[status=400 reason=FAILED_PRECONDITION]]", "502 bad-key",
        "bad-key no", 0),
    Row("a model is gone", "", "502 bad-request-to-provider", "bad-request-to-provider no", 0,
        settings={"models": ["gemini-nano-banana-99"]}),
    Row("a request is too large", "", "502 bad-request-to-provider", "bad-request-to-provider no", 0,
        settings={"max_body": 1000}),
    Row("a quota comes back in an hour", "[[status=429 retry-delay=3600s]]", "502 busy", "busy no", 0),
)  # fmt: skip
def test_a_failure_that_costs_nothing(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("busy once, and says for how long", "[[fail-first=1 status=429 retry-delay=0.1s]]", "200 ok",
        "busy no, ok yes", 1),
    Row("busy once, and does not say for how long", "[[fail-first=1 status=429]]", "200 ok", "busy no, ok yes", 1),
    Row("overloaded once", "[[fail-first=1]]", "200 ok", "unavailable no, ok yes", 1),
    Row("broken once", "[[fail-first=1 status=500]]", "200 ok", "unavailable no, ok yes", 1),
    Row("over its own deadline once", "[[fail-first=1 status=504]]", "200 ok", "unavailable no, ok yes", 1),
    Row("cancelled once", "[[fail-first=1 status=499]]", "200 ok", "unavailable no, ok yes", 1),
)  # fmt: skip
def test_what_cost_nothing_is_tried_again(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


BROKEN, LOST = "502 bad-answer", "502 unavailable"


@rows(
    Row("no picture, and says so", "[[no-image]]", BROKEN, "bad-answer yes", 1),
    Row("a text for a picture", "[[text-only]]", BROKEN, "bad-answer yes", 1),
    Row("no candidates", "[[no-candidates]]", BROKEN, "bad-answer yes", 1),
    Row("ended for a reason that nobody knows", "[[finish=SOMETHING_NEW]]", BROKEN, "bad-answer yes", 1),
    Row("a page of the WLAN", "[[html]]", BROKEN, "bad-answer maybe", 1),
    Row("JSON that breaks off", "[[bad-json]]", BROKEN, "bad-answer maybe", 1),
    Row("an empty body", "[[empty-body]]", BROKEN, "bad-answer maybe", 1),
    Row("a connection lost in the body", "[[short]]", LOST, "unavailable maybe", 1),
    Row("a connection lost before the answer", "[[drop]]", LOST, "unavailable maybe", 0),
    Row("a connection lost after the charge", "[[drop charged]]", LOST, "unavailable maybe", 1),
    Row("a connection reset", "[[reset]]", LOST, "unavailable maybe", 0),
    Row("a gateway that gave up", "[[status=502]]", LOST, "unavailable maybe", 0),
    Row("a gateway that gave up on a paid call", "[[status=502 charged]]", LOST, "unavailable maybe", 1),
    Row("a picture cut in half", "[[truncated]]", BROKEN, "bad-answer yes", 1),
    Row("a GIF", "[[gif]]", BROKEN, "bad-answer yes", 1),
    Row("a bomb", "[[bomb]]", BROKEN, "bad-answer yes", 1),
    Row("words for a picture's bytes", "[[not-a-picture]]", BROKEN, "bad-answer yes", 1),
)
def test_what_may_have_cost_is_not_tried_again_when_one_call_may_cost(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("no picture, then one", "[[fail-first=1 no-image]]", "200 ok", "bad-answer yes, ok yes", 2),
    Row("a page, then a picture", "[[fail-first=1 html]]", "200 ok", "bad-answer maybe, ok yes", 2),
    Row("broken off, then a picture", "[[fail-first=1 short]]", "200 ok", "unavailable maybe, ok yes", 2),
    Row("dropped, then a picture", "[[fail-first=1 drop]]", "200 ok", "unavailable maybe, ok yes", 1),
    Row("no picture, again and again", "[[no-image]]", BROKEN, "bad-answer yes, bad-answer yes", 2),
)
def test_what_may_have_cost_is_tried_again_when_two_calls_may_cost(place: Zoo, row: Row) -> None:
    place.check(NAME, replace(row, slot=TWICE))


OK, PAID = ("200 ok", "ok yes", 1), (BROKEN, "bad-answer yes", 1)


@rows(
    Row("masks come in fences", "", *OK, slot=CUT, guest=False),
    Row("masks come without fences", "[[no-fence]]", *OK, slot=CUT, guest=False),
    Row("masks come with words around", "[[chatty]]", *OK, slot=CUT, guest=False),
    Row("two guests are found", "[[boxes=2]]", *OK, slot=CUT, guest=False),
    Row("nobody is found", "[[boxes=0]]", *PAID, slot=CUT),
    Row("boxes come without masks", "[[no-mask]]", *PAID, slot=CUT),
    Row("masks are no pictures", "[[bad-mask]]", *PAID, slot=CUT),
    Row("masks break off", "[[cut]]", *PAID, slot=CUT),
    Row("masks are refused", "[[finish=SAFETY]]", REFUSED, "refused maybe", 1, slot=CUT),
)
def test_guests_are_cut_out(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@pytest.fixture(scope="module")
def by_files(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    """Every picture is uploaded first."""
    providers = {NAME: {"inline_max": 0}}
    with zoo(tmp_path_factory.mktemp("files"), fakes, {NAME: SLOTS}, providers=providers) as running:
        yield running


@rows(
    Row("the photo is uploaded", "", "200 ok", "ok yes", 1),
    Row("photo and reference are uploaded", "", "200 ok", "ok yes", 1, slot=FACE, guest=False),
    Row("the service thinks about the upload", "[[processing=2]]", "200 ok", "ok yes", 1),
    Row("the upload cannot begin once", "[[at=start status=503 fail-first=1]]", "200 ok", "unavailable no, ok yes", 1),
    Row("the upload breaks off once", "[[at=upload drop fail-first=1]]", "200 ok", "unavailable no, ok yes", 1),
    Row("the deletion fails", "[[at=delete status=500]]", "200 ok", "ok yes", 1),
    Row("the files are gone once", "[[file-gone fail-first=1]]", "200 ok", "ok yes", 1),
    Row("a missing file is a question of permission", "[[file-gone fail-first=1]]", "200 ok", "ok yes", 1,
        settings={"gone_status": 403}),
    Row("the upload's end is not told once", "[[at=upload no-upload-status fail-first=1]]", "200 ok",
        "unavailable no, ok yes", 1),
    Row("the upload is not allowed", "[[at=start status=403]]", "502 bad-key", "bad-key no", 0),
    Row("the service cannot use the upload", "[[failed]]", "502 bad-request-to-provider",
        "bad-request-to-provider no", 0),
)  # fmt: skip
def test_large_pictures_are_uploaded_first(by_files: Zoo, row: Row) -> None:
    by_files.check(NAME, replace(row, slot=row.slot if row.slot == FACE else TWICE))


def test_guests_files_are_deleted_and_reference_pictures_kept(by_files: Zoo) -> None:
    by_files.tell({})
    fake = by_files.fakes[NAME]

    def there(picture: bytes) -> int:
        digest = b64encode(sha256_of(picture).encode()).decode()
        return sum(file["sha256Hash"] == digest for file in fake.ask("files"))

    scene = (by_files.home / "library/references/scene.png").read_bytes()
    for photo in (by_files.photo(), by_files.photo()):
        assert by_files.send(NAME, FACE, photo).answer.status == 200
        assert fake.calls()[-1]["photos"] == [sha256_of(photo), sha256_of(scene)]
        wait_until(lambda photo=photo: not there(photo), "the guest's file is deleted")  # type: ignore[misc]
        assert there(scene) == 1
