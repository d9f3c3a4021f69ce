"""From a request to its answer: routes, errors, headers, login, the access log and the counts, in memory."""

import asyncio
import base64
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock as FakeTime
from twisted.logger import LogEvent

from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, Busy, Refused
from boothd.config import UploadConfig
from boothd.http import Logins, Reply, Request, Route, hash_password, health_routes, json_reply, make_site, text_reply
from tests.http.http_support import INLINE, Answer, FakeRoom, Line, form, post

RIGHT = hash_password("42")
LOGIN = "Authorization: Basic " + base64.b64encode(b"anna:42").decode()
KEY = "s3cr3t-key"


class Rig:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.clock = Clock(self.time)
        self.room = FakeRoom()
        self.registry = CollectorRegistry()
        self.raises: BaseException | None = None
        self.waiting: Deferred[None] | None = None
        self.cancelled = False
        self.not_ready: str | None = None
        self.args: list[Any] = []
        routes = [
            *self.room.routes(),
            *health_routes(lambda: self.not_ready, self.registry),
            Route(("GET",), "/open/<key>", "open", self.open, login=False),
            Route(("GET", "POST"), "/page", "page", self.page),
            Route(("GET",), "/bug", "bug", self.wrong, login=False),
        ]
        logins = Logins({"anna": RIGHT}.copy, INLINE, self.clock)
        self.site = make_site(
            routes,
            gate=self.room.gate,
            limits=UploadConfig,
            logins=logins,
            clock=self.clock,
            disk=INLINE,
            registry=self.registry,
        )

    async def open(self, request: Request, key: str) -> Reply:
        if self.raises is not None:
            raise self.raises
        if self.waiting is not None:
            try:
                await self.waiting
            except CancelledError:
                self.cancelled = True
                raise
        return json_reply({"key": key}, headers={"X-Boothd-Job": "job-1"})

    async def page(self, request: Request) -> Reply:
        self.args.append((request.operator, request.field("prompt"), dict(request.args)))
        return text_reply("page")

    async def wrong(self, request: Request) -> Any:
        return {"not": "a reply"}

    def ask(self, line: str, *headers: str, body: bytes = b"") -> Answer:
        return self.line(line, *headers, body=body).answer()

    def line(self, line: str, *headers: str, body: bytes = b"") -> Line:
        lines = [f"{line} HTTP/1.1", "Host: booth.lan:8000", f"Content-Length: {len(body)}", *headers]
        return Line(self.site).send(("\r\n".join(lines) + "\r\n\r\n").encode() + body)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_route_answers(rig: Rig) -> None:
    answer = rig.ask("GET /open/%D1%8E")
    assert (answer.status, answer.json) == (200, {"key": "ю"})


def test_every_reply_carries_the_security_headers(rig: Rig) -> None:
    rig.room.refusal = Busy()  # type: ignore[assignment]
    for line in (
        "GET /open/x",
        "GET /nothing",
        "POST /open/x",
        "GET /page",
        "GET /bug",
        "POST /upload/1",
        "BAD",
        "GET /%ff",
    ):
        answer = rig.ask(line)
        assert "default-src 'none'" in answer.headers["content-security-policy"], line
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert "date" in answer.headers


def test_unknown_paths_and_methods(rig: Rig) -> None:
    for line in ("GET /nothing", "GET /%ff%fe", "GET http://booth.lan/open/x", "OPTIONS *"):
        answer = rig.ask(line)
        assert (answer.status, answer.error) == (404, "not-found"), line
    answer = rig.ask("DELETE /page")
    assert (answer.status, answer.error) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert rig.ask("GET /upload/1").status == 405


def test_a_strange_host_is_no_crash(rig: Rig) -> None:
    line = Line(rig.site).send(b"GET /open/x HTTP/1.1\r\nHost: " + b"\xff" * 300 + b"..\r\n\r\n")
    assert line.answer().status in {200, 400}


def test_head_is_get_without_a_body(rig: Rig) -> None:
    line = rig.line("HEAD /open/x")
    wire = line.transport.value()
    assert wire.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 13\r\n" in wire
    assert wire.endswith(b"\r\n\r\n")


