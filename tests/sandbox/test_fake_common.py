"""What every fake does alike: scripts, settings, keys, charges. One row per misbehaviour, for each of the fakes."""

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from boothd.sandbox.fakes import FAKES
from tests.sandbox.fakes_support import (
    HEADERS,
    Client,
    Nothing,
    Start,
    asynchronous,
    exchange,
    paid,
    photo,
    request_bytes,
)

pytestmark = pytest.mark.parametrize("name", sorted(FAKES))


async def _ended(client: Client) -> list[str]:
    return [call["ended"] for call in await client.ask("calls")]


@pytest.mark.parametrize(
    ("script", "status", "charges"),
    [
        ("", 200, 1),
        ("[[status=500]]", 500, 0),
        ("[[status=503]]", 503, 0),
        ("[[status=429 charged]]", 429, 1),
        ("[[status=503 charge-first]]", 503, 1),
        ("[[free]]", 200, 0),
        ("[[slow=0.01]]", 200, 1),
        ("[[slow-body=0.02]]", 200, 1),
        ("[[somebody-else: status=500]]", 200, 1),
        ("[[no-such-word]]", 400, 0),
        ("[[status=many]]", 400, 0),
        ("[[at=nowhere hang]]", 400, 0),
        ("[[fail-first=x]]", 400, 0),
    ],
)
@asynchronous
async def test_the_script_decides_answer_and_charge(
    start: Start, name: str, script: str, status: int, charges: int
) -> None:
    client = start(name)
    reply = await client.pay(f"a prompt {script}")
    assert (reply.status, reply.complete) == (status, True)
    assert await client.charges() == charges
    assert isinstance(reply.json, dict)
    if status == 400:
        assert "sandbox: the script has a word" in reply.body.decode()
    elif status == 200:
        assert await _ended(client) == ["answered"]
    else:
        assert await _ended(client) == [f"failed {status}"]


@asynchronous
async def test_a_script_for_this_fake_alone(start: Start, name: str) -> None:
    client = start(name)
    assert (await client.pay(f"x [[{name}: status=500]] [[other: no-such-word]]")).status == 500


@asynchronous
async def test_retry_after_is_a_header(start: Start, name: str) -> None:
    client = start(name)
    assert (await client.pay("[[status=429 retry-after=7]]")).headers["retry-after"] == "7"
    assert "retry-after" not in (await client.pay("[[status=429]]")).headers


@asynchronous
async def test_it_fails_at_first_for_each_photo_and_prompt(start: Start, name: str) -> None:
    client = start(name)
    found = [(await client.pay("[[fail-first=2]]")).status for _ in range(4)]
    assert found == [503, 503, 200, 200]
    assert (await client.pay("other [[fail-first=1 status=500]]")).status == 500
    with pytest.raises(Nothing):
        await client.pay("[[fail-first=1 drop]]")
    assert (await client.pay("[[fail-first=1 drop]]")).status == 200
    assert await client.charges() == 3


@asynchronous
async def test_new_settings_begin_to_count_anew(start: Start, name: str) -> None:
    client = start(name)
    for _ in range(2):
        await client.set(script="[[fail-first=1]]")
        assert [(await client.pay("x")).status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("script", "reset", "charges"),
    [("drop", False, 0), ("reset", True, 0), ("drop charged", False, 1), ("reset charged", True, 1)],
)
@asynchronous
async def test_the_connection_is_closed_instead_of_an_answer(
    start: Start, name: str, script: str, reset: bool, charges: int
) -> None:
    client = start(name)
    with pytest.raises(Nothing) as caught:
        await client.pay(f"[[{script}]]")
    assert caught.value.reset is reset
    assert await client.charges() == charges
    assert await _ended(client) == ["dropped"]


