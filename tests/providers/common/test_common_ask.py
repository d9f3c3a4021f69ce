"""One exchange with a service that says, or does, what it likes."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.web.http_headers import Headers

from boothd.base.clients import Clients
from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    Unavailable,
    WorkError,
)
from boothd.base.jsonanswer import Blob
from boothd.base.jsonbody import File, json_body
from boothd.base.threads import Threads
from boothd.providers.common.ask import SAID, ask, read_answer, read_text, retry_after_s, shortened, status_error
from tests.http.http_support import asynchronous, wait_for
from tests.support.deferreds import until

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Conversation(Protocol):
    """Answers each request with the server's words, as far as they go."""

    server: "Server"

    def connectionMade(self) -> None:
        self.server.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.server.heard += data
        transport: Any = self.transport
        if self.server.answer is not None and b"\r\n\r\n" in self.server.heard:
            self.server.answer(transport)

    def connectionLost(self, reason: Any = None) -> None:
        self.server.gone += 1


class Server:
    """A bare TCP server. heard: all bytes that came. gone: how many connections have ended."""

    def __init__(self, reactor: Any, disk: Threads) -> None:
        self.connections: list[Any] = []
        self.heard, self.gone = b"", 0
        self.answer: Callable[[Any], None] | None = None
        self.clients = Clients(reactor, disk)

        class Talk(Conversation):
            server = self

        self._port = reactor.listenTCP(0, Factory.forProtocol(Talk), interface="127.0.0.1")
        self.number = self._port.getHost().port
        self.url = f"http://127.0.0.1:{self.number}/v1/paint?token=s3cr3t"

    def says(self, words: bytes, *, then: str = "") -> None:
        def answer(transport: Any) -> None:
            transport.write(words)
            if then == "close":
                transport.loseConnection()
            elif then == "reset":
                transport.abortConnection()

        self.answer = answer

    async def ask(self, **more: Any) -> Any:
        url = more.pop("url", self.url)
        more = {"headers": {}, "data": b"{}", "service": "Painter", **more}
        return await ask(self.clients.get(), "POST", url, **more)

    async def stop(self) -> None:
        await self.clients.close()
        for connection in self.connections:
            connection.transport.abortConnection()
        await until(lambda: self.gone == len(self.connections))
        await self._port.stopListening()


@pytest.fixture
def server(disk_threads: Threads) -> Iterator[Server]:
    from twisted.internet import reactor  # noqa: TID251

    made = Server(reactor, disk_threads)
    yield made
    wait_for(Deferred.fromCoroutine(made.stop()))


def is_fit_to_show(error: WorkError) -> bool:
    """One short line without a secret."""
    said = error.message
    return said.isprintable() and len(said) < 2 * SAID and "s3cr3t" not in said


# --- the request -----------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_request_carries_our_name_and_the_callers_headers(server: Server) -> None:
    server.says(HELLO)
    response = await server.ask(headers={"Authorization": "Bearer 1"})
    assert await read_text(response) == "hello"
    head = server.heard.lower()
    assert head.startswith(b"post /v1/paint?token=s3cr3t http/1.1\r\n")
    assert b"\r\nuser-agent: boothd\r\n" in head
    assert b"\r\nauthorization: bearer 1\r\n" in head
    assert server.heard.endswith(b"\r\n\r\n{}")


@asynchronous
async def test_redirects_are_answers_not_followed(server: Server) -> None:
    server.says(b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
    response = await server.ask()
    assert response.code == 307
    assert await read_text(response) == ""
    assert server.heard.count(b"HTTP/1.1") == 1


@asynchronous
async def test_a_connection_that_is_refused_costs_nothing(server: Server) -> None:
    with pytest.raises(Unavailable, match=r"Painter cannot be reached \(ConnectionRefusedError\)") as caught:
        await server.ask(url="http://127.0.0.1:1/")
    assert caught.value.charged is Charged.NO


@asynchronous
@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_a_connection_lost_after_sending_may_have_cost(server: Server, words: bytes, then: str) -> None:
    server.says(words, then=then)
    with pytest.raises(Unavailable, match="connection to Painter was lost") as caught:
        await server.ask()
    assert caught.value.charged is Charged.MAYBE
    assert is_fit_to_show(caught.value)


@asynchronous
async def test_what_costs_nothing_has_not_cost_when_it_is_lost(server: Server) -> None:
    server.says(b"", then="close")
    with pytest.raises(Unavailable) as caught:
        await server.ask(paid=False)
    assert caught.value.charged is Charged.NO


@asynchronous
async def test_what_is_no_http_is_unavailable(server: Server) -> None:
    server.says(b"SSH-2.0-OpenSSH_9.9 s3cr3t\r\n\r\n", then="close")
    with pytest.raises(Unavailable) as caught:
        await server.ask()
    assert is_fit_to_show(caught.value)


@asynchronous
async def test_a_server_without_tls_is_told_apart(server: Server) -> None:
    server.answer = None
    server.says(b"")
    trying = Deferred.fromCoroutine(server.ask(url=f"https://127.0.0.1:{server.number}/?token=s3cr3t"))
    await until(lambda: server.heard != b"")
    server.connections[0].transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(Unavailable, match=r"No secure connection to Painter.*check base_url") as caught:
        await trying
    assert caught.value.charged is Charged.NO
    assert is_fit_to_show(caught.value)


@asynchronous
@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:s3cr3t/", "http://[::1/", "https://a..b/", "https://in_the_lan/", "ftp://files/", "/"]
)
async def test_an_address_that_is_none_is_a_bad_request(server: Server, address: str) -> None:
    with pytest.raises(BadRequest, match=r"Painter cannot be asked.*check base_url") as caught:
        await server.ask(url=address)
    assert caught.value.charged is Charged.NO
    assert is_fit_to_show(caught.value)


