"""Turbotext from photo to picture, against its fake, which fetches our links and calls our webhook."""

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from boothd.base.errors import BadRequest, Charged
from boothd.providers.interfaces import Edits, NotConfigured, Offers, Resumes
from boothd.providers.turbotext import TurbotextSettings
from tests.providers.turbotext.turbotext_support import Booth
from tests.sandbox.fakes_support import asynchronous, opened
from tests.support.tools import FakeCallbacks, FakeMedia

GUEST, TEMPLATE = "source.jpg", "answer-1-reference.png"


@pytest.mark.parametrize(
    ("effect", "method", "photo_field", "size"),
    [
        ("face-swap", "deepfake_photo", "url_image_target", (480, 480)),
        ("mix", "mix_images", "url_image_target", (768, 576)),
        ("background", "mix_images", "url_image_target", (768, 576)),
        ("prompt", "generate_image2image", "url", (768, 576)),
    ],
)
@asynchronous
async def test_each_effect_is_its_method_with_its_roles(
    booth: Booth, effect: str, method: str, photo_field: str, size: tuple[int, int]
) -> None:
    picture = await booth.edit(booth.preset(effect, "pirate"))
    assert (picture.model, opened(picture.path.read_bytes()).size) == (method, size)
    fields = await booth.sent()
    assert fields[photo_field].endswith(GUEST)
    if effect != "prompt":
        assert fields["url"].endswith(TEMPLATE)
    assert fields.get("content", "") == ("" if effect == "face-swap" else "pirate")
    assert await booth.client.charges() == 1
    assert booth.asked[0].numbers[0].startswith(f"{method}/")


@asynchronous
async def test_both_pictures_are_fetched_by_our_links(booth: Booth) -> None:
    await booth.edit(booth.preset("face-swap"))
    assert {f"media link {GUEST}", f"media link {TEMPLATE}"} <= set(booth.public.visits)


@asynchronous
async def test_the_slots_own_fields_go_over_the_wire(booth: Booth) -> None:
    options = {"strength": 60, "seed": 10**10, "scale": 7.5, "negative_prompt": "text", "original_language": "en"}
    preset = booth.preset("prompt", "в стиле аниме", options=options, negative="hats " * 90)
    await booth.edit(preset, booth.provider(user_id=7))
    fields = await booth.sent()
    named = {name: fields[name] for name in ("strength", "seed", "scale", "original_language", "user_id", "content")}
    assert named == {"strength": "60", "seed": "10000000000", "scale": "7.5", "original_language": "en", "user_id": "7",
                     "content": "в стиле аниме"}  # fmt: skip
    assert fields["negative_prompt"].split()[:2] == ["text,", "hats"]
    assert len(fields["negative_prompt"].split()) == 80


@pytest.mark.parametrize(("restore", "sent"), [(True, "True"), (False, "False"), (None, None)])
@asynchronous
async def test_face_restore_is_a_word_on_the_wire(booth: Booth, restore: bool | None, sent: str | None) -> None:
    await booth.edit(booth.preset("face-swap", options={"face_restore": restore}))
    assert (await booth.sent()).get("face_restore") == sent


@asynchronous
async def test_what_a_mix_must_not_show_is_said_in_its_words(booth: Booth) -> None:
    await booth.edit(booth.preset("mix", "a beach", negative="hats"))
    assert (await booth.sent())["content"] == "a beach\n\nThe picture shows none of the following: hats."


# --- replace object --------------------------------------------------------------------------------------------------


@asynchronous
async def test_replace_object_is_refused_until_its_method_is_set(booth: Booth) -> None:
    with pytest.raises(BadRequest, match=r"replace_object\.method") as caught:
        await booth.edit(booth.preset("replace-object"))
    assert (caught.value.charged, await booth.client.ask("calls")) == (Charged.NO, [])


@asynchronous
async def test_replace_object_is_called_as_it_is_configured(booth: Booth) -> None:
    await booth.client.set(more_methods=["swap_thing"])
    configured = {"method": "swap_thing", "photo_field": "url_image_target", "prompt_field": "content",
                  "reference_fields": ["url"], "fields": {"mode": "object"}}  # fmt: skip
    picture = await booth.edit(booth.preset("replace-object", "a hat"), booth.provider(replace_object=configured))
    fields = await booth.sent()
    assert (picture.model, fields["mode"], fields["content"]) == ("swap_thing", "object", "a hat")
    assert (fields["url"].endswith(TEMPLATE), fields["url_image_target"].endswith(GUEST)) == (True, True)


