"""The fake Gemini and Google's own client, unmodified."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from boothd.base.aio import from_asyncio
from tests.sandbox.fakes_support import Client, Start, asynchronous, opened, photo, scene

MODEL = "gemini-3-pro-image"


@contextmanager
def google(client: Client, key: str = "sandbox-key-0001", **options: Any) -> Iterator[genai.Client]:
    made = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=client.url, timeout=60_000, **options))
    try:
        yield made
    finally:
        made.close()


def parts_of(response: types.GenerateContentResponse) -> list[types.Part]:
    assert response.candidates is not None
    content = response.candidates[0].content
    return list(content.parts or []) if content else []


def jpeg(data: bytes) -> Any:
    return types.Part.from_bytes(data=data, mime_type="image/jpeg")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@asynchronous
async def test_a_photo_and_references_become_a_picture(start: Start, version: str) -> None:
    client = start("gemini")

    def edit() -> types.GenerateContentResponse:
        with google(client, api_version=version) as gemini:
            return gemini.models.generate_content(
                model=MODEL,
                contents=[jpeg(photo()), types.Part.from_bytes(data=scene(), mime_type="image/png"), "a pirate"],
                config=types.GenerateContentConfig(
                    system_instruction="be kind",
                    response_modalities=["TEXT", "IMAGE"],
                    image_config=types.ImageConfig(aspect_ratio="3:2", image_size="1K"),
                    thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
                ),
            )

    response = await client.run(edit)
    text, picture = parts_of(response)
    assert text.text
    assert picture.inline_data is not None
    assert picture.inline_data.data is not None
    assert opened(picture.inline_data.data).size == (1248, 832)
    assert response.usage_metadata is not None
    assert response.usage_metadata.candidates_token_count == 1290
    (call,) = await client.ask("calls")
    assert (call["model"], len(call["photos"]), call["ended"]) == (MODEL, 2, "answered")
    assert call["detail"]["parts"] == ["picture", "picture", "text"]
    assert await client.charges() == 1


@asynchronous
async def test_the_asynchronous_client_in_the_reactors_loop(start: Start) -> None:
    client = start("gemini")
    with google(client) as gemini:
        response = await from_asyncio(
            gemini.aio.models.generate_content(model=MODEL, contents=[jpeg(photo()), "a fox"])
        )
        await from_asyncio(gemini.aio.aclose())
    assert parts_of(response)[-1].inline_data is not None


@asynchronous
async def test_it_draws_without_a_photo(start: Start) -> None:
    client = start("gemini")

    def draw() -> types.GenerateContentResponse:
        with google(client) as gemini:
            return gemini.models.generate_content(
                model=MODEL,
                contents="a blue hour",
                config=types.GenerateContentConfig(response_modalities=["IMAGE"]),
            )

    (picture,) = parts_of(await client.run(draw))
    assert picture.inline_data is not None
    assert opened(picture.inline_data.data or b"").size == (1024, 1024)


@asynchronous
async def test_files_are_uploaded_listed_used_and_deleted(start: Start) -> None:
    client = start("gemini")
    data = photo(2)

    def work() -> dict[str, Any]:
        with google(client) as gemini:
            config = types.UploadFileConfig(mime_type="image/jpeg", display_name="reference 1")
            file = gemini.files.upload(file=io.BytesIO(data), config=config)
            assert file.name is not None
            got = gemini.files.get(name=file.name)
            listed = [entry.name for entry in gemini.files.list()]
            response = gemini.models.generate_content(model=MODEL, contents=[jpeg(photo()), file, "both"])
            gemini.files.delete(name=file.name)
            with pytest.raises(errors.ClientError) as gone:
                gemini.files.get(name=file.name)
            return {"file": file, "got": got, "listed": listed, "response": response, "gone": gone.value}

    found = await client.run(work)
    file = found["file"]
    assert (file.display_name, file.state, file.size_bytes) == ("reference 1", types.FileState.ACTIVE, len(data))
    assert found["got"].uri == file.uri
    assert found["listed"] == [file.name]
    assert parts_of(found["response"])[-1].inline_data is not None
    assert found["gone"].code == 404
    (call,) = await client.ask("calls")
    assert call["detail"]["parts"] == ["picture", "file", "text"]
    assert len(set(call["photos"])) == 2


@asynchronous
async def test_a_file_of_several_chunks_by_the_asynchronous_client(start: Start) -> None:
    client = start("gemini")
    data = photo() + bytes(9 << 20)  # the client sends 8 MiB at a time
    with google(client) as gemini:
        config = types.UploadFileConfig(mime_type="image/jpeg")
        file = await from_asyncio(gemini.aio.files.upload(file=io.BytesIO(data), config=config))
        await from_asyncio(gemini.aio.files.delete(name=file.name or ""))
        await from_asyncio(gemini.aio.aclose())
    assert file.size_bytes == len(data)
    assert await client.ask("files") == []


@asynchronous
async def test_models_are_listed_with_what_they_can_do(start: Start) -> None:
    client = start("gemini")

    def models() -> list[types.Model]:
        with google(client) as gemini:
            return list(gemini.models.list(config={"page_size": 3}))

    found = {model.name: model for model in await client.run(models)}
    assert "generateContent" in (found[f"models/{MODEL}"].supported_actions or [])
    assert found["models/gemini-embedding-001"].supported_actions == ["embedContent"]


@pytest.mark.parametrize(
    ("key", "prompt", "code", "status", "kind"),
    [
        ("bad-key", "x", 400, "INVALID_ARGUMENT", errors.ClientError),
        ("poor-key", "x", 402, "RESOURCE_EXHAUSTED", errors.ClientError),
        ("barred-key", "x", 403, "PERMISSION_DENIED", errors.ClientError),
        ("key", "[[status=429 retry-delay=17s]]", 429, "RESOURCE_EXHAUSTED", errors.ClientError),
        ("key", "[[status=400 reason=FAILED_PRECONDITION]]", 400, "FAILED_PRECONDITION", errors.ClientError),
        ("key", "[[status=500]]", 500, "INTERNAL", errors.ServerError),
        ("key", "[[status=503]]", 503, "UNAVAILABLE", errors.ServerError),
        ("key", "[[status=504]]", 504, "DEADLINE_EXCEEDED", errors.ServerError),
    ],
)
@asynchronous
async def test_errors_are_the_clients_own(
    start: Start, key: str, prompt: str, code: int, status: str, kind: type[errors.APIError]
) -> None:
    client = start("gemini")

    def fail() -> errors.APIError:
        with google(client, key) as gemini, pytest.raises(kind) as caught:
            gemini.models.generate_content(model=MODEL, contents=prompt)
        return caught.value

    error = await client.run(fail)
    assert (error.code, error.status) == (code, status)
    if code == 429:
        details = error.details["error"]["details"]
        assert details[-1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
    assert await client.charges() == 0


@asynchronous
async def test_a_refused_prompt_has_no_candidates(start: Start) -> None:
    client = start("gemini")

    def ask() -> types.GenerateContentResponse:
        with google(client) as gemini:
            return gemini.models.generate_content(model=MODEL, contents="[[block=PROHIBITED_CONTENT]]")

    response = await client.run(ask)
    assert response.candidates is None
    assert response.prompt_feedback is not None
    assert response.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
