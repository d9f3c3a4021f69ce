"""A form streamed from files is the form that a parser expects, and holds one piece at a time."""

import threading
from pathlib import Path
from typing import Any

import multipart
import pytest

from boothd.base.pieces import FileChanged
from boothd.base.threads import Threads
from boothd.providers.common.multipart import PIECE, MultipartBody, Part, multipart_body
from tests.sandbox.fakes_support import asynchronous


class Consumer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.pieces.append(data)


async def produced(body: MultipartBody) -> bytes:
    consumer = Consumer()
    await body.startProducing(consumer)
    return b"".join(consumer.pieces)


def parsed(data: bytes, content_type: str) -> list[tuple[str, bytes, str | None, str | None]]:
    """name, value, file name, media type of every part."""
    _, options = multipart.parse_options_header(content_type)
    found: list[tuple[str, bytes, str | None, str | None]] = []
    part: Any = None
    with multipart.PushMultipartParser(options["boundary"], strict=True) as parser:
        for event in parser.parse(data):
            if isinstance(event, multipart.MultipartSegment):
                part, value = event, b""
            elif event is None:
                found.append((part.name, value, part.filename, part.header("Content-Type")))
            else:
                value += bytes(event)
        for _ in parser.parse(b""):
            pass
    return found


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
@asynchronous
async def test_texts_and_files_arrive_whole_and_in_order(disk_threads: Threads, tmp_path: Path, size: int) -> None:
    file = tmp_path / "guest's own name.jpg"
    file.write_bytes((b"\r\n--boothd-" + bytes(range(256))) * (size // 100 + 1))
    with file.open("r+b") as opened:
        opened.truncate(size)
    parts = [Part("prompt", "ein Pirat\r\n🏴"), Part("image[]", file, "photo.jpg", "image/jpeg"), Part("n", "1")]
    body = await multipart_body([*parts, Part("image[]", file, "again.jpg", "image/jpeg")], disk_threads)
    data = await produced(body)
    assert len(data) == body.length
    assert parsed(data, body.content_type) == [
        ("prompt", "ein Pirat\r\n🏴".encode(), None, None),
        ("image[]", file.read_bytes(), "photo.jpg", "image/jpeg"),
        ("n", b"1", None, None),
        ("image[]", file.read_bytes(), "again.jpg", "image/jpeg"),
    ]
    assert body.most_held_bytes <= PIECE
    assert b"guest" not in data


@asynchronous
async def test_a_form_may_have_no_files(disk_threads: Threads) -> None:
    body = await multipart_body([Part("a", "1")], disk_threads)
    assert parsed(await produced(body), body.content_type) == [("a", b"1", None, None)]


@asynchronous
async def test_names_cannot_break_out_of_their_header(disk_threads: Threads, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x")
    body = await multipart_body([Part('a"\r\nX: y', file, 'b"\r\n\r\nz', "image/png")], disk_threads)
    data = await produced(body)
    assert b'name="a%22%0D%0AX: y"; filename="b%22%0D%0A%0D%0Az"\r\n' in data


@pytest.mark.parametrize("longer", [True, False])
@asynchronous
async def test_a_file_that_changes_is_not_sent(disk_threads: Threads, tmp_path: Path, longer: bool) -> None:
    file = tmp_path / "x"
    file.write_bytes(bytes(2 * PIECE))
    body = await multipart_body([Part("image", file, "photo.jpg", "image/jpeg")], disk_threads)
    file.write_bytes(bytes(2 * PIECE + (1 if longer else -1)))
    with pytest.raises(FileChanged):
        await produced(body)
    assert isinstance(body.error, FileChanged)
