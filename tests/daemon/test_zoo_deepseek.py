"""DeepSeek, which only directs, misbehaves, and so do those who draw for it. Source: facts/providers.md §2, §10."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.zoo import Row, Seen, Zoo, rows, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes
from tests.support.zoo_slow import check, play, slots_of

NAME = "deepseek"
STUDIO, OPENAI, GEMINI, TURBOTEXT, ONCE = 1, 2, 3, 4, 5
"""Slots, by who draws; in the last one only one call may cost."""

PROMPT = {"effect": "prompt", "prompt": "a pirate"}
SLOTS: Mapping[int, Mapping[str, Any]] = {
    STUDIO: {**PROMPT, "options": {"renderer": "studio"}},
    OPENAI: {**PROMPT, "options": {"renderer": "openai-images"}},
    GEMINI: {**PROMPT, "options": {"renderer": "gemini"}},
    TURBOTEXT: {**PROMPT, "options": {"renderer": "turbotext"}},
    ONCE: {**PROMPT, "options": {"renderer": "openai-images"}, "paid_attempts": 1},
}


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), NAME, "openai-images", "gemini", "turbotext") as running:
        yield running


@pytest.fixture(scope="module")
def place(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    with zoo(tmp_path_factory.mktemp("zoo"), fakes, {NAME: SLOTS}) as running:
        yield running


def drawn(says: str, script: str, directed: str, charges: int) -> Row:
    """A row of the slot whose pictures the images server draws, and where it draws one."""
    return Row(
        says, script, "200 ok", f"{directed}, openai-images ok yes", charges, slot=OPENAI, others={"openai-images": 1}
    )


@rows(
    Row("studio draws", "", "200 ok", "ok yes, studio ok no", 1, slot=STUDIO),
    Row("an images server draws", "", "200 ok", "ok yes, openai-images ok yes", 1, slot=OPENAI,
        others={"openai-images": 1}),
    Row("Gemini draws", "", "200 ok", "ok yes, gemini ok yes", 1, slot=GEMINI, others={"gemini": 1}),
    Row("Turbotext draws", "", "200 ok", "ok yes, turbotext ok yes", 1, slot=TURBOTEXT, others={"turbotext": 1}),
    drawn("the verdict stands in fences", "[[fence]]", "ok yes", 1),
    drawn("the verdict says what must not be seen", "[[negative]]", "ok yes", 1),
    drawn("blank lines come first", "[[blanks=200]]", "ok yes", 1),
    drawn("blank lines come for a while", "[[keep-alive=0.5]]", "ok yes", 1),
    drawn("the body trickles in", "[[slow-body=0.2]]", "ok yes", 1),
)  # fmt: skip
def test_a_picture(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


def test_the_renderer_is_told_what_the_director_wrote(place: Zoo) -> None:
    place.tell({})
    for slot, renderer in ((OPENAI, "openai-images"), (GEMINI, "gemini"), (TURBOTEXT, "turbotext")):
        assert place.send(NAME, slot, place.photo()).answer.status == 200
        assert "A portrait of the guest, smiling, soft light." in place.fakes[renderer].calls()[-1]["prompt"]


@rows(
    drawn("it is overloaded", "[[status=503]]", "unavailable no", 0),
    drawn("it is broken", "[[status=500]]", "unavailable no", 0),
    drawn("it is busy", "[[status=429]]", "busy no", 0),
    drawn("its key is wrong", "[[status=401]]", "bad-key no", 0),
    drawn("its account is empty", "[[status=402]]", "out-of-credit no", 0),
    drawn("its key may not do this", "[[status=403]]", "bad-key no", 0),
    drawn("its model is gone", "[[status=404]]", "bad-request-to-provider no", 0),
    drawn("its request is too large", "[[status=413]]", "bad-request-to-provider no", 0),
    drawn("its parameters are wrong", "[[status=422]]", "bad-request-to-provider no", 0),
    drawn("it answers nothing", "[[empty]]", "bad-answer yes", 1),
    drawn("it answers prose", "[[prose]]", "bad-answer yes", 1),
    drawn("it answers half a verdict", "[[cut]]", "bad-answer yes", 1),
    drawn("it answers another verdict", "[[wrong-verdict]]", "bad-answer yes", 1),
    drawn("it answers a page of the WLAN", "[[html]]", "bad-answer maybe", 1),
    drawn("it answers JSON that breaks off", "[[bad-json]]", "bad-answer maybe", 1),
    drawn("it answers an empty body", "[[empty-body]]", "bad-answer maybe", 1),
    drawn("the connection is lost in the body", "[[short]]", "bad-answer maybe", 1),
    drawn("the connection is lost after blank lines", "[[blanks=3 short]]", "bad-answer maybe", 1),
    drawn("the connection is lost before the answer", "[[drop]]", "unavailable maybe", 0),
    drawn("the connection is lost after the charge", "[[drop charged]]", "unavailable maybe", 1),
    drawn("the connection is reset", "[[reset]]", "unavailable maybe", 0),
)
def test_without_a_direction_the_slots_own_prompt_is_used(place: Zoo, row: Row) -> None:
    place.check(NAME, row)
    assert "a pirate" in place.fakes["openai-images"].calls()[-1]["prompt"]


def waited_for(says: str, script: str, charges: int) -> Row:
    """A row whose direction does not come in time."""
    return drawn(says, f"[[deepseek: {script}]]", "out-of-time maybe", charges)


SLOW = (
    waited_for("it never answers", "hang", 0),
    waited_for("it charges and never answers", "charge-first hang", 1),
    waited_for("it sends blank lines only", "keep-alive=60", 0),
    waited_for("it stops in the middle of the answer", "hang-body", 1),
)


@pytest.fixture(scope="module")
def hurried(
    fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Zoo, dict[str, Seen]]]:
    """DeepSeek has three seconds, the renderer all the time that it needs; all rows are played at once."""
    slots = slots_of({NAME: SLOW}, options={"renderer": "openai-images"})
    providers = {NAME: {"patience_s": 3.0, "concurrency": len(SLOW)}}
    with zoo(tmp_path_factory.mktemp("hurried"), fakes, slots, providers=providers) as running:
        yield running, play(running, {NAME: SLOW})


@pytest.mark.parametrize(("number", "row"), list(enumerate(SLOW, 1)), ids=[row.says.replace(" ", "-") for row in SLOW])
def test_a_slow_director_is_not_waited_for(hurried: tuple[Zoo, dict[str, Seen]], number: int, row: Row) -> None:
    place, seen = hurried
    check(place, NAME, number, row, seen[f"{NAME} {row.says}"])
    mine = f"row {number} {row.script}"
    [call] = [call for call in place.fakes[NAME].calls() if mine in call["prompt"]]
    assert call["ended"] == ("answered" if row.script.endswith("hang-body]]") else "abandoned")
    assert len([charge for charge in place.fakes["openai-images"].charges if mine in charge["prompt"]]) == 1


@rows(
    Row("it refuses the photo", "[[refuse]]", "422 refused", "refused yes", 1),
    Row("its filter refuses the photo", "[[filtered]]", "422 refused", "refused yes", 1),
)
def test_a_refusal_of_the_director_is_told_to_the_booth(place: Zoo, row: Row) -> None:
    place.check(NAME, replace(row, slot=OPENAI))


IMAGES = "openai-images"


@rows(
    Row("the renderer refuses", "", "422 refused", "ok yes, openai-images refused no", 1,
        also={IMAGES: "[[status=400 code=moderation_blocked]]"}),
    Row("the renderer is overloaded once", "", "200 ok",
        "ok yes, openai-images unavailable no, openai-images ok yes", 1,
        also={IMAGES: "[[fail-first=1 status=503 retry-after=0]]"}, others={IMAGES: 1}),
    Row("the renderer answers a page", "", "502 bad-answer", "ok yes, openai-images bad-answer maybe", 1,
        also={IMAGES: "[[html]]"}, others={IMAGES: 1}),
    Row("the renderer's picture is cut in half", "", "502 bad-answer", "ok yes, openai-images bad-answer yes", 1,
        also={IMAGES: "[[truncated]]"}, others={IMAGES: 1}),
    Row("neither works", "[[status=503]]", "502 bad-key", "unavailable no, openai-images bad-key no", 0,
        also={IMAGES: "[[status=401]]"}),
)  # fmt: skip
def test_the_renderer_misbehaves(place: Zoo, row: Row) -> None:
    place.check(NAME, replace(row, slot=ONCE))
