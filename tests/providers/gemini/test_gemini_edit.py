"""Gemini changes photos: what is sent, what comes back, and where the picture lies."""

from decimal import Decimal
from typing import Any

import pytest

from boothd.base.errors import BadRequest
from boothd.providers.gemini import Gemini
from boothd.providers.interfaces import Draws, Edits, NotConfigured, Offers, Reads, Tidies
from tests.providers.gemini.gemini_support import Make, preset_of
from tests.sandbox.fakes_support import asynchronous, opened, photo, scene


def test_it_has_the_abilities(make: Make) -> None:
    gemini = make().gemini
    for ability in (Edits, Draws, Reads, Offers, Tidies):
        assert isinstance(gemini, ability)
    assert not hasattr(gemini, "resume")


def test_without_a_key_it_is_left_out(make: Make) -> None:
    with pytest.raises(NotConfigured, match="BOOTHD_KEY_GEMINI"):
        make(keys=())


@asynchronous
async def test_a_photo_and_references_become_a_picture(make: Make) -> None:
    booth = make()
    references = (booth.reference(), booth.reference("second.png", scene((64, 64))))
    picture = await booth.edit("on the moon", effect="background", references=references, negative="hats")
    assert opened(picture.path.read_bytes()).size
    assert (picture.model, picture.cost, picture.finished) == ("gemini-3-pro-image", None, False)
    (call,) = await booth.calls()
    assert call["detail"]["parts"] == ["picture", "picture", "picture", "text"]
    assert call["photo"] == booth.photo().sha256
    assert call["photos"][1:] == [reference.sha256 for reference in references]
    assert (
        call["prompt"].index("one or more guests") < call["prompt"].index("on the moon") < call["prompt"].index("hats")
    )
    assert booth.leftovers() == ["answer-1"]


@asynchronous
async def test_what_the_slot_says_about_the_picture_is_sent(make: Make) -> None:
    booth = make(safety="BLOCK_ONLY_HIGH")
    options = {"aspect": "3:2", "image_size": "2K", "thinking": "minimal", "seed": 7, "model": "gemini-3.1-flash-image"}
    picture = await booth.edit(options=options)
    assert opened(picture.path.read_bytes()).size == (2512, 1680)
    (call,) = await booth.calls()
    assert (call["model"], picture.model) == ("gemini-3.1-flash-image", "gemini-3.1-flash-image")
    config = call["detail"]["config"]
    assert config["imageConfig"] == {"aspectRatio": "3:2", "imageSize": "2K"}
    assert config["thinkingConfig"] == {"thinkingLevel": "MINIMAL"}
    assert config["seed"] == 7


@asynchronous
async def test_what_the_slot_leaves_open_is_left_to_the_model(make: Make) -> None:
    booth = make()
    await booth.edit()
    (call,) = await booth.calls()
    assert call["detail"]["config"] == {"responseModalities": ["TEXT", "IMAGE"]}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@asynchronous
async def test_the_version_of_the_api_is_configuration(make: Make, version: str) -> None:
    booth = make(api_version=version)
    await booth.edit(options={"aspect": "1:1", "thinking": "high"})
    (call,) = await booth.calls()
    assert call["detail"]["version"] == version


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "gemini-2.5-flash-image", "image_size": "1K"}, "no image_size"),
        ({"model": "gemini-3.1-flash-lite-image", "image_size": "4K"}, "takes 1K"),
        ({"model": "gemini-3-pro-image", "aspect": "8:1"}, "does not take aspect 8:1"),
        ({"model": "gemini-2.5-flash-image", "thinking": "high"}, "does not think"),
        ({"model": "gemini-3-pro-image-preview"}, "set model to gemini-3-pro-image"),
        ({"model": "imagen-4.0-generate-001"}, "shut down"),
    ],
)
@asynchronous
async def test_what_a_model_does_not_take_is_refused_before_anything_is_sent(
    make: Make, options: dict[str, object], said: str
) -> None:
    booth = make()
    with pytest.raises(BadRequest, match=said):
        await booth.edit(options=options)
    assert await booth.calls() == []


@asynchronous
async def test_a_model_takes_only_so_many_references(make: Make) -> None:
    booth = make(model="gemini-2.5-flash-image")
    references = tuple(booth.reference(f"{number}.png", scene((64, 60 + number))) for number in range(3))
    await booth.edit(references=references[:2])
    with pytest.raises(BadRequest, match="at most 2 reference pictures"):
        await booth.edit(references=references)


