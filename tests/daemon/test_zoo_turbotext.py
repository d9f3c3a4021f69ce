"""Turbotext misbehaves: the reply to the booth, the job, the money. Source: facts/providers.md §5, §10."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.booth import get
from tests.support.zoo import Row, Zoo, rows, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes

NAME = "turbotext"
ONCE, TWICE, FACE, MIX, REPLACE = 1, 2, 3, 4, 5
"""Slots: one call may cost; two may; the other methods."""

SLOTS: Mapping[int, Mapping[str, Any]] = {
    ONCE: {"effect": "prompt", "prompt": "a pirate", "paid_attempts": 1},
    TWICE: {"effect": "prompt", "prompt": "a pirate at sea", "paid_attempts": 2},
    FACE: {"effect": "face-swap", "references": ["scene.png"], "paid_attempts": 1},
    MIX: {"effect": "background", "references": ["scene.png"], "paid_attempts": 1},
    REPLACE: {"effect": "replace-object", "references": ["scene.png"], "prompt": "a hat", "paid_attempts": 1},
}
OBJECTS = {"method": "object_swap", "photo_field": "url_image_target", "reference_fields": ["url"]}
"""What an operator has found out about “replace object”."""


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), NAME) as running:
        yield running


@pytest.fixture(scope="module")
def place(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    providers = {NAME: {"replace_object": OBJECTS}}
    with zoo(tmp_path_factory.mktemp("zoo"), fakes, {NAME: SLOTS}, providers=providers) as running:
        yield running


OK = ("200 ok", "ok yes", 1)


@rows(
    Row("a prompt on a photo", "", *OK),
    Row("a face swap", "", *OK, slot=FACE, guest=False),
    Row("a mix", "", *OK, slot=MIX, guest=False),
    Row("an object replaced", "", *OK, slot=REPLACE, guest=False, settings={"more_methods": ["object_swap"]}),
    Row("done at the first poll", "[[webhook=never pending=0]]", *OK),
    Row("pending three times", "[[webhook=never pending=3]]", *OK),
    Row("pending says success", "[[webhook=never pending=2 pending-success=true]]", *OK),
    Row("pending says no success", "[[webhook=never pending=2 pending-success=false]]", *OK),
    Row("pending tells the place in the queue", "[[webhook=never pending=2 position]]", *OK),
    Row("success is a text", "[[webhook=never yes=text]]", *OK),
    Row("the number is a text", "[[webhook=never queueid=text]]", *OK),
    Row("a bracket too many, once", "[[webhook=never]] [[at=result stray-bracket fail-first=1]]", *OK),
    Row("an unknown number at first", "[[webhook=never unknown-first=1]]", *OK),
    Row("with limits", "[[webhook=never limits]]", *OK),
)
def test_a_picture_by_polling(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("the webhook alone", "[[pending-forever]]", *OK),
    Row("the webhook twice", "[[pending-forever webhook=twice]]", *OK),
    Row("the webhook before the number", "[[pending-forever webhook=early]]", *OK),
    Row("the webhook late", "[[webhook-after=0.5]]", *OK),
    Row("the webhook with a wrong number, and polling", "[[webhook=wrong-id]]", *OK),
    Row("success is a text in the webhook", "[[pending-forever yes=text]]", *OK),
)
def test_a_picture_by_webhook(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    *(
        Row(f"the address {place} and {address}", f"[[place={place} address={address}]]", *OK)
        for place in ("top", "data", "list", "text")
        for address in ("absolute", "relative", "no-scheme")
    )
)
def test_the_picture_is_found_wherever_its_address_stands(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("not there at first", "[[at=link status=404 fail-first=1]]", *OK),
    Row("broken at first", "[[at=link status=503 fail-first=1]]", *OK),
    Row("a wrong media type", "[[at=link type=text/html]]", *OK),
    Row("slow", "[[at=link slow-body=0.2]]", *OK),
    Row("eight megabytes", "[[size=8M]]", *OK),
    Row("WebP", "[[format=webp]]", *OK),
    Row("small", "[[picture=320x240]]", *OK),
)
def test_the_download_succeeds(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


BROKEN = "502 bad-answer"
PAID = (BROKEN, "bad-answer yes", 1)


@rows(
    Row("no address", "[[place=none]]", *PAID),
    Row("the link has expired", "[[at=link status=410]]", *PAID),
    Row("a page of the WLAN", "[[at=link html]]", *PAID),
    Row("no bytes", "[[at=link empty-body]]", *PAID),
    Row("cut in half", "[[at=link cut-file]]", *PAID),
    Row("a truncated picture", "[[truncated]]", *PAID),
    Row("a GIF", "[[gif]]", *PAID),
    Row("a bomb", "[[bomb]]", *PAID),
    Row("words", "[[not-a-picture]]", *PAID),
    Row("longer than any picture", "[[picture=320x240 size=41M]]", *PAID),
    Row("the link breaks off", "[[at=link short]]", *PAID),
    Row("the link is broken", "[[at=link status=500]]", *PAID),
)
def test_a_paid_picture_that_cannot_be_had_is_no_reason_to_pay_again(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("the cloud's metadata", "[[address=absolute host=169.254.169.254]]", *PAID),
    Row("another port of this machine", "[[address=absolute host=127.0.0.1:{trap}]]", *PAID),
    Row("another host of the local network", "[[address=absolute host=10.0.0.1]]", *PAID),
    Row("a redirect to the cloud's metadata", "[[at=link redirect=http://169.254.169.254/latest]]", *PAID),
    Row("a redirect to another port of this machine", "[[at=link redirect=http://127.0.0.1:{trap}/x]]", *PAID),
)
def test_a_result_address_leads_nowhere_but_to_the_service(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("a face is not found", "[[error=face_not_detected]]", "422 refused", "refused yes", 1),
    Row("the content is forbidden", "[[forbidden]]", "422 refused", "refused yes", 1),
    Row("the size is wrong", "[[error=size_error]]", "422 refused", "refused yes", 1),
    Row("the limit is reached at the end", "[[error=LIMIT]]", "502 out-of-credit", "out-of-credit maybe", 1),
    Row("the limit is reached at once", "[[error=LIMIT error-at=create]]", "502 out-of-credit", "out-of-credit no", 0),
    Row("an error in Russian", "[[error=Что-то+пошло+не+так]]", *PAID),
    Row("an error in the field errors", "[[error=quality_limit error-field=errors]]", "422 refused", "refused yes", 1),
    Row("an error in the field message", "[[error=unforeseen error-field=message]]", *PAID),
    Row("the photo cannot be fetched", "[[error=url_error]]", "502 bad-request-to-provider",
        "bad-request-to-provider yes", 1),
)  # fmt: skip
def test_the_service_says_why(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("a key is wrong", "[[status=401]]", "502 bad-key", "bad-key no", 0),
    Row("an account is empty", "[[status=402]]", "502 out-of-credit", "out-of-credit no", 0),
    Row("a tariff does not hold this", "[[status=403]]", "502 bad-key", "bad-key no", 0),
    Row("a method that the account has not", "", "502 bad-request-to-provider", "bad-request-to-provider no", 0,
        slot=REPLACE),
    Row("a method is gone", "[[status=404]]", "502 bad-request-to-provider", "bad-request-to-provider no", 0),
    Row("busy for an hour", "[[status=429 retry-after=3600]]", "502 busy", "busy no", 0),
    Row("down for an hour", "[[status=503 retry-after=3600]]", "502 unavailable", "unavailable no", 0),
    Row("a wrong key with status 200", "[[status=401]]", "502 bad-key", "bad-key no", 0,
        settings={"soft_errors": True}),
)  # fmt: skip
def test_a_creation_that_costs_nothing(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("busy once", "[[fail-first=1 status=429 retry-after=0]]", "200 ok", "busy no, ok yes", 1),
    Row("overloaded once", "[[fail-first=1 status=503 retry-after=0]]", "200 ok", "unavailable no, ok yes", 1),
)
def test_a_creation_that_cost_nothing_is_made_again(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("a page of the WLAN", "[[html]]", BROKEN, "bad-answer maybe", 1),
    Row("JSON that breaks off", "[[bad-json]]", BROKEN, "bad-answer maybe", 1),
    Row("an empty body", "[[empty-body]]", BROKEN, "bad-answer maybe", 1),
    Row("a connection lost in the answer", "[[short]]", BROKEN, "bad-answer maybe", 1),
    Row("a connection lost before the answer", "[[drop]]", "502 unavailable", "unavailable maybe", 0),
    Row("a connection reset after the charge", "[[reset charged]]", "502 unavailable", "unavailable maybe", 1),
)
def test_a_creation_that_may_have_cost_is_not_made_again(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("broken once", "[[webhook=never]] [[at=result status=500 fail-first=1]]", *OK),
    Row("overloaded twice", "[[webhook=never]] [[at=result status=503 fail-first=2]]", *OK),
    Row("busy once", "[[webhook=never]] [[at=result status=429 fail-first=1 retry-after=0]]", *OK),
    Row("lost once", "[[webhook=never]] [[at=result drop fail-first=1]]", *OK),
    Row("reset once", "[[webhook=never]] [[at=result reset fail-first=1]]", *OK),
    Row("a page of the WLAN once", "[[webhook=never]] [[at=result html fail-first=1]]", *OK),
    Row("broken JSON once", "[[webhook=never]] [[at=result bad-json fail-first=1]]", *OK),
    Row("an empty body once", "[[webhook=never]] [[at=result empty-body fail-first=1]]", *OK),
    Row("a body cut short once", "[[webhook=never]] [[at=result short fail-first=1]]", *OK),
)
def test_a_poll_that_fails_is_made_again_and_costs_nothing(place: Zoo, row: Row) -> None:
    place.check(NAME, row)


@rows(
    Row("fetched twice", "[[fetch=twice]]", *OK),
    Row("asked for with HEAD first", "[[fetch=head]]", *OK),
    Row("fetched before the number is told", "[[fetch=create]]", *OK),
)
def test_the_photo_is_handed_over_by_link(place: Zoo, row: Row) -> None:
    place.check(NAME, replace(row, slot=TWICE))


def test_links_and_webhook_die_with_the_job(place: Zoo) -> None:
    place.tell({NAME: "[[webhook=never]]"})
    assert place.send(NAME, FACE, place.photo()).answer.status == 200
    told = place.fakes[NAME].calls()[-1]["detail"]["fields"]
    for name in ("url", "url_image_target"):
        path = told[name].removeprefix(f"http://127.0.0.1:{place.daemon.port}")
        assert path.startswith("/media/")
        assert get(place.daemon.port, path).status == 404
    connection = HTTPConnection("127.0.0.1", place.daemon.port, timeout=60)
    with closing(connection):
        connection.request("POST", urlsplit(told["webhook"]).path, '{"success": true}')
        assert connection.getresponse().status == 404
    for url in (told["url"], told["url_image_target"], told["webhook"]):
        assert max(urlsplit(url).path.split("/"), key=len) not in place.daemon.log
