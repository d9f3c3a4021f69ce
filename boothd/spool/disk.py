"""The few disk operations that the spool is made of, each one step of the write order.

They stand in one class so that a test can end the process before and after any of them. All of them block; they run in
the disk threads, never in the reactor's.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MADE_BY_THE_DISK = frozenset({errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV})


class FsyncError(OSError):
    """fsync failed: what was written may be gone although a second fsync would succeed. It is never retried."""


def unsafe(error: OSError) -> bool:
    """Whether the disk may have lost what was written before."""
    return isinstance(error, FsyncError) or error.errno in _MADE_BY_THE_DISK


def _unless_gone(call: object, path: object, caught: tuple[type[BaseException], BaseException, TracebackType]) -> None:
    if not isinstance(caught[1], FileNotFoundError):
        raise caught[1]


class Disk:
    """Plain POSIX calls. Every method raises OSError; `sync` and `sync_dir` raise FsyncError."""

    def make_dir(self, path: Path) -> None:
        os.mkdir(path, 0o700)

    def create(self, path: Path) -> int:
        """A new file's descriptor; the file must not exist yet."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, pieces: Sequence[bytes]) -> None:
        """Write all of `pieces`, in order."""
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[os.write(fd, left) :]

    def sync(self, fd: int) -> None:
        try:
            os.fdatasync(fd)
        except OSError as error:
            raise FsyncError(error.errno, f"fsync failed: {error.strerror}") from error

    def append(self, path: Path, data: bytes) -> None:
        """Add to the end of a file (made when absent) and make it durable; when not all of it fits, add nothing."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size_bytes = os.fstat(fd).st_size
            try:
                self.write(fd, [data])
            except OSError:
                os.ftruncate(fd, size_bytes)  # half a line would spoil the next one
                raise
            self.sync(fd)
        finally:
            os.close(fd)

    def sync_file(self, path: Path) -> None:
        """Make a file durable that somebody else wrote."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    def sync_dir(self, path: Path) -> None:
        """Make the names in a directory durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            raise FsyncError(error.errno, f"fsync of a directory failed: {error.strerror}") from error
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def link(self, old: Path, new: Path) -> None:
        """A second name for the same durable bytes; where the file system has none, a durable copy."""
        try:
            os.link(old, new)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV}:
                raise
            shutil.copyfile(old, new)
            self.sync_file(new)

    def truncate(self, path: Path, size: int) -> None:
        os.truncate(path, size)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Remove a directory and all in it, or a file; gone already is fine."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=_unless_gone)
        else:
            path.unlink(missing_ok=True)

    def free_bytes(self, path: Path) -> int:
        """What an ordinary user may still write."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize
