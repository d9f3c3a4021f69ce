"""A daemon of our own, in a process of its own."""

import http.client
import subprocess
import sys
import time
from pathlib import Path

from boothd.cli.failed import Failed

READY_S = 60.0
STOP_S = 75.0  # longer than the daemon waits for photos in flight
TAIL_LINES = 25


class Daemon:
    """`boothd up` for `home` at a loopback port. log: where its output goes."""

    def __init__(self, home: Path, port: int, log: Path) -> None:
        self._port, self._log = port, log
        command = [sys.executable, "-m", "boothd", "up", "--home", str(home)]
        command += ["--listen", f"tcp:{port}:interface=127.0.0.1"]
        with log.open("wb") as out:
            # Of its own session, so that a Ctrl-C in the terminal comes to us alone.
            self._process = subprocess.Popen(  # noqa: S603 (ourselves)
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_until_ready(self) -> None:
        """Raises Failed, with the end of the log, when it ends or does not get ready."""
        until_s = time.monotonic() + READY_S
        while not self._ready():
            if self._process.poll() is not None:
                raise self.failed(f"the daemon ended with status {self._process.returncode}")
            if time.monotonic() > until_s:
                raise self.failed(f"the daemon was not ready within {READY_S:.0f} s")
            time.sleep(0.05)

    def wait(self) -> int:
        """Until it ends: its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to end; make it end if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):  # too slow, for the clock or for the person
                self._process.kill()
                self._process.wait()

    def failed(self, why: str) -> Failed:
        """That it went wrong, with what the log says at its end."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        return Failed(f"{why}; the end of its log:\n{said}")

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
