"""Deepseek: it looks at the photo and writes the renderer's prompt."""

from decimal import Decimal
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
from boothd.base.imaging import inspect
from boothd.providers.deepseek import Deepseek, DeepseekOptions
from boothd.providers.interfaces import Directs, Edits, NotConfigured, Offers, Preset, Reads
from tests.providers.deepseek.deepseek_support import deepseek, directed, failed, preset
from tests.providers.openai_images.cloud_bench import Bench
from tests.sandbox.fakes_support import asynchronous, photo


@asynchronous
async def test_it_directs_and_reads_but_never_edits(bench: Bench) -> None:
    provider = deepseek(bench)
    assert isinstance(provider, Directs)
    assert isinstance(provider, Reads)
    assert isinstance(provider, Offers)
    assert not isinstance(provider, Edits)


# --- what it is asked ------------------------------------------------------------------------------------------------


@asynchronous
async def test_the_photo_and_the_wish_become_a_prompt(bench: Bench) -> None:
    direction = await directed(bench, "a pirate on a ship")
    assert direction.prompt.startswith("A portrait of the guest, smiling")
    assert "a pirate on a ship" in direction.prompt
    assert (direction.model, direction.negative, direction.cost) == ("deepseek-flash", "", None)
    asked = await bench.last()
    assert asked["detail"] == {"thinking": False, "json": True, "stream": False, "max_tokens": 2000}
    assert asked["prompt"].startswith("You direct the pictures of a photo booth")
    assert asked["prompt"].endswith("The operator's wish: a pirate on a ship")
    assert len(asked["photos"]) == 1
    assert await bench.fake.charges() == 1


@asynchronous
async def test_the_renderers_references_are_looked_at_but_not_all_of_many(bench: Bench) -> None:
    references = tuple(bench.reference(number) for number in range(6))
    await deepseek(bench).direct(bench.photo(), preset("", "background", references=references), bench.call())
    asked = await bench.last()
    assert len(asked["photos"]) == 5
    assert "into the place that the reference picture shows" in asked["prompt"]
    assert asked["prompt"].endswith("The operator's wish: nothing beyond this.")
    assert bench.left() == set()


@pytest.mark.parametrize(("detail", "side"), [("auto", 1568), ("high", 1568), ("low", 512)])
@asynchronous
async def test_a_large_photo_is_looked_at_in_a_small_copy(bench: Bench, detail: str, side: int) -> None:
    provider = deepseek(bench, detail=detail)
    large = bench.photo(photo(1, (3000, 2000)) + bytes(6 << 20))
    call = bench.call()
    work = Deferred.fromCoroutine(provider.direct(large, preset("a pirate [[hold]]"), call))
    await bench.fake.ask("open?held=1")
    (name,) = bench.left()
    copy = inspect(bench.job / name, 10**8)
    assert (copy.format, copy.width) == ("JPEG", side)
    assert (await bench.last())["size_bytes"] < 1 << 20
    await bench.fake.call("POST", "/__sandbox__/release")
    await work
    assert bench.left() == set()


@asynchronous
async def test_a_slots_own_model_is_asked(bench: Bench) -> None:
    provider = deepseek(bench)
    asked = Preset("deepseek", "prompt", prompt="x", options=DeepseekOptions(model="deepseek-v4-flash"))
    assert provider.model(asked) == "deepseek-v4-flash"
    assert (await provider.direct(bench.photo(), asked, bench.call())).model == "deepseek-v4-flash"
    assert (await bench.last())["model"] == "deepseek-v4-flash"


@asynchronous
async def test_the_renderers_script_reaches_the_renderer(bench: Bench) -> None:
    direction = await directed(bench, "a pirate [[gemini: no-image]] [[deepseek: negative]]")
    assert "[[gemini: no-image]]" in direction.prompt
    assert direction.negative == "text, watermark, extra fingers"


@asynchronous
async def test_the_slots_negative_stays_when_deepseek_adds_none(bench: Bench) -> None:
    direction = await deepseek(bench).direct(bench.photo(), preset("x", negative="hats"), bench.call())
    assert direction.negative == "hats"
    assert "It must not show: hats." in (await bench.last())["prompt"]


@asynchronous
async def test_the_tokens_cost_where_their_prices_are_set(bench: Bench) -> None:
    prices: dict[str, Any] = {"price_per_million_input": 2, "price_per_million_output": 1000}
    direction = await directed(bench, **prices)
    assert direction.cost is not None
    assert Decimal("0.001") < direction.cost < Decimal("1")
    assert (await directed(bench, price_per_million_input=2)).cost is None
    assert ((await failed(bench, "x [[refuse]]", **prices)).cost or 0) > 0


@asynchronous
async def test_what_cannot_be_looked_at_is_named(bench: Bench) -> None:
    broken = bench.reference(1, photo()[:2000])
    asked = preset("", "background", references=(broken,))
    with pytest.raises(BadRequest, match="Reference picture 1 cannot be read: The picture is broken"):
        await deepseek(bench).direct(bench.photo(), asked, bench.call())
    broken.path.unlink()
    with pytest.raises(BadRequest, match="Reference picture 1 cannot be read: No such file"):
        await deepseek(bench).direct(bench.photo(), asked, bench.call())
    assert await bench.fake.ask("calls") == []
    assert bench.left() == set()


# --- what it answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["blanks=200", "keep-alive=0.05", "fence", "slow-body=0.02"])
@asynchronous
async def test_a_verdict_is_found_in_what_is_around_it(bench: Bench, script: str) -> None:
    await bench.fake.set(keep_alive_s=0.01)
    assert "a pirate" in (await directed(bench, f"a pirate [[{script}]]")).prompt


