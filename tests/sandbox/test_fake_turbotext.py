"""The fake Turbotext, by curl and raw. One row per misbehaviour."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlencode

import numpy as np
import pytest
from twisted.internet.defer import maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.sandbox.fakes_support import Client, Reply, Start, asynchronous, opened, photo, scene, wait_for

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Public(Resource):
    """Our side: photos by address, and a webhook. seen: method and path of what was fetched. hooks: what was posted."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(cast(Any, self))
        self.photos = {"/guest.jpg": photo(), "/scene.png": scene(), "/text": b"no picture"}
        self.seen: list[str] = []
        self.hooks: list[Any] = []
        self.url = ""

    def render(self, request: Any) -> bytes:
        path = request.path.decode()
        if request.method == b"POST":
            self.hooks.append(json.loads(request.content.read()))
            return b"ok"
        self.seen.append(f"{request.method.decode()} {path}")
        if path not in self.photos:
            request.setResponseCode(404)
            return b"gone"
        return self.photos[path]


@pytest.fixture
def public() -> Iterator[Public]:
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    served = Public()
    site: Any = Site(cast(Any, served), timeout=None)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    served.url = f"http://127.0.0.1:{port.getHost().port}"
    yield served
    wait_for(maybeDeferred(port.stopListening))


async def call(client: Client, method: str, **fields: Any) -> Reply:
    return await client.call("POST", f"/api_ai/{method}", urlencode(fields).encode(), headers=FORM)


async def create(client: Client, public: Public, content: str = "x", method: str = "mix_images", **more: Any) -> Any:
    fields = {"url_image_target": f"{public.url}/guest.jpg", "url": f"{public.url}/scene.png", "content": content}
    reply = await call(client, method, do="create_queue", **{**fields, **more})
    assert reply.status == 200, reply.body
    return reply.json


async def poll(client: Client, number: Any, method: str = "mix_images") -> Any:
    reply = await call(client, method, do="get_result", queueid=number)
    assert reply.status == 200, reply.body
    return reply.json


async def polled(client: Client, number: Any, method: str = "mix_images") -> tuple[list[Any], Any]:
    """The answers that said "not yet", and the one that did not."""
    waited = []
    while (said := await poll(client, number, method)).get("action") == "reconnect":
        waited.append(said)
    return waited, said


async def outcome(client: Client, public: Public, content: str, method: str = "mix_images", **more: Any) -> Any:
    said = await create(client, public, content, method, **more)
    return (await polled(client, said["queueid"], method))[1]


async def downloaded(client: Client, address: str) -> bytes:
    reply = await client.call("GET", "/" + address.removeprefix("http://fake.test/"))
    assert reply.status == 200
    return reply.body


# --- by curl ---------------------------------------------------------------------------------------------------------


def curl(*options: str) -> bytes:
    return subprocess.run(["curl", "-sS", "--max-time", "60", *options], capture_output=True, check=True).stdout


@asynchronous
async def test_a_face_swap_by_curl(start: Start, public: Public) -> None:
    client = start("turbotext")
    key = ["-H", "Authorization: Bearer sandbox-key"]
    address = f"{client.url}/api_ai/deepfake_photo"
    template, guest = f"url={public.url}/scene.png", f"url_image_target={public.url}/guest.jpg"
    fields = ["do=create_queue", template, guest, "face_restore=False"]
    said = await client.run(curl, *key, *(x for f in fields for x in ("--data-urlencode", f)), address)
    number = json.loads(said)["queueid"]
    while True:
        said = await client.run(curl, *key, "-d", "do=get_result", "-d", f"queueid={number}", address)
        if json.loads(said).get("action") != "reconnect":
            break
    result = json.loads(said)
    assert result["success"] is True
    assert (result["data"]["forbidden_content"], result["data"]["face_restore"]) == (False, "False")
    assert result["data"]["image"] == [result["uploaded_image"]]
    picture = await client.run(curl, result["uploaded_image"])
    assert opened(picture).size == (480, 480)  # the template's
    assert sorted(public.seen) == ["GET /guest.jpg", "GET /scene.png"]
    assert await client.charges() == 1


