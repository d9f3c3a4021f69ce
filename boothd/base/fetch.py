"""Answers of HTTP services go to disk while they arrive; the daemon never holds one whole."""

from pathlib import Path
from typing import IO, Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from boothd.base.errors import BadAnswer, Unavailable
from boothd.base.threads import Threads

HIGH_WATER = 256 << 10


async def save_body(response: Any, path: Path, *, max_bytes: int, disk: Threads) -> int:
    """Write the body of a treq or Agent response to the new file `path`; returns its size in bytes.

    Raises BadAnswer when it is longer than `max_bytes`, Unavailable when it breaks off; OSError. Cancelling closes the
    connection."""
    length = response.length
    if isinstance(length, int) and length > max_bytes:
        _abort(response)
        raise BadAnswer(f"The answer has {length / 1e6:.1f} MB; at most {max_bytes / 1e6:.1f} MB are taken.")
    file = await disk.run(path.open, "xb")
    try:
        body = _Body(cast(IO[bytes], file), max_bytes, disk)
        response.deliverBody(body)
        await body.done
        return body.size_bytes
    finally:
        await disk.run(file.close)


class _Body(Protocol):
    """Hands what arrives to a disk thread; reads no further while too much waits for it."""

    def __init__(self, file: IO[bytes], max_bytes: int, disk: Threads) -> None:
        self._file, self._max_bytes, self._disk = file, max_bytes, disk
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing = False
        self._ended: Failure | None = None
        self.size_bytes = 0
        self.done: Deferred[None] = Deferred(lambda _: self._drop())

    def dataReceived(self, data: bytes) -> None:
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
        self._finish_if_idle()

    def _write(self) -> None:
        if not self._writing and self._waiting:
            self._writing = True
            pieces, self._waiting = self._waiting, []
            Deferred.fromCoroutine(self._disk.run(self._file.writelines, pieces)).addCallbacks(
                self._written, lambda failure: self._fail(failure.value)
            )

    def _written(self, _: object) -> None:
        self._writing = False
        was_full = self._waiting_bytes >= HIGH_WATER
        self._waiting_bytes = sum(map(len, self._waiting))
        if was_full and self._ended is None:
            self._producer.resumeProducing()
        self._write()
        self._finish_if_idle()

    def _finish_if_idle(self) -> None:
        if self._ended is None or self._writing or self._waiting or self.done.called:
            return
        if isinstance(self._ended.value, ResponseDone):
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


def _abort(response: Any) -> None:
    """Let go of a response whose body nobody wants: its connection must not go back to the pool half read."""

    class Discard(Protocol):
        def connectionMade(self) -> None:
            transport: Any = self.transport
            transport.stopProducing()

    response.deliverBody(Discard())
