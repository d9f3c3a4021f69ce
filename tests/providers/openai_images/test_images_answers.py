"""OpenAI images: every kind of answer is read, and only its picture is kept."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from boothd.base.errors import BadAnswer, Charged
from boothd.providers.common.paid import TRIES
from boothd.providers.openai_images import PAUSE_S, OpenAIImagesSettings
from boothd.providers.openai_images.answer import cost_of, find_picture
from boothd.providers.openai_images.links import guard_of
from tests.providers.openai_images.cloud_bench import Bench
from tests.providers.openai_images.images_support import PIRATE, failed, images, preset
from tests.sandbox.fakes_support import asynchronous, opened, photo
from tests.support.clock import SkippingClock

# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["b64_json", "data", "url"])
@asynchronous
async def test_the_picture_comes_in_any_way(bench: Bench, kind: str) -> None:
    call = bench.call()
    await images(bench).edit(bench.photo(), preset(f"answer={kind} picture=200x100"), call)
    assert opened(call.answer.read_bytes()).size == (200, 100)
    assert bench.left() == {"answer-1"}


@asynchronous
async def test_a_link_may_be_asked_for(bench: Bench) -> None:
    await bench.fake.set(strict=False)
    call = bench.call()
    await images(bench, response_format="url").edit(bench.photo(), preset("picture=200x100"), call)
    assert opened(call.answer.read_bytes()).size == (200, 100)
    assert (await bench.last())["detail"]["fields"]["response_format"] == "url"


@asynchronous
async def test_of_several_pictures_the_first_is_kept_and_nothing_else(bench: Bench) -> None:
    pictures = [base64.b64encode(photo(number, (200, 100)) + bytes(9000)).decode() for number in (1, 2)]
    server = bench.canned({"data": [{"b64_json": ""}, *({"b64_json": picture} for picture in pictures)]})
    call = bench.call()
    await images(bench, base_url=server.url).edit(bench.photo(), PIRATE, call)
    assert call.answer.read_bytes() == photo(1, (200, 100)) + bytes(9000)
    assert bench.left() == {"answer-1"}


@asynchronous
async def test_a_picture_too_small_to_be_a_file_is_one(bench: Bench) -> None:
    server = bench.canned({"data": [{"b64_json": base64.b64encode(b"tiny").decode()}]})
    call = bench.call()
    await images(bench, base_url=server.url).edit(bench.photo(), PIRATE, call)
    assert call.answer.read_bytes() == b"tiny"


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"b64_json": base64.b64encode(b"tiny").decode()}, b"tiny"),
        ({"url": "data:image/png;base64," + base64.b64encode(b"tiny").decode()}, b"tiny"),
        ({"b64_json": None, "url": "https://x.example/y"}, "https://x.example/y"),
        ({"image_url": {"url": "https://x.example/y"}}, "https://x.example/y"),
    ],
)
def test_small_pictures_and_links_are_found(entry: dict[str, Any], found: object) -> None:
    assert find_picture({"data": [entry]}, "x") == found
    assert find_picture({"data": entry}, "x") == found


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"data": []}, {"data": [{}]}, {"data": [{"b64_json": "?", "url": 7}]}]
)
def test_an_answer_without_a_picture_is_paid_for(answer: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        find_picture(answer, "OpenAI images")
    assert caught.value.charged is Charged.YES


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost_rub": 3.5}, Decimal("3.5")),
        ({"cost": "0.04"}, Decimal("0.04")),
        ({"cost": 0}, Decimal(0)),
        ({"cost": -1}, None),
        ({"cost": "much"}, None),
        ({"cost": True}, None),
        (None, None),
    ],
)
def test_a_cost_is_taken_when_it_is_one(usage: Any, cost: Decimal | None) -> None:
    assert cost_of({"usage": usage}) == cost


# --- links -----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_link_to_a_host_that_is_not_allowed_names_host_and_setting(bench: Bench) -> None:
    server = bench.canned({"data": [{"url": "https://cdn.example.com/secret.png?token=1"}], "usage": {"cost": 2}})
    with pytest.raises(BadAnswer, match=r"cdn\.example\.com.*result_hosts") as caught:
        await images(bench, base_url=server.url).edit(bench.photo(), PIRATE, bench.call())
    assert (caught.value.charged, caught.value.cost) == (Charged.YES, Decimal(2))
    assert "secret" not in caught.value.message


@asynchronous
async def test_a_link_to_another_host_is_followed_when_that_is_allowed(bench: Bench) -> None:
    server = bench.canned(b"")
    server.files["/cdn.png"] = photo(1, (200, 100), "PNG")
    server.body = json.dumps({"data": [{"url": f"{server.url.replace('127.0.0.1', 'localhost')}/cdn.png"}]}).encode()
    with pytest.raises(BadAnswer, match="localhost, which is not an allowed host"):
        await images(bench, base_url=server.url).edit(bench.photo(), PIRATE, bench.call())
    call = bench.call()
    await images(bench, base_url=server.url, result_hosts=["localhost"]).edit(bench.photo(), PIRATE, call)
    assert call.answer.read_bytes() == photo(1, (200, 100), "PNG")


@pytest.mark.parametrize(
    ("server", "private", "link", "said"),
    [
        ("https://api.example.com/v1", False, "https://192.168.1.5/x", "a private address"),
        ("https://api.example.com/v1", True, "https://192.168.1.5/x", ""),
        ("https://api.example.com/v1", True, "http://192.168.1.5/x", "must begin with https"),
        ("https://api.example.com/v1", True, "https://192.168.1.5:8000/x", "port 8000"),
        ("http://192.168.1.5:8000/v1", False, "http://192.168.1.5:8000/x", ""),
        ("http://192.168.1.5:8000/v1", False, "http://192.168.1.5:8001/x", "port 8001"),
    ],
)
def test_links_lead_into_the_local_network_only_where_the_operator_says_so(
    server: str, private: bool, link: str, said: str
) -> None:
    settings = OpenAIImagesSettings.model_validate(
        {"base_url": server, "result_hosts": ["192.168.1.5"], "result_private": private}
    )
    _, guard = guard_of(settings)
    if not said:
        guard.check_url(link)
        return
    with pytest.raises(BadAnswer, match=said):
        guard.check_url(link)


LINK_TROUBLE = ["status=404", "status=503", "short", "reset", "html", "empty-body"]


@pytest.mark.parametrize("trouble", LINK_TROUBLE)
@asynchronous
async def test_a_link_that_works_at_the_second_try_is_fetched(bench: Bench, clock: SkippingClock, trouble: str) -> None:
    await bench.fake.set(answer="url")
    call = bench.call()
    picture = await images(bench).edit(bench.photo(), preset(f"cost=2]] [[at=link {trouble} fail-first=1"), call)
    opened(call.answer.read_bytes())
    assert (picture.cost, clock.slept, bench.left()) == (Decimal(2), [PAUSE_S], {"answer-1"})
    assert await bench.fake.charges() == 1


@pytest.mark.parametrize("trouble", LINK_TROUBLE)
@asynchronous
async def test_a_dead_link_is_paid_for(bench: Bench, clock: SkippingClock, trouble: str) -> None:
    await bench.fake.set(answer="url")
    error = await failed(bench, f"cost=2]] [[at=link {trouble}")
    assert (type(error), error.charged, error.cost) == (BadAnswer, Charged.YES, Decimal(2))
    assert len(clock.slept) == TRIES - 1
    assert await bench.fake.charges() == 1
