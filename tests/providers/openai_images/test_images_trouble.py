"""OpenAI images: every kind of trouble is told by its name, its price, and the switch to turn."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    OutOfTime,
    Refused,
    Unavailable,
    WorkError,
)
from boothd.providers.interfaces import Preset
from boothd.providers.openai_images import OpenAIImages, OpenAIImagesOptions
from tests.providers.openai_images.cloud_bench import Bench
from tests.providers.openai_images.images_support import PIRATE, failed, images, preset
from tests.sandbox.fakes_support import asynchronous

# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kind", "charged", "said"),
    [
        ("status=400 code=moderation_blocked", Refused, Charged.NO, "refused the photo or the prompt"),
        ("status=400 code=content_policy_violation", Refused, Charged.NO, "refused"),
        ("status=429 code=insufficient_quota", OutOfCredit, Charged.NO, "no money left"),
        ("status=402", OutOfCredit, Charged.NO, "balance"),
        ("status=403", BadKey, Charged.NO, "verified"),
        ("status=413", BadRequest, Charged.NO, "too large"),
        ("status=415", BadRequest, Charged.NO, "does not take edit_style: multipart"),
        ("status=500", Unavailable, Charged.NO, "500"),
        ("status=503", Unavailable, Charged.NO, "overloaded"),
        ("status=504", Unavailable, Charged.MAYBE, "504"),
        ("status=307", BadRequest, Charged.NO, "check base_url"),
        ("drop", Unavailable, Charged.MAYBE, "lost"),
        ("reset", Unavailable, Charged.MAYBE, "lost"),
        ("short", Unavailable, Charged.MAYBE, "broke off"),
        ("html", BadAnswer, Charged.MAYBE, "no JSON"),
        ("bad-json", BadAnswer, Charged.MAYBE, "answer"),
        ("empty-body", BadAnswer, Charged.MAYBE, "no JSON"),
        ("no-data", BadAnswer, Charged.YES, "without a picture"),
        ("empty-data", BadAnswer, Charged.YES, "without a picture"),
    ],
)
@asynchronous
async def test_trouble_has_its_name_and_its_price(
    bench: Bench, script: str, kind: type[WorkError], charged: Charged, said: str
) -> None:
    error = await failed(bench, script)
    assert (type(error), error.charged) == (kind, charged)
    assert said in error.message
    calls = await bench.fake.ask("calls")
    assert len(calls) == 1
    assert charged is Charged.MAYBE or calls[0]["charged"] == (charged is Charged.YES)


@asynchronous
async def test_a_busy_server_says_when_to_come_back(bench: Bench) -> None:
    error = await failed(bench, "status=429 retry-after=7")
    assert isinstance(error, Busy)
    assert error.retry_after_s == 7


@pytest.mark.parametrize(
    ("fake", "ours", "options", "said"),
    [
        ({}, {"response_format": "b64_json"}, {}, "Set response_format"),
        ({"field": "image[]"}, {"image_field": "image"}, {}, "Set image_field"),
        ({"edits": "json"}, {}, {}, "does not take edit_style: multipart"),
        ({"edits": "multipart"}, {"edit_style": "json-images"}, {}, "does not take edit_style: json-images"),
        ({}, {"edit_style": "input-references"}, {}, "does not take edit_style: input-references"),
        ({"edits": "none"}, {}, {}, "no /images/edits; check base_url and edit_style"),
        ({}, {}, {"model": "gpt-image-9"}, "no model 'gpt-image-9'"),
        ({}, {}, {"extra": {"seed": 1}}, "Check seed under extra"),
        ({}, {"negative_field": "negative_prompt"}, {}, "Set negative_field"),
        ({}, {}, {"size": "10x10"}, "Set a size that the model has"),
    ],
)
@asynchronous
async def test_a_refused_dialect_names_the_switch(
    bench: Bench, fake: dict[str, Any], ours: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    await bench.fake.set(**fake)
    asked = Preset(
        "openai-images", "prompt", prompt="x", negative="hats", options=OpenAIImagesOptions.model_validate(options)
    )
    with pytest.raises(BadRequest) as caught:
        await images(bench, **ours).edit(bench.photo(), asked, bench.call())
    assert said in caught.value.message
    assert caught.value.charged is Charged.NO
    assert await bench.fake.charges() == 0


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"error": {"message": "no", "code": "moderation_blocked"}}, Refused),
        ({"error": {"message": "slow down", "code": 429}}, Busy),
        ({"error": "odd for good-1", "data": None}, BadRequest),
    ],
)
@asynchronous
async def test_an_error_with_status_200_is_an_error_that_may_have_cost(
    bench: Bench, said: Any, kind: type[WorkError]
) -> None:
    server = bench.canned(said)
    with pytest.raises(kind) as caught:
        await images(bench, base_url=server.url).edit(bench.photo(), PIRATE, bench.call())
    assert caught.value.charged is Charged.MAYBE
    assert "good-1" not in caught.value.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "the key good-1 has no rights"}', "the key … has no rights"),
        (b'{"message": "odd", "code": 400}', "odd"),
        (b'{"detail": [{"loc": ["body", "prompt"]}]}', "prompt"),
        (b'["odd"]', "odd"),
        (b"plainly odd good-1", "plainly odd …"),
        (b"<html>nginx</html>", "answered 400."),
        (b"", "answered 400."),
    ],
)
@asynchronous
async def test_errors_of_any_shape_are_told_without_the_key(bench: Bench, body: bytes, said: str) -> None:
    server = bench.canned(body, 400)
    with pytest.raises(BadRequest) as caught:
        await images(bench, base_url=server.url).edit(bench.photo(), PIRATE, bench.call())
    assert said in caught.value.message
    assert "good-1" not in caught.value.message


# --- keys ------------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_key_without_room_or_money_is_passed_over(bench: Bench) -> None:
    provider: Any = bench.provider(
        OpenAIImages, path="/v1", keys=("bad-1", "busy-2", "poor-3", "good-4", "good-5"), model="gpt-image-1"
    )
    await provider.edit(bench.photo(), preset("format=png"), bench.call())
    await provider.edit(bench.photo(), preset("format=jpeg"), bench.call())
    assert [call["key"] for call in await bench.fake.ask("ledger")] == ["…od-4", "…od-4"]


@asynchronous
async def test_a_bad_key_is_not_repeated(bench: Bench) -> None:
    provider: Any = bench.provider(OpenAIImages, path="/v1", keys=("bad-12345",), model="gpt-image-1")
    with pytest.raises(BadKey) as caught:
        await provider.edit(bench.photo(), preset("format=png"), bench.call())
    assert "12345" not in caught.value.message


@asynchronous
async def test_further_headers_go_along_and_no_key_where_there_is_none(bench: Bench) -> None:
    server = bench.canned({"data": []})
    provider = bench.provider(
        OpenAIImages, base_url=server.url, keys=(), key_needed=False, headers={"OpenAI-Project": "p"}, model="x"
    )
    with pytest.raises(BadAnswer):
        await provider.edit(bench.photo(), PIRATE, bench.call())
    assert server.heads[0]["openai-project"] == "p"
    assert server.heads[0]["user-agent"] == "boothd"
    assert "authorization" not in server.heads[0]


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["hang", "hang-body"])
@asynchronous
async def test_the_budgets_end_closes_the_socket_and_leaves_nothing(bench: Bench, script: str) -> None:
    call = bench.call(seconds=20)
    work = Deferred.fromCoroutine(
        call.budget.limit(images(bench).edit(bench.photo(), preset(f"{script} size=2M"), call))
    )
    await bench.fake.ask("calls?count=1")
    if script == "hang":
        await bench.fake.ask("open?working=1")
    else:
        await bench.fake.ask("calls?count=1&ended=1")
    bench.clock.advance(20)
    with pytest.raises(OutOfTime):
        await work
    await bench.fake.ask("open?working=0&connections=0")
    assert bench.left() == set()


@asynchronous
async def test_a_hanging_link_is_given_up_with_the_budget_and_is_paid_for(bench: Bench) -> None:
    call = bench.call(seconds=20)
    work = Deferred.fromCoroutine(images(bench).edit(bench.photo(), preset("answer=url]] [[at=link hang"), call))
    await bench.fake.ask("ledger?count=1")
    await bench.fake.ask("open?connections=1")
    bench.clock.advance(20)
    with pytest.raises(OutOfTime) as caught:
        await work
    assert caught.value.charged is Charged.YES
    assert bench.left() == set()