# --- methods ---------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_prompt_on_a_photo_has_a_relative_address(start: Start, public: Public) -> None:
    client = start("turbotext")
    fields = {"url": f"{public.url}/guest.jpg", "strength": 50, "seed": 7, "scale": 7.5, "negative_prompt": "text"}
    said = await outcome(client, public, "в стиле аниме", "generate_image2image", **fields)
    data = said["data"]
    assert (data["strength"], data["seed"], data["prompt"]) == (50, 7, "в стиле аниме")
    assert data["image"][0].startswith("image/generate_image2image_id")
    assert "uploaded_image" not in said
    made = opened(await downloaded(client, data["image"][0]))
    assert (made.format, made.size) == ("PNG", (768, 576)) == ("PNG", (data["width"], data["height"]))


@asynchronous
async def test_a_mix_has_its_address_at_the_top(start: Start, public: Public) -> None:
    client = start("turbotext")
    said = await outcome(client, public, "x")
    assert "image" not in said["data"]
    assert said["uploaded_image"].startswith("http://fake.test/download.php?f=")
    assert opened(await downloaded(client, said["uploaded_image"])).size == (768, 576)  # the photo's shape


@asynchronous
async def test_the_two_addresses_swap_roles(start: Start, public: Public) -> None:
    client = start("turbotext")
    sizes = {}
    for method in ("mix_images", "deepfake_photo"):
        said = await outcome(client, public, "x", method)
        made = opened(await downloaded(client, said["uploaded_image"])).convert("RGB")
        red, green, blue = np.asarray(made)[40, 40].tolist()
        assert green - max(red, blue) < 60  # in both the guest stands before the other picture
        sizes[method] = made.size
    assert sizes == {"mix_images": (768, 576), "deepfake_photo": (480, 480)}


@asynchronous
async def test_the_accounts_methods(start: Start, public: Public) -> None:
    client = start("turbotext", settings={"more_methods": ["replace_object"]})
    said = (await call(client, "available_api", do="create_queue")).json
    _, result = await polled(client, said["queueid"], "available_api")
    assert await client.charges() == 0
    names = [method["name"] for method in result["data"]]
    assert {"mix_images", "deepfake_photo", "generate_image2image", "replace_object"} <= set(names)
    assert (await outcome(client, public, "x", "replace_object", what="hat"))["success"] is True
    assert (await call(client, "no_such_method", do="create_queue")).status == 404


@asynchronous
async def test_the_list_of_methods_is_charged_when_that_is_set(start: Start) -> None:
    client = start("turbotext", settings={"charge_lists": True})
    await call(client, "available_api", do="create_queue")
    assert await client.charges() == 1


@pytest.mark.parametrize(
    ("method", "fields", "wrong"),
    [
        ("mix_images", {"url": "http://a.test/"}, "url_image_target"),
        ("mix_images", {"url": "ftp://a.test/", "url_image_target": "http://a.test/"}, "url"),
        ("generate_image2image", {"url": "http://a.test/"}, "content"),
        ("generate_image2image", {"url": "http://a.test/", "content": "x", "strength": 81}, "strength"),
        ("generate_image2image", {"url": "http://a.test/", "content": "x", "scale": "big"}, "scale"),
        ("generate_image2image", {"url": "http://a.test/", "content": "x", "seed": 0}, "seed"),
        ("generate_image2image", {"url": "http://a.test/", "content": "x", "negative_prompt": "a " * 81}, "negative"),
        ("deepfake_photo", {"url": "http://a.test/", "url_image_target": "http://a.test/", "face_restore": 1}, "face"),
        ("mix_images", {"do": "dance"}, "do"),
    ],
)
@asynchronous
async def test_wrong_fields(start: Start, method: str, fields: dict[str, Any], wrong: str) -> None:
    client = start("turbotext")
    reply = await call(client, method, **{"do": "create_queue", **fields})
    assert (reply.status, reply.json["success"]) == (200, False)
    assert reply.json["error"].startswith(f"params_error: {wrong}")
    assert await client.charges() == 0


