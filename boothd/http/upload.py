"""The seam between an upload's bytes and the room that takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from boothd.base.errors import RequestError


class Sink(Protocol):
    """Where the file part's bytes go; the spool implements it. All methods are called in the reactor thread."""

    def write(self, data: bytes) -> bool:
        """Take the next bytes. False: read no more from the client until `resume` is called.

        Raises RequestError: NotAPicture at the first bytes, DiskFull, ..."""

    def on_drain(self, resume: Callable[[], None]) -> None:
        """Told once, before the first write, what to call (in the reactor thread) when there is room again."""

    async def close(self) -> None:
        """Wait until all bytes are written and judged. Raises RequestError. Called once, before the route's handler."""

    def discard(self) -> None:
        """Keep nothing. Idempotent; also called while `close` is awaited, and then `close` is cancelled."""


class Admission(Protocol):
    """What a room says to an upload at its headers."""

    @property
    def max_size(self) -> int:
        """Bytes of the whole body."""

    def check_password(self, value: str) -> None:
        """Judge the field `password`; a form without one is judged as "" at its end. Raises WrongPassword."""

    def sink(self) -> Sink:
        """Called once, when the file part begins. Raises RequestError."""

    def lost(self, error: RequestError | None) -> None:
        """Told once when the upload never reaches the handler. error: why it was refused; None: the client went away."""


Gate = Callable[[str, int | None], Admission | None]
"""`admit(path, content_length)` is asked at the headers of every POST.

path: percent-decoded, without the query. content_length: bytes; None when the body is chunked. Returns None when nothing
is uploaded at this path. Raises RequestError (NoSuchSlot, Draining, DiskFull, TooLarge ...): refused, no byte is read."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a route's handler finds at `request.upload`: the body has been received whole and the sink is closed.

    form: names and values of the text fields in their order, without `password`; invalid UTF-8 is replaced. field,
    filename, content_type: of the file part, text as the client sent it, never a path. size_bytes: of the file. sink:
    the handler's from now on. query: of the URL, as sent. started_s, received_s: monotonic, the request's first and its
    last byte."""

    form: tuple[tuple[str, str], ...]
    field: str
    filename: str
    content_type: str
    size_bytes: int
    sink: Sink
    query: str
    started_s: float
    received_s: float
