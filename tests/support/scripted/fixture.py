"""Starts and stops the scripted service.

In a conftest: `from tests.support.scripted.fixture import scripted  # noqa: F401`."""

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

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PYTHONPATH = f"{HERE / 'site'}{os.pathsep}{ROOT}"
"""Put this in front of a child's PYTHONPATH, and `scripted` is a registered provider there."""

WAIT_S = 20.0


def environment(**more: str) -> dict[str, str]:
    """The environment of a child process that knows the provider `scripted`."""
    above = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": PYTHONPATH + (os.pathsep + above if above else ""), **more}


class ScriptedServer:
    """A running service. ledger_file: its charges, a line of JSON each; it outlives everything.

    Every question blocks, and is asked over a connection of its own: in a test whose reactor must turn meanwhile (the
    provider runs in the same process), ask it in a thread."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, ledger_file: Path) -> None:
        self.pid, self.port, self.ledger_file = process.pid, port, ledger_file
        self.url = f"http://127.0.0.1:{port}"

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """Every charge so far: number, photo (sha256), at, prompt, model."""
        return [json.loads(line) for line in self.ledger_file.read_text().splitlines()]

    def charges(self, sha256: str) -> int:
        """How often a photo was charged."""
        return sum(entry["photo"] == sha256 for entry in self.ledger)

    def calls(self, *, at_least: int = 0) -> list[dict[str, Any]]:
        """Every call whose photo came whole; waits until there are so many."""
        found: list[dict[str, Any]] = self._ask("GET", "/calls", count=at_least)
        return found

    def wait_for_charges(self, count: int) -> None:
        """Wait until so many charges are in the ledger."""
        self._ask("GET", "/ledger", count=count)

    def open(self) -> dict[str, int]:
        """connections: open ones, also idle; working: photos that wait for their answer."""
        found: dict[str, int] = self._ask("GET", "/open")
        return found

    def wait_until_open(self, **counts: int) -> None:
        """Wait until the numbers of `open` are these: `wait_until_open(working=0)`."""
        self._ask("GET", "/open", **counts)

    def release(self) -> None:
        """Let everything on hold go on."""
        self._ask("POST", "/release")

    def _ask(self, method: str, path: str, **query: int) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, f"{path}?{urlencode(query)}" if query else path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def scripted_server(ledger: Path, *, port: int = 0) -> Iterator[ScriptedServer]:
    """Run the service. With the ledger and the port of an earlier one it goes on where that ended (its queue is lost)."""
    command = [sys.executable, "-m", "tests.support.scripted.server", "--ledger", str(ledger), "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()  # it says its port once it listens
            assert said, "the scripted service did not start"
            yield ScriptedServer(process, int(said), ledger)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def scripted_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedServer]:
    """One service for tests that tell their photos apart."""
    with scripted_server(tmp_path_factory.mktemp("scripted") / "ledger.jsonl") as server:
        yield server


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A service of the test's own, with an empty ledger."""
    with scripted_server(tmp_path / "ledger.jsonl") as server:
        yield server
