"""What a fake has charged, a line of JSON each, on disk before the answer leaves."""

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any

from boothd.base.threads import Threads


class Ledger:
    """The charges of one fake.

    file: where they are kept; what stands there already counts. None: in memory only."""

    def __init__(self, disk: Threads, file: Path | None = None) -> None:
        self._disk, self._lock = disk, Lock()
        self._file: int | None = None
        self.charges: list[dict[str, Any]] = []
        if file is not None:
            self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self.charges += [json.loads(line) for line in file.read_text("utf-8").splitlines()]

    async def charge(self, entry: dict[str, Any]) -> None:
        """Keep a charge; its `number` is set here."""
        await self._disk.run(self._append, entry)

    def _append(self, entry: dict[str, Any]) -> None:
        with self._lock:
            numbered = {"number": len(self.charges) + 1, **entry}
            if self._file is not None:
                os.write(self._file, json.dumps(numbered, ensure_ascii=False).encode() + b"\n")
                os.fsync(self._file)
            self.charges.append(numbered)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
