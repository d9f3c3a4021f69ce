"""What the scripted service remembers: charges, calls, its queue, what is on hold."""

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.scripted.script import Script


@dataclass(frozen=True)
class Photo:
    """One call."""

    sha256: str
    size_bytes: int
    prompt: str
    model: str
    key: str


@dataclass
class Service:
    """What the server remembers."""

    ledger: Path
    reactor: Any
    charges: list[dict[str, object]] = field(default_factory=list)
    calls: list[dict[str, object]] = field(default_factory=list)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    queue: dict[str, tuple[Photo, Script, int]] = field(default_factory=dict)
    connections: int = 0
    working: int = 0
    released: bool = False
    held: list[Callable[[], None]] = field(default_factory=list)
    asking: list[tuple[Callable[[], bool], Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._file = os.open(self.ledger, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.charges += [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def charge(self, photo: Photo) -> None:
        entry: dict[str, object] = {
            "number": len(self.charges) + 1,
            "photo": photo.sha256,
            "at": datetime.now(UTC).isoformat(),
            "prompt": photo.prompt,
            "model": photo.model,
        }
        os.write(self._file, json.dumps(entry).encode() + b"\n")
        self.charges.append(entry)

    def release(self) -> None:
        self.released = True
        held, self.held = self.held, []
        for go_on in held:
            go_on()

    def changed(self) -> None:
        """Tell those who wait for what is so now."""
        for question in [q for q in self.asking if q[0]()]:
            self.asking.remove(question)
            question[1]()
