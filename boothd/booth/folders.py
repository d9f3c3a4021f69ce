"""The files of a hot folder: which are photos, where results and failures go. Everything here blocks.

File names come from outside and may be anything that a file system takes, also what is no UTF-8.
"""

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NOT_PHOTOS = (".part", ".tmp", ".crdownload", ".filepart", ".txt", "~")
_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
_LONGEST_NAME = 255 - len(".txt")  # bytes; the text beside a failed photo is called after it
_LONGEST_SUFFIX = 16


@dataclass(frozen=True, slots=True)
class Look:
    """What a file was like when it was looked at; it stands still while this stays the same."""

    size_bytes: int
    changed_ns: int
    inode: int


def make(folders: Iterable[Path]) -> None:
    """Make hot folders."""
    for folder in folders:
        for path in (folder, folder / "out", folder / "failed"):
            path.mkdir(parents=True, exist_ok=True)


def look(folders: Iterable[Path]) -> dict[Path, Look]:
    """The files that may be photos, folder by folder, by name."""
    found = {}
    for folder in folders:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_NOT_PHOTOS):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    found[Path(entry.path)] = _look_at(entry)
            except FileNotFoundError:
                continue
    return found


def changed(path: Path, before: Look) -> bool:
    """Whether a file is not what it was any more. Raises FileNotFoundError."""
    return _look_at(path) != before


def check_writable(folder: Path) -> None:
    """Raise PermissionError when photos cannot be removed from a folder: they would be done again and again."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "photos cannot be removed from this folder", str(folder))


def remove(path: Path, taken: Look) -> None:
    """Remove a photo whose job is on disk, unless another one lies there by now under the same name."""
    try:
        if not changed(path, taken):
            path.unlink()
    except FileNotFoundError:
        pass


def text_of(path: Path) -> str:
    """A file's name as text that can be stored: bytes that are no UTF-8 become question marks."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


def deliver(result: Path, folder: Path, name: str) -> None:
    """Put a picture into `out/`, called after the photo. Harmless when it lies there already."""
    _place(result, folder / "out", Path(name).stem, result.suffix)


def fail(source: Path, folder: Path, name: str, reason: str) -> None:
    """Put a photo into `failed/` under the name it came with, and a text with the reason beside it."""
    placed = _place(source, folder / "failed", Path(name).stem, Path(name).suffix)
    placed.with_name(placed.name + ".txt").write_text(reason + "\n", encoding="utf-8", errors="replace")


def refuse(path: Path, seen: Look, reason: str) -> None:
    """Move a file that is not taken into `failed/`, unless somebody still writes it."""
    try:
        if not changed(path, seen):
            fail(path, path.parent, text_of(path), reason)
            path.unlink()
    except FileNotFoundError:
        pass


def _look_at(file: "Path | os.DirEntry[str]") -> Look:
    what = file.stat(follow_symlinks=False)
    return Look(what.st_size, what.st_mtime_ns, what.st_ino)


def _place(source: Path, folder: Path, stem: str, suffix: str) -> Path:
    """Give `source` a second name: stem, then stem-2, … whichever is free; a copy where links are not to be had."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        target = folder / _name(stem, number, suffix)
        try:
            os.link(source, target)
        except FileExistsError:
            if not target.samefile(source):
                number += 1
                continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if target.exists():
                number += 1
                continue
            _copy(source, target)
        return target


def _name(stem: str, number: int, suffix: str) -> str:
    """A name that the file system takes, however long the photo's was."""
    end = ("" if number == 1 else f"-{number}") + (suffix if len(suffix.encode()) <= _LONGEST_SUFFIX else "")
    return stem.encode()[: _LONGEST_NAME - len(end.encode())].decode(errors="ignore") + end


def _copy(source: Path, target: Path) -> None:
    """Appears whole or not at all."""
    part = target.with_name(f".{source.parent.name}.part")
    try:
        shutil.copyfile(source, part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
