"""A job's journal: append-only lines of JSON that say how the job came where it lies.

The entries are the product's memory: recovery judges by them, the statistics are their sum.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from boothd.base.errors import Charged


class Damaged(Exception):
    """The journal cannot be read. The message says which line and why."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer boothd may have written more

    at: datetime


class Received(_Entry):
    """The photo is accepted. slot: "studio-1". form: what the client said besides the file; personal data."""

    kind: Literal["received"] = "received"
    room: str
    slot: str
    provider: str
    file: str
    name: str = ""
    sha256: str
    size_bytes: int
    width: int
    height: int
    format: str
    orientation: int = 1
    form: tuple[tuple[str, str], ...] = ()
    query: str = ""
    receive_ms: float = 0
    keep_failures: bool = True


Role = Literal["make", "direct", "render"]
"""What a call is for: to make the picture; to write the prompt for it; to make it by that prompt, for another provider."""


class Attempt(_Entry):
    """A call is about to leave. On disk before it does. paid: whether it costs money when it succeeds.

    credit_provider, credit_model: whom a rendered picture counts for."""

    kind: Literal["attempt"] = "attempt"
    number: int
    provider: str
    model: str
    revision: str
    price: Decimal = Decimal(0)
    paid: bool = False
    role: Role = "make"
    credit_provider: str = ""
    credit_model: str = ""


class Queued(_Entry):
    """The service gave the call a queue number; it is paid for and can be polled after a restart."""

    kind: Literal["queued"] = "queued"
    number: int
    queue_number: str


class AttemptEnded(_Entry):
    """The call ended. outcome: "ok" or an error's code; role, credit_provider, credit_model: the attempt's."""

    kind: Literal["attempt-ended"] = "attempt-ended"
    number: int
    provider: str
    model: str
    outcome: str
    message: str = ""
    charged: Charged = Charged.NO
    cost: Decimal = Decimal(0)
    seconds: float = 0
    role: Role = "make"
    credit_provider: str = ""
    credit_model: str = ""


class Undirected(_Entry):
    """The directing provider wrote no prompt, and the slot's own is used as it is. code, message: the error's."""

    kind: Literal["undirected"] = "undirected"
    provider: str
    code: str
    message: str


class Shared(_Entry):
    """Another job's answer is used instead of a call: one that exists, or one that is on its way."""

    kind: Literal["shared"] = "shared"
    job: str
    provider: str
    how: Literal["exists", "on its way"]


class FellBack(_Entry):
    """A provider of the slot's chain failed and the next one is asked."""

    kind: Literal["fell-back"] = "fell-back"
    provider: str
    to: str
    code: str
    message: str


class Result(_Entry):
    """There is a picture, durable beside this journal. model: "original" where the photo itself is the answer; the
    renderer and its model ("studio/style") where `provider` directed."""

    kind: Literal["result"] = "result"
    file: str
    sha256: str
    size_bytes: int
    format: str
    provider: str
    model: str
    revision: str
    wait_ms: float = 0
    work_ms: float = 0
    encode_ms: float = 0


class Answered(_Entry):
    """What the client was told. code: "ok" or an error's; seconds: since its request began."""

    kind: Literal["answered"] = "answered"
    status: int
    code: str
    message: str = ""
    seconds: float = 0


class ReplyLost(_Entry):
    """The client was gone before it had the whole reply."""

    kind: Literal["reply-lost"] = "reply-lost"


class Retried(_Entry):
    """A person asked for the job to be tried again."""

    kind: Literal["retried"] = "retried"


class Finished(_Entry):
    """The job is over. code: "ok" or the error's; late: the picture came after the client had been answered."""

    kind: Literal["finished"] = "finished"
    code: str
    reason: str = ""
    charged: Charged = Charged.NO
    late: bool = False


Entry = (
    Received
    | Attempt
    | Queued
    | AttemptEnded
    | Undirected
    | Shared
    | FellBack
    | Result
    | Answered
    | ReplyLost
    | Retried
    | Finished
)
_ANY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def dump(entries: Iterable[Entry]) -> bytes:
    """The entries as journal lines."""
    return b"".join(entry.model_dump_json(exclude_defaults=False).encode() + b"\n" for entry in entries)


def parse(data: bytes) -> tuple[Sequence[Entry], int]:
    """The entries, and how many bytes of `data` are whole lines.

    A last line without its end is what a crash leaves and is left out. Any other line that cannot be read: Damaged."""
    whole = data.rfind(b"\n") + 1
    entries: list[Entry] = []
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            entries.append(_ANY.validate_json(line))
        except ValidationError as error:
            reason = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise Damaged(f"line {number} of the journal: {reason}") from None
    return entries, whole


def read(path: Path) -> Sequence[Entry]:
    """The entries of a journal file. Raises Damaged; also when there is none or it does not begin with `received`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Damaged(f"the journal cannot be read: {error.strerror}") from None
    entries, _ = parse(data)
    if not entries or not isinstance(entries[0], Received):
        raise Damaged("the journal does not begin with the photo's arrival")
    return entries


def received(entries: Sequence[Entry]) -> Received:
    """The first entry. Raises Damaged when it is not the photo's arrival."""
    if entries and isinstance(entries[0], Received):
        return entries[0]
    raise Damaged("the journal does not begin with the photo's arrival")
