"""Runs `boothd sandbox` in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

LIMIT_S = 120.0
"""Only a safety net."""


class Sandbox:
    """A running one. head: what it said before the first call."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.head = "".join(self.lines_until("Paid calls"))
        found = re.findall(r"^  (\S+) +(http://127\.0\.0\.1:\d+)$", self.head, re.MULTILINE)
        self.urls: dict[str, str] = dict(found)

    def lines_until(self, text: str) -> Iterator[str]:
        """What it says up to the line that holds `text`."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line
            if text in line:
                return
        raise AssertionError(f"it ended without saying {text!r}")

    def control(self, provider: str, what: str, body: dict[str, Any] | None = None) -> Any:
        """Ask or tell a fake: see `boothd.sandbox.fakes.control`."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.urls[provider]}/__sandbox__/{what}", data), timeout=60) as reply:
            return json.load(reply)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status, and what it said since."""
        self._process.send_signal(number)
        said, _ = self._process.communicate(timeout=60)
        return self._process.returncode, said


@contextmanager
def sandbox(*options: str | Path, port: int = 0) -> Iterator[Sandbox]:
    """Start it; what still runs at the end is killed."""
    command = [sys.executable, "-m", "boothd", "sandbox", "--port", str(port), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.start()
        try:
            yield Sandbox(process)
        finally:
            limit.cancel()
            process.kill()
