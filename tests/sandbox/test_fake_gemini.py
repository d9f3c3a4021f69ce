"""What the fake Gemini sends and takes over the wire. One row per misbehaviour."""

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from tests.sandbox.fakes_support import Client, Start, asynchronous, opened, photo, scene

PATH = "/v1/models/gemini-3-pro-image:generateContent"
READ = "/v1beta/models/gemini-3-flash:generateContent"
DATA = photo()
STANDARD, URL_SAFE = base64.b64encode(DATA).decode(), base64.urlsafe_b64encode(DATA).decode()


def asked(prompt: str, *photos: bytes, **config: Any) -> dict[str, Any]:
    parts = [{"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(p).decode()}} for p in photos]
    return {"contents": [{"parts": [*parts, {"text": prompt}]}], "generationConfig": config}


async def post(client: Client, body: dict[str, Any], path: str = PATH) -> Any:
    reply = await client.call("POST", path, body)
    assert reply.status == 200, reply.body
    return reply.json


async def refused(client: Client, body: Any, path: str = PATH) -> Any:
    reply = await client.call("POST", path, body)
    assert reply.status == 400, reply.body[:200]
    assert reply.json["error"]["status"] == "INVALID_ARGUMENT"
    return reply.json["error"]["message"]


def pictures(answer: Any) -> list[bytes]:
    parts = answer["candidates"][0]["content"]["parts"]
    return [base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part]


# --- what it takes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"data": URL_SAFE, "mime_type": "image/jpeg"}},
        {"inlineData": {"data": STANDARD, "mimeType": "image/jpeg"}},
        {"inline_data": {"data": STANDARD.rstrip("="), "mime_type": "image/jpeg"}},
    ],
)
@asynchronous
async def test_base64_and_case_of_every_kind(start: Start, part: dict[str, Any]) -> None:
    assert URL_SAFE != STANDARD
    client = start("gemini")
    config = {"image_config": {"aspectRatio": "16:9", "image_size": "1K"}, "thinkingConfig": {"thinking_level": "LOW"}}
    body = {"contents": [{"role": "user", "parts": [part, {"text": "blue"}]}], "generation_config": config}
    (made,) = pictures(await post(client, body))
    assert opened(made).size == (1360, 768)
    (call,) = await client.ask("calls")
    assert call["photo"] == hashlib.sha256(DATA).hexdigest()


@asynchronous
async def test_the_same_request_is_the_same_picture(start: Start) -> None:
    client = start("gemini")
    one, same, other = [pictures(await post(client, asked(p, DATA, scene())))[0] for p in ("a", "a", "b")]
    assert one == same != other
    assert opened(one).size == (1184, 880)  # the photo's shape


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Invalid JSON payload"),
        ({}, "contents is not specified"),
        ({"contents": [{"parts": []}]}, "must not be empty"),
        ({"contents": [{"parts": [{"thing": 1}]}]}, "oneof field 'data'"),
        ({"contents": [{"parts": [{"inlineData": {"data": "*", "mimeType": "image/png"}}]}]}, "Base64"),
        ({"contents": [{"parts": [{"inlineData": {"data": "", "mimeType": "video/mp4"}}]}]}, "Unsupported MIME type"),
        (asked("x", b"no picture"), "Unable to process input image"),
        (asked("x", imageConfig={"aspectRatio": "7:5"}), "Invalid aspect ratio"),
        (asked("x", imageConfig={"imageSize": "8K"}), "Image size 8K is not supported"),
        (asked("x", imageConfig={"personGeneration": "ALLOW_ALL"}), "Unknown name"),
        (asked("x", candidateCount=2), "Multiple candidates"),
        (asked("x", *[DATA] * 15), "at most 14 images"),
    ],
)
@asynchronous
async def test_what_is_wrong_is_refused(start: Start, body: Any, message: str) -> None:
    client = start("gemini")
    assert message in await refused(client, body)
    assert await client.charges() == 0


