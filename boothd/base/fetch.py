"""Answers of HTTP services go to disk while they arrive; the daemon never holds one whole."""

from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from boothd.base.errors import BadAnswer, Unavailable
from boothd.base.threads import Threads

GATHER = 128 << 10
"""Bytes that are gathered before a disk thread is woken for them: a hop costs more than their copying."""

HIGH_WATER = 512 << 10
"""Bytes that may wait for the disk before nothing more is read."""


async def save_body(response: Any, path: Path, *, max_bytes: int, disk: Threads) -> int:
    """Write the body of a treq or Agent response to the new file `path`; returns its size in bytes.

    Ask treq with `unbuffered=True`, or it keeps a copy of the whole. Raises BadAnswer when the body is longer than
    `max_bytes`, Unavailable when it breaks off; OSError. Then no file is left. Cancelling closes the connection."""
    length = response.length
    if isinstance(length, int) and length > max_bytes:
        drop_body(response)
        raise BadAnswer(f"The answer has {length / 1e6:.1f} MB; at most {max_bytes / 1e6:.1f} MB are taken.")
    file = _File(path)
    body = Body(file, max_bytes, disk)
    try:
        response.deliverBody(body)
        await body.done
        await disk.run(file.close)
    except Exception:
        await disk.run(file.throw_away)
        raise
    return body.size_bytes


class _File:
    """The file of one body. Its methods run in disk threads, one after the other however many threads there are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._unwanted = False
        self._lock = Lock()

    def write(self, pieces: list[bytes]) -> None:
        with self._lock:
            if not self._unwanted:
                self._open().writelines(pieces)

    def close(self) -> None:
        with self._lock:
            self._open().close()

    def throw_away(self) -> None:
        with self._lock:
            self._unwanted = True
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
                self._path.unlink(missing_ok=True)

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._path.open("xb")
        return self._file


class Body(Protocol):
    """Hands what arrives to a disk thread; reads no further while too much waits for it."""

    def __init__(self, file: _File, max_bytes: int, disk: Threads) -> None:
        self._file, self._max_bytes, self._disk = file, max_bytes, disk
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing = False
        self._ended: Failure | None = None
        self.size_bytes = 0
        self.done: Deferred[None] = Deferred(lambda _: self._drop())

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            self._fail(BadAnswer(f"The answer has more than {self._max_bytes / 1e6:.1f} MB."))
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= HIGH_WATER:
            self._producer.pauseProducing()
        self._write()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = reason
        self._write()
        self._finish_if_idle()

    def _write(self) -> None:
        enough = self._waiting_bytes >= GATHER or (self._ended is not None and self._waiting_bytes > 0)
        if enough and not self._writing and not self.done.called:
            self._writing = True
            pieces, self._waiting = self._waiting, []
            Deferred.fromCoroutine(self._disk.run(self._file.write, pieces)).addCallbacks(
                self._written, lambda failure: self._fail(failure.value)
            )

    def _written(self, _: object) -> None:
        self._writing = False
        was_full = self._waiting_bytes >= HIGH_WATER
        self._waiting_bytes = sum(map(len, self._waiting))
        if was_full and self._waiting_bytes < HIGH_WATER and self._ended is None and not self.done.called:
            self._producer.resumeProducing()
        self._write()
        self._finish_if_idle()

    def _finish_if_idle(self) -> None:
        if self._ended is None or self._writing or self._waiting or self.done.called:
            return
        # A service that gives no length says by closing that it is done; whoever decodes the body sees whether it was.
        if isinstance(self._ended.value, ResponseDone | PotentialDataLoss):
            self.done.callback(None)
        else:
            self.done.errback(Unavailable(f"The answer broke off: {self._ended.value}"))

    def _fail(self, error: BaseException) -> None:
        if not self.done.called:
            self._drop()
            self.done.errback(error)

    def _drop(self) -> None:
        self._waiting.clear()
        if self._ended is None:
            self._producer.stopProducing()

    @property
    def _producer(self) -> Any:
        return self.transport


def drop_body(response: Any) -> None:
    """Let go of a response whose body nobody wants: its connection must not go back to the pool half read."""

    class Discard(Protocol):
        def connectionMade(self) -> None:
            transport: Any = self.transport
            transport.stopProducing()

    response.deliverBody(Discard())