@asynchronous
async def test_too_few_reference_pictures_cost_nothing(booth: Booth) -> None:
    with pytest.raises(BadRequest, match="needs 1 reference"):
        await booth.edit(booth.preset("mix", references=0))
    assert await booth.client.charges() == 0


# --- reference pictures ----------------------------------------------------------------------------------------------


def picture(form: str, **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(out, form, **more)
    return out.getvalue()


@asynchronous
async def test_a_webp_reference_becomes_a_jpeg(booth: Booth) -> None:
    reference = booth.reference("scene.webp", picture("WEBP"))
    made = await booth.edit(replace(booth.preset("face-swap"), references=(reference,)))
    assert opened(made.path.read_bytes()).size == (300, 200)
    assert "media link answer-1-reference.jpg" in booth.public.visits


@asynchronous
async def test_a_reference_that_lies_on_its_side_is_turned(booth: Booth) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    reference = booth.reference("scene.jpg", picture("JPEG", exif=exif))
    made = await booth.edit(replace(booth.preset("face-swap"), references=(reference,)))
    assert opened(made.path.read_bytes()).size == (200, 300)


@asynchronous
async def test_a_reference_that_is_gone_costs_nothing(booth: Booth) -> None:
    preset = booth.preset("mix")
    preset.references[0].path.unlink()
    with pytest.raises(BadRequest, match=r"scene\.png"):
        await booth.edit(preset)
    assert (await booth.client.charges(), booth.left_over()) == (0, [])


# --- links -----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_links_die_with_the_call(booth: Booth) -> None:
    await booth.edit(booth.preset("mix"))
    fields = await booth.sent()
    paths = [fields[name].partition("127.0.0.1")[2].partition("/")[2] for name in ("url", "url_image_target")]
    answers = [await booth.public.port.ask("GET", f"/{path}") for path in paths]
    assert [answer.status for answer in answers] == [404, 404]
    assert booth.left_over() == ["answer-1"]  # the copy of the reference is gone
    webhook = fields["webhook"].partition("127.0.0.1")[2].partition("/")[2]
    assert (await booth.public.port.ask("POST", f"/{webhook}", "Content-Length: 0")).status == 404


@asynchronous
async def test_a_second_attempt_has_links_of_its_own(booth: Booth) -> None:
    provider = booth.provider()
    first = booth.call(seconds=30, number=1)
    second = booth.call(seconds=30, number=2)
    second.call.budget.deadline_s = first.call.budget.deadline_s  # as the engine's attempts on one photo have it
    await provider.edit(booth.photo(), booth.preset("mix"), first.call)
    picture = await provider.edit(booth.photo(), booth.preset("mix"), second.call)
    assert opened(picture.path.read_bytes()).size == (768, 576)


@asynchronous
async def test_a_link_lives_longer_than_the_call_may(booth: Booth) -> None:
    media = FakeMedia()
    with pytest.raises(BadRequest, match="public_url"):  # nobody is at the address
        await booth.edit(booth.preset("mix"), booth.provider(bench={"media": media}), seconds=50)
    assert [link.ttl_s > 600 for link in media.links] == [True, True]
    assert [link.withdrawn for link in media.links] == [True, True]


@pytest.mark.parametrize("bench", [{"media": FakeMedia(None)}, {"callbacks": FakeCallbacks(None)}])
@asynchronous
async def test_without_a_public_address_nothing_is_bought(booth: Booth, bench: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        await booth.edit(booth.preset("mix"), booth.provider(bench=bench))
    assert (caught.value.charged, await booth.client.ask("calls")) == (Charged.NO, [])
    assert booth.left_over() == []


# --- the class -------------------------------------------------------------------------------------------------------


@asynchronous
async def test_the_account_tells_its_methods(booth: Booth) -> None:
    await booth.client.set(more_methods=["replace_object"])
    call = booth.call()
    offers = {offer.name: offer.note for offer in await booth.provider().offers(call.call.budget)}
    assert offers["mix_images"] == "Микс фото"
    assert "replace_object" in offers
    assert await booth.client.charges() == 0


@asynchronous
async def test_it_has_the_abilities_it_says(booth: Booth) -> None:
    provider = booth.provider()
    assert all(isinstance(provider, ability) for ability in (Edits, Resumes, Offers))
    assert provider.model(booth.preset("face-swap")) == "deepfake_photo"
    with pytest.raises(NotConfigured, match=r"keys\.turbotext"):
        booth.provider(keys=())


@pytest.mark.parametrize(
    "wrong", [{"result_hosts": ["https://a.test"]}, {"base_url": ""}, {"replace_object": {"method": "a/b"}}]
)
def test_settings_that_make_no_sense_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)) if "result_hosts" not in wrong else "host name"):
        TurbotextSettings.model_validate(wrong)
