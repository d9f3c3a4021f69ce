"""One line that says what is being done, and for how long."""

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

_TURN_S = 0.1


class Progress:
    """A context: "what … 1.2 s", counting on a terminal; elsewhere one line at the end. Nothing is left of its thread."""

    def __init__(self, what: str, out: TextIO | None = None) -> None:
        self._what, self._out = what, out or sys.stdout
        self._live = self._out.isatty()
        self._began_s = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True)

    def __enter__(self) -> "Progress":
        if self._live:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        if self._live:
            self._thread.join()
        self._write("" if kind is None else "   failed", "\n")

    def _turn(self) -> None:
        while True:
            self._write(" …", "")
            if self._over.wait(_TURN_S):
                return

    def _write(self, mark: str, end: str) -> None:
        start = "\r\x1b[K" if self._live else ""
        took_s = time.monotonic() - self._began_s
        self._out.write(f"{start}{self._what:<44} {took_s:5.1f} s{mark}{end}")
        self._out.flush()
