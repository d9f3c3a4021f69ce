"""What the fake images server sends and takes over the wire, in each dialect. One row per misbehaviour."""

import base64
import json
from typing import Any

import pytest

from tests.sandbox.fakes_support import Client, Reply, Start, asynchronous, multipart, opened, photo, scene

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
DATA_URL = "data:image/jpeg;base64," + base64.b64encode(photo()).decode()
MANY = [("image[]", photo(), "guest.jpg"), ("image[]", scene(), "scene.png")]
Field = tuple[str, str | bytes, str]


async def generate(client: Client, **fields: Any) -> Reply:
    return await client.call("POST", GENERATIONS, {"prompt": "a tree", "model": "gpt-image-1", **fields})


async def edit(client: Client, *parts: Field) -> Reply:
    body, headers = multipart([("prompt", "a tree", ""), ("model", "gpt-image-1", ""), *parts])
    return await client.call("POST", EDITS, body, headers=headers)


def code(reply: Reply) -> tuple[int, Any, Any]:
    error = reply.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return reply.status, error["param"], error["code"]


# --- response_format -------------------------------------------------------------------------------------------------


@asynchronous
async def test_strict_mode_refuses_response_format(start: Start) -> None:
    client = start("openai-images")
    for kind in ("b64_json", "url"):
        assert code(await generate(client, response_format=kind)) == (400, "response_format", "unknown_parameter")
        assert code(await edit(client, *MANY, ("response_format", kind, ""))) == (
            400,
            "response_format",
            "unknown_parameter",
        )
    assert code(await generate(client, seed=1)) == (400, "seed", "unknown_parameter")
    assert (await generate(client, model="dall-e-2", response_format="b64_json")).status == 200
    assert await client.charges() == 1


@asynchronous
async def test_lax_mode_takes_everything(start: Start) -> None:
    client = start("openai-images", settings={"strict": False})
    reply = await generate(client, response_format="url", seed=1, aspect_ratio="1:1")
    assert reply.json["data"][0]["url"].startswith("http://fake.test/files/")


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["b64_json", "data", "url"])
@pytest.mark.parametrize("by", ["setting", "word"])
@asynchronous
async def test_the_picture_comes_as_asked(start: Start, kind: str, by: str) -> None:
    client = start("openai-images", settings={"answer": kind} if by == "setting" else {})
    (datum,) = (await generate(client, prompt=f"x [[answer={kind}]]" if by == "word" else "x")).json["data"]
    if kind == "b64_json":
        data = base64.b64decode(datum["b64_json"])
    elif kind == "data":
        assert datum["url"].startswith("data:image/png;base64,")
        data = base64.b64decode(datum["url"].partition(",")[2])
    else:
        reply = await client.call("GET", datum["url"].removeprefix("http://fake.test"))
        assert reply.headers["content-type"] == "image/png"
        data = reply.body
    assert opened(data).size == (1024, 1024)


@asynchronous
async def test_the_whole_of_an_answer(start: Start) -> None:
    client = start("openai-images")
    said = (await edit(client, *MANY, ("size", "1024x1536", ""), ("output_format", "webp", ""))).json
    assert set(said) == {"created", "data", "background", "output_format", "quality", "size", "usage"}
    assert (said["size"], said["output_format"]) == ("1024x1536", "webp")
    usage = said["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens_details"] == {"text_tokens": 1, "image_tokens": 646}
    assert opened(base64.b64decode(said["data"][0]["b64_json"])).format == "WEBP"