@asynchronous
async def test_a_key_that_cannot_be_written_is_a_bad_request(server: Server) -> None:
    with pytest.raises(BadRequest) as caught:
        await server.ask(headers={"Authorization": "Bearer s3cr3t\ud800"})
    assert is_fit_to_show(caught.value)
    assert server.heard == b""


@asynchronous
async def test_a_key_with_a_line_end_adds_no_header(server: Server) -> None:
    server.says(HELLO)
    await read_text(await server.ask(headers={"Authorization": "Bearer 1\r\nX-Evil: 1"}))
    assert b"\r\nX-Evil" not in server.heard


@asynchronous
async def test_a_photo_that_changed_while_it_was_sent_is_a_bad_request(
    server: Server, tmp_path: Path, disk_threads: Threads
) -> None:
    server.answer = None
    photo = tmp_path / "photo"
    photo.write_bytes(bytes(1000))
    body = await json_body({"image": File(photo)}, disk_threads)
    photo.write_bytes(bytes(900))
    with pytest.raises(BadRequest, match="could not be sent to Painter"):
        await server.ask(data=body)


@asynchronous
async def test_cancelling_before_the_answer_closes_the_connection(server: Server) -> None:
    running = Deferred.fromCoroutine(server.ask())
    await until(lambda: server.heard.endswith(b"{}"))
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await until(lambda: server.gone == 1)


@asynchronous
async def test_cancelling_while_connecting_asks_nobody(server: Server) -> None:
    running = Deferred.fromCoroutine(server.ask())
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await until(lambda: server.gone == len(server.connections))
    assert server.heard == b""


# --- the answer ------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_small_answer_is_text_whatever_it_holds(server: Server) -> None:
    server.says(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\n\xff\xfeab")
    assert await read_text(await server.ask()) == "\ufffd\ufffdab"


@asynchronous
async def test_an_answer_that_is_too_long_is_cut_and_its_connection_closed(server: Server) -> None:
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 5000)
    assert await read_text(await server.ask(), 1000) == "x" * 1000
    await until(lambda: server.gone == 1)


@asynchronous
async def test_of_an_answer_that_breaks_off_what_came_is_kept(server: Server) -> None:
    server.says(b"HTTP/1.1 400 No\r\nContent-Length: 100\r\n\r\nno such", then="close")
    assert await read_text(await server.ask()) == "no such"


@asynchronous
async def test_cancelling_in_the_middle_of_an_answer_closes_the_connection(server: Server) -> None:
    server.says(b"HTTP/1.1 400 No\r\nContent-Length: 100\r\n\r\nno such")
    running = Deferred.fromCoroutine(read_text(await server.ask()))
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await until(lambda: server.gone == 1)


@asynchronous
async def test_the_json_of_an_answer_has_its_pictures_in_files(
    server: Server, tmp_path: Path, disk_threads: Threads
) -> None:
    body = json.dumps({"n": 1, "image": "QUJD" * 2000}).encode()
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    said = await read_answer(
        await server.ask(), tmp_path / "answer", max_bytes=1 << 20, disk=disk_threads, service="Painter"
    )
    assert said["n"] == 1
    assert isinstance(said["image"], Blob)
    assert said["image"].path.read_bytes() == b"ABC" * 2000


