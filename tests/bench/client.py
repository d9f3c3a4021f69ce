"""The bench's booths: raw HTTP over asyncio streams, a fresh connection for each photo, as a booth does it."""

import asyncio
import io
import itertools
import os
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image

BOUNDARY = b"------------090306000104030805010400"
_number = itertools.count()


def photo(size_bytes: int) -> bytes:
    """A JPEG of about so many bytes; `unique` makes each copy another photo."""
    side = max(64, int((size_bytes * 1.15) ** 0.5))
    noise = np.random.default_rng(size_bytes).integers(0, 255, (side, side, 3), dtype=np.uint8)
    best = b""
    for quality in (10, 20, 30, 50, 70, 80, 90, 95):
        out = io.BytesIO()
        Image.fromarray(noise).save(out, "JPEG", quality=quality)
        if out.tell() > size_bytes - 32:
            break
        best = out.getvalue()
    return best + bytes(size_bytes - 32 - len(best))


def unique(jpeg: bytes) -> bytes:
    """The same picture with other bytes behind its end."""
    return jpeg + f"{os.getpid():012d}{next(_number):020d}".encode()


def _form(jpeg: bytes) -> tuple[bytes, bytes]:
    before = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (BOUNDARY, name, value)
        for name, value in ((b"time", b"1758217512"), (b"version", b"3.30.2"), (b"password", b"123456"))
    )
    before += (
        b'--%b\r\nContent-Disposition: form-data; name="fileToUpload"; filename="IMG_0003.JPG"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" % BOUNDARY
    )
    return before, b"\r\n--%b--\r\n" % BOUNDARY


@dataclass(frozen=True, slots=True)
class Target:
    """Where photos go."""

    port: int
    path: str


async def upload(target: Target, jpeg: bytes) -> float:
    """Send one photo and take the whole answer; the seconds it took. Raises when it is not 200."""
    before, after = _form(jpeg)
    length = len(before) + len(jpeg) + len(after)
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    try:
        writer.write(head + before)
        writer.write(jpeg)
        writer.write(after)
        status = await reader.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"{status!r} {await reader.read(2000)!r}")
        while await reader.read(1 << 18):
            pass
    finally:
        writer.close()
    return time.perf_counter() - began


async def many(target: Target, jpeg: bytes, parallel: int, count: int) -> float:
    """Send `count` photos, `parallel` at a time; the seconds for all of them."""
    left = iter(range(count))

    async def booth() -> None:
        for _ in left:
            await upload(target, unique(jpeg))

    began = time.perf_counter()
    await asyncio.gather(*(booth() for _ in range(parallel)))
    return time.perf_counter() - began
