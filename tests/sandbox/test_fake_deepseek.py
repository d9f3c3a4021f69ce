"""The fake DeepSeek, raw and by OpenAI's own client, unmodified. One row per misbehaviour."""

import base64
import json
from typing import Any

import openai
import pytest

from boothd.base.aio import from_asyncio
from tests.sandbox.fakes_support import Client, Reply, Start, asynchronous, photo, scene

DATA_URL = "data:image/jpeg;base64," + base64.b64encode(photo()).decode()
OFF = {"thinking": {"type": "disabled"}}


def asked(prompt: str, *, picture: str = DATA_URL, **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": picture, "detail": "auto"}}]
    return {"model": "deepseek-flash", "messages": [{"role": "user", "content": content}], **OFF, **more}


async def chat(client: Client, prompt: str, **more: Any) -> Reply:
    return await client.call("POST", "/chat/completions", asked(prompt, **more))


async def verdict(client: Client, script: str) -> Any:
    reply = await chat(client, f"A pirate. Answer in json. {script}", response_format={"type": "json_object"})
    return json.loads(reply.json["choices"][0]["message"]["content"])


def sdk(client: Client, key: str = "sandbox-key-0001") -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=client.url, max_retries=0, timeout=60)


# --- OpenAI's client -------------------------------------------------------------------------------------------------


@asynchronous
async def test_the_client_reads_a_photo_through_blank_lines(start: Start) -> None:
    client = start("deepseek")

    def ask() -> Any:
        with sdk(client) as api:
            messages: Any = asked("Who is this? [[blanks=20]]")["messages"]
            return api.chat.completions.create(model="deepseek-flash", messages=messages, extra_body=OFF)

    completion = await client.run(ask)
    assert "1 pictures, the first of (640, 480) pixels" in completion.choices[0].message.content
    assert completion.usage.completion_tokens > 0
    (call,) = await client.ask("calls")
    assert (call["detail"]["thinking"], len(call["photos"])) == (False, 1)


@asynchronous
async def test_the_asynchronous_client_streams_through_comments(start: Start) -> None:
    client = start("deepseek")
    api = openai.AsyncOpenAI(api_key="key", base_url=f"{client.url}/v1", max_retries=0)

    async def read() -> str:
        text = ""
        messages: Any = [{"role": "user", "content": "hello [[blanks=3]]"}]
        async for chunk in await api.chat.completions.create(model="deepseek-v4-pro", messages=messages, stream=True):
            text += chunk.choices[0].delta.content or ""
        await api.close()
        return text

    assert "no picture" in await from_asyncio(read())


@asynchronous
async def test_models_tell_what_they_take(start: Start) -> None:
    client = start("deepseek")

    def models() -> dict[str, Any]:
        with sdk(client) as api:
            return {model.id: model for model in api.models.list()}

    found = await client.run(models)
    assert found["deepseek-flash"].input_modalities == ["text", "image"]
    assert found["deepseek-v4-pro"].input_modalities == ["text"]
    assert {tuple(model.output_modalities) for model in found.values()} == {("text",)}


@pytest.mark.parametrize(
    ("key", "prompt", "kind"),
    [
        ("bad", "x", openai.AuthenticationError),
        ("key", "[[status=402]]", openai.APIStatusError),
        ("key", "[[status=429]]", openai.RateLimitError),
        ("key", "[[status=503]]", openai.InternalServerError),
    ],
)
@asynchronous
async def test_errors_are_the_clients_own(start: Start, key: str, prompt: str, kind: type[Exception]) -> None:
    client = start("deepseek")

    def fail() -> None:
        with sdk(client, key) as api, pytest.raises(kind):
            api.chat.completions.create(model="deepseek-flash", messages=[{"role": "user", "content": prompt}])

    await client.run(fail)
    assert await client.charges() == 0


# --- over the wire ---------------------------------------------------------------------------------------------------


@asynchronous
async def test_blank_lines_come_before_the_json(start: Start) -> None:
    client = start("deepseek", settings={"keep_alive_s": 0.01})
    reply = await chat(client, "x [[blanks=3 keep-alive=0.025]]")
    assert (reply.status, reply.complete) == (200, True)
    assert reply.chunks is not None
    assert reply.chunks[:6] == (b"\n",) * 6
    assert reply.chunks[6].startswith(b'{"id"')
    assert reply.json["object"] == "chat.completion"


@asynchronous
async def test_an_answer_at_once_has_no_blank_lines(start: Start) -> None:
    reply = await chat(start("deepseek"), "x")
    assert reply.chunks is None
    assert reply.body.startswith(b"{")


@asynchronous
async def test_latency_is_filled_with_blank_lines(start: Start) -> None:
    client = start("deepseek", settings={"latency_s": 0.05, "keep_alive_s": 0.01})
    assert (await chat(client, "x")).body.startswith(b"\n" * 5)


