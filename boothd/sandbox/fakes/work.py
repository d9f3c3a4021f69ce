"""A paid call, as the fakes note it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Work:
    """A paid call. photo: sha256 of the first picture, "" if there is none. ended: how, once it has."""

    photo: str
    prompt: str
    model: str
    key: str
    size_bytes: int = 0
    photos: tuple[str, ...] = ()
    number: int = 0
    at: str = ""
    charged: bool = False
    ended: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def masked(key: str) -> str:
    """The end of a key: enough to tell two apart."""
    return f"…{key[-4:]}"