@pytest.mark.parametrize("script", ["html", "bad-json", "empty-body"])
@asynchronous
async def test_a_body_that_is_no_json_is_charged(start: Start, name: str, script: str) -> None:
    client = start(name)
    reply = await client.pay(f"[[{script}]]")
    assert (reply.status, reply.complete) == (200, True)
    with pytest.raises(ValueError):
        json.loads(reply.body)
    assert (b"<!DOCTYPE html>" in reply.body) is (script == "html")
    assert (reply.body == b"") is (script == "empty-body")
    assert await client.charges() == 1


@asynchronous
async def test_the_body_breaks_off(start: Start, name: str) -> None:
    client = start(name)
    reply = await client.pay("[[short]]")
    assert (reply.status, reply.complete) == (200, False)
    assert 0 < len(reply.body) < int(reply.headers["content-length"])
    assert await client.charges() == 1


@asynchronous
async def test_the_body_stops(start: Start, name: str) -> None:
    client = start(name)
    whole = await client.pay("x")
    reply = await client.pay("[[hang-body]]", leave_at=len(whole.body) // 3)
    assert not reply.complete
    assert await client.ask("open?working=0&connections=0") == {"working": 0, "connections": 0, "held": 0}
    assert await client.charges() == 2


@pytest.mark.parametrize(("script", "charges"), [("hang", 0), ("hang charge-first", 1)])
@asynchronous
async def test_it_sees_a_client_leave(start: Start, name: str, script: str, charges: int) -> None:
    client = start(name)
    verb, path, body, headers = paid(name, f"[[{script}]]")
    with socket.create_connection(("127.0.0.1", client.port)) as sock:
        await client.run(sock.sendall, request_bytes(verb, path, body, {**HEADERS[name], **headers}))
        assert (await client.ask("open?working=1"))["connections"] == 1
    await client.ask("calls?ended=1")
    assert await _ended(client) == ["abandoned"]
    assert len(await client.ask(f"ledger?count={charges}")) == charges


@asynchronous
async def test_it_holds_until_it_is_released(start: Start, name: str) -> None:
    client = start(name)
    waiting = client.run(exchange, client.port, *_with_key(name, "[[hold]]"))
    from twisted.internet.defer import Deferred

    answer = Deferred.fromCoroutine(waiting)
    await client.ask("open?held=1")
    assert not answer.called
    assert (await client.call("POST", "/__sandbox__/release")).json == {"released": 1}
    assert (await answer).status == 200


def _with_key(name: str, prompt: str) -> tuple[str, str, bytes, dict[str, str]]:
    verb, path, body, headers = paid(name, prompt)
    return verb, path, body, {**HEADERS[name], **headers}


@pytest.mark.parametrize(
    ("key", "status"), [("bad", 401), ("poor", 402), ("barred", 403), ("busy", 429), ("good", 200)]
)
@asynchronous
async def test_a_key_tells_its_account(start: Start, name: str, key: str, status: int) -> None:
    client = start(name)
    header, value = next(iter(HEADERS[name].items()))
    reply = await client.pay("x", headers={header: value.replace("sandbox", key)})
    assert reply.status == (400 if (name, status) == ("gemini", 401) else status)


@asynchronous
async def test_only_keys_of_the_settings_are_good(start: Start, name: str) -> None:
    client = start(name, settings={"keys": ["sandbox-key-0001"]})
    header, value = next(iter(HEADERS[name].items()))
    assert (await client.pay("x")).status == 200
    assert (await client.pay("x", headers={header: f"{value}0"})).status in {400, 401}
    assert (await client.pay("x", headers={header: ""})).status in {401, 403}


@asynchronous
async def test_an_outage_begins_and_ends(start: Start, name: str) -> None:
    client = start(name)
    await client.call("POST", "/__sandbox__/outage?mode=error")
    assert (await client.pay("x")).status == 503
    await client.call("POST", "/__sandbox__/outage?mode=drop")
    with pytest.raises(Nothing):
        await client.pay("x")
    assert (await client.call("POST", "/__sandbox__/outage?mode=odd")).status == 400
    await client.call("POST", "/__sandbox__/outage?mode=off")
    assert (await client.pay("x")).status == 200
    await client.call("POST", "/__sandbox__/outage?mode=error&seconds=0.01")
    while (await client.ask("settings"))["outage"] != "off":
        pass
    assert (await client.pay("x")).status == 200


@asynchronous
async def test_the_port_can_be_closed_for_a_while(start: Start, name: str) -> None:
    client = start(name)
    await client.call("POST", "/__sandbox__/refuse?seconds=3600")
    with pytest.raises(ConnectionRefusedError):
        await client.pay("x")
    client.running.listen(client.port)
    assert (await client.pay("x")).status == 200
    await client.call("POST", "/__sandbox__/refuse?seconds=0.01")

    def until_open() -> None:
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", client.port)):
                return

    await client.run(until_open)


@asynchronous
async def test_settings_make_it_slow_and_unreliable(start: Start, name: str) -> None:
    client = start(name, settings={"latency_s": 0.01, "spread_s": 0.01})
    assert (await client.pay("x")).status == 200
    await client.set(failure_share=1, failure_status=500)
    assert (await client.pay("x")).status == 500
    assert (await client.call("POST", "/__sandbox__/settings", {"failure_share": 2})).status == 400
    assert (await client.call("POST", "/__sandbox__/settings", {"no_such": 2})).status == 400
    await client.set(failure_share=0, script="[[status=504]]")
    assert (await client.pay("x")).status == 504
    await client.set(script="", charge_first=True)
    assert (await client.pay("[[status=500]]")).status == 500
    assert await client.charges() == 2


@asynchronous
async def test_a_share_of_failures_is_the_same_with_the_same_seed(start: Start, name: str) -> None:
    found = []
    for _ in range(2):
        client = start(name, settings={"failure_share": 0.5}, seed=7)
        found.append([(await client.pay(f"{number}")).status for number in range(8)])
    assert found[0] == found[1]
    assert set(found[0]) == {200, 503}


@asynchronous
async def test_too_large_a_request_is_refused(start: Start, name: str) -> None:
    client = start(name, settings={"max_body": 50})
    assert (await client.pay("x" * 100)).status == (400 if name == "gemini" else 413)


@asynchronous
async def test_no_such_address(start: Start, name: str) -> None:
    client = start(name)
    assert (await client.call("GET", "/no/such")).status == 404


@asynchronous
async def test_charges_outlive_the_fake(start: Start, name: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    for number in (1, 2):
        client = start(name, ledger=ledger)
        await client.pay(f"picture {number}")
        lines = [json.loads(line) for line in ledger.read_text().splitlines()]
        assert lines == await client.ask("ledger")
        assert [line["number"] for line in lines] == list(range(1, number + 1))
        assert lines[-1]["key"] == "…0001"
        assert lines[-1]["prompt"].startswith(f"picture {number}")


@asynchronous
async def test_a_charge_says_whose_photo_it_was(start: Start, name: str) -> None:
    client = start(name)
    await client.pay("x", photo(1))
    await client.pay("x", photo(2))
    whose = [charge["photo"] for charge in await client.ask("ledger?count=2")]
    assert len(set(whose)) == (1 if name == "turbotext" else 2)  # it has addresses only


def test_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "boothd.sandbox.fakes", name, "--ledger", str(tmp_path / "l"), "--set", "script=x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            assert exchange(port, *_with_key(name, "x")).status == 200
            assert len((tmp_path / "l").read_text().splitlines()) == 1
        finally:
            process.kill()


def test_its_words_can_be_printed(name: str) -> None:
    said: Any = subprocess.run(
        [sys.executable, "-m", "boothd.sandbox.fakes", name, "--words"], capture_output=True, text=True, check=True
    )
    for word in FAKES[name].words:
        assert f"[[{word}]]" in said.stdout
    assert "latency_s" in said.stdout