@asynchronous
async def test_only_forms_are_understood(start: Start) -> None:
    client = start("turbotext")
    reply = await client.call("POST", "/api_ai/mix_images", {"do": "create_queue"})
    assert reply.json["error"].startswith("params_error")


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "answers"),
    [
        ("pending=3 done-after=0.01", [{"action": "reconnect"}] * 3),
        ("pending=2 pending-success=false", [{"action": "reconnect", "success": False}] * 2),
        ("pending=2 pending-success=true", [{"action": "reconnect", "success": True}] * 2),
        ("pending=2 position", [{"action": "reconnect", "position": n} for n in (2, 1)]),
    ],
)
@asynchronous
async def test_it_says_reconnect(start: Start, public: Public, script: str, answers: list[Any]) -> None:
    client = start("turbotext")
    number = (await create(client, public, f"[[{script}]]"))["queueid"]
    waited, said = await polled(client, number)
    assert waited[: len(answers)] == answers
    assert said["success"] is True
    assert await client.charges() == 1


@asynchronous
async def test_done_at_the_first_poll(start: Start, public: Public) -> None:
    client = start("turbotext")
    said = await create(client, public, "[[pending=0 fetch=create]]")
    assert (await poll(client, said["queueid"]))["success"] is True


@asynchronous
async def test_it_never_ends(start: Start, public: Public) -> None:
    client = start("turbotext")
    number = (await create(client, public, "[[pending-forever fetch=create]]"))["queueid"]
    assert [await poll(client, number) for _ in range(5)] == [{"action": "reconnect"}] * 5


@asynchronous
async def test_it_is_not_done_before_its_time(start: Start, public: Public) -> None:
    client = start("turbotext")
    number = (await create(client, public, "[[pending=0 fetch=create done-after=3600]]"))["queueid"]
    assert await poll(client, number) == {"action": "reconnect"}


@asynchronous
async def test_the_number_is_a_string_or_unknown(start: Start, public: Public) -> None:
    client = start("turbotext")
    assert isinstance((await create(client, public, "[[queueid=text]]"))["queueid"], str)
    number = (await create(client, public, "[[unknown-first=2 pending=0 fetch=create]]"))["queueid"]
    errors = [(await poll(client, number)).get("error", "") for _ in range(3)]
    assert [error[:7] for error in errors] == ["UNKNOWN", "UNKNOWN", ""]
    lost = (await create(client, public, "[[lost]]"))["queueid"]
    assert (await poll(client, lost))["success"] is False
    assert (await poll(client, 99))["error"] == "queueid не найден"
    reply = await client.call(
        "POST",
        "/api_ai/mix_images",
        urlencode({"do": "get_result", "queueid": number}).encode(),
        headers={**FORM, "Authorization": "Bearer another"},
    )
    assert reply.json["success"] is False


@asynchronous
async def test_polls_go_wrong(start: Start, public: Public) -> None:
    client = start("turbotext")
    number = (await create(client, public, "[[at=result status=502 fail-first=2]]"))["queueid"]
    for status in (502, 502, 200):
        assert (await call(client, "mix_images", do="get_result", queueid=number)).status == status
    for word in ("html", "bad-json", "stray-bracket", "empty-body"):
        number = (await create(client, public, f"[[pending=0 fetch=create]] [[at=result {word}]]"))["queueid"]
        with pytest.raises(ValueError):
            await poll(client, number)


# --- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["relative", "absolute", "no-scheme"])
@pytest.mark.parametrize(
    ("place", "find"),
    [
        ("top", lambda said: said["uploaded_image"]),
        ("data", lambda said: said["data"]["uploaded_image"]),
        ("list", lambda said: said["data"]["image"][0]),
        ("text", lambda said: said["data"]["image"]),
    ],
)
@asynchronous
async def test_the_address_stands_anywhere(start: Start, public: Public, place: str, find: Any, address: str) -> None:
    client = start("turbotext")
    found = find(await outcome(client, public, f"[[place={place} address={address}]]"))
    start_of = {"relative": "image/", "absolute": "http://fake.test/", "no-scheme": "//fake.test/"}[address]
    assert found.startswith(start_of)
    opened(await downloaded(client, found.removeprefix("//fake.test/")))