def test_errors_of_the_tree_become_their_status_and_json(rig: Rig) -> None:
    rig.raises = Refused("The service refused this photo.")
    rig.raises.job = "20261120T174512.439-7f3a9c"
    answer = rig.ask("GET /open/x")
    assert answer.status == 422
    assert answer.json == {
        "error": "refused",
        "message": "The service refused this photo.",
        "job": "20261120T174512.439-7f3a9c",
    }
    assert answer.headers["x-boothd-job"] == "20261120T174512.439-7f3a9c"
    rig.raises = Busy(retry_after_s=6.2)
    assert rig.ask("GET /open/x").headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("secret detail"), KeyError("secret"), CancelledError(), asyncio.CancelledError()]
)
def test_any_other_error_is_a_500_with_its_traceback_in_the_log_only(
    rig: Rig, error: BaseException, logged: Any
) -> None:
    rig.raises = error
    answer = rig.ask("GET /open/x")
    assert (answer.status, answer.error) == (500, "internal-error")
    assert b"secret" not in answer.body
    assert list(logged) == [error]


def test_a_handler_that_answers_nonsense_is_a_500(rig: Rig, logged: Any) -> None:
    assert rig.ask("GET /bug").error == "internal-error"
    assert len(logged) == 1


def test_a_client_that_leaves_cancels_the_handler(rig: Rig, logged: Any) -> None:
    rig.waiting = Deferred()
    line = rig.line("GET /open/x")
    line.hang_up()
    assert rig.cancelled
    assert len(logged) == 0


# --- login and CSRF --------------------------------------------------------------------------------------------------


def test_pages_ask_for_the_login(rig: Rig) -> None:
    answer = rig.ask("GET /page")
    assert (answer.status, answer.error) == (401, "login-required")
    assert answer.headers["www-authenticate"] == 'Basic realm="boothd", charset="UTF-8"'
    assert rig.ask("GET /page", LOGIN).status == 200
    assert rig.args[0][0] == "anna"


def test_too_many_wrong_logins_say_when_to_come_back(rig: Rig) -> None:
    for n in range(10):
        header = "Authorization: Basic " + base64.b64encode(f"anna:{n}".encode()).decode()
        assert rig.ask("GET /page", header).status == 401
    answer = rig.ask("GET /page", "Authorization: Basic " + base64.b64encode(b"anna:x").decode())
    assert (answer.status, answer.error, answer.headers["retry-after"]) == (429, "too-many-logins", "1")


def test_a_foreign_page_cannot_act(rig: Rig) -> None:
    for header in ("Sec-Fetch-Site: cross-site", "Origin: http://evil.example", "User-Agent: Mozilla/5.0"):
        assert rig.ask("POST /page", LOGIN, header).error == "foreign-origin"
    for header in ("Sec-Fetch-Site: same-origin", "Origin: http://booth.lan:8000", "User-Agent: curl/7"):
        assert rig.ask("POST /page", LOGIN, header).status == 200
    assert rig.ask("GET /page", LOGIN, "Sec-Fetch-Site: cross-site").status == 200


def test_uploads_need_neither(rig: Rig) -> None:
    line = Line(rig.site).send(post(form(), "/upload/1", "Origin: http://evil.example"))
    assert line.answer().status == 200


# --- ordinary bodies -------------------------------------------------------------------------------------------------


def test_page_forms_arrive_in_args(rig: Rig) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"
    assert rig.ask("POST /page?a=1", LOGIN, kind, body=b"prompt=%D1%8E+x&b=2").status == 200
    assert rig.args[0][1:] == ("ю x", {b"a": [b"1"], b"b": [b"2"], b"prompt": ["ю x".encode()]})


