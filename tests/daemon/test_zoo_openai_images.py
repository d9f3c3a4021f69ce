"""An images server that speaks OpenAI's protocol and misbehaves: the reply, the job, the money.

Source: facts/providers.md §6, §10."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.zoo import Row, Seen, Trap, Zoo, rows, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes
from tests.support.zoo_slow import check, play, slots_of

NAME = "openai-images"
ONCE, TWICE, FACE, PLACE = 1, 2, 3, 4
"""Slots: one call may cost; two may; the other effects."""

SLOTS: Mapping[int, Mapping[str, Any]] = {
    ONCE: {"effect": "prompt", "prompt": "a pirate", "paid_attempts": 1},
    TWICE: {"effect": "prompt", "prompt": "a pirate at sea", "paid_attempts": 2},
    FACE: {"effect": "face-swap", "references": ["scene.png"]},
    PLACE: {"effect": "background", "references": ["scene.png"]},
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
    Row("a picture comes as base64", "", "200 ok", "ok yes", 1),
    Row("a picture comes as a data URL", "[[answer=data]]", "200 ok", "ok yes", 1),
    Row("a picture comes by link", "[[answer=url]]", "200 ok", "ok yes", 1),
    Row("a server tells no usage", "[[no-usage]]", "200 ok", "ok yes", 1),
    Row("a server has written the prompt anew", "[[revised]]", "200 ok", "ok yes", 1),
    Row("a picture has eight megabytes", "[[size=8M]]", "200 ok", "ok yes", 1),
    Row("a picture is WebP", "[[format=webp]]", "200 ok", "ok yes", 1),
    Row("a picture is JPEG", "[[format=jpeg]]", "200 ok", "ok yes", 1),
    Row("a picture has another size than asked for", "[[picture=2048x1536]]", "200 ok", "ok yes", 1),
    Row("a body trickles in", "[[slow-body=0.2]]", "200 ok", "ok yes", 1),
    Row("a server is lax", "", "200 ok", "ok yes", 1, settings={"strict": False}),
    Row("a guest is put into a picture", "", "200 ok", "ok yes", 1, slot=FACE, guest=False),
    Row("a guest is put into a place", "", "200 ok", "ok yes", 1, slot=PLACE, guest=False),
    Row("a link works at the second try", "[[answer=url]] [[at=link status=404 fail-first=1]]", "200 ok", "ok yes", 1),
    Row("a link serves a wrong media type", "[[answer=url]] [[at=link type=text/plain]]", "200 ok", "ok yes", 1),
)
def test_a_picture(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


WRONG = ("502 bad-request-to-provider", "bad-request-to-provider no", 0)


@rows(
    Row("moderation refuses the request", "[[status=400 code=moderation_blocked]]", "422 refused", "refused no", 0),
    Row("a request is wrong", "[[status=400]]", *WRONG),
    Row("a key is wrong", "[[status=401]]", "502 bad-key", "bad-key no", 0),
    Row("an account is empty", "[[status=402]]", "502 out-of-credit", "out-of-credit no", 0),
    Row("a key may not do this", "[[status=403]]", "502 bad-key", "bad-key no", 0),
    Row("a model is gone", "[[status=404]]", *WRONG),
    Row("a photo is too large", "[[status=413]]", *WRONG),
    Row("a server takes JSON only", "", *WRONG, settings={"edits": "json"}),
    Row("a server edits no photos", "", *WRONG, settings={"edits": "none"}),
    Row("a server calls the picture otherwise", "", *WRONG, settings={"field": "image[]"}),
    Row("a quota is used up", "[[status=429 code=insufficient_quota]]", "502 out-of-credit", "out-of-credit no", 0),
    Row("a server is busy for an hour", "[[status=429 retry-after=3600]]", "502 busy", "busy no", 0),
    Row("a server is down for an hour", "[[status=503 retry-after=3600]]", "502 unavailable", "unavailable no", 0),
    Row("a server breaks for an hour", "[[status=500 retry-after=3600]]", "502 unavailable", "unavailable no", 0),
)
def test_a_refusal_costs_nothing(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("busy once, then fine", "[[fail-first=1 status=429 retry-after=0]]", "200 ok", "busy no, ok yes", 1),
    Row("overloaded once, then fine", "[[fail-first=1 status=503 retry-after=0]]", "200 ok", "unavailable no, ok yes", 1),
    Row("broken once, then fine", "[[fail-first=1 status=500]]", "200 ok", "unavailable no, ok yes", 1),
    Row("overloaded twice, then fine", "[[fail-first=2 status=503 retry-after=0]]", "200 ok",
        "unavailable no, unavailable no, ok yes", 1),
)  # fmt: skip
def test_what_cost_nothing_is_tried_again(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


BROKEN = "502 bad-answer"
PAID = (BROKEN, "bad-answer yes", 1)


@rows(
    Row("a page of the WLAN", "[[html]]", BROKEN, "bad-answer maybe", 1),
    Row("JSON that breaks off", "[[bad-json]]", BROKEN, "bad-answer maybe", 1),
    Row("an empty body", "[[empty-body]]", BROKEN, "bad-answer maybe", 1),
    Row("a connection lost in the body", "[[short]]", "502 unavailable", "unavailable maybe", 1),
    Row("a connection lost before the answer", "[[drop]]", "502 unavailable", "unavailable maybe", 0),
    Row("a connection lost after the charge", "[[drop charged]]", "502 unavailable", "unavailable maybe", 1),
    Row("a connection reset", "[[reset]]", "502 unavailable", "unavailable maybe", 0),
    Row("a gateway that gave up", "[[status=502]]", "502 unavailable", "unavailable maybe", 0),
    Row("a gateway that gave up on a paid call", "[[status=504 charged]]", "502 unavailable", "unavailable maybe", 1),
    Row("an answer without data", "[[no-data]]", *PAID),
    Row("an answer with empty data", "[[empty-data]]", *PAID),
    Row("a picture cut in half", "[[truncated]]", *PAID),
    Row("a GIF", "[[gif]]", *PAID),
    Row("a bomb", "[[bomb]]", *PAID),
    Row("text for a picture", "[[not-a-picture]]", *PAID),
)
def test_what_may_have_cost_is_not_tried_again_when_one_call_may_cost(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("a page, then a picture", "[[fail-first=1 html]]", "200 ok", "bad-answer maybe, ok yes", 2),
    Row("broken off, then a picture", "[[fail-first=1 short]]", "200 ok", "unavailable maybe, ok yes", 2),
    Row("dropped, then a picture", "[[fail-first=1 drop]]", "200 ok", "unavailable maybe, ok yes", 1),
    Row("half a picture, then a whole one", "[[fail-first=1 truncated]]", "200 ok", "bad-answer yes, ok yes", 2),
    Row("a page, again and again", "[[html]]", BROKEN, "bad-answer maybe, bad-answer maybe", 2),
)
def test_what_may_have_cost_is_tried_again_when_two_calls_may_cost(place: Zoo, row: Row) -> None:
    place.check(NAME, replace(row, slot=TWICE))


@rows(
    Row("to the cloud's metadata", "[[answer=url host=169.254.169.254]]", *PAID),
    Row("to another port of this machine", "[[answer=url host=127.0.0.1:{trap}]]", *PAID),
    Row("to the local network", "[[answer=url host=10.0.0.1]]", *PAID),
)
def test_a_link_leads_nowhere_but_to_the_server(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


DEAD = (
    Row("expired", "[[answer=url]] [[at=link status=404]]", *PAID),
    Row("gone", "[[answer=url]] [[at=link status=410]]", *PAID),
    Row("broken", "[[answer=url]] [[at=link status=500]]", *PAID),
    Row("a page of the WLAN", "[[answer=url]] [[at=link html]]", *PAID),
    Row("no bytes", "[[answer=url]] [[at=link empty-body]]", *PAID),
    Row("cut in half", "[[answer=url]] [[at=link cut-file]]", *PAID),
    Row("a connection lost", "[[answer=url]] [[at=link drop]]", *PAID),
    Row("a body that breaks off", "[[answer=url]] [[at=link short]]", *PAID),
    Row("redirected to another port", "[[answer=url]] [[at=link redirect=http://127.0.0.1:{trap}/x]]", *PAID),
    Row("redirected to the metadata", "[[answer=url]] [[at=link redirect=http://169.254.169.254/x]]", *PAID),
)


@pytest.fixture(scope="module")
def dead(
    fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Zoo, dict[str, Seen]]]:
    """Each of these links is tried for some seconds, so all are played at once."""
    with closing(Trap()) as trap:
        table = {NAME: [replace(row, script=row.script.replace("{trap}", str(trap.port))) for row in DEAD]}
        providers = {NAME: {"concurrency": len(DEAD)}}
        with zoo(tmp_path_factory.mktemp("dead"), fakes, slots_of(table), providers=providers) as running:
            yield running, play(running, table)
        assert not trap.sprung


@pytest.mark.parametrize(("number", "row"), list(enumerate(DEAD, 1)), ids=[row.says.replace(" ", "-") for row in DEAD])
def test_a_paid_picture_behind_a_dead_link(dead: tuple[Zoo, dict[str, Seen]], number: int, row: Row) -> None:
    place, seen = dead
    check(place, NAME, number, row, seen[f"{NAME} {row.says}"])


@pytest.mark.parametrize(
    ("settings", "server"),
    [
        ({"edit_style": "json-images"}, {"edits": "json"}),
        ({"edit_style": "input-references"}, {"edits": "none", "references": True}),
        ({"image_field": "image[]"}, {"edits": "multipart", "field": "image[]"}),
        ({"response_format": "url"}, {"strict": False}),
    ],
    ids=["JSON", "input-references", "image[]", "links"],
)
def test_a_server_of_another_dialect(
    fakes: dict[str, FakeProcess], tmp_path: Path, settings: dict[str, object], server: dict[str, object]
) -> None:
    with zoo(tmp_path, fakes, {NAME: SLOTS}, providers={NAME: settings}) as place:
        place.check(NAME, Row("a picture comes", "", "200 ok", "ok yes", 1, settings=server))