@pytest.mark.parametrize(
    ("script", "check"),
    [
        ("no-data", lambda said: set(said) == {"created"}),
        ("empty-data", lambda said: said["data"] == []),
        ("revised", lambda said: "revised_prompt" in said["data"][0]),
        ("cost=3.5", lambda said: (said["usage"]["cost_rub"], said["usage"]["balance"]) == (3.5, 1000)),
        ("no-usage", lambda said: "usage" not in said),
        ("not-a-picture", lambda said: base64.b64decode(said["data"][0]["b64_json"]).startswith(b"This is no")),
        ("format=jpeg", lambda said: base64.b64decode(said["data"][0]["b64_json"]).startswith(b"\xff\xd8")),
        ("size=3M", lambda said: len(base64.b64decode(said["data"][0]["b64_json"])) == 3 << 20),
    ],
)
@asynchronous
async def test_odd_answers_are_charged(start: Start, script: str, check: Any) -> None:
    client = start("openai-images")
    assert check((await generate(client, prompt=f"x [[{script}]]")).json)
    assert await client.charges() == 1


# --- the picture's address -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("", [(200, "image/png", True)]),
        ("at=link status=404", [(404, "application/json", False)]),
        ("at=link status=410", [(410, "application/json", False)]),
        ("at=link status=404 fail-first=1", [(404, "application/json", False), (200, "image/png", True)]),
        ("at=link html", [(200, "text/html; charset=utf-8", False)]),
        ("at=link type=text/plain", [(200, "text/plain", True)]),
        ("at=link cut-file", [(200, "image/png", False)]),
        ("at=link empty-body", [(200, "image/png", False)]),
        ("at=link slow-body=0.02", [(200, "image/png", True)]),
    ],
)
@asynchronous
async def test_the_download_goes_wrong(start: Start, script: str, found: list[Any]) -> None:
    client = start("openai-images", settings={"answer": "url"})
    path = (await generate(client, prompt=f"x [[{script}]]")).json["data"][0]["url"].removeprefix("http://fake.test")
    for status, kind, good in found:
        reply = await client.call("GET", path)
        assert (reply.status, reply.headers["content-type"], reply.complete) == (status, kind, True)
        if good:
            opened(reply.body)
        else:
            with pytest.raises(OSError):
                opened(reply.body)
    assert await client.charges() == 1


@asynchronous
async def test_the_download_breaks_off(start: Start) -> None:
    client = start("openai-images", settings={"answer": "url"})
    url = (await generate(client, prompt="x [[at=link short]]")).json["data"][0]["url"]
    assert not (await client.call("GET", url.removeprefix("http://fake.test"))).complete
    assert (await client.call("GET", "/files/unknown.png")).status == 404


@pytest.mark.parametrize("script", ["[[host=192.0.2.1:81]]", "[[at=link redirect=http://192.0.2.1/x.png]]"])
@asynchronous
async def test_the_address_leads_elsewhere(start: Start, script: str) -> None:
    client = start("openai-images", settings={"answer": "url"})
    url = (await generate(client, prompt=f"x {script}")).json["data"][0]["url"]
    if "host" in script:
        assert url.startswith("http://192.0.2.1:81/files/")
        return
    reply = await client.call("GET", url.removeprefix("http://fake.test"))
    assert (reply.status, reply.headers["location"]) == (302, "http://192.0.2.1/x.png")


# --- how pictures come in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "count"), [(["image"], 1), (["image[]"], 1), (["image[]", "image[]"], 2), (["image", "image"], 2)]
)
@asynchronous
async def test_image_and_image_in_brackets(start: Start, names: list[str], count: int) -> None:
    client = start("openai-images")
    assert (await edit(client, *((name, photo(n), f"{n}.jpg") for n, name in enumerate(names)))).status == 200
    (call,) = await client.ask("calls")
    assert len(set(call["photos"])) == count


@pytest.mark.parametrize(("field", "other"), [("image", "image[]"), ("image[]", "image")])
@asynchronous
async def test_a_server_that_takes_one_name_only(start: Start, field: str, other: str) -> None:
    client = start("openai-images", settings={"field": field})
    assert (await edit(client, (field, photo(), "a.jpg"))).status == 200
    assert code(await edit(client, (other, photo(), "a.jpg"))) == (400, other, "unknown_parameter")


