"""The multipart intake: the same body gives the same result however it is cut, and garbage never crashes it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boothd.base.errors import BrokenUpload, RequestError
from boothd.http.intake import Intake, boundary_of
from tests.http.http_support import BOUNDARY, FakeAdmission, FakeRoom, Memory, chunked, form, head

FRAGMENTS = [b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n--", BOUNDARY.encode(), b"\r\n--" + BOUNDARY.encode()[:-1], b"x"]
payloads = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=30), max_size=12).map(b"".join)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def cut(body: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at, turn = [], 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        pieces.append(body[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def result(body: bytes, sizes: list[int]) -> object:
    """What comes of a body: everything received, or the error's code."""
    room = FakeRoom()
    intake = Intake(BOUNDARY.encode(), FakeAdmission(room), lambda sink: None)
    try:
        for piece in cut(body, sizes):
            intake.feed(piece)
        got = intake.finish()
    except RequestError as error:
        intake.discard()
        assert all(sink.discarded for sink in room.sinks)
        return error.code
    return got.fields, got.field, got.filename, got.size_bytes, room.sinks[0].data


@given(payload=payloads, value=texts, sizes=cuts, first=st.booleans())
def test_any_cutting_gives_the_same(payload: bytes, value: str, sizes: list[int], first: bool) -> None:
    body = form([("password", "123456"), ("x", value)], [("f", "a.jpg", payload)], first)
    if b"\r\n--" + BOUNDARY.encode() in payload or payload.startswith(b"--" + BOUNDARY.encode()):
        return  # then it is no payload but a boundary
    if payload.startswith((b"bad", b"bug")):
        return
    value = value.encode().decode()
    expected = ((("x", value),), "f", "a.jpg", len(payload), payload)
    assert result(body, sizes) == expected
    assert result(body, [len(body)]) == expected


@given(payload=payloads, junk=payloads, at=st.integers(0, 400), sizes=cuts)
def test_a_spoilt_body_is_judged_alike_however_it_is_cut(
    payload: bytes, junk: bytes, at: int, sizes: list[int]
) -> None:
    body = form(files=[("f", "a.jpg", b"y" + payload)])
    spoilt = body[:at] + junk + body[at:]
    whole, pieces = result(spoilt, [len(spoilt)]), result(spoilt, sizes)
    assert isinstance(whole, str) == isinstance(pieces, str)
    if not isinstance(whole, str):
        assert whole == pieces


@settings(deadline=None)
@given(
    garbage=st.lists(st.sampled_from([*FRAGMENTS, form(), form()[:200], head()]) | st.binary(max_size=60), max_size=8)
)
def test_garbage_as_a_body_never_crashes(garbage: list[bytes]) -> None:
    for start in (b"", b"--" + BOUNDARY.encode() + b"\r\n"):
        body = start + b"".join(garbage)
        room = FakeRoom()
        line = Memory(room).connect().send(head("/upload/1", "Transfer-Encoding: chunked"), chunked(body + b"!", 50))
        assert [a.status for a in line.answers()] in ([200], [400], [403], [413], [415])
        assert room.uploads or all(sink.discarded for sink in room.sinks)
        assert bool(room.uploads) != bool(room.lost)


@settings(deadline=None)
@given(
    garbage=st.lists(
        st.sampled_from([b"POST /upload/1 HTTP/1.1\r\n", head(), b"\r\n", b"GET / HTTP/1.1\r\n", b"A:"])
        | st.binary(max_size=60),
        max_size=8,
    ),
    sizes=cuts,
)
def test_garbage_on_the_line_gets_an_answer_or_a_close(garbage: list[bytes], sizes: list[int]) -> None:
    room = FakeRoom()
    memory = Memory(room)
    line = memory.connect()
    for piece in cut(b"".join(garbage), sizes):
        if line.closing():
            break
        line.send(piece)
    for _ in range(100):
        memory.time.advance(1)
    assert line.closing() or line.dropped()
    line.hang_up()
    assert all(sink.discarded for sink in room.sinks) or room.uploads
    assert memory.time.getDelayedCalls() == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "multipart/form-data",
        "text/plain",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\u00e9",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/mixed; boundary=x",
    ],
)
def test_a_header_without_a_usable_boundary(header: str) -> None:
    with pytest.raises(BrokenUpload):
        boundary_of(header)


def test_a_boundary_may_be_quoted() -> None:
    assert boundary_of('Multipart/Form-Data; charset=utf-8; boundary="a b=c"') == b"a b=c"


def test_memory_does_not_grow_with_the_file() -> None:
    room = FakeRoom()
    room.max_size = 1 << 30
    taken: list[int] = []
    admission = FakeAdmission(room)
    body = form(files=[("f", "f.jpg", b"")])
    middle = body.rindex(b"\r\n--")
    intake = Intake(BOUNDARY.encode(), admission, lambda sink: None)
    intake.feed(body[:middle])
    sink = room.sinks[0] if room.sinks else None
    assert sink is not None
    sink.write = lambda data: taken.append(len(data)) or True  # type: ignore[method-assign,func-returns-value]
    piece = bytes(64 << 10)
    for _ in range(100):
        intake.feed(piece)
    intake.feed(body[middle:])
    assert intake.finish().size_bytes == sum(taken) == 100 * len(piece)
    assert max(taken) <= len(piece)