@asynchronous
@pytest.mark.parametrize(("paid", "charged"), [(True, Charged.MAYBE), (False, Charged.NO)])
@pytest.mark.parametrize(
    ("head", "body", "then", "kind"),
    [
        (b"Content-Length: 9", b"<html>503", "", BadAnswer),
        (b"Content-Length: 9999999", b"{", "", BadAnswer),
        (b"Content-Length: 99", b'{"a": 1', "close", Unavailable),
    ],
)
async def test_an_answer_of_no_use_may_have_cost(
    server: Server,
    tmp_path: Path,
    disk_threads: Threads,
    head: bytes,
    body: bytes,
    then: str,
    kind: type[WorkError],
    paid: bool,
    charged: Charged,
) -> None:
    server.says(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body, then=then)
    response = await server.ask()
    with pytest.raises(kind) as caught:
        await read_answer(
            response, tmp_path / "answer", max_bytes=1 << 20, disk=disk_threads, service="Painter", paid=paid
        )
    assert caught.value.charged is charged
    assert kind is Unavailable or caught.value.message.startswith("Painter: ")
    assert list(tmp_path.iterdir()) == []


# --- its status ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "charged"),
    [
        (400, BadRequest, Charged.NO),
        (401, BadKey, Charged.NO),
        (402, OutOfCredit, Charged.NO),
        (403, BadKey, Charged.NO),
        (404, BadRequest, Charged.NO),
        (408, Unavailable, Charged.NO),
        (422, BadRequest, Charged.NO),
        (425, Busy, Charged.NO),
        (429, Busy, Charged.NO),
        (500, Unavailable, Charged.NO),
        (502, Unavailable, Charged.MAYBE),
        (503, Unavailable, Charged.NO),
        (504, Unavailable, Charged.MAYBE),
        (524, Unavailable, Charged.MAYBE),
        (302, BadRequest, Charged.NO),
    ],
)
def test_a_status_has_its_usual_meaning(status: int, kind: type[WorkError], charged: Charged) -> None:
    error = status_error(status, "Painter", "no\nway", 7.0)
    assert type(error) is kind
    assert error.charged is charged
    assert error.retry_after_s == 7.0
    assert str(status) in error.message


def test_the_services_words_are_repeated_and_an_empty_text_is_not() -> None:
    assert status_error(400, "Painter", " no\r\n\tway\x1b[31m ").message == "Painter answered 400: no way [31m"
    assert status_error(400, "Painter", " \n").message == "Painter answered 400."
    assert "check base_url" in status_error(301, "Painter", "<html>").message


@pytest.mark.parametrize(
    "page",
    [
        "<html><h1>502 Bad Gateway</h1></html>",
        "\ufeff\r\n <!DOCTYPE html><title>nginx</title>",
        '<?xml version="1.0"?><Error>no</Error>',
        "Error: <HTML lang=en>nginx</HTML>",
    ],
)
def test_a_web_page_is_not_repeated(page: str) -> None:
    assert status_error(502, "Painter", page).message == "Painter answered 502."


def test_words_about_markup_are_no_page() -> None:
    assert status_error(400, "Painter", "strength must be < 80, <b> not").message.endswith(
        "strength must be < 80, <b> not"
    )


@given(st.integers(300, 599), st.text(max_size=2000))
def test_every_error_text_is_one_short_printable_line(status: int, said: str) -> None:
    message = status_error(status, "Painter", said).message
    assert message.isprintable()
    assert len(message) <= len(f"Painter answered {status}: ") + SAID + 40
    assert len(shortened(said)) <= SAID


class Answer:
    """What has headers."""

    def __init__(self, *values: bytes) -> None:
        self.headers = Headers({b"Retry-After": list(values)} if values else {})


@pytest.mark.parametrize(
    ("values", "wait_s"),
    [
        ((b"7",), 7.0),
        ((b"0",), 0.0),
        ((b" 1.5 ",), 1.5),
        ((b"-5",), 0.0),
        ((b"Fri, 20 Nov 2026 18:00:30 GMT",), 30.0),
        ((b"Fri, 20 Nov 2026 17:00:00 GMT",), 0.0),
        ((b"3", b"9"), 9.0),
        ((), None),
        ((b"",), None),
        ((b"soon",), None),
        ((b"inf",), None),
        ((b"nan",), None),
        ((b"1e999",), None),
        ((b"\xff\xfe",), None),
        ((b"Fri, 20 Nov 2026 18:00:30",), None),
        ((b"Fri, 99 Nov 2026 18:00:30 GMT",), None),
        ((b"9" * 400,), None),
    ],
)
def test_retry_after_is_seconds_or_a_date_that_makes_sense(values: tuple[bytes, ...], wait_s: float | None) -> None:
    assert retry_after_s(Answer(*values), NOW) == wait_s


@given(st.binary(max_size=40))
def test_whatever_retry_after_says_it_is_a_time_or_nothing(value: bytes) -> None:
    wait_s = retry_after_s(Answer(value.replace(b"\r", b"").replace(b"\n", b"")), NOW)
    assert wait_s is None or 0 <= wait_s < float("inf")
