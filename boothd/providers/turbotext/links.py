"""The pictures of one call, handed to Turbotext by links that die with the call. Source: facts/providers.md §5, seeds/004."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from boothd.base import imaging
from boothd.base.errors import BadRequest, BoothdError, Charged
from boothd.base.photo import Photo
from boothd.providers.interfaces import Call, Reference
from boothd.providers.tools import MediaLink, Tools

LONGER_S = 600.0
"""A link lives so much longer than the call's budget, whose end may still be moved."""


class Links:
    """What is published for one call; `withdraw` in the end.

    apart_s: added to the links' life. Links are told apart by file and expiry, and all attempts on one photo have the
    same end: were their expiries the same too, the link that an attempt withdraws would be the next one's."""

    def __init__(self, tools: Tools, call: Call, apart_s: float = 0) -> None:
        self._tools, self._call, self._apart_s = tools, call, apart_s
        self._links: list[MediaLink] = []
        self._files: list[Path] = []

    async def publish(self, photo: Photo, references: Sequence[Reference]) -> list[str]:
        """The addresses of the photo and of the reference pictures, in this order.

        Raises BadRequest when nobody could reach them, or when a reference picture cannot be read."""
        urls = [self._publish(photo.path)]
        files = await self.lay_out(references)
        return urls + [self._publish(file) for file in files]

    async def lay_out(self, references: Sequence[Reference]) -> list[Path]:
        """Put the reference pictures into the job's directory: nothing else can be published.

        They have the same names after a restart, so that the links of before lead to them."""
        return [await self._lay_out(number, reference) for number, reference in enumerate(references, 1)]

    def keep(self) -> None:
        """Leave them to the run after a restart: they die with the job. `withdraw` does nothing any more."""
        self._links, self._files = [], []

    async def withdraw(self) -> None:
        """Let every link die."""
        for link in self._links:
            link.withdraw()
        files, self._files = self._files, []
        for file in files:
            await self._tools.disk.run(file.unlink, missing_ok=True)

    def _publish(self, file: Path) -> str:
        link = self._tools.media.publish(file, self._call.budget.left_s() + LONGER_S + self._apart_s)
        self._links.append(link)
        return link.url

    async def _lay_out(self, number: int, reference: Reference) -> Path:
        ready = await self._tools.pictures.run(_is_ready, reference.path, self._tools.max_pixels())
        which = f"-{number}" if number > 1 else ""
        target = self._call.answer.with_name(f"{self._call.answer.name}-reference{which}{ready or '.jpg'}")
        self._files.append(target)
        if ready:
            await self._tools.disk.run(_link, reference.path, target)
        else:
            await self._tools.pictures.run(imaging.copy_as, reference.path, target, "JPEG", None)
        return target


def _is_ready(path: Path, max_pixels: int) -> str:
    """The suffix of a picture that Turbotext takes as it is, "" when it must be made one first. Raises BadRequest."""
    try:
        measures = imaging.inspect(path, max_pixels)
    except (OSError, BoothdError) as error:
        raise BadRequest(f"The reference picture {path.name} cannot be read: {error}", charged=Charged.NO) from error
    upright = measures.orientation == 1
    return imaging.EXTENSIONS[measures.format] if upright and measures.format in {"JPEG", "PNG"} else ""


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