@asynchronous
async def test_models_differ(start: Start) -> None:
    client = start("gemini")
    old = "/v1/models/gemini-2.5-flash-image:generateContent"
    assert "not supported" in await refused(client, asked("x", imageConfig={"imageSize": "1K"}), old)
    lite = "/v1/models/gemini-3.1-flash-lite-image:generateContent"
    assert "not supported" in await refused(client, asked("x", imageConfig={"imageSize": "2K"}), lite)
    assert "modalities" in await refused(client, asked("x", responseModalities=["IMAGE"]), READ)
    for gone in ("gemini-3-pro-image-preview", "gemini-embedding-001"):
        reply = await client.call("POST", f"/v1/models/{gone}:generateContent", asked("x"))
        assert (reply.status, reply.json["error"]["status"]) == (404, "NOT_FOUND")


# --- refusals and odd answers, all of status 200 ---------------------------------------------------------------------


@asynchronous
async def test_a_refused_prompt_has_no_candidates_key(start: Start) -> None:
    client = start("gemini")
    answer = await post(client, asked("[[block=PROHIBITED_CONTENT]]", DATA))
    assert answer["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert set(answer) == {"promptFeedback", "usageMetadata", "modelVersion", "responseId"}
    assert await client.charges() == 1


@pytest.mark.parametrize(
    ("script", "candidate"),
    [
        ("finish=IMAGE_SAFETY", {"finishReason": "IMAGE_SAFETY", "index": 0}),
        ("finish=IMAGE_SAFETY content=empty", {"finishReason": "IMAGE_SAFETY", "index": 0, "content": {"parts": []}}),
        (
            "finish=RECITATION content=no-parts",
            {"finishReason": "RECITATION", "index": 0, "content": {"role": "model"}},
        ),
        ("finish=SOMETHING_NEW", {"finishReason": "SOMETHING_NEW", "index": 0}),
    ],
)
@asynchronous
async def test_a_refused_picture(start: Start, script: str, candidate: dict[str, Any]) -> None:
    client = start("gemini")
    assert (await post(client, asked(f"[[{script}]]", DATA)))["candidates"] == [candidate]
    assert await client.charges() == 1


@pytest.mark.parametrize(("script", "reason"), [("no-image", "NO_IMAGE"), ("text-only", "STOP")])
@asynchronous
async def test_a_text_instead_of_a_picture(start: Start, script: str, reason: str) -> None:
    (candidate,) = (await post(start("gemini"), asked(f"[[{script}]]", DATA)))["candidates"]
    assert candidate["finishReason"] == reason
    assert [set(part) for part in candidate["content"]["parts"]] == [{"text"}]


@asynchronous
async def test_no_candidates_at_all(start: Start) -> None:
    assert (await post(start("gemini"), asked("[[no-candidates]]")))["candidates"] == []


@asynchronous
async def test_thoughts_and_drafts_come_before_the_picture(start: Start) -> None:
    answer = await post(start("gemini"), asked("[[thoughts=2 drafts=1]]", DATA))
    parts = [part for part in answer["candidates"][0]["content"]["parts"] if "inlineData" in part]
    assert [part.get("thought") for part in parts] == [True, True, None, None]
    assert len({part["inlineData"]["data"] for part in parts}) == 4
    assert answer["usageMetadata"]["thoughtsTokenCount"] > 0


@asynchronous
async def test_usage_counts_what_went_in_and_out(start: Start) -> None:
    client = start("gemini")
    usage = (await post(client, asked("x" * 40, DATA, scene(), imageConfig={"imageSize": "4K"})))["usageMetadata"]
    assert usage["promptTokenCount"] == 10 + 2 * 258
    assert usage["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 2520}]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + 2520
    assert "usageMetadata" not in await post(client, asked("[[no-usage]]"))


@pytest.mark.parametrize(
    ("script", "says", "is_"),
    [("", "jpeg", "JPEG"), ("format=png", "png", "PNG"), ("format=webp", "webp", "WEBP"), ("mime-lies", "png", "JPEG")],
)
@asynchronous
async def test_the_type_that_is_said(start: Start, script: str, says: str, is_: str) -> None:
    answer = await post(start("gemini"), asked(f"[[{script}]]", DATA))
    inline = answer["candidates"][0]["content"]["parts"][-1]["inlineData"]
    assert inline["mimeType"] == f"image/{says}"
    assert opened(base64.b64decode(inline["data"])).format == is_


@asynchronous
async def test_a_picture_of_any_size(start: Start) -> None:
    client = start("gemini")
    for form in ("jpeg", "png"):
        (made,) = pictures(await post(client, asked(f"[[size=8M format={form} picture=300x200]]", DATA)))
        assert len(made) == 8 << 20
        assert opened(made).size == (300, 200)


@pytest.mark.parametrize("script", ["truncated", "not-a-picture", "bomb"])
@asynchronous
async def test_no_picture_where_one_should_be(start: Start, script: str) -> None:
    (made,) = pictures(await post(start("gemini"), asked(f"[[{script}]]", DATA)))
    if script == "bomb":
        assert made[16:24] == (60_000).to_bytes(4, "big") * 2
    else:
        with pytest.raises((UnidentifiedImageError, OSError)):
            opened(made)


@asynchronous
async def test_a_gif(start: Start) -> None:
    (made,) = pictures(await post(start("gemini"), asked("[[gif]]", DATA)))
    assert made.startswith(b"GIF8")


# --- errors ----------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_bad_key_is_400_and_none_is_403(start: Start) -> None:
    client = start("gemini")
    reply = await client.call("POST", PATH, asked("x"), headers={"x-goog-api-key": "bad"})
    assert reply.status == 400
    error = reply.json["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"] == "API key not valid. Please pass a valid API key."
    assert error["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    reply = await client.call("POST", PATH, asked("x"), headers={"x-goog-api-key": ""})
    assert (reply.status, reply.json["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(("script", "delays"), [("status=429", []), ("status=429 retry-delay=17s", ["17s"])])
@asynchronous
async def test_429_with_and_without_a_delay_in_its_json(start: Start, script: str, delays: list[str]) -> None:
    reply = await start("gemini").call("POST", PATH, asked(f"[[{script}]]"))
    assert (reply.status, reply.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert "retry-after" not in reply.headers
    kinds = [detail["@type"].rpartition(".")[2] for detail in reply.json["error"]["details"]]
    assert kinds[:2] == ["QuotaFailure", "Help"]
    assert [d["retryDelay"] for d in reply.json["error"]["details"] if "retryDelay" in d] == delays


@asynchronous
async def test_503_then_200(start: Start) -> None:
    client = start("gemini")
    reply = await client.call("POST", PATH, asked("[[fail-first=1]]", DATA))
    assert reply.json["error"]["message"] == "The model is overloaded. Please try again later."
    assert pictures(await post(client, asked("[[fail-first=1]]", DATA)))


@asynchronous
async def test_a_gateways_error_is_a_page(start: Start) -> None:
    reply = await start("gemini").call("POST", PATH, asked("[[status=502]]"))
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html")


# --- files -----------------------------------------------------------------------------------------------------------


async def begin_upload(client: Client, data: bytes, title: str = "", key: str = "sandbox-key-0001") -> str:
    headers = {
        "x-goog-api-key": key,
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(len(data)),
        "X-Goog-Upload-Header-Content-Type": "image/jpeg",
    }
    body = {"file": {"display_name": title, "mime_type": "image/jpeg", "size_bytes": len(data)}}
    reply = await client.call("POST", "/upload/v1/files", body, headers=headers)
    assert (reply.status, reply.body) == (200, b"")
    url = reply.headers["x-goog-upload-url"]
    assert url.startswith("http://fake.test/upload/v1/files?")
    return url.removeprefix("http://fake.test")


async def send(client: Client, path: str, data: bytes, offset: int, command: str) -> Any:
    headers = {"x-goog-api-key": "", "X-Goog-Upload-Offset": str(offset), "X-Goog-Upload-Command": command}
    return await client.call("POST", path, data, headers=headers)


async def upload(client: Client, data: bytes = DATA, title: str = "", key: str = "sandbox-key-0001") -> Any:
    reply = await send(client, await begin_upload(client, data, title, key), data, 0, "upload, finalize")
    assert reply.headers["x-goog-upload-status"] == "final"
    return reply.json["file"]


def with_file(file: Any, prompt: str = "x") -> dict[str, Any]:
    part = {"fileData": {"file_uri": file["uri"], "mime_type": "image/jpeg"}}
    return {"contents": [{"parts": [part, {"text": prompt}]}]}


@asynchronous
async def test_an_upload_in_pieces_without_the_key(start: Start) -> None:
    client = start("gemini")
    path = await begin_upload(client, DATA, "a.jpg")
    half = len(DATA) // 2
    assert (await send(client, path, DATA[:half], 0, "upload")).headers["x-goog-upload-status"] == "active"
    assert (await send(client, path, b"", 0, "query")).headers["x-goog-upload-size-received"] == str(half)
    assert (await send(client, path, DATA[half:], 1, "upload, finalize")).status == 400
    reply = await send(client, path, DATA[half:], half, "upload, finalize")
    file = reply.json["file"]
    assert (file["sizeBytes"], file["displayName"], file["state"]) == (str(len(DATA)), "a.jpg", "ACTIVE")
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(DATA).hexdigest()
    assert (await send(client, path, b"", 0, "upload, finalize")).status == 404
    assert (await client.call("GET", f"/v1beta/{file['name']}")).json["name"] == file["name"]
    assert pictures(await post(client, with_file(file)))
    assert (await client.call("DELETE", f"/v1/{file['name']}")).json == {}
    assert (await client.call("GET", "/v1/files")).json == {}


@asynchronous
async def test_an_answer_to_an_upload_without_its_status(start: Start) -> None:
    client = start("gemini")
    path = await begin_upload(client, DATA, "[[at=upload no-upload-status fail-first=1]]")
    assert "x-goog-upload-status" not in (await send(client, path, DATA, 0, "upload, finalize")).headers
    assert (await send(client, path, DATA, 0, "upload, finalize")).headers["x-goog-upload-status"] == "final"


@asynchronous
async def test_an_upload_that_is_begun_anew_is_no_longer_the_first(start: Start) -> None:
    client = start("gemini")
    title = "[[at=upload status=503 fail-first=1]]"
    found = []
    for _ in range(2):
        path = await begin_upload(client, DATA, title)
        found.append((await send(client, path, DATA, 0, "upload, finalize")).status)
    assert found == [503, 200]


@asynchronous
async def test_files_are_listed_page_by_page(start: Start) -> None:
    client = start("gemini")
    names = [(await upload(client))["name"] for _ in range(3)]
    first = (await client.call("GET", "/v1/files?pageSize=2")).json
    rest = (await client.call("GET", f"/v1/files?pageSize=2&pageToken={first['nextPageToken']}")).json
    assert [file["name"] for file in first["files"] + rest["files"]] == names[::-1]
    assert "nextPageToken" not in rest


@pytest.mark.parametrize("status", [403, 404])
@asynchronous
async def test_a_file_that_is_gone(start: Start, status: int) -> None:
    client = start("gemini", settings={"gone_status": status})
    file, other = await upload(client), await upload(client)
    assert (await client.call("POST", f"/__sandbox__/expire?name={file['name']}")).json == {"expired": [file["name"]]}
    for verb in ("GET", "DELETE"):
        assert (await client.call(verb, f"/v1/{file['name']}")).status == status
    assert (await client.call("POST", PATH, with_file(file))).status == status
    assert (await client.call("POST", PATH, with_file(other, "[[file-gone]]"))).status == status
    assert pictures(await post(client, with_file(other)))
    assert await client.charges() == 1


@asynchronous
async def test_another_keys_file_is_not_there(start: Start) -> None:
    client = start("gemini", settings={"gone_status": 403, "files_per_key": True})
    file = await upload(client, key="another-key")
    reply = await client.call("POST", PATH, with_file(file))
    assert reply.status == 403
    assert "You do not have permission to access the File" in reply.json["error"]["message"]
    assert (await client.call("GET", "/v1/files")).json == {}


@asynchronous
async def test_a_file_is_processed_first(start: Start) -> None:
    client = start("gemini")
    file = await upload(client, title="[[processing=1]]")
    assert file["state"] == "PROCESSING"
    reply = await client.call("POST", PATH, with_file(file))
    assert (reply.status, reply.json["error"]["status"]) == (400, "FAILED_PRECONDITION")
    states = [(await client.call("GET", f"/v1/{file['name']}")).json["state"] for _ in range(2)]
    assert states == ["PROCESSING", "ACTIVE"]
    assert (await upload(client, title="[[failed]]"))["state"] == "FAILED"


@pytest.mark.parametrize(("place", "verb"), [("get", "GET"), ("delete", "DELETE")])
@asynchronous
async def test_calls_about_a_file_fail_as_its_title_says(start: Start, place: str, verb: str) -> None:
    client = start("gemini")
    file = await upload(client, title=f"[[at={place} status=500 fail-first=1]]")
    assert [(await client.call(verb, f"/v1/{file['name']}")).status for _ in range(2)] == [500, 200]


# --- reading ---------------------------------------------------------------------------------------------------------


async def read(client: Client, prompt: str, **config: Any) -> str:
    answer = await post(client, asked(prompt, DATA, **config), READ)
    return str(answer["candidates"][0]["content"]["parts"][0]["text"])


def fenced(text: str) -> Any:
    rest = text.partition("```json\n")[2]
    return json.loads(rest.partition("\n```")[0])


@asynchronous
async def test_masks_come_as_fenced_json(start: Start) -> None:
    (thing,) = fenced(await read(start("gemini"), "Give the segmentation masks of the people, with box_2d"))
    top, left, bottom, right = thing["box_2d"]
    assert 0 <= top < bottom <= 1000
    assert (left, right) == pytest.approx((250, 750), abs=50)  # where `photo` has its shoulders
    kind, _, data = thing["mask"].partition(",")
    assert (kind, thing["label"]) == ("data:image/png;base64", "person")
    mask = np.asarray(opened(base64.b64decode(data)))
    assert mask.ndim == 2
    assert mask[128, 128] > 200  # the person
    assert mask[2, 2] < 60  # the wall beside the head


@pytest.mark.parametrize(
    ("script", "check"),
    [
        ("no-fence", lambda t: isinstance(json.loads(t), list)),
        ("chatty", lambda t: t.startswith("Sure") and t.endswith("more.") and isinstance(fenced(t), list)),
        ("boxes=0", lambda t: fenced(t) == []),
        ("boxes=3", lambda t: len(fenced(t)) == 3),
        ("no-mask", lambda t: "mask" not in fenced(t)[0]),
        ("bad-mask", lambda t: base64.b64decode(fenced(t)[0]["mask"].partition(",")[2]) == b"no picture"),
        ("cut", lambda t: not t.endswith("```")),
    ],
)
@asynchronous
async def test_json_of_a_reading_goes_wrong(start: Start, script: str, check: Any) -> None:
    assert check(await read(start("gemini"), f"segmentation masks [[{script}]]"))


@asynchronous
async def test_words_boxes_and_bare_json(start: Start) -> None:
    client = start("gemini")
    assert "640x480" in await read(client, "What is on the photo?")
    assert set(fenced(await read(client, "bounding box of the face"))[0]) == {"box_2d", "label"}
    assert "tags" in json.loads(await read(client, "tags", responseMimeType="application/json"))


@asynchronous
async def test_a_guest_is_set_before_the_reference(start: Start) -> None:
    (made,) = pictures(await post(start("gemini"), asked("x", DATA, scene((480, 480)))))
    corner = np.asarray(opened(made).resize((100, 100), Image.Resampling.BOX))[10, 10].astype(int)
    assert max(corner) - min(corner) < 60  # the wall's green is gone
