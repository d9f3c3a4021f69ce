"""Fakes of the providers' services in processes of their own, told what to do between one photo and the next."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.scripted.fixture import ROOT

WAIT_S = 60.0
"""Only a safety net."""


class FakeProcess:
    """A running fake. Every question blocks, and is asked over a connection of its own.

    draws: whether it makes pictures."""

    def __init__(self, name: str, port: int, ledger: Path) -> None:
        self.name, self.port, self._ledger = name, port, ledger
        self.url = f"http://127.0.0.1:{port}"
        self._calm = self.ask("settings")
        self.draws = "picture=WIDTHxHEIGHT" in self.ask("words")

    def set(self, **settings: object) -> None:
        """Change its settings; what fail-first counts begins anew."""
        self._ask("POST", "/__sandbox__/settings", json.dumps(settings))

    def reset(self) -> None:
        """Let it behave well, as it did when it was started."""
        self.set(**self._calm)

    @property
    def charges(self) -> list[dict[str, Any]]:
        """All that it has charged; on disk before the answer left."""
        return [json.loads(line) for line in self._ledger.read_text("utf-8").splitlines()]

    def calls(self, *, count: int = 0, ended: int = 0) -> list[dict[str, Any]]:
        """Every paid call; waits until so many have come, so many have ended."""
        found: list[dict[str, Any]] = self._ask("GET", f"/__sandbox__/calls?count={count}&ended={ended}")
        return found

    def ask(self, path: str, **query: int) -> Any:
        """GET /__sandbox__/`path`."""
        return self._ask("GET", f"/__sandbox__/{path}?{urlencode(query)}")

    def wait_until_open(self, **counts: int) -> None:
        """Wait until the numbers of `open` are these: `wait_until_open(working=0)`."""
        self.ask("open", **counts)

    def release(self) -> None:
        """Let everything on hold go on."""
        self._ask("POST", "/__sandbox__/release")

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            said = response.read()
            assert response.status == 200, said
            return json.loads(said)
        finally:
            connection.close()


@contextmanager
def fake_processes(folder: Path, *names: str) -> Iterator[dict[str, FakeProcess]]:
    """Run fakes, all at once. folder: for their ledgers."""
    started: dict[str, tuple[subprocess.Popen[str], Path]] = {}
    try:
        for name in names:
            ledger = folder / f"{name}.jsonl"
            command = [sys.executable, "-m", "boothd.sandbox.fakes", name, "--port", "0", "--ledger", str(ledger)]
            started[name] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True), ledger
        found = {}
        for name, (process, ledger) in started.items():
            assert process.stdout is not None
            said = process.stdout.readline()  # it says its port once it listens
            assert said, f"the fake {name} did not start"
            found[name] = FakeProcess(name, int(said), ledger)
        yield found
    finally:
        for process, _ in started.values():
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