@pytest.mark.parametrize("url", [DATA_URL, {"url": DATA_URL}])
@asynchronous
async def test_json_images(start: Start, url: Any) -> None:
    client = start("openai-images")
    body = {"prompt": "x", "model": "gpt-image-1", "images": [{"image_url": url}, {"image_url": DATA_URL}]}
    assert (await client.call("POST", EDITS, body)).status == 200
    (call,) = await client.ask("calls")
    assert (call["detail"]["style"], len(call["photos"])) == ("json-images", 2)


@asynchronous
async def test_input_references_of_generations(start: Start) -> None:
    client = start("openai-images", settings={"references": True})
    references = [{"type": "image_url", "image_url": {"url": DATA_URL}}]
    assert (await generate(client, input_references=references)).status == 200
    assert (await client.ask("calls"))[0]["detail"]["style"] == "input_references"
    await client.set(references=False)
    assert (await generate(client, input_references=references)).status == 400


@pytest.mark.parametrize(
    ("edits", "form", "as_json"), [("any", 200, 200), ("multipart", 200, 400), ("json", 400, 200), ("none", 404, 404)]
)
@asynchronous
async def test_servers_differ_in_what_edits_take(start: Start, edits: str, form: int, as_json: int) -> None:
    client = start("openai-images", settings={"edits": edits})
    assert (await edit(client, *MANY)).status == form
    body = {"prompt": "x", "model": "gpt-image-1", "images": [{"image_url": DATA_URL}]}
    assert (await client.call("POST", EDITS, body)).status == as_json


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([], "image"),
        ([("image", "no file", "")], "image"),
        ([("image", b"no picture", "a.png")], "image"),
        ([*MANY, ("size", "9x9", "")], "size"),
        ([*MANY, ("n", "11", "")], "n"),
        ([*MANY, ("n", "x", "")], "n"),
        ([*MANY, ("stream", "true", "")], "stream"),
        ([("image[]", scene(), "a.png")] * 17, "image"),
    ],
)
@asynchronous
async def test_what_is_wrong_is_refused(start: Start, parts: list[Field], param: str) -> None:
    client = start("openai-images")
    status, named, _ = code(await edit(client, *parts))
    assert (status, named) == (400, param)
    assert await client.charges() == 0


@asynchronous
async def test_more_that_is_wrong(start: Start) -> None:
    client = start("openai-images")
    for body in (b"{", b"[]", b"{}", json.dumps({"prompt": ""}).encode()):
        assert (await client.call("POST", GENERATIONS, body)).status == 400
    assert code(await generate(client, model="no-such")) == (404, None, "model_not_found")
    broken = {"Content-Type": "multipart/form-data; boundary=xyz"}
    assert (await client.call("POST", EDITS, b"--xyz\r\nno end", headers=broken)).status == 400
    assert (await client.call("POST", EDITS, b"", headers={"Content-Type": "multipart/form-data"})).status == 400


# --- errors ----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_429_says_when_in_its_headers(start: Start) -> None:
    client = start("openai-images")
    reply = await generate(client, prompt="[[status=429 retry-after=20]]")
    assert code(reply) == (429, None, "rate_limit_exceeded")
    assert reply.headers["retry-after"] == "20"
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"
    reply = await generate(client, prompt="[[status=429 code=insufficient_quota]]")
    assert code(reply) == (429, None, "insufficient_quota")


@asynchronous
async def test_models(start: Start) -> None:
    client = start("openai-images")
    assert (await client.call("GET", "/v1/models")).json["data"][0]["id"] == "gpt-image-1"
    assert (await client.call("GET", "/v1/models/dall-e-2")).json["object"] == "model"
    assert (await client.call("GET", "/v1/models/none")).status == 404
    assert code(await client.call("GET", "/v1/models", headers={"Authorization": ""})) == (401, None, "invalid_api_key")
