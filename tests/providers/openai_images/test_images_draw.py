"""OpenAI images: wishes are drawn, and the account's models listed."""

from typing import Any

import pytest

from boothd.base.errors import BadKey, Unavailable
from boothd.providers.interfaces import Offer, Wish
from boothd.providers.openai_images import OpenAIImages
from tests.providers.openai_images.cloud_bench import Bench
from tests.providers.openai_images.images_support import images
from tests.sandbox.fakes_support import asynchronous, opened

# --- draw ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wished", "sizes", "asked"),
    [
        (None, None, None),
        ((320, 480), None, "1024x1536"),
        ((480, 320), None, "1536x1024"),
        ((700, 690), None, "1024x1024"),
        ((320, 480), [], "320x480"),
    ],
)
@asynchronous
async def test_a_wish_is_drawn_in_the_nearest_size(bench: Bench, wished: Any, sizes: Any, asked: str | None) -> None:
    call = bench.call()
    provider = images(bench) if sizes is None else images(bench, sizes=sizes)
    await provider.draw(Wish("a tree", negative="people", size=wished), call)
    fields = (await bench.last())["detail"]["fields"]
    assert fields.get("size") == asked
    assert fields["prompt"] == "a tree\n\nThe picture shows none of the following: people."
    assert (await bench.last())["detail"]["path"] == "/v1/images/generations"
    size = opened(call.answer.read_bytes()).size
    assert asked is None or size == tuple(int(side) for side in asked.split("x"))


# --- offers ----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_the_models_are_listed_at_no_cost(bench: Bench) -> None:
    offers = await images(bench).offers(bench.call().budget)
    assert offers == [Offer(name, "sandbox") for name in ("gpt-image-1", "gpt-image-1-mini", "dall-e-2")]
    assert await bench.fake.charges() == 0


@asynchronous
async def test_a_server_without_a_list_offers_nothing(bench: Bench) -> None:
    provider: Any = bench.provider(OpenAIImages, path="/elsewhere")
    assert await provider.offers(bench.call().budget) is None


@asynchronous
async def test_a_list_that_cannot_be_had_says_why(bench: Bench) -> None:
    bad: Any = bench.provider(OpenAIImages, path="/v1", keys=("bad-1",))
    with pytest.raises(BadKey):
        await bad.offers(bench.call().budget)
    await bench.fake.call("POST", "/__sandbox__/outage?mode=error")
    with pytest.raises(Unavailable):
        await images(bench).offers(bench.call().budget)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><title>WLAN</title>", b"", b'{"data": ['])
@asynchronous
async def test_what_is_no_list_means_that_the_server_is_not_there(bench: Bench, body: bytes) -> None:
    provider = images(bench, base_url=bench.canned(body).url)
    with pytest.raises(Unavailable, match="check base_url"):
        await provider.offers(bench.call().budget)


@pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": [{"id": "x" * (600 << 10)}]}])
@asynchronous
async def test_a_list_that_cannot_be_read_offers_nothing(bench: Bench, body: Any) -> None:
    provider = images(bench, base_url=bench.canned(body).url)
    assert await provider.offers(bench.call().budget) is None
