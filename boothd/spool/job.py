"""A job: one photo's directory, and the table of where such a directory may move."""

import enum
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Lock

JOURNAL = "journal.jsonl"

_ID = re.compile(r"\d{8}T\d{6}\.\d{3}-[0-9a-f]{6}")


class State(enum.Enum):
    """Which directory a job lies in *is* its state."""

    INCOMING = "incoming"
    ACTIVE = "active"
    DONE = "done"
    TRASH = "trash"


MOVES: Mapping[State, frozenset[State]] = {
    State.INCOMING: frozenset({State.ACTIVE}),
    State.ACTIVE: frozenset({State.DONE, State.TRASH}),
    State.TRASH: frozenset({State.ACTIVE}),
    State.DONE: frozenset(),
}


class ForbiddenMove(Exception):
    """A job was to go where none may go from its state."""


def new_id(now: datetime, random: Random) -> str:
    """An id that sorts by time and needs no lock: UTC to the millisecond, then 24 random bits."""
    utc = now.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03d}-{random.getrandbits(24):06x}"


def is_id(name: str) -> bool:
    """Whether a directory's name is a job's."""
    return _ID.fullmatch(name) is not None


class Job:
    """A handle on a job's directory. `directory` and `state` change when the spool moves it, and only then.

    slot: whose photo it is ("studio-1"); empty until its journal has been read. lock: held by the disk thread that writes
    into the directory or moves it. unsafe: a write failed in a way that may have lost what was written before; nothing is
    written to it any more."""

    __slots__ = ("directory", "id", "lock", "slot", "state", "unsafe")

    def __init__(self, id: str, directory: Path, state: State, slot: str = "") -> None:
        self.id, self.directory, self.state, self.slot = id, directory, state, slot
        self.lock = Lock()
        self.unsafe = False

    @property
    def journal(self) -> Path:
        return self.directory / JOURNAL

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state.value}>"
