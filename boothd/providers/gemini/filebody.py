"""A request whose body is a file, read in disk threads a small piece at a time."""

from os import fstat
from pathlib import Path
from typing import IO, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer  # type: ignore[import-untyped]

from boothd.base.threads import Threads

PIECE = 128 << 10
"""Bytes that are read at once; one piece is held."""


class FileChanged(OSError):
    """The file became longer or shorter after it had been measured."""


@implementer(IBodyProducer)
class FileBody:
    """One request's body for treq's `data=`. length: its bytes. error: why it could not be sent."""

    def __init__(self, path: Path, size_bytes: int, disk: Threads) -> None:
        self._path, self._disk, self.length = path, disk, size_bytes
        self._resumed: Deferred[None] | None = None
        self._stopped = False
        self.error: BaseException | None = None

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
        """Write no more. The piece that is being read is still read; then the file is closed."""
        self._stopped = True
        self.resumeProducing()

    async def _send(self, consumer: Any) -> None:
        file = await self._disk.run(self._open)
        try:
            left = self.length
            while left and not self._stopped:
                piece = await self._disk.run(file.read, min(PIECE, left))
                if not piece:
                    raise FileChanged(f"{self._path.name} became shorter while it was being sent.")
                while self._resumed is not None:
                    await self._resumed
                if not self._stopped:
                    consumer.write(piece)
                left -= len(piece)
        finally:
            await self._disk.run(file.close)

    def _open(self) -> IO[bytes]:
        file = self._path.open("rb")
        if fstat(file.fileno()).st_size != self.length:
            file.close()
            raise FileChanged(f"{self._path.name} changed before it was sent.")
        return file
