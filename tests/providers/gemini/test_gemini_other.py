"""Gemini draws, reads, cuts out and tells its models."""

import pytest
from PIL import Image

from boothd.base.errors import BadAnswer, BadKey, BadRequest, Charged, Refused, WorkError
from boothd.providers.gemini import GeminiSettings
from boothd.providers.gemini.models import nearest_ratio, smallest_size
from boothd.providers.gemini.settings import GeminiOptions
from boothd.providers.interfaces import Question, Wish
from tests.providers.gemini.gemini_support import READER, Make, preset_of
from tests.sandbox.fakes_support import asynchronous, opened, scene

# --- draw ------------------------------------------------------------------------------------------------------------


@asynchronous
async def test_it_draws_in_the_nearest_shape(make: Make) -> None:
    booth = make()
    picture = await booth.gemini.draw(Wish("a blue hour", "people", (320, 480)), booth.call())
    width, height = opened(picture.path.read_bytes()).size
    assert width / height == pytest.approx(2 / 3, abs=0.02)
    (call,) = await booth.calls()
    assert call["detail"]["config"]["imageConfig"] == {"aspectRatio": "2:3"}
    assert call["detail"]["parts"] == ["text"]
    assert call["prompt"].startswith("a blue hour")
    assert "people" in call["prompt"]


@asynchronous
async def test_what_the_wish_says_itself_comes_first(make: Make) -> None:
    booth = make()
    options = GeminiOptions(aspect="1:1", model="gemini-3.1-flash-image", image_size="512")
    picture = await booth.gemini.draw(Wish("a blue hour", size=(3000, 1000), options=options), booth.call())
    assert opened(picture.path.read_bytes()).size == (512, 512)


@asynchronous
async def test_it_draws_without_a_wish_for_a_size(make: Make) -> None:
    booth = make()
    await booth.gemini.draw(Wish("a blue hour"), booth.call())
    (call,) = await booth.calls()
    assert "imageConfig" not in call["detail"]["config"]


@pytest.mark.parametrize(
    ("size", "model", "ratio", "name"),
    [
        ((100, 100), "gemini-3-pro-image", "1:1", None),
        ((1920, 1080), "gemini-3-pro-image", "16:9", "2K"),
        ((9000, 1000), "gemini-3-pro-image", "21:9", "4K"),
        ((9000, 1000), "gemini-nano-banana-2.1", "8:1", "4K"),
        ((1200, 1800), "gemini-3.1-flash-lite-image", "2:3", "1K"),
        ((1200, 1800), "gemini-2.5-flash-image", "2:3", None),
        ((1200, 1800), "gemini-5-image", "2:3", None),
    ],
)
def test_shape_and_size_are_what_the_model_has(size: tuple[int, int], model: str, ratio: str, name: str | None) -> None:
    assert nearest_ratio(model, size) == ratio
    assert smallest_size(model, size) == name


# --- read ------------------------------------------------------------------------------------------------------------


@asynchronous
async def test_it_describes_a_photo(make: Make) -> None:
    booth = make(reading_price_per_million_input="1", reading_price_per_million_output="1")
    reading = await booth.gemini.read(booth.photo(), Question("What is this?"), booth.call())
    assert "640x480" in reading.text
    assert (reading.model, reading.found) == (READER, ())
    assert reading.cost is not None
    (call,) = await booth.calls()
    assert call["detail"]["config"] == {"responseModalities": ["TEXT"]}
    assert booth.leftovers() == []


@asynchronous
async def test_it_finds_boxes_in_pixels(make: Make) -> None:
    booth = make()
    reading = await booth.gemini.read(booth.photo(), Question("people", "boxes"), booth.call())
    (thing,) = reading.found
    left, top, right, bottom = thing.box
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 480
    assert thing.mask is None
    (call,) = await booth.calls()
    assert call["detail"]["config"]["thinkingConfig"] == {"thinkingLevel": "LOW"}


@asynchronous
async def test_it_finds_masks_beside_the_answer(make: Make) -> None:
    booth = make()
    call = booth.call()
    reading = await booth.gemini.read(booth.photo(), Question("people", "masks"), call)
    (thing,) = reading.found
    assert thing.mask is not None
    assert thing.mask.parent == call.answer.parent
    with Image.open(thing.mask) as mask:
        assert mask.size == (thing.box[2] - thing.box[0], thing.box[3] - thing.box[1])
    (asked,) = await booth.calls()
    assert asked["model"] == reading.model == "gemini-2.5-flash"
    assert asked["detail"]["config"]["thinkingConfig"] == {"thinkingBudget": 0}


