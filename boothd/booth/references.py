"""Reference pictures: kept under library/references/, shown small on the pages."""

import os
import re
import secrets
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from boothd.base import imaging
from boothd.base.errors import NotFound
from boothd.base.threads import Threads

SMALL = (480, 480)
"""Pixels that a preview has at most."""
KEPT_PREVIEWS = 100
"""Previews in memory, some 20 kB each."""
_UNSAFE = re.compile(r"[^a-z0-9]+")
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Preview:
    """A small JPEG of a reference picture. version: changes with the file."""

    data: bytes
    version: str


class References:
    """The folder that slots name their pictures from. A picture stays there when no slot uses it any more."""

    def __init__(self, folder: Path, pictures: Threads) -> None:
        self._folder, self._pictures = folder, pictures
        self._previews: OrderedDict[str, Preview] = OrderedDict()
        self._lock = Lock()

    async def keep(self, picture: Path, sha256: str, said: str, max_pixels: int) -> str:
        """Copy an uploaded picture into the folder; the name that a slot uses. The same bytes are kept once.

        An upright JPEG or PNG is kept as it is, anything else as an upright JPEG, which every provider takes. said: what
        the client calls the file. Raises NotAPicture, UnlistedFormat, TooManyPixels, OSError."""
        return await self._pictures.run(self._keep, picture, sha256, said, max_pixels)

    async def preview(self, name: str, max_pixels: int) -> Preview:
        """The picture, small. Raises NotFound, and what `keep` raises for a broken one."""
        if Path(name).name != name or name.startswith(".") or "\0" in name:
            raise NotFound()
        return await self._pictures.run(self._preview, name, max_pixels)

    # what runs in a picture thread

    def _keep(self, picture: Path, sha256: str, said: str, max_pixels: int) -> str:
        measures = imaging.inspect(picture, max_pixels)
        imaging.load_rgb(picture)  # a picture that is cut short must not be found out by a guest
        as_it_is = measures.orientation == 1 and measures.format in {"JPEG", "PNG"}
        mark = f"-{sha256[:12]}"
        self._folder.mkdir(parents=True, exist_ok=True)
        for known in sorted(self._folder.glob(f"*{mark}.*")):
            return known.name
        name = _safe(said) + mark + imaging.EXTENSIONS[measures.format if as_it_is else "JPEG"]
        new = self._folder / f".{name}.{secrets.token_hex(4)}"
        try:
            if as_it_is:
                shutil.copyfile(picture, new)
            else:
                imaging.copy_as(picture, new, "JPEG", None)
            _make_durable(new)
            new.replace(self._folder / name)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        _make_durable(self._folder)
        return name

    def _preview(self, name: str, max_pixels: int) -> Preview:
        path = self._folder / name
        try:
            stat = path.stat()
            version = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
            with self._lock:
                known = self._previews.get(name)
            if known is not None and known.version == version:
                return known
            imaging.inspect(path, max_pixels)
            small = imaging.fit(imaging.load_rgb(path), SMALL)
        except (FileNotFoundError, IsADirectoryError):
            raise NotFound() from None
        made = Preview(imaging.encode(small, "JPEG", quality=82), version)
        with self._lock:
            self._previews[name] = made
            while len(self._previews) > KEPT_PREVIEWS:
                self._previews.popitem(last=False)
        return made


def _safe(said: str) -> str:
    """What is left of a client's file name: enough to recognise it by, nothing that could be a path."""
    stem = said.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or said
    return _UNSAFE.sub("-", stem.lower())[:_NAME_LENGTH].strip("-") or "picture"


def _make_durable(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
