"""A real boothd in a process of its own, on a home that lies below a test's tmp_path.

with Daemon(make_home(tmp_path / "home", {"scripted": {1: {"prompt": "ok"}}}, {"scripted": {"url": server.url}})) as d:
    d.start()                       # comes back once it listens
    post(d.port, d.path("scripted", 1), photo)
    d.kill()                        # SIGKILL; `stop` is SIGTERM
    d.start()                       # again, on the same home
"""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import yaml

from boothd.http.passwords import hash_password
from tests.support.scripted.fixture import environment

PASSWORD = "123456"
"""The upload password of every home made here."""

OPERATOR, OPERATOR_PASSWORD = "op", "open sesame"

LIMIT_S = 60.0
"""Only a safety net: a daemon that says nothing for so long is broken."""


def make_home(
    path: Path,
    slots: Mapping[str, Mapping[int, Mapping[str, Any]]],
    providers: Mapping[str, Mapping[str, Any]] | None = None,
    **daemon: Any,
) -> Path:
    """Write a home. slots: by provider, then number; key and effect (style) need not be given.

    providers: the files of etc/providers. daemon: the keys of boothd.yaml; it listens on a free port of 127.0.0.1."""
    for folder in ("slots", "providers"):
        (path / "etc" / folder).mkdir(parents=True)
    _write(path / "etc/boothd.yaml", {"listen": "tcp:0:interface=127.0.0.1", "spool": {"floor": 0}, **daemon})
    _write(path / "etc/secrets.yaml", {"upload_password": PASSWORD, "operators": {OPERATOR: _hashed()}})
    for provider, settings in (providers or {}).items():
        _write(path / f"etc/providers/{provider}.yaml", settings)
    for provider, numbers in slots.items():
        full = {n: {"key": key(provider, n), "effect": "style", **slot} for n, slot in numbers.items()}
        _write(path / f"etc/slots/{provider}.yaml", {"slots": full})
    return path


def key(provider: str, slot: int) -> str:
    """The key of a slot's link."""
    return f"key-of-{provider}-{slot:02d}".ljust(20, "-")


class Daemon:
    """One boothd after the other on the same home; whatever still runs at the end of the `with` is killed.

    prefix: a program and its options that are to run it (nsenter, faketime). environ: added to its environment."""

    def __init__(self, home: Path, *, prefix: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._prefix, self._environ = prefix, environment(**(environ or {}))
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._said = threading.Condition()
        self._ended = False
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            print(self.log)  # pytest shows it with the failure

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.launch()
        self.wait_for_log("listening at")

    def launch(self) -> None:
        """Start it without waiting."""
        assert self._process is None, "it runs already"
        command = [*self.prefixed(), "boothd", "--home", str(self.home)]
        self._lines, self._ended = [], False
        self._process = subprocess.Popen(
            command, env=self._environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.home
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def prefixed(self) -> list[str]:
        """The command line up to the plugin's name."""
        return [*self._prefix, str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile="]

    def kill(self) -> None:
        """kill -9, unless it has ended already."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM; wait until it has ended. Returns its exit status."""
        self.send(signal.SIGTERM)
        return self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, and do not wait."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until it has ended by itself. Returns its exit status: negative, the signal that ended it."""
        process, self._process = self._process, None
        if process is None:
            return 0
        try:
            status = process.wait(LIMIT_S)
        finally:
            process.kill()
            process.wait()
            assert self._reader is not None
            self._reader.join()
        return status

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens; it may be another one after each start."""
        return int(re.findall(r"port=(\d+)", self.wait_for_log("listening at"))[0])

    @staticmethod
    def path(provider: str, slot: int) -> str:
        """The path of a slot's upload link."""
        return f"/upload/{provider}/{slot}/{key(provider, slot)}"

    def link(self, provider: str, slot: int) -> str:
        """A slot's upload link."""
        return f"http://127.0.0.1:{self.port}{self.path(provider, slot)}"

    @property
    def log(self) -> str:
        """All that it has said since its last start."""
        with self._said:
            return "".join(self._lines)

    def wait_for_log(self, *texts: str) -> str:
        """Wait until it says one of `texts`; returns that line."""
        until_s = time.monotonic() + LIMIT_S
        with self._said:
            seen = 0
            while True:
                for line in self._lines[seen:]:
                    if any(text in line for text in texts):
                        return line
                seen = len(self._lines)
                left_s = until_s - time.monotonic()
                if self._ended or left_s <= 0:
                    why = "ended" if self._ended else f"said nothing of it for {LIMIT_S:.0f} s"
                    raise AssertionError(f"{' or '.join(texts)!r}: the daemon {why}:\n{''.join(self._lines)}")
                self._said.wait(left_s)

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                with self._said:
                    self._lines.append(line)
                    self._said.notify_all()
        with self._said:
            self._ended = True
            self._said.notify_all()


def wait_until(so: Callable[[], object], what: str) -> None:
    """Wait until `so()`; asked again and again, for what no event tells."""
    until_s = time.monotonic() + LIMIT_S
    while not so():
        assert time.monotonic() < until_s, f"not so in {LIMIT_S:.0f} s: {what}"
        threading.Event().wait(0.005)


@lru_cache(maxsize=1)
def _hashed() -> str:
    return hash_password(OPERATOR_PASSWORD)


def _write(file: Path, data: object) -> None:
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    file.chmod(0o600)
