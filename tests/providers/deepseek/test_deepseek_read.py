"""Deepseek: questions about a photo are answered in words, and the account's models are listed."""

from typing import Any, Literal

import pytest

from boothd.base.errors import BadAnswer, BadKey, BadRequest, Charged, Unavailable
from boothd.providers.deepseek import Deepseek
from boothd.providers.interfaces import Offer, Question
from tests.providers.deepseek.deepseek_support import deepseek
from tests.providers.openai_images.cloud_bench import Bench
from tests.sandbox.fakes_support import asynchronous


@asynchronous
async def test_a_question_is_answered_in_words(bench: Bench) -> None:
    reading = await deepseek(bench).read(bench.photo(), Question("Who smiles?"), bench.call())
    assert reading.text.endswith("somebody smiles into the camera.")
    assert (reading.model, reading.found) == ("deepseek-flash", ())
    asked = await bench.last()
    assert asked["detail"]["json"] is False
    assert asked["prompt"].endswith("Who smiles?")
    assert bench.left() == set()


@pytest.mark.parametrize("kind", ["boxes", "masks"])
@asynchronous
async def test_it_finds_no_boxes_and_asks_nothing(bench: Bench, kind: Literal["boxes", "masks"]) -> None:
    with pytest.raises(BadRequest, match="boxes or masks"):
        await deepseek(bench).read(bench.photo(), Question("faces", kind), bench.call())
    assert await bench.fake.ask("calls") == []


@asynchronous
async def test_no_answer_is_a_bad_one_that_cost(bench: Bench) -> None:
    with pytest.raises(BadAnswer) as caught:
        await deepseek(bench).read(bench.photo(), Question("Who? [[empty]]"), bench.call())
    assert caught.value.charged is Charged.YES


@asynchronous
async def test_models_are_listed_and_those_that_cannot_see_are_marked(bench: Bench) -> None:
    assert await deepseek(bench).offers(bench.call().budget) == [
        Offer("deepseek-flash", "text, image → text"),
        Offer("deepseek-v4-pro", "text → text; cannot see photos"),
    ]
    assert await bench.fake.charges() == 0


@asynchronous
async def test_a_server_that_says_less_of_its_models_is_understood(bench: Bench) -> None:
    server = bench.canned({"data": [{"id": "a"}, {"id": 7}, "b"]})
    assert await deepseek(bench, base_url=server.url).offers(bench.call().budget) == [Offer("a")]


@asynchronous
async def test_a_list_that_cannot_be_had_says_why(bench: Bench) -> None:
    bad: Any = bench.provider(Deepseek, keys=("bad-1",))
    with pytest.raises(BadKey):
        await bad.offers(bench.call().budget)
    page = bench.canned(b"<!DOCTYPE html><title>WLAN</title>")
    with pytest.raises(Unavailable):
        await deepseek(bench, base_url=page.url).offers(bench.call().budget)
