"""How a reference picture comes in: a form like the booth's, streamed to the disk, judged on the page."""

import hmac
import re
from collections.abc import Callable

from boothd.base.errors import NotFound, RequestError, TooLarge
from boothd.base.units import size_text
from boothd.booth.desk import Desk
from boothd.spool import Incoming

_PATH = re.compile(r"/slots/[^/]+/\d{1,2}/references/([^/]+)")
FIELDS_SIZE = 512 << 10
"""Bytes that the form's other fields may add to the file's."""


class ReferenceGate:
    """Says at the headers whether an upload may come.

    mark: an unguessable part of the address. The login is judged only once the body is there; without the mark, which
    only pages behind the login show, nobody's bytes reach the disk."""

    def __init__(self, desk: Desk, mark: str) -> None:
        self._desk, self.mark = desk, mark

    def admit(self, path: str, length: int | None) -> "ReferenceAdmission | None":
        """See `boothd.http.Gate`."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        if not hmac.compare_digest(match[1].encode("utf-8", "replace"), self.mark.encode()):
            raise NotFound("This page is too old for uploads. Open the slot again.")
        self._desk.spool.check_room(length or 0)
        return ReferenceAdmission(self._desk, self._desk.config().upload.max_size)


class ReferenceAdmission:
    """What the page says to an upload."""

    def __init__(self, desk: Desk, limit: int) -> None:
        self._desk, self._limit = desk, limit
        self.max_size = limit + FIELDS_SIZE

    def check_password(self, value: str) -> None:
        """The operator's login is asked for, not the booths' password."""

    def sink(self) -> "PictureSink":
        return PictureSink(self._desk.spool.receive(), self._limit)

    def lost(self, error: RequestError | None) -> None:
        """Nobody counts these."""


class PictureSink:
    """Takes the file; what is wrong with it is remembered in `problem`, so that the page can say it beside the form."""

    def __init__(self, incoming: Incoming, limit: int) -> None:
        self.incoming, self._limit = incoming, limit
        self.problem: RequestError | None = None
        self._size = 0

    def write(self, data: bytes) -> bool:
        if self.problem is not None:
            return True
        self._size += len(data)
        try:
            if self._size > self._limit:
                raise TooLarge(f"The picture is larger than {size_text(self._limit)}, the most that boothd takes.")
            return self.incoming.write(data)
        except RequestError as error:
            self._spoiled(error)
            return True

    def on_drain(self, resume: Callable[[], None]) -> None:
        self.incoming.on_drain(resume)

    async def close(self) -> None:
        if self.problem is None:
            try:
                await self.incoming.close()
            except RequestError as error:
                self._spoiled(error)

    def discard(self) -> None:
        self.incoming.discard()

    def _spoiled(self, error: RequestError) -> None:
        self.problem = error
        self.incoming.discard()
