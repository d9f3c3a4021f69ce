"""Services' calls: each at its own address, once."""

import json
from typing import Any

import pytest
from twisted.logger import LogEvent

from boothd.base.errors import BadRequest
from boothd.http.callbacks import Callbacks
from boothd.http.signing import Signer
from tests.http.http_support import Answer, FakeRoom, Memory
from tests.support.deferreds import outcome

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
DONE = {"queue": "4711", "result": "https://files.example/ю.jpg"}


class Rig:
    """A site that takes calls."""

    def __init__(self) -> None:
        self.public_url = "https://booth.example/"
        self.callbacks = Callbacks(Signer(b"k" * 32), lambda: self.public_url)
        self.memory = Memory(FakeRoom(), self.callbacks.routes())

    def expect(self, name: str = "job-1/1") -> Any:
        return self.callbacks.expect(name)

    def call(self, url: str, body: bytes | None = None, *headers: str, verb: str = "POST") -> Answer:
        data = json.dumps(DONE).encode() if body is None else body
        path = url.removeprefix("https://booth.example")
        lines = [f"{verb} {path} HTTP/1.1", "Host: booth.example", f"Content-Length: {len(data)}", *headers]
        return self.memory.connect().send(("\r\n".join(lines) + "\r\n\r\n").encode(), data).answer()


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("headers", [(JSON,), (FORM,), (), ("Content-Type: text/plain; charset=utf-8",)])
def test_the_json_that_a_service_posts_arrives_whatever_it_calls_it(rig: Rig, headers: tuple[str, ...]) -> None:
    """PHP's curl calls whatever it posts a form."""
    expected = rig.expect()
    answer = rig.call(expected.url, None, *headers)
    assert (answer.status, answer.json) == (200, {"success": True})
    assert outcome(expected.came) == [DONE]


@pytest.mark.parametrize("headers", [("Origin: https://service.example",), ("User-Agent: Mozilla/5.0", "Cookie: a=b")])
def test_it_needs_no_login_and_may_come_from_anywhere(rig: Rig, headers: tuple[str, ...]) -> None:
    expected = rig.expect()
    assert rig.call(expected.url, None, *headers, "Sec-Fetch-Site: cross-site").status == 200


def test_a_call_is_taken_once(rig: Rig) -> None:
    expected = rig.expect()
    rig.call(expected.url)
    answer = rig.call(expected.url, b'{"other": 1}')
    assert (answer.status, answer.error) == (404, "not-found")
    assert outcome(expected.came) == [DONE]


@pytest.mark.parametrize("token", ["A" * 32, "", "x", "%D1%8E", "%00"])
def test_a_token_that_nobody_gave_out_is_unknown(rig: Rig, token: str) -> None:
    expected = rig.expect()
    assert rig.call(f"/callback/{token}").status == 404
    assert outcome(expected.came) == []


def test_two_calls_have_addresses_of_their_own(rig: Rig) -> None:
    first, second = rig.expect("job-1/1"), rig.expect("job-1/2")
    assert first.url != second.url
    rig.call(second.url)
    assert outcome(first.came) == []
    assert outcome(second.came) == [DONE]


def test_the_address_is_the_same_after_a_restart(rig: Rig) -> None:
    assert Rig().expect().url == rig.expect().url


def test_what_is_not_expected_any_more_is_unknown(rig: Rig) -> None:
    expected = rig.expect()
    expected.close()
    expected.close()
    assert rig.call(expected.url).status == 404
    assert outcome(expected.came) == []


def test_an_old_expectation_that_is_closed_leaves_the_new_one(rig: Rig) -> None:
    old, new = rig.expect(), rig.expect()
    old.close()
    assert rig.call(new.url).status == 200
    assert outcome(new.came) == [DONE]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"queue=4711", b"\xff\xfe", b"[" * 100_000, b"9" * 5000],
    ids=["empty", "cut", "form", "bytes", "deep", "long"],
)
def test_a_body_that_is_no_json_is_refused_and_the_call_still_expected(rig: Rig, body: bytes) -> None:
    expected = rig.expect()
    for kind in (JSON, FORM):
        answer = rig.call(expected.url, body, kind)
        assert (answer.status, answer.error) == (400, "bad-request")
    assert rig.call(expected.url).status == 200
    assert outcome(expected.came) == [DONE]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(rig: Rig) -> None:
    expected = rig.expect()
    line = rig.memory.connect().send(
        f"POST {expected.url.removeprefix('https://booth.example')} HTTP/1.1\r\nContent-Length: 300000\r\n\r\n".encode()
    )
    assert (line.answer().status, line.answer().error) == (413, "too-large")
    assert rig.call(expected.url).status == 200


def test_a_form_with_files_is_refused(rig: Rig) -> None:
    expected = rig.expect()
    assert rig.call(expected.url, b"--x--", "Content-Type: multipart/form-data; boundary=x").status == 400
    assert outcome(expected.came) == []


@pytest.mark.parametrize("verb", ["GET", "PUT", "HEAD"])
def test_only_posting_is_a_call(rig: Rig, verb: str) -> None:
    expected = rig.expect()
    wire = f"{verb} {expected.url.removeprefix('https://booth.example')} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert rig.memory.connect().send(wire).transport.value().startswith(b"HTTP/1.1 405 ")
    assert rig.call(expected.url).status == 200


def test_a_call_for_somebody_who_has_left_does_no_harm(rig: Rig, logged: Any) -> None:
    expected = rig.expect()
    ended = outcome(expected.came)
    expected.came.cancel()
    assert len(ended) == 1
    assert rig.call(expected.url).status in {200, 404}
    assert rig.call(expected.url).status == 404
    assert len(logged) == 0


def test_without_a_public_address_nothing_can_be_expected(rig: Rig) -> None:
    rig.public_url = ""
    with pytest.raises(BadRequest, match="public_url"):
        rig.expect()


def test_the_log_does_not_hold_the_address(rig: Rig, events: list[LogEvent]) -> None:
    from twisted.logger import formatEvent

    expected = rig.expect()
    token = expected.url.rpartition("/")[2]
    assert len(token) == 32
    rig.call(expected.url)
    rig.call(expected.url)
    assert [(e["route"], e["status"]) for e in events if "size_bytes" in e] == [("callback", 200), ("callback", 404)]
    for event in events:
        said = f"{formatEvent(event)} {[value for key, value in event.items() if not key.startswith('log_')]}"
        assert token not in said