def test_an_ordinary_body_is_bounded(rig: Rig) -> None:
    assert rig.ask("POST /page", LOGIN, body=bytes(300_000)).error == "too-large"
    chunked = b"186a0\r\n" + bytes(100_000) + b"\r\n"
    line = Line(rig.site).send(b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", chunked * 3)
    assert line.answer().error == "too-large"


def test_two_content_types_are_refused(rig: Rig) -> None:
    both = ("Content-Type: multipart/form-data; boundary=x", "Content-Type: application/x-www-form-urlencoded")
    assert rig.ask("POST /page", LOGIN, *both, body=b"--x--").error == "bad-request"


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "MULTIPART/Form-Data;boundary=x", "multipart/mixed"]
)
def test_the_stock_form_parser_never_sees_a_multipart_body(rig: Rig, kind: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("twisted.web.http._getMultiPartArgs", None)
    assert rig.ask("POST /page", LOGIN, f"Content-Type: {kind}", body=b"--x--").error == "broken-upload"
    assert Line(rig.site).send(post(form())).answer().status == 200


def test_an_upload_to_a_path_without_a_route_is_lost(rig: Rig) -> None:
    answer = Line(rig.site).send(post(form(), "/upload/1/nowhere")).answer()
    assert answer.error == "not-found"
    assert rig.room.sinks[0].discarded
    assert rig.room.lost == ["not-found"]


# --- what is written down --------------------------------------------------------------------------------------------


def lines(events: list[LogEvent]) -> list[tuple[str, int, str]]:
    return [(e["route"], e["status"], e["job"]) for e in events if "size_bytes" in e]


def test_one_log_line_per_request_by_the_routes_name(rig: Rig, events: list[LogEvent]) -> None:
    from twisted.logger import formatEvent

    rig.ask(f"GET /open/{KEY}?token={KEY}", f"Referer: http://x/{KEY}")
    rig.ask(f"GET /{KEY}")
    rig.room.refusal = BoothdError("full")  # type: ignore[assignment]
    Line(rig.site).send(post(form(), f"/upload/1?{KEY}"))
    rig.waiting = Deferred()
    rig.line(f"GET /open/{KEY}").hang_up()
    assert lines(events) == [
        ("open", 200, "job-1"),
        ("unrouted", 404, ""),
        ("booth.upload", 500, ""),
        ("open", 499, ""),
    ]
    assert not any(KEY in str(formatEvent(e)) or KEY in str(e.get("log_text", "")) for e in events)
    assert all(KEY not in str(value) for e in events if "size_bytes" in e for value in e.values())


def test_requests_are_counted_by_route_and_status(rig: Rig) -> None:
    rig.ask(f"GET /open/{KEY}")
    rig.ask("GET /livez")
    text = generate_latest(rig.registry).decode()
    assert 'boothd_http_requests_total{route="open",status="200"} 1.0' in text
    assert 'boothd_http_seconds_count{route="open"} 1.0' in text
    assert KEY not in text


# --- health ----------------------------------------------------------------------------------------------------------


def test_health_needs_no_login(rig: Rig) -> None:
    assert rig.ask("GET /livez").status == 200
    assert rig.ask("GET /readyz").status == 200
    rig.not_ready = "The disk is full."
    answer = rig.ask("GET /readyz")
    assert (answer.status, answer.json["message"]) == (503, "The disk is full.")
    answer = rig.ask("GET /metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"boothd_http_requests_total" in answer.body


# --- draining --------------------------------------------------------------------------------------------------------


def test_draining_closes_the_idle_and_lets_the_busy_end(rig: Rig) -> None:
    idle, fresh = rig.line("GET /livez"), Line(rig.site)
    rig.waiting = Deferred()
    busy = rig.line("GET /open/x")
    sending = Line(rig.site).send(post(form())[:-50])
    done: list[object] = []
    rig.site.drain().addBoth(done.append)
    assert idle.closing()
    assert fresh.closing()
    assert not busy.closing()
    rig.waiting.callback(None)
    assert (busy.answer().status, busy.answer().headers["connection"]) == (200, "close")
    assert busy.closing()
    assert sending.send(post(form())[-50:]).answer().headers["connection"] == "close"
    assert done == []
    for line in (idle, fresh, busy, sending):
        line.hang_up()
    assert done == [None]


def test_a_header_value_cannot_split_the_answer(rig: Rig) -> None:
    async def split(request: Request) -> Reply:
        return Reply(200, {"X-Name": "a\r\nSet-Cookie: b\u2028ю"}, b"")

    site = make_site(
        [Route(("GET",), "/", "split", split, login=False)],
        gate=rig.room.gate,
        limits=UploadConfig,
        logins=Logins(dict, INLINE, rig.clock),
        clock=rig.clock,
        disk=INLINE,
    )
    answer = Line(site).send(b"GET / HTTP/1.1\r\n\r\n").answer()
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-name"] == "a  Set-Cookie: b ?"
