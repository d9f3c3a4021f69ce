"""Takes back what was made in a folder when the making fails."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def nothing_left_on_failure(path: Path) -> Iterator[None]:
    """A context that makes a home at `path`; if it fails, what was not there before is removed. Blocks.

    Looks at `path`, at its `etc` (a checkout has one) and at the folders above, since no home is made anywhere else."""
    above = [folder for folder in (path, *path.parents) if not folder.exists()]
    watched = (path / "etc", path)
    before = {entry for folder in watched for entry in _entries(folder)}
    try:
        yield
    except BaseException:
        for folder in watched:
            for entry in _entries(folder):
                if entry not in before:
                    _remove(entry)
        for folder in above:
            with contextlib.suppress(OSError):  # not made, or somebody else has put something there
                folder.rmdir()
        raise


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
