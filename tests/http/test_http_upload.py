"""Uploads through the real channel and request, in memory, on a fake clock."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web.http import HTTPChannel

from boothd.base.errors import DiskFull, Draining, NoSuchSlot
from boothd.http.channel import LINGER_EXPECT_S, LINGER_S, LINGER_SIZE
from tests.http.http_support import PHOTO, SEED_FIELDS, FakeRoom, Memory, chunked, form, head, post


@pytest.fixture
def room() -> FakeRoom:
    return FakeRoom()


@pytest.fixture
def memory(room: FakeRoom) -> Memory:
    return Memory(room)


def test_a_photo_reaches_the_handler_and_the_sink(memory: Memory, room: FakeRoom) -> None:
    answer = memory.connect().send(post(form(SEED_FIELDS.items()), "/upload/7?a=b&c=%20")).answer()
    assert (answer.status, answer.json) == (200, {"slot": 7, "size": len(PHOTO)})
    (upload,) = room.uploads
    assert upload.form == tuple((n, v) for n, v in SEED_FIELDS.items() if n != "password")
    assert (upload.field, upload.filename, upload.content_type) == ("fileToUpload", "IMG_0003.JPG", "image/jpeg")
    assert upload.query == "a=b&c=%20"
    assert room.sinks[0].data == PHOTO
    assert room.sinks[0].closed
    assert not room.sinks[0].discarded
    assert room.lost == []
    assert room.asked == [("/upload/7", len(form(SEED_FIELDS.items())))]


def test_the_gate_gets_the_path_decoded(memory: Memory, room: FakeRoom) -> None:
    memory.connect().send(post(form(), "/upload/%37?x=1"))
    assert room.asked[0][0] == "/upload/7"


@pytest.mark.parametrize("file_first", [False, True])
def test_the_password_may_come_before_or_after_the_file(memory: Memory, room: FakeRoom, file_first: bool) -> None:
    assert memory.connect().send(post(form(file_first=file_first))).answer().status == 200


@pytest.mark.parametrize("file_first", [False, True])
def test_a_wrong_password_is_refused_and_nothing_is_kept(memory: Memory, room: FakeRoom, file_first: bool) -> None:
    line = memory.connect().send(post(form([("password", "guess")], file_first=file_first)))
    assert (line.answer().status, line.answer().error) == (403, "wrong-password")
    assert line.answer().headers["connection"] == "close"
    assert all(sink.discarded for sink in room.sinks)
    assert len(room.sinks) == file_first
    assert room.lost == ["wrong-password"]
    assert room.uploads == []


def test_a_missing_password_is_a_wrong_one(memory: Memory, room: FakeRoom) -> None:
    assert memory.connect().send(post(form([]))).answer().error == "wrong-password"
    assert room.sinks[0].discarded


def test_any_single_file_part_is_taken(memory: Memory, room: FakeRoom) -> None:
    body = form(files=[("photo", "C:\\fakepath\\..\\a.jpg", PHOTO)])
    assert memory.connect().send(post(body)).answer().status == 200
    assert room.uploads[0].field == "photo"


def test_fields_that_are_no_utf8_are_kept_with_marks(memory: Memory, room: FakeRoom) -> None:
    body = form([("password", "123456"), ("status", "C:\\Users\\XYZ")]).replace(b"XYZ", b"\xc0\xff")
    assert memory.connect().send(post(body)).answer().status == 200
    assert room.uploads[0].form == (("status", "C:\\Users\\\ufffd\ufffd"),)


def test_a_file_input_that_was_left_empty_is_no_file(memory: Memory, room: FakeRoom) -> None:
    both = [("other", "", b""), ("fileToUpload", "a.jpg", PHOTO)]
    assert memory.connect().send(post(form(files=both))).answer().status == 200
    assert memory.connect().send(post(form(files=both[:1]))).answer().error == "no-file"


BROKEN = {
    "no file": (post(form(files=[])), 400, "no-file"),
    "two files": (post(form(files=[("a", "a.jpg", PHOTO), ("b", "b.jpg", PHOTO)])), 400, "two-files"),
    "no boundary": (post(form()).replace(b"; boundary=", b"; bound="), 400, "broken-upload"),
    "not multipart": (post(form()).replace(b"multipart/form-data", b"image/jpeg"), 400, "broken-upload"),
    "wrong boundary": (post(form()).replace(b"boundary=---", b"boundary=xx"), 400, "broken-upload"),
    "bad part headers": (post(form().replace(b"Content-Disposition:", b"Content Disposition ")), 400, "broken-upload"),
    "a line break in a part header": (post(form().replace(b"name=", b"\nname=")), 400, "broken-upload"),
    "truncated": (post(form()[:-40]), 400, "broken-upload"),
    "junk after the end": (post(form() + b"junk"), 400, "broken-upload"),
    "junk before the start": (post(b"junk\r\n" + form()), 400, "broken-upload"),
    "empty": (post(b""), 400, "broken-upload"),
    "too many parts": (post(form([("password", "123456")] + [("x", "y")] * 300)), 400, "broken-upload"),
    "a long field": (post(form([("password", "123456"), ("x", "y" * 70_000)])), 413, "too-large"),
    "long fields": (post(form([("password", "123456")] + [("x", "y" * 60_000)] * 5)), 413, "too-large"),
    "too large": (post(form(files=[("f", "f.jpg", bytes(1 << 20))])), 413, "too-large"),
    "too large, chunked": (
        head("/upload/1", "Transfer-Encoding: chunked") + chunked(form(files=[("f", "f.jpg", bytes(1 << 20))])),
        413,
        "too-large",
    ),
    "no picture": (post(form(files=[("f", "f.jpg", b"bad")])), 415, "not-a-picture"),
    "found to be no picture at the end": (post(form(files=[("f", "f.jpg", b"late")])), 415, "not-a-picture"),
    "a broken chunk": (head("/upload/1", "Transfer-Encoding: chunked") + b"zz\r\n", 400, "bad-request"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("cut", [0, 1, 700])
def test_bad_input_is_answered_and_nothing_is_kept(memory: Memory, room: FakeRoom, name: str, cut: int) -> None:
    data, status, code = BROKEN[name]
    if cut == 1 and len(data) > 20_000:
        cut = 5000
    line = memory.connect()
    line.send(*([data[i : i + cut] for i in range(0, len(data), cut)] if cut else [data]))
    assert (line.answer().status, line.answer().error) == (status, code)
    assert line.answer().json["message"]
    assert all(sink.discarded for sink in room.sinks)
    assert room.uploads == []
    assert room.lost == [code]
    assert line.channel.phase in {"linger", "closed", "idle"}


def test_a_bug_in_the_sink_is_a_500_without_a_detail(
    memory: Memory, room: FakeRoom, logged: list[ZeroDivisionError]
) -> None:
    line = memory.connect().send(post(form(files=[("f", "f.jpg", b"bug")])))
    assert (line.answer().status, line.answer().error) == (500, "internal-error")
    assert b"bug" not in line.answer().body
    assert room.lost == ["internal-error"]
    assert room.sinks[0].discarded
    assert len(logged) == 1


@pytest.mark.parametrize(
    ("error", "status"), [(NoSuchSlot(), 404), (Draining(), 503), (DiskFull(), 507)], ids=lambda e: str(e)[:8]
)
def test_what_is_refused_at_the_headers_is_answered_before_the_body(
    memory: Memory, room: FakeRoom, error: NoSuchSlot, status: int
) -> None:
    room.refusal = error
    line = memory.connect().send(head("/upload/1", "Content-Length: 500000", "Expect: 100-continue"))
    assert (line.answer().status, line.answer().error) == (status, error.code)
    assert line.answer().headers["connection"] == "close"
    assert room.lost == []  # the gate's own refusals are counted by the gate


def test_a_length_over_the_limit_is_refused_at_the_headers(memory: Memory, room: FakeRoom) -> None:
    line = memory.connect().send(head("/upload/1", "Content-Length: 40000000"))
    assert line.answer().error == "too-large"
    assert room.lost == ["too-large"]


def test_continue_is_said_to_the_admitted_only(memory: Memory, room: FakeRoom) -> None:
    line = memory.connect().send(head("/upload/1", f"Content-Length: {len(form())}", "Expect: 100-continue"))
    assert line.transport.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.transport.clear()
    assert line.send(form()).answer().status == 200
    room.refusal = NoSuchSlot()
    line = memory.connect().send(head("/upload/1", f"Content-Length: {len(form())}", "Expect: 100-continue"))
    assert b"100 Continue" not in line.transport.value()


def test_a_refused_client_that_still_sends_is_read_to_its_end(memory: Memory, room: FakeRoom) -> None:
    room.refusal = NoSuchSlot()
    line = memory.connect().send(head("/upload/1", "Content-Length: 500000"))
    line.send(bytes(300_000))
    assert not line.closing()
    line.send(bytes(200_000))
    assert line.closing()
    assert len(line.answers()) == 1


def test_reading_on_after_a_refusal_is_bounded_in_time_and_size(memory: Memory, room: FakeRoom) -> None:
    room.refusal = NoSuchSlot()
    line = memory.connect().send(head("/upload/1", "Content-Length: 99999999999"))
    line.send(*[bytes(8 << 20)] * (LINGER_SIZE // (8 << 20)))
    assert not line.dropped()
    line.send(b"x")
    assert line.dropped()
    for header, limit_s in (("X: y", LINGER_S), ("Expect: 100-continue", LINGER_EXPECT_S)):
        line = memory.connect().send(head("/upload/1", "Content-Length: 99999999999", header))
        memory.time.advance(limit_s - 0.1)
        assert not line.dropped()
        memory.time.advance(0.2)
        assert line.dropped()


def test_a_refusal_during_the_drain_does_not_hold_up_the_stop(memory: Memory, room: FakeRoom) -> None:
    room.refusal = Draining()
    line = memory.connect().send(b"POST /upload/1 HTTP/1.1\r\n")
    line.channel.site.drain()
    line.send(b"Host: x\r\nContent-Length: 99999\r\n\r\n")
    assert not line.dropped()
    memory.time.advance(LINGER_EXPECT_S + 0.1)
    assert line.dropped()


def test_a_client_that_leaves_in_the_middle_is_counted_and_nothing_is_kept(memory: Memory, room: FakeRoom) -> None:
    line = memory.connect().send(post(form())[:-300])
    line.hang_up()
    assert room.sinks[0].discarded
    assert room.lost == [None]
    assert memory.time.getDelayedCalls() == []


def test_a_client_that_leaves_while_the_disk_still_writes(memory: Memory, room: FakeRoom) -> None:
    room.closing = Deferred()
    line = memory.connect().send(post(form()))
    assert room.uploads == []
    line.hang_up()
    assert room.sinks[0].discarded
    assert room.lost == [None]
    assert room.uploads == []


def test_a_disk_that_does_not_keep_up_is_told(memory: Memory, room: FakeRoom) -> None:
    room.closing = Deferred()
    line = memory.connect().send(post(form()))
    memory.time.advance(40.1)
    assert (line.answer().status, line.answer().error) == (503, "spool-unhealthy")
    assert room.sinks[0].discarded
    assert room.lost == ["spool-unhealthy"]


def test_what_reached_the_handler_is_the_handlers(memory: Memory, room: FakeRoom) -> None:
    forever: Deferred[None] = Deferred()
    room.answer = lambda request: forever
    line = memory.connect().send(post(form()))
    line.hang_up()
    assert not room.sinks[0].discarded
    assert room.lost == []


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_client_slower_than_the_minimum_rate_is_cut_off(room: FakeRoom) -> None:
    memory = Memory(room, min_rate=1000, max_time=3600)
    line = memory.connect().send(head("/upload/1", "Content-Length: 900000"))
    data = form(files=[("f", "f.jpg", bytes(850_000))])
    line.send(data[:1000])
    for second in range(6):
        assert line.answers() == [], second
        memory.time.advance(1)
    assert (line.answer().status, line.answer().error) == (408, "too-slow")
    assert line.answer().headers["connection"] == "close"
    assert room.lost == ["too-slow"]


def test_a_client_at_the_minimum_rate_is_served(room: FakeRoom) -> None:
    memory = Memory(room, min_rate=1000, max_time=3600)
    data = form(files=[("f", "f.jpg", bytes(100_000))])
    line = memory.connect().send(head("/upload/1", f"Content-Length: {len(data)}"))
    for i in range(0, len(data), 1000):
        memory.time.advance(1)
        line.send(data[i : i + 1000])
    assert line.answer().status == 200


def test_time_in_which_we_paused_the_client_does_not_count(room: FakeRoom) -> None:
    memory = Memory(room, min_rate=1000, max_time=3600)
    room.pause_at = 1
    data = form()
    line = memory.connect().send(head("/upload/1", f"Content-Length: {len(data)}"), data[:-100])
    assert line.paused()
    memory.time.advance(1000)
    assert line.answers() == []
    resume = room.sinks[0].resume
    assert resume is not None
    resume()
    assert not line.paused()
    memory.time.advance(4)
    assert line.send(data[-100:]).answer().status == 200
    resume()  # late, and harmless
    assert not line.paused()


def test_an_upload_has_a_time_of_its_own_even_when_it_is_fast(room: FakeRoom) -> None:
    memory = Memory(room, min_rate=0, max_time=30)
    line = memory.connect()
    line.send(b"POST /upl")
    memory.time.advance(5)
    line.send(head()[9:-2] + b"Content-Length: 900000\r\n\r\n")
    memory.time.advance(24.9)
    assert line.answers() == []
    memory.time.advance(0.2)
    assert line.answer().error == "too-slow"


def test_slow_headers_are_answered_408_and_closed_after_a_total_time(room: FakeRoom) -> None:
    memory = Memory(room, header_time=10)
    for start in (b"P", b"POST /upload/1 HTTP/1.1\r\n", head()[:-2]):
        line = memory.connect()
        line.send(start)
        for _ in range(9):
            memory.time.advance(1)
            line.send(b"x")
            assert not line.closing()
        memory.time.advance(1.1)
        assert line.closing()
        assert line.answer().status == 408
        assert room.asked == []
        line.hang_up()
    assert memory.time.getDelayedCalls() == []


def test_a_connection_that_says_nothing_is_closed(room: FakeRoom) -> None:
    memory = Memory(room, header_time=10)
    line = memory.connect()
    memory.time.advance(10.1)
    assert line.closing()
    assert line.answers() == []


def test_a_connection_that_is_kept_is_closed_after_a_while(memory: Memory) -> None:
    line = memory.connect().send(post(form()))
    memory.time.advance(59)
    assert not line.closing()
    memory.time.advance(1.1)
    assert line.closing()


# --- several requests on one connection ------------------------------------------------------------------------------


def test_several_uploads_on_one_connection_each_with_its_own_start(memory: Memory, room: FakeRoom) -> None:
    line = memory.connect()
    starts = []
    for _ in range(3):
        memory.time.advance(7)
        starts.append(memory.time.seconds())
        line.send(b"POST /up")
        memory.time.advance(2)
        line.send(post(form())[8:-50], post(form())[-50:] + b"\r\n")  # and a CRLF too many
    assert [a.status for a in line.answers()] == [200] * 3
    assert [u.started_s for u in room.uploads] == starts
    assert [u.received_s for u in room.uploads] == [s + 2 for s in starts]


def test_pipelined_uploads_start_when_their_bytes_came(memory: Memory, room: FakeRoom) -> None:
    waiting: list[Deferred[None]] = []

    async def answer(request: object) -> object:
        waiting.append(Deferred())
        await waiting[-1]
        from boothd.http import text_reply

        return text_reply("ok")

    room.answer = answer
    line = memory.connect().send(post(form()))
    memory.time.advance(3)
    line.send(post(form()) + post(form())[:10])
    memory.time.advance(3)
    line.send(post(form())[10:])
    for _ in range(3):
        memory.time.advance(1)
        waiting[-1].callback(None)
    assert [a.status for a in line.answers()] == [200] * 3
    assert [u.started_s for u in room.uploads] == [0, 3, 3]


def test_many_pipelined_requests_do_not_exhaust_the_stack(memory: Memory) -> None:
    line = memory.connect().send(post(form(files=[("f", "f.jpg", b"x")])) * 500)
    assert [a.status for a in line.answers()] == [200] * 500


def test_method_and_target_are_where_the_gate_looks_for_them() -> None:
    """Private names of Twisted 26.10, in `Channel.request_line` only."""
    seen: list[Any] = []
    stock: Any = HTTPChannel

    class Probe(stock):  # type: ignore[misc]
        def allHeadersReceived(self) -> None:
            seen.append((self._command, self._path))

    from twisted.internet.testing import StringTransport
    from twisted.web.http import Request

    probe: Any = Probe()
    probe.timeOut = None
    probe.requestFactory = Request
    probe.makeConnection(StringTransport())
    probe.dataReceived(b"PUT /a%20b?c HTTP/1.1\r\nContent-Length: 4\r\n\r\n")
    assert seen == [(b"PUT", b"/a%20b?c")]


# --- back-pressure ---------------------------------------------------------------------------------------------------


def test_a_full_sink_stops_the_client_until_it_drains(memory: Memory, room: FakeRoom) -> None:
    room.pause_at = 10
    data = post(form())
    line = memory.connect().send(data[:-60])
    assert line.paused()
    line.channel.resumeProducing()  # the client took what we wrote: no reason to read on
    assert line.paused()
    resume = room.sinks[0].resume
    assert resume is not None
    resume()
    assert not line.paused()
    assert line.send(data[-60:]).answer().status == 200
    assert not line.paused()


def test_a_client_refused_while_it_was_paused_is_read_on(room: FakeRoom) -> None:
    memory = Memory(room, max_time=30)
    room.pause_at = 10
    line = memory.connect().send(post(form())[:-60])
    memory.time.advance(30.1)
    assert line.answer().error == "too-slow"
    assert not line.paused()


# --- bodies that are no uploads --------------------------------------------------------------------------------------


def test_garbage_on_the_line_gets_a_json_400(memory: Memory) -> None:
    for garbage in (
        b"\x16\x03\x01\r\n",
        b"GET / HTTP/1.1\r\nbroken\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        line = memory.connect().send(garbage)
        assert (line.answer().status, line.answer().error) == (400, "bad-request"), garbage
        assert line.closing()
    line = memory.connect().send(b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
    assert line.answer().status == 400
