"""Pages, static files and the files of replies, on a loopback port where the bytes matter."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from jinja2 import UndefinedError
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.logger import LogEvent

from boothd.base.assets import assets as brought_along
from boothd.base.threads import Threads
from boothd.http import FileBody, Pages, Reply, Request, Route
from boothd.http.send import STALL_S, send
from tests.base.body_support import NotedThreads, fd_paths
from tests.http.http_support import FakeRoom, Memory, Port, asked, asynchronous, talk
from tests.support.clock import FakeClock

Open = Callable[..., Any]


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "templates" / "a.html").write_text("<p>{{ name }}</p>{{ static('a.css') }}")
    (tmp_path / "static" / "a.css").write_text("p {}")
    (tmp_path / "static" / "js" / "b.js").write_text("1")
    (tmp_path / "static" / "c.html").write_text("no page lies here")
    (tmp_path / "secret.css").write_text("secret")
    return tmp_path


def test_the_assets_of_this_checkout_are_found_and_the_base_page_renders() -> None:
    pages = Pages(brought_along("web"))
    reply = pages.page_reply(asked(), "base.html")
    assert isinstance(reply.body, bytes)
    assert b'href="/static/boothd.css?v=' in reply.body
    assert b"<script" not in reply.body
    assert b"style=" not in reply.body


def test_what_pages_show_is_escaped_and_a_missing_name_is_an_error(assets: Path) -> None:
    pages = Pages(assets)
    reply = pages.page_reply(asked(), "a.html", status=422, name="<script>C:\\Users")
    assert isinstance(reply.body, bytes)
    assert reply.status == 422
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.body.startswith(b"<p>&lt;script&gt;C:\\Users</p>/static/a.css?v=")
    with pytest.raises(UndefinedError):
        pages.page_reply(asked(), "a.html")


@asynchronous
async def test_static_files(assets: Path, open_port: Open) -> None:
    pages = Pages(assets)
    port: Port = await open_port(*pages.routes())
    answer = await port.ask("GET", "/static/a.css")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"p {}", "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"
    tag = answer.headers["etag"]
    answer = await port.ask("GET", "/static/a.css", f"If-None-Match: W/{tag}")
    assert (answer.status, answer.body) == (304, b"")
    assert "immutable" in (await port.ask("GET", pages.static.url("js/b.js"))).headers["cache-control"]
    assert (await port.ask("HEAD", "/static/a.css")).headers["content-length"] == "4"
    for path in ("../secret.css", "..%2fsecret.css", "%2e%2e/secret.css", "/etc/passwd", "c.html", "js", "js/", "%00"):
        assert (await port.ask("GET", f"/static/{path}")).status == 404, path


@asynchronous
async def test_a_file_is_sent_whole_and_opened_in_the_disk_threads(
    tmp_path: Path, open_port: Open, monkeypatch: Any
) -> None:
    picture = tmp_path / "result.jpg"
    picture.write_bytes(bytes(range(256)) * 20_000)
    names: list[str] = []

    async def get(request: Request) -> Reply:
        return Reply(200, {"Content-Type": "image/jpeg"}, FileBody(picture))

    from boothd.http import send

    real = send._open

    def opened(body: FileBody, found: list[IO[bytes]]) -> Any:
        names.append(threading.current_thread().name)
        return real(body, found)

    monkeypatch.setattr(send, "_open", opened)
    port: Port = await open_port(Route(("GET",), "/", "picture", get, login=False))
    answer = await port.ask("GET", "/")
    assert answer.body == picture.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert len(names) == 1
    assert names[0] != threading.main_thread().name
    assert (await port.ask("GET", "/")).status == 200  # and the descriptors are closed: warnings are errors


@asynchronous
async def test_a_file_that_is_gone_is_a_404(tmp_path: Path, open_port: Open) -> None:
    async def get(request: Request) -> Reply:
        return Reply(200, {}, FileBody(tmp_path / "nothing"))

    port: Port = await open_port(Route(("GET",), "/", "picture", get, login=False))
    assert (await port.ask("GET", "/")).error == "not-found"


@asynchronous
async def test_a_client_that_leaves_during_a_file_leaves_nothing_behind(
    reactor: Any, tmp_path: Path, open_port: Open, events: list[LogEvent]
) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(200 << 20)

    async def get(request: Request) -> Reply:
        return Reply(200, {}, FileBody(big))

    port: Port = await open_port(Route(("GET",), "/", "picture", get, login=False))
    client = await talk(reactor, port.number)
    client.transport.write(b"GET / HTTP/1.1\r\n\r\n")
    await client.until(b"\r\n\r\n")
    client.transport.pauseProducing()
    client.transport.abortConnection()
    await port.site_empty()
    assert [e["status"] for e in events if "size_bytes" in e] == [499]
    assert not any("log_failure" in e for e in events)
    assert len(client.heard) < 200 << 20


def test_a_client_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    """The consumer is paused after the first slice; the fake clock goes on."""
    picture = tmp_path / "picture"
    picture.write_bytes(bytes(1 << 20))

    async def get(request: Request) -> Reply:
        return Reply(200, {}, FileBody(picture))

    memory = Memory(FakeRoom(), [Route(("GET",), "/", "picture", get, login=False)])
    line = memory.connect()
    line.send(b"GET / HTTP/1.1\r\n\r\n")
    line.channel.pauseProducing()
    memory.time.advance(STALL_S + 1)
    memory.time.advance(STALL_S + 1)
    assert line.dropped()
    line.hang_up()
    assert memory.time.getDelayedCalls() == []


@asynchronous
async def test_a_file_that_grows_is_cut_at_its_length_and_one_that_shrinks_ends_the_connection(
    reactor: Any, tmp_path: Path, open_port: Open
) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(1000))

    class Grown(Threads):
        def __init__(self) -> None:
            self.by = 0

        async def run(self, call: Any, *args: Any, **kw: Any) -> Any:
            return call(*args) + self.by

    disk = Grown()

    async def get(request: Request) -> Reply:
        return Reply(200, {}, FileBody(file))

    port: Port = await open_port(Route(("GET",), "/", "file", get, login=False), disk=disk)
    disk.by = -10
    assert len((await port.ask("GET", "/")).body) == 990
    disk.by = 10
    client = await talk(reactor, port.number)
    client.transport.write(b"GET / HTTP/1.1\r\n\r\n")
    await client.closed
    assert not client.heard.endswith(bytes(1010))


@asynchronous
async def test_a_file_that_was_opened_for_a_client_that_has_left_is_closed(tmp_path: Path) -> None:
    from twisted.internet import reactor  # noqa: TID251

    (tmp_path / "picture").write_bytes(b"1")
    disk = NotedThreads(reactor)
    disk.may_go.clear()  # a slow disk
    sending = ensureDeferred(send(Leaving(), Reply(body=FileBody(tmp_path / "picture")), FakeClock(), disk))
    sending.cancel()
    disk.may_go.set()
    with pytest.raises(CancelledError):
        await sending
    assert str(tmp_path / "picture") not in fd_paths()
    disk.stop()


class Leaving:
    """A request whose client leaves while its file is opened."""

    gone = False
