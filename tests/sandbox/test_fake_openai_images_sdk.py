"""The fake images server and OpenAI's own client, unmodified."""

import base64
from typing import Any

import openai
import pytest
from openai.types import ImagesResponse

from boothd.base.aio import from_asyncio
from tests.sandbox.fakes_support import Client, Start, asynchronous, opened, photo, scene

MODEL = "gpt-image-1"
GUEST, REFERENCE = ("guest.jpg", photo(), "image/jpeg"), ("scene.png", scene(), "image/png")


def openai_client(client: Client, key: str = "sandbox-key-0001") -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=f"{client.url}/v1", max_retries=0, timeout=60)


def picture(response: ImagesResponse) -> bytes:
    assert response.data is not None
    return base64.b64decode(response.data[0].b64_json or "")


@asynchronous
async def test_an_edit_with_several_images(start: Start) -> None:
    client = start("openai-images")

    def edit() -> ImagesResponse:
        with openai_client(client) as api:
            return api.images.edit(model=MODEL, image=[GUEST, REFERENCE], prompt="a knight", size="1536x1024")

    response = await client.run(edit)
    assert opened(picture(response)).size == (1536, 1024)
    assert response.usage is not None
    assert response.usage.input_tokens_details.image_tokens == 646
    (call,) = await client.ask("calls")
    assert call["detail"]["names"].count("image[]") == 2
    assert len(call["photos"]) == 2
    assert await client.charges() == 1


@asynchronous
async def test_an_edit_with_one_image(start: Start) -> None:
    client = start("openai-images")

    def edit() -> ImagesResponse:
        with openai_client(client) as api:
            return api.images.edit(model=MODEL, image=GUEST, prompt="a knight", output_format="jpeg")

    response = await client.run(edit)
    made = opened(picture(response))
    assert (made.format, made.size) == ("JPEG", (1536, 1024))  # auto: the photo's own shape
    assert (await client.ask("calls"))[0]["detail"]["names"].count("image") == 1


@asynchronous
async def test_pictures_are_generated(start: Start) -> None:
    client = start("openai-images")
    api = openai.AsyncOpenAI(api_key="key", base_url=f"{client.url}/v1", max_retries=0)
    response = await from_asyncio(api.images.generate(model=MODEL, prompt="a lighthouse", n=2, size="1024x1024"))
    await from_asyncio(api.close())
    assert response.data is not None
    assert len({datum.b64_json for datum in response.data}) == 2
    assert opened(picture(response)).size == (1024, 1024)


@asynchronous
async def test_an_address_is_served_by_the_fake(start: Start) -> None:
    client = start("openai-images")

    def work() -> str:
        with openai_client(client) as api:
            response = api.images.generate(model="dall-e-2", prompt="a tree", response_format="url")
            assert response.data is not None
            return response.data[0].url or ""

    url = await client.run(work)
    assert url.startswith(client.url)
    reply = await client.call("GET", url.removeprefix(client.url))
    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert opened(reply.body).size == (1024, 1024)


@asynchronous
async def test_models_are_listed(start: Start) -> None:
    client = start("openai-images", settings={"models": ["qwen-image-edit"]})

    def models() -> list[str]:
        with openai_client(client) as api:
            return [model.id for model in api.models.list()]

    assert await client.run(models) == ["qwen-image-edit"]


@pytest.mark.parametrize(
    ("key", "prompt", "kind", "code"),
    [
        ("bad-key", "x", openai.AuthenticationError, "invalid_api_key"),
        ("barred-key", "x", openai.PermissionDeniedError, "permission_denied"),
        ("key", "[[status=400 code=moderation_blocked]]", openai.BadRequestError, "moderation_blocked"),
        ("key", "[[status=429 code=insufficient_quota]]", openai.RateLimitError, "insufficient_quota"),
        ("key", "[[status=500]]", openai.InternalServerError, None),
        ("key", "[[status=503]]", openai.InternalServerError, None),
        ("key", "[[nonsense]]", openai.BadRequestError, None),
    ],
)
@asynchronous
async def test_errors_are_the_clients_own(
    start: Start, key: str, prompt: str, kind: type[openai.APIStatusError], code: Any
) -> None:
    client = start("openai-images")

    def fail() -> openai.APIStatusError:
        with openai_client(client, key) as api, pytest.raises(kind) as caught:
            api.images.generate(model=MODEL, prompt=prompt)
        return caught.value

    assert (await client.run(fail)).code == code
    assert await client.charges() == 0
