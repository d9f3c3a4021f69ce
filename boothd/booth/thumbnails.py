"""Small pictures of the trash's photos: made once, in a picture thread, and kept beside the jobs of their day.

They lie in the day's folder, outside the jobs, so that they go with the day.
"""

from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageOps
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from boothd.base import imaging
from boothd.base.errors import BoothdError, NotAPicture, NotFound
from boothd.base.srgb import in_srgb
from boothd.base.threads import Threads

FOLDER = "thumbnails"
SIZES = (240, 960)
"""Longest sides in pixels: in a list, and alone on a page."""
QUALITY = 80


def thumbnail_file(folder: Path, id: str, size: int) -> Path:
    """Where a thumbnail of a day's job lies."""
    return folder / FOLDER / f"{id}-{size}.jpg"


def forget_thumbnails(folder: Path, id: str) -> None:
    """Remove a job's thumbnails. Blocks. Raises OSError."""
    for size in SIZES:
        thumbnail_file(folder, id, size).unlink(missing_ok=True)


class Thumbnails:
    """pictures, disk: the threads in which photos are decoded and files are looked for."""

    def __init__(self, pictures: Threads, disk: Threads) -> None:
        self._pictures, self._disk = pictures, disk
        self._waiting: dict[Path, list[Deferred[None]]] = {}

    async def get(self, photo: Path, size: int, max_pixels: int) -> Path:
        """The thumbnail of a job's photo. size: one of `SIZES`. A photo is decoded once, whoever asks at the same time.

        Raises NotFound when there is none: the photo is gone or broken, or has more than `max_pixels`."""
        job = photo.parent
        file = thumbnail_file(job.parent, job.name, size)
        made = await self._disk.run(_size_of, file)
        if made is None:
            await self._made(photo, max_pixels)
            made = await self._disk.run(_size_of, file)
        if not made:
            raise NotFound("There is no thumbnail of this photo.")
        return file

    async def _made(self, photo: Path, max_pixels: int) -> None:
        waiter: Deferred[None] = Deferred()
        if photo in self._waiting:
            self._waiting[photo].append(waiter)
        else:
            self._waiting[photo] = [waiter]
            Deferred.fromCoroutine(self._pictures.run(make_thumbnails, photo, max_pixels)).addBoth(self._tell, photo)
        await waiter

    def _tell(self, outcome: "Failure | None", photo: Path) -> None:
        for waiter in self._waiting.pop(photo):
            if not waiter.called:  # else its client has left
                waiter.callback(outcome)  # a Failure is passed on as one


def make_thumbnails(photo: Path, max_pixels: int) -> None:
    """Write all sizes of a job's photo, empty ones where it cannot be decoded. Blocks. Raises OSError."""
    folder, id = photo.parent.parent, photo.parent.name
    try:
        image: Image.Image | None = _decoded(photo, max_pixels)
    except FileNotFoundError:
        return
    except BoothdError:
        image = None
    thumbnail_file(folder, id, 0).parent.mkdir(mode=0o700, exist_ok=True)
    for size in sorted(SIZES, reverse=True):
        data = b""
        if image is not None:
            image = imaging.fit(image, (size, size))
            data = imaging.encode(image, "JPEG", QUALITY)
        file = thumbnail_file(folder, id, size)
        new = file.with_suffix(".new")
        new.write_bytes(data)
        new.rename(file)
    if not photo.exists():  # deleted meanwhile; whoever did has looked for thumbnails too early
        with suppress(OSError):
            forget_thumbnails(folder, id)


def _decoded(photo: Path, max_pixels: int) -> Image.Image:
    """Upright, in sRGB; of a JPEG no more than is needed. Raises BoothdError, FileNotFoundError."""
    if imaging.inspect(photo, max_pixels).format != "JPEG":
        return imaging.load_rgb(photo)
    try:
        with Image.open(photo, formats=["JPEG"]) as image:
            image.draft("RGB", (max(SIZES), max(SIZES)))
            return in_srgb(ImageOps.exif_transpose(image)).convert("RGB")
    except FileNotFoundError:
        raise
    except Exception as error:
        raise NotAPicture() from error  # decoders raise errors of every kind for broken data


def _size_of(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
