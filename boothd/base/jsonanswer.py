"""A JSON answer in which pictures stand as base64: they go to disk while it arrives; only the rest is held.

All parsing happens in disk threads, in steps short enough that none keeps the reactor from its turn."""

import json
import math
from binascii import a2b_base64
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any, cast

from boothd.base.errors import BadAnswer
from boothd.base.fetch import Body, drop_body
from boothd.base.threads import Threads

LONG = 4 << 10
"""Characters from which on a string that is base64 becomes a file."""

SURE = 64 << 10
"""Characters after which a string that has been base64 so far must be so to its end."""

MAX_TEXT = 256 << 10
"""Bytes that a string which is not base64 may have."""

MAX_JSON = 384 << 10
"""Bytes that the whole document without its files may have."""

MAX_DEPTH, MAX_VALUES, MAX_FILES = 64, 20_000, 64

STEP = 64 << 10
"""Bytes that are decoded at once; the interpreter is blocked for as long."""

BLANKS = b" \t\r\n"
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
NOT_BEGINNINGS = bytes(set(range(256)) - set(b"[{,"))
STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Blob:
    """Stands in the parsed answer for a base64 string whose bytes lie in a file.

    mime: what its `data:` prefix says, in lower case; never trust it."""

    path: Path
    size_bytes: int
    mime: str | None = None


async def read_json(response: Any, stem: Path, *, max_bytes: int, disk: Threads) -> Any:
    """Parse the body of a treq or Agent response; the files of its Blobs are new and named `stem`.0, `stem`.1, ...

    Ask treq with `unbuffered=True`, or it keeps a copy of the whole. Raises BadAnswer when the body is longer than
    `max_bytes` or no such JSON as can be held, Unavailable when it breaks off; OSError. Then no file is left.
    Cancelling closes the connection. Blank lines before the document do no harm, nor does a byte order mark."""
    length = response.length
    if isinstance(length, int) and length > max_bytes:
        drop_body(response)
        raise BadAnswer(f"The answer has {length / 1e6:.1f} MB; at most {max_bytes / 1e6:.1f} MB are taken.")
    parser = Parser(stem)
    body = Body(cast(Any, parser), max_bytes, disk)
    try:
        response.deliverBody(body)
        await body.done
        return await disk.run(parser.result)
    except Exception:
        await disk.run(parser.throw_away)
        raise


