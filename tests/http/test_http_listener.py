"""The listening port, and real clients: curl as DSLR Remote Pro, one that vanishes, one that is refused."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue

from boothd.base.errors import NoSuchSlot
from boothd.http import Reply, Request, Route, raise_file_limit, text_reply
from boothd.http.listener import _with_backlog
from tests.http.http_support import (
    BOUNDARY,
    PHOTO,
    SEED_FIELDS,
    FakeRoom,
    Port,
    asynchronous,
    form,
    head,
    parse_answers,
    post,
    talk,
)

Open = Callable[..., Any]
CURL: Any = getProcessOutputAndValue


async def curl(reactor: Any, *args: str) -> tuple[str, str, int]:
    out, err, code = await CURL("/usr/bin/curl", ["-sS", "-v", "--max-time", "20", *args], reactor=reactor)
    return out.decode(), err.decode(errors="replace"), code


def as_dslr_remote_pro(photo: Path) -> list[str]:
    """The request of seed 004: its boundary, its fields, its Expect."""
    fields = [arg for name, value in SEED_FIELDS.items() for arg in ("-F", f"{name}={value}")]
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    return [*fields, "-F", f"fileToUpload=@{photo};type=image/jpeg", "-H", kind, "-H", "Expect: 100-continue"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0003.JPG"
    path.write_bytes(PHOTO * 600)
    return path


@asynchronous
async def test_curl_with_expect_is_told_to_continue_and_answered(reactor: Any, open_port: Open, photo: Path) -> None:
    room = FakeRoom()
    port: Port = await open_port(room=room)
    fields = [arg for name, value in SEED_FIELDS.items() for arg in ("-F", f"{name}={value}")]
    url = f"http://127.0.0.1:{port.number}/upload/3"
    out, err, code = await curl(
        reactor, *fields, "-F", f"fileToUpload=@{photo};type=image/jpeg", "-H", "Expect: 100-continue", url
    )
    assert code == 0, err
    assert "< HTTP/1.1 100 Continue" in err
    assert "< HTTP/1.1 200 OK" in err
    assert out == f'{{"slot": 3, "size": {len(PHOTO) * 600}}}\n'
    assert room.sinks[0].data == photo.read_bytes()
    assert dict(room.uploads[0].form) == {n: v for n, v in SEED_FIELDS.items() if n != "password"}
    assert room.uploads[0].filename == "IMG_0003.JPG"


@asynchronous
async def test_the_recorded_boundary_of_dashes(reactor: Any, open_port: Open) -> None:
    room = FakeRoom()
    port: Port = await open_port(room=room)
    client = await talk(reactor, port.number)
    body = form(SEED_FIELDS.items())
    client.transport.write(
        head("/upload/1", f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close")
    )
    await client.until(b"100 Continue\r\n\r\n")
    client.transport.write(body)
    await client.closed
    assert parse_answers(client.heard.partition(b"\r\n\r\n")[2])[0].status == 200
    assert room.sinks[0].data == PHOTO


@asynchronous
async def test_two_uploads_over_one_connection_of_curl(reactor: Any, open_port: Open, photo: Path) -> None:
    room = FakeRoom()
    port: Port = await open_port(room=room)
    url = f"http://127.0.0.1:{port.number}/upload/1"
    _, err, code = await curl(reactor, "-F", "password=123456", "-F", f"fileToUpload=@{photo}", url, url)
    assert code == 0
    assert "Re-using existing connection" in err
    assert len(room.uploads) == 2


@asynchronous
async def test_a_refused_curl_with_expect_sends_nothing_and_reads_the_reason(
    reactor: Any, open_port: Open, photo: Path
) -> None:
    room = FakeRoom()
    room.refusal = NoSuchSlot()
    port: Port = await open_port(room=room)
    url = f"http://127.0.0.1:{port.number}/upload/1"
    out, err, code = await curl(reactor, *as_dslr_remote_pro(photo)[:-4], "-H", "Expect: 100-continue",
                                "-w", "%{size_upload}", url)  # fmt: skip
    assert code == 0, err
    assert "100 Continue" not in err
    assert '"error": "no-such-slot"' in out
    assert out.endswith("\n0")


@asynchronous
async def test_a_refused_curl_without_expect_reads_the_reason(reactor: Any, open_port: Open, tmp_path: Path) -> None:
    big = tmp_path / "big.jpg"
    big.write_bytes(bytes(20 << 20))
    room = FakeRoom()
    port: Port = await open_port(room=room)
    for max_size, code_wanted in ((1 << 20, "too-large"), (30 << 20, "wrong-password")):
        room.max_size = max_size
        url = f"http://127.0.0.1:{port.number}/upload/1"
        out, err, code = await curl(reactor, "-F", "password=guess", "-F", f"fileToUpload=@{big}", "-H", "Expect:", url)
        assert code == 0, err
        assert f'"error": "{code_wanted}"' in out
    assert all(sink.discarded for sink in room.sinks)


@asynchronous
async def test_a_client_that_sends_everything_before_it_reads_still_gets_the_refusal(
    reactor: Any, open_port: Open
) -> None:
    room = FakeRoom()
    port: Port = await open_port(room=room)
    client = await talk(reactor, port.number)
    client.transport.pauseProducing()
    data = post(form([("password", "guess")], files=[("f", "f.jpg", bytes(900_000))]))
    for at in range(0, len(data), 50_000):
        client.transport.write(data[at : at + 50_000])
        pause: Deferred[None] = Deferred()
        reactor.callLater(0, pause.callback, None)
        await pause
    client.transport.resumeProducing()
    await client.closed
    assert parse_answers(client.heard)[0].error == "wrong-password"


@asynchronous
async def test_a_client_that_vanishes_in_the_middle_leaves_nothing(reactor: Any, open_port: Open) -> None:
    room = FakeRoom()
    port: Port = await open_port(room=room)
    client = await talk(reactor, port.number)
    body = form(files=[("f", "f.jpg", bytes(200_000))])
    client.transport.write(head("/upload/1", f"Content-Length: {len(body)}", "Expect: 100-continue"))
    await client.until(b"100 Continue")
    client.transport.write(body[:100_000])
    client.transport.loseConnection()
    await port.site_empty()
    assert room.lost == [None]
    assert all(sink.discarded for sink in room.sinks)
    assert room.uploads == []


@asynchronous
async def test_stop_lets_requests_be_answered_and_takes_no_new_ones(reactor: Any, open_port: Open) -> None:
    waiting: Deferred[None] = Deferred()
    begun: Deferred[None] = Deferred()

    async def slow(request: Request) -> Reply:
        begun.callback(None)
        await waiting
        return text_reply("done")

    port: Port = await open_port(Route(("GET",), "/", "slow", slow, login=False))
    number = port.number
    busy, idle = await talk(reactor, number), await talk(reactor, number)
    busy.transport.write(b"GET / HTTP/1.1\r\n\r\n")
    await begun
    stopped = Deferred.fromCoroutine(port.listener.stop())
    await idle.closed
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", number), timeout=1):
        pass
    assert not stopped.called
    waiting.callback(None)
    await stopped
    await busy.closed
    assert parse_answers(busy.heard)[0].body == b"done"
    assert parse_answers(busy.heard)[0].headers["connection"] == "close"


@asynchronous
async def test_the_address_says_the_real_port(open_port: Open) -> None:
    port: Port = await open_port()
    address: Any = port.listener.address
    assert address.host == "127.0.0.1"
    assert address.port == port.number > 0


@asynchronous
async def test_ipv6_when_the_string_says_so(reactor: Any, open_port: Open) -> None:
    try:
        port: Port = await open_port(endpoint="tcp6:0:interface=\\:\\:1")
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"no IPv6 here: {error}")
    out, _, code = await curl(reactor, f"http://[::1]:{port.number}/nothing")
    assert (code, "not-found" in out) == (0, True)


@pytest.mark.parametrize(
    ("given", "listens"),
    [
        ("tcp:8000", "tcp:8000:backlog=1024"),
        ("tcp6:8000:interface=\\:\\:", "tcp6:8000:interface=\\:\\::backlog=1024"),
        ("tcp:8000:backlog=5", "tcp:8000:backlog=5"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
    ],
)
def test_a_hall_full_of_booths_may_knock_at_once(given: str, listens: str) -> None:
    assert _with_backlog(given) == listens


def test_the_file_limit_is_raised_to_what_the_system_allows() -> None:
    import resource

    assert raise_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