@asynchronous
async def test_the_address_names_another_host(start: Start, public: Public) -> None:
    client = start("turbotext")
    said = await outcome(client, public, "[[host=192.0.2.1:81]]")
    assert said["uploaded_image"].startswith("http://192.0.2.1:81/download.php?f=")


@asynchronous
async def test_done_without_an_address(start: Start, public: Public) -> None:
    said = await outcome(start("turbotext"), public, "[[place=none]]")
    assert said["success"] is True
    assert "uploaded_image" not in said
    assert "image" not in said["data"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("error=face_not_detected", {"success": False, "error": "face_not_detected"}),
        ("error=Лимит+исчерпан error-field=errors", {"success": False, "errors": "Лимит исчерпан"}),
        ("error=LIMIT error-field=message yes=text", {"success": "false", "message": "LIMIT"}),
    ],
)
@asynchronous
async def test_it_fails_with_free_text(start: Start, public: Public, script: str, said: Any) -> None:
    client = start("turbotext")
    assert await outcome(client, public, f"[[{script}]]") == said
    assert await client.charges() == 1


@asynchronous
async def test_refused_before_and_after(start: Start, public: Public) -> None:
    client = start("turbotext")
    reply = await call(client, "mix_images", do="create_queue", url="http://a.test/", url_image_target="http://b.test/",
                       content="[[error=Запрещено error-at=create]]")  # fmt: skip
    assert (reply.status, reply.json) == (200, {"success": False, "error": "Запрещено"})
    assert await client.charges() == 0
    said = await outcome(client, public, "[[forbidden]]")
    assert (said["success"], said["data"]["forbidden_content"]) == (True, True)
    assert await client.charges() == 1


@asynchronous
async def test_words_for_true_and_limits(start: Start, public: Public) -> None:
    said = await outcome(start("turbotext"), public, "[[yes=text limits]]")
    assert said["success"] == "true"
    assert said["limits"]["foto_limit"] == 42


@asynchronous
async def test_a_picture_of_another_size_and_kind(start: Start, public: Public) -> None:
    client = start("turbotext")
    said = await outcome(client, public, "[[picture=980x1472 format=jpeg]]")
    made = opened(await downloaded(client, said["uploaded_image"]))
    assert (made.format, made.size) == ("JPEG", (980, 1472))


@pytest.mark.parametrize(
    ("script", "statuses", "good"),
    [
        ("at=link status=404 fail-first=1", [404, 200], True),
        ("at=link status=410", [410, 410], False),
        ("at=link html", [200], False),
        ("at=link empty-body", [200], False),
        ("at=link cut-file", [200], False),
        ("truncated", [200], False),
        ("at=link type=text/html", [200], True),
    ],
)
@asynchronous
async def test_the_download_goes_wrong(
    start: Start, public: Public, script: str, statuses: list[int], good: bool
) -> None:
    client = start("turbotext")
    path = (await outcome(client, public, f"[[{script}]]"))["uploaded_image"].removeprefix("http://fake.test")
    replies = [await client.call("GET", path) for _ in statuses]
    assert [reply.status for reply in replies] == statuses
    if good:
        opened(replies[-1].body)
    else:
        with pytest.raises(OSError):
            opened(replies[-1].body)


# --- it fetches our photos -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("fetch=twice", ["GET /guest.jpg"] * 2 + ["GET /scene.png"] * 2),
        ("fetch=head", ["HEAD /guest.jpg", "GET /guest.jpg", "HEAD /scene.png", "GET /scene.png"]),
        ("fetch-after=0.01", ["GET /guest.jpg", "GET /scene.png"]),
        ("fetch=never", []),
    ],
)
@asynchronous
async def test_how_it_fetches(start: Start, public: Public, script: str, seen: list[str]) -> None:
    assert (await outcome(start("turbotext"), public, f"[[{script}]]"))["success"] is True
    assert public.seen == seen


