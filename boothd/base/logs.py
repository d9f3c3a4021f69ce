"""Where log lines go: one observer, by level, to a stream or a file that rotates."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogBeginner,
    globalLogPublisher,
)
from twisted.python.logfile import LogFile

_ONE_LINE = dict.fromkeys([*range(32), 127, *range(128, 160), 0x2028, 0x2029], " ")
"""File names and what a service says must neither begin a line of their own nor steer a terminal."""


def observer(out: TextIO, level: str) -> ILogObserver:
    """Writes what is at least as grave as `level` ("debug", "info", "warn", "error"): one line an event, a traceback below.

    Twisted's own chatter below a warning (factories that start and stop) is left out unless the level is debug."""

    def line(event: LogEvent) -> str | None:
        namespace = str(event.get("log_namespace", "-"))
        grave = event["log_level"] >= LogLevel.warn
        if level != "debug" and not grave and not namespace.startswith("boothd"):
            return None
        text = formatEvent(event).translate(_ONE_LINE)
        failure = event.get("log_failure")
        below = "" if failure is None else "\n" + failure.getTraceback().rstrip()
        line = f"{_time(event)} {event['log_level'].name:<8} {text}{below}\n"
        return line.encode("utf-8", errors="backslashreplace").decode("utf-8")  # file names may be no text

    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    written = cast(ILogObserver, FileLogObserver(out, line))
    return cast(ILogObserver, FilteringLogObserver(written, [cast(ILogFilterPredicate, predicate)]))


def rotating_file(path: Path, rotate_bytes: int, keep: int) -> TextIO:
    """A log file that begins anew after `rotate_bytes`, the newest `keep` old ones being kept, readable by the owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return cast(
        TextIO,
        LogFile(path.name, str(path.parent), rotateLength=rotate_bytes, defaultMode=0o600, maxRotatedFiles=keep),
    )


def begin(out: TextIO, level: str) -> None:
    """Make this the process's log; print and warnings stay what they are."""
    globalLogBeginner.beginLoggingTo([observer(out, level)], redirectStandardIO=False)


def also(out: TextIO, level: str) -> None:
    """Log here as well; for when `twistd` has begun the log in its own way."""
    globalLogPublisher.addObserver(observer(out, level))


def _time(event: LogEvent) -> str:
    when = datetime.fromtimestamp(event["log_time"], UTC).astimezone()
    return when.isoformat(sep=" ", timespec="milliseconds")
