"""How the daemon's process begins and ends: its log, its signals, its exit status."""

import errno
import os
import signal
import sys
from typing import Any, TextIO

from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from boothd.base import logs
from boothd.config import Home, LogConfig

CANNOT_START = 1
"""The exit status when a part cannot start: a busy port or spool may pass, so a supervisor tries again."""
CANNOT_BE_USED = 78
"""The exit status for a home or a configuration that cannot be used (EX_CONFIG of sysexits.h): trying again is no use."""


log = Logger()


def end_well_on_sigterm(reactor: Any) -> None:
    """twistd and twist kill themselves once more after a SIGTERM that the reactor has seen; ours ends with status 0."""

    def stop() -> None:
        if reactor.running and not stopping:
            stopping.append(True)
            reactor.stop()

    stopping: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))


def exit_with(status: int) -> None:
    """End at once, with this status whatever twistd thinks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def open_log_file(home: Home, logging: LogConfig) -> TextIO:
    """The log file that the configuration names, new ones begun as it says."""
    return logs.rotating_file(home.path / (logging.file or ""), logging.rotate_size, logging.keep)


def stop_because(failure: Failure, reactor: Any) -> None:
    """A part could not start: say why in one line, and end."""
    log.critical("boothd cannot start: {reason}", reason=reason_of(failure))
    reactor.callWhenRunning(reactor.stop)


def reason_of(failure: Failure) -> str:
    """Why, in one line; for a port that is in use also what to do."""
    said: str = failure.getErrorMessage()
    if isinstance(failure.value, CannotListenError) and failure.value.socketError.errno == errno.EADDRINUSE:
        return f"{said.rstrip('.')}; stop what uses it, or choose another port: boothd up --listen tcp:8001"
    return said
