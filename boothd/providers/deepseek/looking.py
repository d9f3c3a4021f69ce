"""Small copies of pictures that only have to be looked at: they save time and tokens, and carry no metadata."""

from pathlib import Path
from threading import Lock

from boothd.base import imaging
from boothd.base.errors import BadRequest, RequestError
from boothd.base.threads import Threads

SIDE = 1568
"""Pixels: more than the service looks at, of 1,024 tokens per picture. Source: facts/providers.md §2."""
LOW_SIDE = 512
"""Of its `detail: low`."""
QUALITY = 85


class Look:
    """The copy of one picture. path: where it will be. what: for people.

    Its methods' work runs in threads, one after the other: what is removed is not written afterwards."""

    def __init__(self, source: Path, path: Path, what: str) -> None:
        self.path = path
        self._source, self._what = source, what
        self._unwanted = False
        self._lock = Lock()

    async def take(self, side: int, max_pixels: int, pictures: Threads) -> None:
        """Write the copy, neither side longer than `side` pixels. Raises BadRequest."""
        try:
            await pictures.run(self._take, side, max_pixels)
        except (OSError, RequestError) as error:
            raise BadRequest(f"{self._what} cannot be read: {getattr(error, 'strerror', None) or error}") from error

    async def remove(self, disk: Threads) -> None:
        await disk.run(self._remove)

    def _take(self, side: int, max_pixels: int) -> None:
        if self._unwanted:
            return
        imaging.inspect(self._source, max_pixels)
        data = imaging.encode(imaging.fit(imaging.load_rgb(self._source), (side, side)), "JPEG", QUALITY)
        with self._lock:
            if not self._unwanted:
                self.path.write_bytes(data)

    def _remove(self) -> None:
        with self._lock:
            self._unwanted = True
            self.path.unlink(missing_ok=True)