@pytest.mark.parametrize("path", ["/gone.jpg", "/text"])
@asynchronous
async def test_a_photo_that_cannot_be_had(start: Start, public: Public, path: str) -> None:
    client = start("turbotext")
    said = await outcome(client, public, "x", url_image_target=f"{public.url}{path}")
    assert said["success"] is False
    assert said["error"].startswith("url_error")
    at_once = await create(client, public, "[[fetch=create]]", url_image_target=f"{public.url}{path}")
    assert (at_once["success"], at_once["error"][:9]) == (False, "url_error")


@asynchronous
async def test_nobody_at_the_address(start: Start, public: Public) -> None:
    said = await outcome(start("turbotext"), public, "x", url="http://127.0.0.1:1/a.jpg")
    assert said["error"] == "url_error: не удалось загрузить изображение (no connection)"


# --- webhooks --------------------------------------------------------------------------------------------------------


async def hooked(start: Start, public: Public, script: str, count: int) -> tuple[Client, Any, list[Any]]:
    client = start("turbotext")
    said = await create(client, public, f"[[{script}]]" if script else "x", webhook=f"{public.url}/hook/secret")
    assert set(said) == {"success", "asyncid"}
    return client, said["asyncid"], await client.ask(f"webhooks?count={count}")


@pytest.mark.parametrize(("script", "count"), [("", 1), ("webhook=twice", 2), ("webhook-after=0.01", 1)])
@asynchronous
async def test_the_webhook_gets_the_result(start: Start, public: Public, script: str, count: int) -> None:
    client, number, told = await hooked(start, public, script, count)
    assert [hook["answered"] for hook in told] == [200] * count
    assert [hook["asyncid"] for hook in public.hooks] == [number] * count
    opened(await downloaded(client, public.hooks[0]["uploaded_image"]))
    _, polled_too = await polled(client, number)
    assert {**polled_too, "asyncid": number} == public.hooks[0]
    assert await client.charges() == 1


@asynchronous
async def test_the_webhook_comes_before_the_answer(start: Start, public: Public) -> None:
    client, number, _ = await hooked(start, public, "webhook=early", 0)
    assert [hook["asyncid"] for hook in public.hooks] == [number]  # it was here when the answer came
    assert await client.charges() == 1


@asynchronous
async def test_the_webhook_has_the_wrong_number(start: Start, public: Public) -> None:
    _, number, _ = await hooked(start, public, "webhook=wrong-id", 1)
    assert public.hooks[0]["asyncid"] != number


@asynchronous
async def test_the_webhook_never_comes(start: Start, public: Public) -> None:
    client, number, _ = await hooked(start, public, "webhook=never", 0)
    assert (await polled(client, number))[1]["success"] is True
    await client.fake.background.idle()
    assert public.hooks == []


@asynchronous
async def test_a_webhook_that_nobody_answers(start: Start, public: Public) -> None:
    client = start("turbotext")
    await create(client, public, "[[error=face_not_detected]]", webhook="http://127.0.0.1:1/hook")
    (hook,) = await client.ask("webhooks?count=1")
    assert (hook["answered"], hook["body"]["success"]) == ("no connection", False)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("soft", "status"), [(False, 402), (True, 200)])
@asynchronous
async def test_errors_by_status_or_with_200(start: Start, public: Public, soft: bool, status: int) -> None:
    client = start("turbotext", settings={"soft_errors": soft})
    reply = await call(client, "mix_images", do="create_queue", content="[[status=402]]", url="http://a.test/",
                       url_image_target="http://b.test/")  # fmt: skip
    assert (reply.status, reply.json["success"]) == (status, False)
    assert reply.json["error"].startswith("LIMIT")


@asynchronous
async def test_slashes_are_written_as_php_does(start: Start, public: Public) -> None:
    client = start("turbotext")
    number = (await create(client, public, "[[pending=0 fetch=create]]"))["queueid"]
    reply = await call(client, "mix_images", do="get_result", queueid=number)
    assert b"http:\\/\\/fake.test\\/download.php" in reply.body