@asynchronous
async def test_a_stream_has_comments(start: Start) -> None:
    reply = await chat(start("deepseek"), "x [[blanks=2]]", stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.chunks is not None
    assert reply.chunks[:2] == (b": keep-alive\n\n",) * 2
    events = [line.removeprefix(b"data: ") for line in reply.body.split(b"\n\n") if line.startswith(b"data: ")]
    assert events[-1] == b"[DONE]"
    assert json.loads(events[-2])["choices"][0]["finish_reason"] == "stop"


@asynchronous
async def test_402_has_an_odd_type(start: Start) -> None:
    reply = await chat(start("deepseek"), "[[status=402]]")
    assert reply.status == 402
    assert reply.json == {
        "error": {
            "message": "Insufficient Balance",
            "type": "unknown_error",
            "param": None,
            "code": "invalid_request_error",
        }
    }


@asynchronous
async def test_a_bad_key_is_shown_by_its_end(start: Start) -> None:
    reply = await start("deepseek").call("GET", "/models", headers={"Authorization": "Bearer bad-1234"})
    assert reply.status == 401
    assert reply.json["error"]["message"] == "Authentication Fails, Your api key: ****1234 is invalid"
    assert reply.json["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("script", "content", "reason"),
    [("empty", "", "stop"), ("filtered", "", "content_filter"), ("cut", None, "length"), ("prose", None, "stop")],
)
@asynchronous
async def test_content_that_is_no_verdict(start: Start, script: str, content: str | None, reason: str) -> None:
    client = start("deepseek")
    reply = await chat(client, f"json [[{script}]]", response_format={"type": "json_object"})
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"] == reason
    if content is not None:
        assert choice["message"]["content"] == content
    else:
        with pytest.raises(ValueError):
            json.loads(choice["message"]["content"])
    assert await client.charges() == 1


@asynchronous
async def test_verdicts(start: Start) -> None:
    client = start("deepseek")
    assert "A pirate." in (await verdict(client, ""))["prompt"]
    assert (await verdict(client, "[[negative]]"))["negative"]
    assert (await verdict(client, "[[refuse]]"))["refuse"]
    assert set(await verdict(client, "[[wrong-verdict]]")) == {"idea"}
    kept = (await verdict(client, "[[gemini: status=503]] [[deepseek: negative]] [[negative]]"))["prompt"]
    assert "[[gemini: status=503]]" in kept
    assert "deepseek" not in kept
    fenced = await chat(client, "json [[fence]]", response_format={"type": "json_object"})
    assert fenced.json["choices"][0]["message"]["content"].startswith("```json\n{")


@asynchronous
async def test_thinking_is_on_by_default_and_eats_the_tokens(start: Start) -> None:
    client = start("deepseek")
    body = asked("x", max_tokens=500)
    del body["thinking"]
    (choice,) = (await client.call("POST", "/chat/completions", body)).json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert choice["message"]["reasoning_content"]
    (choice,) = (await chat(client, "x", max_tokens=500)).json["choices"]
    assert choice["message"]["content"]
    assert "reasoning_content" not in choice["message"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "parse"),
        ({"model": "deepseek-chat", "messages": []}, 400, "Model Not Exist"),
        ({"model": "deepseek-flash"}, 400, "missing field `messages`"),
        ({"model": "deepseek-flash", "messages": [{"role": "user", "content": 1}]}, 400, "messages[0]"),
        ({"model": "deepseek-flash", "messages": [{"role": "user", "content": [{"type": "audio"}]}]}, 400, "`audio`"),
        (asked("x", response_format={"type": "json_object"}), 400, "must contain the word 'json'"),
        (asked("x", model="deepseek-v4-pro"), 400, "does not support image input"),
        (asked("x", max_tokens=-1), 422, "max_tokens"),
        (asked("x", picture="https://example.org/a.jpg"), 400, "data URLs only"),
        (asked("x", picture="data:image/png;base64,*"), 400, "invalid base64"),
        (asked("x", picture="data:image/png;base64,AAAA"), 400, "Unsupported image format"),
    ],
)
@asynchronous
async def test_what_is_wrong_is_refused(start: Start, body: Any, status: int, message: str) -> None:
    client = start("deepseek")
    reply = await client.call("POST", "/chat/completions", body)
    assert reply.status == status
    assert message in reply.json["error"]["message"]
    assert await client.charges() == 0


@asynchronous
async def test_old_names_are_served_by_the_new_model(start: Start) -> None:
    client = start("deepseek")
    picture = "data:image/png;base64," + base64.b64encode(scene()).decode()
    reply = await chat(client, "x", model="deepseek-v4-flash", picture=picture)
    assert reply.json["model"] == "deepseek-flash"


@asynchronous
async def test_it_makes_no_pictures(start: Start) -> None:
    assert (await start("deepseek").call("POST", "/v1/images/generations", {"prompt": "x"})).status == 404


@asynchronous
async def test_an_answer_that_ends_after_its_blank_lines(start: Start) -> None:
    client = start("deepseek")
    assert (await chat(client, "x [[blanks=2 empty-body]]")).body == b"\n\n"
    assert not (await chat(client, "x [[blanks=2 short]]")).complete