class Parser:
    """Takes a document in pieces, however they are cut. Its methods run in disk threads, one after the other."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._json = bytearray()  # the document; `NaN`, which JSON does not have, where a Blob will stand
        self._depth = self._values = 0
        self._string: bytearray | None = None  # the string that has begun, as it is written, when it is no file (yet)
        self._file: _Base64File | None = None  # ... when it is one
        self._is_text = False
        self._odd = 0  # whether an odd number of backslashes came last
        self._blobs: list[Blob] = []
        self._unwanted = False
        self._lock = Lock()

    def write(self, pieces: list[bytes]) -> None:
        """Take what came next. Raises BadAnswer, OSError."""
        with self._lock:
            for piece in pieces:
                for start in range(0, len(piece), STEP):
                    if not self._unwanted:
                        self._feed(piece[start : start + STEP])

    def result(self) -> Any:
        """The parsed document, all of which has been written. Raises BadAnswer."""
        with self._lock:
            if self._string is not None:
                raise BadAnswer("The answer ends in the middle of a text.")
            try:
                return _parsed(self._json.decode("utf-8-sig"), self._blobs)
            except (ValueError, RecursionError) as error:
                raise BadAnswer("The answer is no JSON.") from error

    def throw_away(self) -> None:
        """Remove the files and take no more."""
        with self._lock:
            self._unwanted = True
            if self._file is not None:
                self._file.throw_away()
            for blob in self._blobs:
                blob.path.unlink(missing_ok=True)

    @property
    def held_bytes(self) -> int:
        """What is in memory now."""
        return len(self._json) + len(self._string or b"")

    def _feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            quote = data.find(b'"', at)
            piece = data[at:] if quote < 0 else data[at:quote]
            if self._string is None:
                self._outside(piece)
                if quote >= 0:
                    self._string, self._is_text, self._odd = bytearray(), False, 0
            else:
                backslashes = len(piece) - len(piece.rstrip(b"\\"))
                self._odd = (backslashes + (self._odd if backslashes == len(piece) else 0)) % 2
                self._inside(piece)
                if quote >= 0 and self._odd:
                    self._odd = 0
                    self._inside(b'"')
                elif quote >= 0:
                    self._end_string()
            at += len(piece) + 1

    def _outside(self, piece: bytes) -> None:
        """Brackets, commas, colons, numbers, true, false, null."""
        if not self._json:
            piece = piece.lstrip(BLANKS)
        if b"N" in piece or b"I" in piece:
            raise BadAnswer("The answer is no JSON.")
        self._values += len(piece.translate(None, NOT_BEGINNINGS))
        for bracket in piece.translate(None, NOT_BRACKETS):
            self._depth += 1 if bracket in b"[{" else -1
            if self._depth > MAX_DEPTH:
                raise BadAnswer("The answer is nested too deeply.")
        if self._values > MAX_VALUES:
            raise BadAnswer("The answer has too many values.")
        self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        self._json += piece
        if len(self._json) > MAX_JSON:
            raise BadAnswer(f"The answer has more than {MAX_JSON >> 10} KiB besides its pictures.")

    def _inside(self, piece: bytes) -> None:
        assert self._string is not None  # noqa: S101
        if self._file is not None:
            try:
                self._file.write(piece)
            except ValueError as error:
                raise BadAnswer("The answer has a picture that is no base64.") from error
            return
        self._string += piece
        if len(self._string) > SURE and not self._is_text:
            self._begin_file()
        if len(self._string) > MAX_TEXT:
            raise BadAnswer(f"The answer has a text of more than {MAX_TEXT >> 10} KiB.")

    def _begin_file(self) -> None:
        """The string so far becomes a file, or is text when it is no base64."""
        if len(self._blobs) == MAX_FILES:
            raise BadAnswer(f"The answer has more than {MAX_FILES} pictures.")
        assert self._string is not None  # noqa: S101
        self._file = _Base64File(self._stem.with_name(f"{self._stem.name}.{len(self._blobs)}"))
        try:
            self._file.write(bytes(self._string))
            self._string.clear()
        except ValueError:
            self._no_file()

    def _no_file(self) -> None:
        if self._file is not None:
            self._file.throw_away()
        self._file, self._is_text = None, True

    def _end_string(self) -> None:
        string = bytes(self._string or b"")
        if self._file is None and not self._is_text and len(string) > LONG:
            self._begin_file()
        if self._file is not None:
            try:
                self._blobs.append(self._file.end())
            except ValueError as error:
                if not string:
                    raise BadAnswer("The answer has a picture that is no base64.") from error
                self._no_file()
        self._keep(b'"%b"' % string if self._file is None else b"NaN")
        self._string = self._file = None


class _Base64File:
    """The file of one string. Its methods raise ValueError for what is no base64."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._escape = b""  # an escape of which a part has come
        self._rest = b""  # characters that do not make 3 bytes yet
        self._padded = False
        self._size_bytes = 0
        self._mime: str | None = None

    def write(self, written: bytes) -> None:
        """Take what is between the quotes; the first piece holds the whole `data:` prefix if there is one."""
        written = self._escape + written
        backslash = written.rfind(b"\\", max(0, len(written) - 5))
        whole = 6 if written[backslash + 1 : backslash + 2] == b"u" else 2
        cut = backslash if 0 <= backslash > len(written) - whole else len(written)
        self._escape, said = written[cut:], written[:cut]
        if b"\\" in said:
            said = json.loads(f'"{said.decode("ascii")}"', strict=False).encode("ascii")
        if self._file is None and said.startswith(b"data:"):
            prefix, _, said = said.partition(b";base64,")
            self._mime = _mime(prefix)
            if not said:
                raise ValueError("a data: URL without base64")
        self._decode(said.translate(STANDARD, b"\t\r\n"))

    def end(self) -> Blob:
        """What the file has become."""
        rest = self._rest.rstrip(b"=")
        self._rest = b""
        if self._escape:
            raise ValueError("an escape is cut off")
        self._decode(rest + b"=" * (-len(rest) % 4))
        assert self._file is not None  # noqa: S101
        self._file.close()
        return Blob(self._path, self._size_bytes, self._mime)

    def throw_away(self) -> None:
        if self._file is not None:  # else it is not ours
            with suppress(OSError):
                self._file.close()
            self._path.unlink(missing_ok=True)

    def _decode(self, said: bytes) -> None:
        if self._padded and said:
            raise ValueError("more comes after the end")
        said = self._rest + said
        cut = len(said) // 4 * 4
        self._rest = said[cut:]
        decoded = a2b_base64(said[:cut], strict_mode=True)
        self._padded = self._padded or said[:cut].endswith(b"=")
        self._size_bytes += len(decoded)
        if self._file is None:
            self._file = self._path.open("xb")
        self._file.write(decoded)


def _mime(prefix: bytes) -> str | None:
    mime = prefix.removeprefix(b"data:").partition(b";")[0].decode("ascii").lower()
    kind, slash, sub = mime.partition("/")
    fits = len(mime) < 100 and kind.isalnum() and sub.replace("-", "").replace("+", "").replace(".", "").isalnum()
    return mime if slash and fits else None


def _parsed(document: str, blobs: list[Blob]) -> Any:
    """Each `NaN` in turn becomes a Blob. What UTF-8 cannot write (half a surrogate pair) becomes U+FFFD."""
    left = iter(blobs)
    tree = json.loads(document, strict=False, parse_constant=lambda _: next(left), parse_float=_finite)
    if "\\ud" in document.lower():
        kept: list[Blob] = []

        def keep(blob: Blob) -> float:
            kept.append(blob)
            return math.nan

        again = json.dumps(tree, ensure_ascii=False, default=keep)
        again = again.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        left = iter(kept)
        tree = json.loads(again, strict=False, parse_constant=lambda _: next(left))
    return tree


def _finite(number: str) -> float:
    if math.isfinite(value := float(number)):
        return value
    raise ValueError(f"{number} is no number")
