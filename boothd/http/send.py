"""A Reply goes out, from memory or from a file at the client's speed."""

import os
from typing import IO, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.protocols.basic import FileSender

from boothd.base.aio import in_any_case
from boothd.base.clock import Clock, Timer, cancel
from boothd.base.errors import NotFound
from boothd.base.threads import Threads
from boothd.http.channel import phrase
from boothd.http.headers import headers_of
from boothd.http.replies import error_reply
from boothd.http.routes import FileBody, Reply

SLICE = 64 << 10  # bytes read and handed to the connection at a time; each costs a turn of the reactor
STALL_S = 30.0  # a client that takes not one byte for so long is gone
_log = Logger()


def begin(request: Any, reply: Reply, size_bytes: int | None = None) -> None:
    """Set status and headers. size_bytes: of a file's body."""
    request.setResponseCode(reply.status, phrase(reply.status).encode("ascii"))
    request.responseHeaders.removeHeader(b"Server")
    for name, value in headers_of(reply, size_bytes=size_bytes):
        request.responseHeaders.setRawHeaders(name, [value])
    if request.channel.site.draining:
        request.channel.persistent = False
    if not request.channel.persistent:
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])


async def send(request: Any, reply: Reply, clock: Clock, disk: Threads) -> None:
    """Send `reply` and finish the request; nothing happens when the client has gone.

    A file is opened in the disk threads and read in slices as the client takes them."""
    if request.gone:
        return
    if isinstance(reply.body, bytes):
        begin(request, reply)
        request.write(reply.body)
        request.finish()
        return
    opened: list[IO[bytes]] = []
    try:
        size = await in_any_case(disk.run(_open, reply.body, opened))
        if not request.gone:
            begin(request, reply, size)
            await _send_file(request, _Slice(opened[0], size), clock)
    except OSError as error:
        if opened:
            raise
        _log.warn("{route}: the file to send cannot be opened ({error})", route=request.route, error=error.strerror)
        await send(request, error_reply(NotFound()), clock, disk)
    finally:
        for file in opened:
            file.close()


def _open(body: FileBody, opened: list[IO[bytes]]) -> int:
    """The file's size. It is put into `opened`, where `send` finds it also when it was cancelled meanwhile."""
    file = open(body.path, "rb")  # noqa: SIM115
    opened.append(file)
    return os.fstat(file.fileno()).st_size


class _Slice:
    """A file's first `size` bytes: what is appended while it is sent must not follow the Content-Length."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.left = size

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self.left))
        self.left -= len(data)
        return data


async def _send_file(request: Any, part: _Slice, clock: Clock) -> None:
    if request.method == b"HEAD":
        request.finish()
        return
    timer: Timer | None = None
    seen = part.left

    def watch() -> None:
        nonlocal timer, seen
        timer = None
        if part.left == seen and request.transport is not None:
            request.transport.abortConnection()
        else:
            seen, timer = part.left, clock.callLater(STALL_S, watch)

    watch_first = clock.callLater(STALL_S, watch)
    try:
        sender = FileSender()
        sender.CHUNK_SIZE = SLICE
        sent: Deferred[Any] = sender.beginFileTransfer(part, request)
        await sent
    except Exception as error:  # noqa: BLE001 (FileSender raises a bare Exception when the client goes)
        await _break_off(request, f"the client left during its answer ({error})")
    finally:
        cancel(watch_first)
        cancel(timer)
    if part.left:
        await _break_off(request, "the file shrank while it was sent")
    if not request.gone:
        request.finish()


async def _break_off(request: Any, why: str) -> None:
    """Cut the connection and wait for its end: klein would finish a request whose handler returns before that."""
    _log.info("{route}: {why}", route=request.route, why=why)
    if not request.gone:
        request.transport.abortConnection()
        end: Deferred[None] = Deferred()
        await end  # cancelled by klein when the connection is lost
