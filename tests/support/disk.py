"""Doubles of the spool's disk: one that takes notes, one that fails, one that ends the process."""

import errno
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from boothd.spool.disk import Disk, FsyncError

CRASHED = 77


@dataclass(frozen=True)
class Step:
    """One disk operation. where: the path's last parts, or "" where there is only a descriptor."""

    name: str
    where: str
    thread: int


class RecordingDisk(Disk):
    """A real disk that notes every operation and the thread it ran in."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.open: set[int] = set()

    def note(self, name: str, path: Path | None = None) -> None:
        where = "" if path is None else path.name
        self.steps.append(Step(name, where, threading.get_ident()))

    @property
    def written(self) -> list[tuple[str, str]]:
        """What was done, without what was only read."""
        return [(step.name, step.where) for step in self.steps if step.name != "free_bytes"]

    def make_dir(self, path: Path) -> None:
        self.note("make_dir", path)
        super().make_dir(path)

    def create(self, path: Path) -> int:
        self.note("create", path)
        return super().create(path)

    def write(self, fd: int, pieces: Sequence[bytes]) -> None:
        self.note("write")
        super().write(fd, pieces)

    def sync(self, fd: int) -> None:
        self.note("sync")
        super().sync(fd)

    def append(self, path: Path, data: bytes) -> None:
        self.note("append", path)
        super().append(path, data)

    def sync_file(self, path: Path) -> None:
        self.note("sync_file", path)
        super().sync_file(path)

    def sync_dir(self, path: Path) -> None:
        self.note("sync_dir", path)
        super().sync_dir(path)

    def rename(self, old: Path, new: Path) -> None:
        self.note("rename", new)
        super().rename(old, new)

    def link(self, old: Path, new: Path) -> None:
        self.note("link", new)
        super().link(old, new)

    def truncate(self, path: Path, size: int) -> None:
        self.note("truncate", path)
        super().truncate(path, size)

    def unlink(self, path: Path) -> None:
        self.note("unlink", path)
        super().unlink(path)

    def remove_tree(self, path: Path) -> None:
        self.note("remove_tree", path)
        super().remove_tree(path)

    def free_bytes(self, path: Path) -> int:
        self.note("free_bytes", path)
        return super().free_bytes(path)


class FailingDisk(RecordingDisk):
    """Fails at the operations that `fail` names; "write" puts half of its bytes on the disk first.

    hold: operations of that name wait until `let_go`; "renamed" is the moment after a rename."""

    def __init__(self) -> None:
        super().__init__()
        self.fail: dict[str, int] = {}
        self.hold = ""
        self._may_go = threading.Event()
        self.holding = threading.Event()

    def let_go(self) -> None:
        self.hold = ""
        self._may_go.set()

    def note(self, name: str, path: Path | None = None) -> None:
        super().note(name, path)
        if name == self.hold:
            self.holding.set()
            self._may_go.wait()
        number = self.fail.get(name)
        if number is not None and name != "write":
            kind = FsyncError if name in {"sync", "sync_dir"} else OSError
            raise kind(number, os.strerror(number))

    def write(self, fd: int, pieces: Sequence[bytes]) -> None:
        number = self.fail.get("write")
        if number is not None:
            data = b"".join(pieces)
            super().write(fd, [data[: len(data) // 2]])
            raise OSError(number, os.strerror(number))
        super().write(fd, pieces)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        if self.hold == "renamed":
            self.holding.set()
            self._may_go.wait()

    def fill(self) -> None:
        """No byte more fits."""
        self.fail["write"] = errno.ENOSPC

    def make_room(self) -> None:
        self.fail.clear()


class CrashingDisk(RecordingDisk):
    """Ends the process, as a power cut does, at its `crash_at`-th moment; every operation has three of them.

    They are: before it, after it, and for a write the one when half of it is done. `armed`: moments count from now on."""

    def __init__(self, crash_at: int) -> None:
        super().__init__()
        self._crash_at = crash_at
        self._moments = 0
        self.armed = False
        for name in ("make_dir", "create", "sync", "sync_dir", "rename", "link", "truncate", "unlink", "remove_tree"):
            setattr(self, name, self._crashing(getattr(self, name)))

    def moment(self) -> None:
        if self.armed:
            if self._moments == self._crash_at:
                os._exit(CRASHED)
            self._moments += 1

    def _crashing(self, step: Callable[..., object]) -> Callable[..., object]:
        def crashing(*args: object) -> object:
            self.moment()
            result = step(*args)
            self.moment()
            return result

        return crashing

    def write(self, fd: int, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        half = len(data) // 2
        self.moment()
        super().write(fd, [data[:half]])
        self.moment()
        super().write(fd, [data[half:]])
        self.moment()
