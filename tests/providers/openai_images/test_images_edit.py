"""OpenAI images: a photo goes out in the server's dialect, and its picture comes back into the call's file."""

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from boothd.base.errors import BadRequest
from boothd.base.imaging import inspect
from boothd.providers.interfaces import NotConfigured, Preset
from boothd.providers.openai_images import OpenAIImages, OpenAIImagesOptions
from tests.providers.openai_images.cloud_bench import Bench
from tests.providers.openai_images.images_support import PIRATE, images
from tests.sandbox.fakes_support import asynchronous, photo, scene

STYLES = {"multipart": "multipart", "json-images": "json-images", "input-references": "input_references"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("style", STYLES)
@asynchronous
async def test_a_photo_becomes_a_picture_in_every_dialect(bench: Bench, style: str, strict: bool) -> None:
    await bench.fake.set(strict=strict, references=style == "input-references")
    call = bench.call()
    picture = await images(bench, edit_style=style).edit(bench.photo(), PIRATE, call)
    assert (picture.path, picture.model, picture.cost) == (call.answer, "gpt-image-1", None)
    assert inspect(picture.path, 10**8).format == "PNG"
    assert bench.left() == {"answer-1"}
    asked = await bench.last()
    assert asked["detail"]["style"] == STYLES[style]
    assert asked["photos"] == [sha256(photo())]
    assert set(asked["detail"]["fields"]) == {"prompt", "model", "n"}
    assert asked["detail"]["fields"]["prompt"].endswith("\n\na pirate")
    assert await bench.fake.charges() == 1


@pytest.mark.parametrize("style", STYLES)
@asynchronous
async def test_references_come_after_the_photo_in_their_order(bench: Bench, style: str) -> None:
    await bench.fake.set(references=style == "input-references")
    second = photo(2, (320, 200))
    preset = Preset("openai-images", "background", references=(bench.reference(1), bench.reference(2, second)))
    await images(bench, edit_style=style).edit(bench.photo(), preset, bench.call())
    asked = await bench.last()
    assert asked["photos"] == [sha256(photo()), sha256(scene()), sha256(second)]
    assert "The first picture is a photo of one or more guests" in asked["prompt"]
    assert "Further pictures are references" in asked["prompt"]


@pytest.mark.parametrize(("field", "several"), [("auto", "image[]"), ("image", "image"), ("image[]", "image[]")])
@asynchronous
async def test_the_forms_picture_field_is_as_set(bench: Bench, field: str, several: str) -> None:
    provider = images(bench, image_field=field)
    await provider.edit(bench.photo(), PIRATE, bench.call())
    one = "image" if field == "auto" else field
    assert [name for name in (await bench.last())["detail"]["names"] if name.startswith("image")] == [one]
    preset = Preset("openai-images", "face-swap", references=(bench.reference(),))
    await provider.edit(bench.photo(), preset, bench.call())
    assert [name for name in (await bench.last())["detail"]["names"] if name.startswith("image")] == [several] * 2


@asynchronous
async def test_a_slots_fields_are_sent(bench: Bench) -> None:
    await bench.fake.set(strict=False)
    options = OpenAIImagesOptions.model_validate(
        {
            "model": "gpt-image-1-mini",
            "size": "1024x1536",
            "quality": "low",
            "output_format": "jpeg",
            "background": "opaque",
            "extra": {"seed": 7, "turbo": True},
        }
    )
    preset = Preset("openai-images", "prompt", prompt="a pirate", negative="hats", options=options)
    provider = images(bench, negative_field="negative_prompt")
    picture = await provider.edit(bench.photo(), preset, bench.call())
    fields = (await bench.last())["detail"]["fields"]
    prompt = fields.pop("prompt")
    assert fields == {
        "model": "gpt-image-1-mini",
        "n": "1",
        "size": "1024x1536",
        "quality": "low",
        "output_format": "jpeg",
        "background": "opaque",
        "seed": "7",
        "turbo": "true",
        "negative_prompt": "hats",
    }
    assert "hats" not in prompt
    assert picture.model == provider.model(preset) == "gpt-image-1-mini"
    measures = inspect(picture.path, 10**8)
    assert (measures.format, measures.width, measures.height) == ("JPEG", 1024, 1536)


@asynchronous
async def test_without_a_field_for_it_the_negative_is_said_in_words(bench: Bench) -> None:
    preset = Preset("openai-images", "prompt", prompt="a pirate", negative="hats")
    await images(bench).edit(bench.photo(), preset, bench.call())
    assert (await bench.last())["prompt"].endswith("The picture shows none of the following: hats.")


@asynchronous
async def test_a_big_photo_and_a_big_answer_pass(bench: Bench) -> None:
    big = photo(1, (640, 480)) + bytes(6 << 20)
    call = bench.call()
    preset = Preset("openai-images", "prompt", prompt="x [[size=8M]]")
    for style in ("multipart", "json-images"):
        call = bench.call()
        await images(bench, edit_style=style).edit(bench.photo(big), preset, call)
        assert call.answer.stat().st_size == 8 << 20
        assert (await bench.last())["photos"] == [sha256(big)]


@pytest.mark.parametrize("style", ["json-images", "input-references"])
@asynchronous
async def test_a_picture_too_large_for_json_is_named_and_nothing_is_sent(bench: Bench, style: str) -> None:
    preset = Preset("openai-images", "background", references=(bench.reference(1), bench.reference(2)))
    preset.references[1].path.write_bytes(scene() + bytes(16 << 20))
    with pytest.raises(BadRequest, match=r"Reference picture 2 has 16\.8 MB.*20,971,520.*edit_style: multipart"):
        await images(bench, edit_style=style).edit(bench.photo(), preset, bench.call())
    assert await bench.fake.ask("calls") == []


@asynchronous
async def test_what_cannot_be_sent_is_named(bench: Bench) -> None:
    heic = b"\0\0\0\x18ftypheic" + bytes(40)
    gone = bench.reference(2)
    gone.path.unlink()
    for reference, said in [
        (bench.reference(1, heic), "Reference picture 1 is in HEIC"),
        (gone, "1 cannot be read: No"),
    ]:
        preset = Preset("openai-images", "background", references=(reference,))
        with pytest.raises(BadRequest, match=said):
            await images(bench).edit(bench.photo(), preset, bench.call())
    with pytest.raises(BadRequest, match="at most 15"):
        await images(bench).edit(
            bench.photo(), Preset("openai-images", "background", references=(gone,) * 16), bench.call()
        )
    with pytest.raises(BadRequest, match="no effect 'style'"):
        await images(bench).edit(bench.photo(), Preset("openai-images", "style"), bench.call())


@asynchronous
async def test_a_model_must_be_chosen_unless_the_server_has_one_only(bench: Bench) -> None:
    with pytest.raises(BadRequest, match="No model is chosen: set `model`"):
        await images(bench, model="").edit(bench.photo(), PIRATE, bench.call())
    provider = images(bench, model="", model_needed=False)
    await provider.edit(bench.photo(), PIRATE, bench.call())
    assert "model" not in (await bench.last())["detail"]["fields"]
    assert provider.model(PIRATE) == "the server's own"


@asynchronous
async def test_a_resellers_cost_is_told(bench: Bench) -> None:
    preset = Preset("openai-images", "prompt", prompt="x [[cost=3.5]]")
    assert (await images(bench).edit(bench.photo(), preset, bench.call())).cost == Decimal("3.5")


@asynchronous
async def test_without_a_key_it_is_left_out_unless_none_is_needed(bench: Bench) -> None:
    with pytest.raises(NotConfigured, match=r"keys\.openai-images"):
        bench.provider(OpenAIImages, keys=())
    bench.provider(OpenAIImages, keys=(), key_needed=False)
    with pytest.raises(NotConfigured, match="base_url"):
        bench.provider(OpenAIImages, base_url="")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"headers": {"Authorization": "Bearer x"}}, "secrets"),
        ({"headers": {"X-Odd": "a\r\nb"}}, "X-Odd"),
        ({"result_hosts": ["https://cdn.example.com"]}, "no host name"),
        ({"sizes": ["auto"]}, "1024x1536"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OpenAIImages.Settings.model_validate(settings)


@pytest.mark.parametrize("extra", [{"prompt": "x"}, {"n": 4}, {'a"b': 1}])
def test_further_fields_do_not_replace_ours(extra: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be a further field"):
        OpenAIImagesOptions.model_validate({"extra": extra})
