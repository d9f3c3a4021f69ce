"""A boothd whose disk ends the process at a named step, as `kill -9` or as a power cut would.

    python -m tests.support.crashing HOME

takes orders from stdin, a line of JSON each, and runs one daemon after the other, each a fork of this process, which has
imported everything but the reactor. It says, a line of JSON each: {"pid", "port"} once a daemon listens, {"steps"} before
one ends, {"ended"} with its exit status.
"""

import importlib
import json
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from boothd import service
from boothd.config import Home
from boothd.spool import Disk

CRASHED = 86
"""The exit status of a daemon that met its step."""

When = Literal["before", "middle", "after"]
_ID = re.compile(r"\d{8}T\d{6}\.\d{3}-[0-9a-f]{6}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OF_STATISTICS = re.compile(r"sync_dir spool$|stats\.")  # their steps come and go as they please


@dataclass(frozen=True)
class Order:
    """Where to end. step: counted from 1, from when photo number `photo` of this daemon begins to come; 0: nowhere.

    when: before the step, after it, or (a write only) when half is written. power: all that was not synced is lost, too.
    careless: nothing is ever synced. days: the making of a day's folder counts; it is made once per daemon and day."""

    step: int = 0
    when: When = "before"
    photo: int = 1
    power: bool = False
    careless: bool = False
    days: bool = False


def is_of_day(step: str) -> bool:
    """Whether this step makes a day's folder."""
    return re.fullmatch(r"make_dir (spool/done|trash)/DAY|sync_dir (spool/done|trash)", step) is not None


class CrashingDisk(Disk):
    """Counts its steps from a given photo on, and ends the process at one of them. SIGUSR1 ends it at once."""

    def __init__(self, home: Path, order: Order) -> None:
        self._home, self._order = home, order
        self._photos = 0
        self._durable = Durable(home)
        self._lock = threading.RLock()
        self.steps: list[str] = []

    def make_dir(self, path: Path) -> None:
        self._photos += path.parent.name == "incoming"
        with self._step("make_dir", path):
            super().make_dir(path)
            self._durable.named(path, path.rmdir)

    def create(self, path: Path) -> int:
        with self._step("create", path):
            fd = super().create(path)
            self._durable.named(path, path.unlink)
            return fd

    def write(self, fd: int, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        with self._step("write", _path_of(fd), lambda: super(CrashingDisk, self).write(fd, [data[: len(data) // 2]])):
            super().write(fd, pieces)

    def sync(self, fd: int) -> None:
        with self._step("sync", _path_of(fd)):
            if not self._order.careless:
                super().sync(fd)
                self._durable.synced(fd)

    def append(self, path: Path, data: bytes) -> None:
        if not path.exists():
            self._durable.named(path, path.unlink)
        super().append(path, data)

    def sync_dir(self, path: Path) -> None:
        with self._step("sync_dir", path):
            if not self._order.careless:
                super().sync_dir(path)
                self._durable.names_synced(path)

    def rename(self, old: Path, new: Path) -> None:
        with self._step("rename", new):
            super().rename(old, new)
            self._durable.named(new, lambda: new.rename(old))

    def link(self, old: Path, new: Path) -> None:
        with self._step("link", new):
            super().link(old, new)
            self._durable.named(new, new.unlink)

    def unlink(self, path: Path) -> None:
        with self._step("unlink", path):
            super().unlink(path)

    def crash(self) -> None:
        """End here and now."""
        if self._order.power:
            self._durable.cut()
        _say({"steps": self.steps})
        os._exit(CRASHED)

    @contextmanager
    def _step(self, what: str, path: Path, half: Callable[[], None] | None = None) -> Iterator[None]:
        name = f"{what} " + _DAY.sub("DAY", _ID.sub("ID", str(path.relative_to(self._home))))
        if (
            self._photos < self._order.photo
            or _OF_STATISTICS.search(name)
            or (is_of_day(name) and not self._order.days)
        ):
            yield
            return
        with self._lock:
            self.steps.append(name)
            met = len(self.steps) == self._order.step
            if met and self._order.when == "middle" and half is not None:
                half()
            if met and self._order.when != "after":
                self.crash()
            try:
                yield
            finally:
                if met:
                    self.crash()


@dataclass
class Durable:
    """What a power cut leaves: bytes that were synced, names whose directory was synced. The rest is undone."""

    home: Path
    sizes: dict[int, int] = field(default_factory=dict)
    names: list[tuple[int, Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sizes = {found.st_ino: found.st_size for _, found in self._files()}

    def named(self, path: Path, undo: Callable[[], object]) -> None:
        self.names.append((path.parent.stat().st_ino, undo))

    def names_synced(self, directory: Path) -> None:
        inode = directory.stat().st_ino
        self.names = [name for name in self.names if name[0] != inode]

    def synced(self, fd: int) -> None:
        found = os.fstat(fd)
        self.sizes[found.st_ino] = found.st_size

    def cut(self) -> None:
        for path, found in self._files():
            if found.st_size > self.sizes.get(found.st_ino, 0):
                os.truncate(path, self.sizes.get(found.st_ino, 0))
        for _, undo in reversed(self.names):
            try:
                undo()
            except OSError:
                pass  # its directory went with a name above it

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for place in ("spool/incoming", "spool/active", "spool/done", "trash"):
            for path in (self.home / place).rglob("*"):
                found = path.stat()
                if stat.S_ISREG(found.st_mode):
                    yield path, found


def _path_of(fd: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{fd}"))


def _say(said: dict[str, object]) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


def run_daemon(home: Path, order: Order) -> None:
    """One daemon, as `boothd up` runs it, on the crashing disk."""
    from twisted.logger import globalLogPublisher

    from boothd.base import logs

    service.Options()  # installs the reactor
    disk = CrashingDisk(home, order)
    house = service.make_house(Home(home), disk=disk)
    logs.begin(sys.stderr, "info")

    def heard(event: Any) -> None:
        if "listening at" in str(event.get("log_format")):
            _say({"pid": os.getpid(), "port": event["address"].port})

    publisher: Any = globalLogPublisher
    publisher.addObserver(heard)
    from twisted.internet import reactor as _reactor  # noqa: TID251 (this is a program of its own)

    reactor: Any = _reactor
    signal.signal(signal.SIGUSR1, lambda *_: disk.crash())
    reactor.addSystemEventTrigger("before", "shutdown", house.stopService)
    reactor.callWhenRunning(house.startService)
    reactor.run()
    _say({"steps": disk.steps})


PRELOADED = (
    *(f"boothd.{name}" for name in ("live", "booth.hot", "booth.recovery", "booth.status", "booth.trash")),
    *(
        f"boothd.{name}"
        for name in ("booth.uploads", "engine.metrics", "engine.stats", "spool.housekeeping", "http.site")
    ),
    *("boothd.base.watch", "boothd.providers.studio", "tests.support.scripted.provider", "treq.client", "pi_heif"),
)


def preload() -> None:
    """Import all that a daemon needs but the reactor, which forks must not share."""
    for module in PRELOADED:
        importlib.import_module(module)
    assert "twisted.internet.reactor" not in sys.modules


def main() -> None:
    home = Path(sys.argv[1])
    preload()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            try:
                run_daemon(home, order)
            except BaseException:  # noqa: BLE001 (a fork must never come back from here)
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        _say({"ended": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