@asynchronous
async def test_thinking_that_comes_all_the_same_is_left_aside(bench: Bench) -> None:
    message = {"content": 'Sure! {"prompt": "a pirate"} Enjoy.', "reasoning_content": '{"prompt": "a thought"}'}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert (await directed(bench, base_url=bench.canned(answer).url)).prompt == "a pirate"


@asynchronous
async def test_a_gateways_comments_before_the_answer_do_no_harm(bench: Bench) -> None:
    said = b': keep-alive\n\n: keep-alive\r\n\r\n{"choices": [{"message": {"content": "{\\"prompt\\": \\"x\\"}"}}]}'
    assert (await directed(bench, base_url=bench.canned(said).url)).prompt == "x"


@pytest.mark.parametrize(
    ("script", "kind", "charged", "said"),
    [
        ("refuse", Refused, Charged.YES, "Nobody can be seen on the photo."),
        ("filtered", Refused, Charged.YES, "refused"),
        ("empty", BadAnswer, Charged.YES, "answered nothing"),
        ("prose", BadAnswer, Charged.YES, "no prompt"),
        ("wrong-verdict", BadAnswer, Charged.YES, "no prompt"),
        ("cut", BadAnswer, Charged.YES, "raise max_tokens"),
        ("html", BadAnswer, Charged.MAYBE, "no JSON"),
        ("bad-json", BadAnswer, Charged.MAYBE, "no JSON"),
        ("empty-body", BadAnswer, Charged.MAYBE, "nothing"),
        ("short", BadAnswer, Charged.MAYBE, "broke off"),
        ("status=400", BadRequest, Charged.NO, "Invalid request"),
        ("status=401", BadKey, Charged.NO, "does not accept the API key"),
        ("status=402", OutOfCredit, Charged.NO, "Insufficient Balance"),
        ("status=422", BadRequest, Charged.NO, "Invalid parameters"),
        ("status=429", Busy, Charged.NO, "concurrent"),
        ("status=500", Unavailable, Charged.NO, "500"),
        ("status=503", Unavailable, Charged.NO, "overloaded"),
        ("drop", Unavailable, Charged.MAYBE, "lost"),
        ("reset", Unavailable, Charged.MAYBE, "lost"),
    ],
)
@asynchronous
async def test_trouble_has_its_name_and_its_price(
    bench: Bench, script: str, kind: type[WorkError], charged: Charged, said: str
) -> None:
    error = await failed(bench, f"a pirate [[{script}]]")
    assert (type(error), error.charged) == (kind, charged)
    assert said in error.message
    calls = await bench.fake.ask("calls")
    assert len(calls) == 1
    assert charged is Charged.MAYBE or calls[0]["charged"] == (charged is Charged.YES)


@pytest.mark.parametrize(
    ("model", "said"), [("deepseek-v9", "no model 'deepseek-v9'"), ("deepseek-v4-pro", "does not support image input")]
)
@asynchronous
async def test_a_model_that_will_not_do_is_told(bench: Bench, model: str, said: str) -> None:
    error = await failed(bench, "x", model=model)
    assert isinstance(error, BadRequest)
    assert said in error.message


@asynchronous
async def test_an_error_with_status_200_may_have_cost(bench: Bench) -> None:
    error = await failed(bench, "x", base_url=bench.canned({"error": {"message": "odd"}}).url)
    assert (type(error), error.charged) == (BadRequest, Charged.MAYBE)


# --- keys and time ---------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_key_without_room_or_money_is_passed_over(bench: Bench) -> None:
    provider: Any = bench.provider(Deepseek, keys=("bad-1", "poor-2", "busy-3", "good-4"))
    for prompt in ("one", "two"):
        await provider.direct(bench.photo(), preset(prompt), bench.call())
    assert [call["key"] for call in await bench.fake.ask("ledger")] == ["…od-4", "…od-4"]


@asynchronous
async def test_without_a_key_it_is_left_out(bench: Bench) -> None:
    with pytest.raises(NotConfigured, match=r"keys\.deepseek"):
        bench.provider(Deepseek, keys=())


@pytest.mark.parametrize("script", ["hang", "keep-alive=600", "hang-body"])
@asynchronous
async def test_the_budgets_end_closes_the_socket_and_leaves_nothing(bench: Bench, script: str) -> None:
    await bench.fake.set(keep_alive_s=0.001)
    call = bench.call(seconds=12)
    work = Deferred.fromCoroutine(
        call.budget.limit(deepseek(bench).direct(bench.photo(), preset(f"x [[{script}]]"), call))
    )
    await bench.fake.ask("calls?count=1&ended=1" if script == "hang-body" else "open?working=1")
    bench.clock.advance(12)
    with pytest.raises(OutOfTime):
        await work
    await bench.fake.ask("open?working=0&connections=0")
    assert bench.left() == set()


@asynchronous
async def test_a_copy_that_is_no_longer_wanted_is_not_left_behind(bench: Bench) -> None:
    work = Deferred.fromCoroutine(
        deepseek(bench).direct(bench.photo(photo(1, (3000, 2000))), preset("x"), bench.call())
    )
    work.cancel()  # while the copy is being made
    failures: list[object] = []
    await work.addErrback(failures.append)
    assert failures
    await bench.settled()
    assert bench.left() == set()
    assert await bench.fake.ask("calls") == []
