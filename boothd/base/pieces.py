"""A request's body that is produced piece by piece in threads, and a file as such pieces: nothing is ever held whole."""

from collections.abc import Generator
from os import fstat
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.threads import Threads


class FileChanged(OSError):
    """A file became longer or shorter after it had been measured."""


@implementer(IBodyProducer)
class PiecesBody:
    """One request's body for treq's `data=` or for Agent.

    pieces: run in `threads`, one step at a time; when the body is stopped, they are closed there. length: their bytes.
    error: why the body could not be sent; the request then fails with `RequestGenerationFailed`. most_held_bytes: the
    longest piece that ever waited to be written; there is never more than one."""

    def __init__(self, pieces: Generator[bytes, None, None], length: int, threads: Threads) -> None:
        self._pieces, self._threads, self.length = pieces, threads, length
        self._resumed: Deferred[None] | None = None
        self._stopped = False
        self.error: BaseException | None = None
        self.most_held_bytes = 0

    def startProducing(self, consumer: Any) -> Deferred[None]:
        done: Deferred[None] = Deferred(lambda _: self.stopProducing())

        def sent(_: object) -> None:
            if not self._stopped:
                done.callback(None)

        def failed(failure: Failure) -> None:
            self.error = failure.value
            if not self._stopped:
                done.errback(failure)

        Deferred.fromCoroutine(self._send(consumer)).addCallbacks(sent, failed)
        return done

    def pauseProducing(self) -> None:
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """Write no more. The piece that is being read is still read; then its file is closed."""
        self._stopped = True
        self.resumeProducing()

    async def _send(self, consumer: Any) -> None:
        while not self._stopped and (piece := await self._threads.run(next, self._pieces, None)) is not None:
            self.most_held_bytes = max(self.most_held_bytes, len(piece))
            while self._resumed is not None:
                await self._resumed
            if not self._stopped:
                consumer.write(piece)
        if self._stopped:
            await self._threads.run(self._pieces.close)


def file_pieces(path: Path, size_bytes: int, piece_bytes: int) -> Generator[bytes, None, None]:
    """A file that was measured before, each piece but the last of `piece_bytes`. Blocks.

    Raises FileChanged when it no longer has `size_bytes` or becomes longer or shorter meanwhile, OSError."""
    with path.open("rb") as file:
        left = size_bytes
        if fstat(file.fileno()).st_size != size_bytes:
            raise FileChanged(f"{path.name} changed before it was sent.")
        while left:
            wanted = min(piece_bytes, left)
            piece = file.read(wanted)
            left -= len(piece)
            if len(piece) < wanted or (not left and file.read(1)):
                raise FileChanged(f"{path.name} changed while it was being sent.")
            yield piece