@asynchronous
async def test_a_model_that_came_later_is_asked_for_what_the_slot_says(make: Make) -> None:
    booth = make(fake={"models": ["gemini-5-image"]})
    assert (await booth.edit(options={"model": "gemini-5-image", "image_size": "2K"})).model == "gemini-5-image"


@asynchronous
async def test_a_model_name_that_is_no_name_is_the_slots_mistake(make: Make) -> None:
    booth = make()
    with pytest.raises(BadRequest, match="cannot be asked this"):
        await booth.edit(options={"model": "../files?x"})


@asynchronous
async def test_a_reference_that_cannot_be_read_is_the_slots_mistake(make: Make) -> None:
    booth = make()
    gone, text = booth.reference("gone.png"), booth.reference("text.png", b"no picture at all")
    gone.path.unlink()
    with pytest.raises(BadRequest, match=r"Reference picture 1 .* cannot be read"):
        await booth.edit(effect="background", references=(gone,))
    with pytest.raises(BadRequest, match=r"Reference picture 2 .* is not a JPEG"):
        await booth.edit(effect="background", references=(booth.reference(), text))
    assert await booth.calls() == []


@asynchronous
async def test_the_last_picture_that_is_no_thought_is_taken(make: Make) -> None:
    booth = make()
    plain = await booth.edit(job="plain")
    best = opened(plain.path.read_bytes()).size
    picture = await booth.edit("a pirate [[thoughts=2 drafts=2]]")
    assert opened(picture.path.read_bytes()).size == best  # thoughts and drafts are half as large
    assert booth.leftovers() == ["answer-1", "answer-2"]


@asynchronous
async def test_what_the_answer_says_of_its_format_is_not_trusted(make: Make) -> None:
    booth = make()
    picture = await booth.edit("a pirate [[mime-lies]]")
    assert opened(picture.path.read_bytes()).format in {"JPEG", "PNG"}


@asynchronous
async def test_a_picture_so_small_that_it_stays_in_the_json_comes_too(make: Make) -> None:
    booth = make()
    picture = await booth.edit("a pirate [[picture=8x8]]")
    data = picture.path.read_bytes()
    assert len(data) < 3_000
    assert opened(data).size == (8, 8)


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ({"price_per_million_input": "2", "price_per_million_output": "100"}, True),
        ({"price_per_million_output": "100"}, False),
        ({}, False),
    ],
)
@asynchronous
async def test_it_tells_the_cost_where_prices_are_set(make: Make, prices: dict[str, Any], *, cost: bool) -> None:
    booth = make(**prices)
    picture = await booth.edit()
    if not cost:
        assert picture.cost is None
        return
    (call,) = await booth.calls()
    sent = len(call["prompt"]) // 4 + 258
    assert picture.cost == (sent * Decimal(2) + 1290 * Decimal(100)) / 1_000_000


@asynchronous
async def test_an_answer_that_counts_no_tokens_has_no_cost(make: Make) -> None:
    booth = make(price_per_million_input="2", price_per_million_output="100")
    assert (await booth.edit("a pirate [[no-usage]]")).cost is None


def test_the_model_of_a_preset_is_the_slots_own_or_the_providers(make: Make) -> None:
    gemini = make().gemini
    assert gemini.model(preset_of()) == "gemini-3-pro-image"
    assert gemini.model(preset_of(options={"model": "gemini-9"})) == "gemini-9"
    assert gemini.model(preset_of(effect="background", options={"cut_out": True})) == "gemini-2.5-flash"


def test_every_effect_shows_its_instruction_and_limit() -> None:
    assert [effect.name for effect in Gemini.effects] == ["face-swap", "background", "prompt"]
    for effect in Gemini.effects:
        assert effect.max_references == 13
        assert len(effect.instruction) > 200
    assert [effect.needs_reference for effect in Gemini.effects] == [True, True, False]


@asynchronous
async def test_a_second_reference_is_announced(make: Make) -> None:
    booth = make()
    references = (booth.reference(), booth.reference("second.png", photo(3, form="PNG")))
    await booth.edit("", effect="face-swap", references=references)
    await booth.edit("", effect="face-swap", references=references[:1])
    first, second = await booth.calls()
    assert "Further pictures are references" in first["prompt"]
    assert "Further pictures are references" not in second["prompt"]
