"""A booth without a booth: sends a photo over the wire as DSLR Remote Pro 3.30.2 for Windows does.

Source: the customer's recorded request. Its Content-Length fits this body to the byte: a boundary of twelve dashes and
twelve pairs of digits, text parts without a type, the file last. Blocking, on plain sockets, and nothing of boothd's own:
whoever tests the daemon with it tests it with a stranger.
"""

import hashlib
import http.client
import io
import json
import random
import re
import select
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, urlsplit

PIECE = 64 << 10
CONTINUE_S = 2.0


class NotSent(Exception):
    """The photo could not be sent, or no answer came. The message says why."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the server said. headers: names in lower case. error: code and message of a refusal, else None.

    took_s: from connecting to the last byte."""

    status: int
    headers: Mapping[str, str]
    error: tuple[str, str] | None
    took_s: float

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def job(self) -> str | None:
        return self.headers.get("x-boothd-job")

    @property
    def stages(self) -> tuple[tuple[str, float], ...]:
        """Milliseconds of each stage, from the header Server-Timing."""
        found = re.findall(r"([\w-]+)\s*;[^,]*?\bdur=([\d.]+)", self.headers.get("server-timing", ""))
        return tuple((name, float(value)) for name, value in found)


def send_photo(
    photo: Path, link: str, password: str, out: BinaryIO, timeout_s: float = 60.0, continue_s: float = CONTINUE_S
) -> Answered:
    """Send `photo` to the upload link `link`; the picture that comes back is written to `out`.

    timeout_s: for all of it. continue_s: for the server's leave to send the body; then it goes all the same. Neither file
    is ever held whole. Raises NotSent; OSError for a photo that cannot be read."""
    link_parts = _link(link)
    boundary = new_boundary(random.SystemRandom())
    with photo.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        head, tail = body_around(form_fields(digest, password), photo.name, boundary)
        try:
            with _Wire(link_parts, timeout_s) as wire:
                wire.request(request_head(link_parts, boundary, len(head) + size + len(tail)))
                if not wire.answers_within(continue_s) or wire.told_to_go_on():
                    wire.body(_pieces(head, file, tail))
                return wire.answer(out)
        except TimeoutError:
            raise NotSent(f"no answer within {timeout_s:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NotSent(f"{link_parts.netloc}: {reason}") from None


def new_boundary(source: random.Random) -> str:
    """Twelve dashes and twelve pairs of digits: ------------090306000104030805010400."""
    return "-" * 12 + "".join(f"0{source.randrange(10)}" for _ in range(12))


def form_fields(sha1: str, password: str) -> tuple[tuple[str, str], ...]:
    """The text fields in the program's order. hash: its meaning is not known; here the SHA-1 of the file.

    Without a password the program sends no such field."""
    base = "C:\\Users\\boothd\\Documents\\PhotoboothImages"
    fields = (
        ("time", str(int(datetime.now(UTC).timestamp()))),
        ("user_id", "boothd"),
        ("id", "BOOTHD0000000000_00000001."),
        ("profile", f"{base}\\boothd.xml"),
        ("status", f"{base}\\screen\\preview.jpg"),
        ("hash", sha1),
        ("name", "BOOTHD-SEND"),
        ("model", "Windows"),
        ("version", "3.30.2"),
    )
    return (*fields, ("password", password)) if password else fields


def body_around(fields: tuple[tuple[str, str], ...], filename: str, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the file's bytes in the body."""
    name = filename.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    parts = [f'Content-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields]
    file = f'Content-Disposition: form-data; name="fileToUpload"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
    head = "".join(f"--{boundary}\r\n{part}" for part in (*parts, file))
    return head.encode("utf-8", errors="replace"), f"\r\n--{boundary}--\r\n".encode()


def request_head(link: SplitResult, boundary: str, length: int) -> bytes:
    """Request line and headers: the four that the program sends."""
    target = (link.path or "/") + (f"?{link.query}" if link.query else "")
    lines = (
        f"POST {target} HTTP/1.1",
        f"Host: {link.netloc.rpartition('@')[2]}",
        f"Content-Type: multipart/form-data; boundary={boundary}",
        f"Content-Length: {length}",
        "Expect: 100-continue",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _link(link: str) -> SplitResult:
    try:
        parts = urlsplit(link)
        _ = parts.port
        link.encode("ascii")
    except ValueError:
        raise NotSent(f"{link!r} is not a link") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\x00-\x20\x7f]", link):
        raise NotSent(f"{link!r} is not a link; it begins with http:// or https://")
    return parts


def _pieces(head: bytes, file: BinaryIO, tail: bytes) -> Iterator[bytes]:
    yield head
    while piece := file.read(PIECE):
        yield piece
    yield tail


class _Wire:
    """One connection, one request, one time limit."""

    def __init__(self, link: SplitResult, timeout_s: float) -> None:
        self._began_s = time.monotonic()
        self._until_s = self._began_s + timeout_s
        kind = http.client.HTTPSConnection if link.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(link.hostname or "", link.port, timeout=timeout_s)
        self._first_line = b""

    def __enter__(self) -> "_Wire":
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._connection.close()

    def request(self, head: bytes) -> None:
        self._limit()
        self._socket.sendall(head)

    def answers_within(self, seconds: float) -> bool:
        """Whether the server has begun to speak, or has hung up."""
        return bool(select.select([self._socket], [], [], min(seconds, self._limit()))[0])

    def told_to_go_on(self) -> bool:
        """Read one interim answer; False when it is the final one already."""
        self._limit()
        line = self._reader.readline(PIECE)
        if not re.match(rb"HTTP/1\.[01] 1\d\d\b", line):
            self._first_line = line
            return False
        while self._reader.readline(PIECE).strip():
            pass
        return True

    def body(self, pieces: Iterator[bytes]) -> None:
        """Send the body; stop when the server answers before its end."""
        for piece in pieces:
            if self.answers_within(0):
                return
            self._limit()
            try:
                self._socket.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return  # it has hung up on us; often after an answer

    def answer(self, out: BinaryIO) -> Answered:
        """Read the final answer; a picture goes to `out`."""
        response = http.client.HTTPResponse(_Socket(self._reader, self._first_line), method="POST")  # type: ignore[arg-type]
        self._limit()
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        good, kept = response.status == 200, io.BytesIO()
        expected, seen = response.length, 0
        while expected is None or seen < expected:
            self._limit()
            piece = response.read1(PIECE if expected is None else min(PIECE, expected - seen))
            if not piece:
                break
            seen += len(piece)
            if good:
                out.write(piece)
            elif kept.tell() < PIECE:
                kept.write(piece)
        if expected is not None and seen < expected:
            raise http.client.IncompleteRead(b"", expected - seen)
        took_s = time.monotonic() - self._began_s
        error = None if good else _refusal(kept.getvalue(), response.reason)
        return Answered(response.status, headers, error, took_s)

    def _limit(self) -> float:
        """Let the next call take what is left of the time. Raises TimeoutError."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError()
        self._socket.settimeout(left_s)
        return left_s


class _Socket:
    """What `HTTPResponse` takes for a socket: a line that has been read already, then the rest."""

    def __init__(self, rest: BinaryIO, line: bytes) -> None:
        self._rest, self._line = rest, line

    def makefile(self, *_: Any) -> BinaryIO:
        return io.BufferedReader(_Joined(self._line, self._rest), PIECE) if self._line else self._rest


class _Joined(io.RawIOBase):
    def __init__(self, line: bytes, rest: BinaryIO) -> None:
        self._line, self._rest = io.BytesIO(line), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Not readinto1: with a large buffer it waits for more although it has something.
        data = self._line.read1(len(buffer)) or self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        buffer[: len(data)] = data
        return len(data)


def _refusal(body: bytes, reason: str) -> tuple[str, str]:
    """Code and message of an error's JSON, or what there is instead."""
    try:
        said = json.loads(body)
        return str(said["error"]), str(said["message"])
    except (ValueError, TypeError, KeyError):
        return "", reason