@pytest.mark.parametrize(
    ("script", "kind", "charged"),
    [
        ("block=SAFETY", Refused, Charged.MAYBE),
        ("finish=SAFETY", Refused, Charged.MAYBE),
        ("finish=STOP", BadAnswer, Charged.YES),
        ("status=400", BadRequest, Charged.NO),
    ],
)
@asynchronous
async def test_a_reading_that_fails_is_told_like_a_picture(
    make: Make, script: str, kind: type[WorkError], charged: Charged
) -> None:
    booth = make()
    with pytest.raises(kind) as caught:
        await booth.gemini.read(booth.photo(), Question(f"What is this? [[{script}]]"), booth.call())
    assert caught.value.charged is charged


@asynchronous
async def test_a_reading_without_boxes_has_been_paid_for(make: Make) -> None:
    booth = make(fake={"script": "[[cut boxes=1]]"}, reading_price_per_million_input="1")
    with pytest.raises(BadAnswer) as caught:
        await booth.gemini.read(booth.photo(), Question("people", "masks"), booth.call())
    assert caught.value.charged is Charged.YES


# --- cut out ---------------------------------------------------------------------------------------------------------


@asynchronous
async def test_guests_are_cut_out_and_nothing_is_painted(make: Make) -> None:
    booth = make(reading_price_per_million_input="1", reading_price_per_million_output="1")
    preset = preset_of("", effect="background", references=(booth.reference(),), options={"cut_out": True})
    picture = await booth.gemini.edit(booth.photo(), preset, booth.call())
    assert (picture.model, picture.finished) == ("gemini-2.5-flash", True)
    assert picture.cost is not None
    made = opened(picture.path.read_bytes()).convert("RGB")
    face = opened(booth.photo().path.read_bytes()).convert("RGB").getpixel((320, 180))
    found = made.getpixel((320 * made.width // 640, 180 * made.height // 480))
    assert isinstance(face, tuple)
    assert isinstance(found, tuple)
    assert max(abs(a - b) for a, b in zip(face, found, strict=True)) < 24
    (call,) = await booth.calls()
    assert call["detail"]["parts"] == ["picture", "text"]
    assert booth.leftovers() == ["answer-1"]
    assert not [path for path in booth.folder.iterdir() if "mask" in path.name]


@pytest.mark.parametrize("script", ["boxes=0", "no-mask", "bad-mask"])
@asynchronous
async def test_a_cut_without_a_mask_has_cost_and_brings_no_picture(make: Make, script: str) -> None:
    booth = make(fake={"script": f"[[{script}]]"})
    preset = preset_of("", effect="background", references=(booth.reference(),), options={"cut_out": True})
    with pytest.raises(BadAnswer) as caught:
        await booth.gemini.edit(booth.photo(), preset, booth.call())
    assert caught.value.charged is Charged.YES
    assert booth.leftovers() == []


@asynchronous
async def test_only_the_background_is_cut_out(make: Make) -> None:
    booth = make()
    picture = await booth.edit(options={"cut_out": True})
    assert (picture.model, picture.finished) == ("gemini-3-pro-image", False)


@asynchronous
async def test_a_reference_that_does_not_decode_is_told(make: Make) -> None:
    booth = make()
    broken = booth.reference("broken.png", scene()[: len(scene()) // 2])
    preset = preset_of("", effect="background", references=(broken,), options={"cut_out": True})
    with pytest.raises(Refused) as caught:
        await booth.gemini.edit(booth.photo(), preset, booth.call())
    assert caught.value.charged is Charged.YES


# --- offers ----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_the_models_that_can_be_asked_are_offered(make: Make) -> None:
    booth = make()
    offers = {offer.name: offer.note for offer in await booth.gemini.offers(booth.call().budget)}
    assert offers["gemini-3-pro-image"] == "Nano Banana Pro"
    assert "gemini-embedding-001" not in offers


@asynchronous
async def test_the_sandbox_has_the_models_of_the_default_settings(make: Make) -> None:
    booth, settings = make(), GeminiSettings()
    known = {offer.name for offer in await booth.gemini.offers(booth.call().budget)}
    assert {settings.model, settings.reading_model, settings.mask_model} <= known


@asynchronous
async def test_offers_are_of_all_pages(make: Make) -> None:
    names = [f"model-{number}" for number in range(120)]
    booth = make(fake={"models": names})
    assert [offer.name for offer in await booth.gemini.offers(booth.call().budget)] == names


@asynchronous
async def test_offers_tell_of_a_bad_key(make: Make) -> None:
    booth = make(keys=("bad-1",))
    with pytest.raises(BadKey):
        await booth.gemini.offers(booth.call().budget)
