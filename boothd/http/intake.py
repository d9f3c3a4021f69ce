"""A multipart form taken apart while it arrives; the file part goes straight to the room's sink."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import multipart

from boothd.base.errors import BrokenUpload, NoFile, TooLarge, TwoFiles
from boothd.base.units import size_text
from boothd.http.upload import Admission, Sink

MAX_PARTS = 200
MAX_FIELD = 64 << 10  # bytes of one text field
MAX_FIELDS = 256 << 10  # bytes of all text fields
MAX_NAME = 1 << 10  # characters of a field's or file's name
_PASSWORD = "password"  # noqa: S105 (the name of the form's field)
_JUNK = "The upload goes on after its end."


@dataclass(frozen=True, slots=True)
class Form:
    """A form received whole. fields: without the password."""

    fields: tuple[tuple[str, str], ...]
    field: str
    filename: str
    content_type: str
    size_bytes: int
    sink: Sink


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type header names. Raises BrokenUpload."""
    kind, options = multipart.parse_options_header(content_type)
    if kind != "multipart/form-data":
        raise BrokenUpload("The upload is not multipart/form-data.")
    boundary = str(options.get("boundary", ""))
    if not (0 < len(boundary) <= 200 and boundary.isascii() and boundary.isprintable()):
        raise BrokenUpload("The upload's Content-Type names no usable boundary.")
    return boundary.encode("ascii")


class Intake:
    """One upload's body: fed slice by slice, keeps only what it must.

    Memory: at most one slice, the text fields (bounded) and a partial boundary. Every method but `discard` raises
    RequestError, after which only `discard` may be called. on_sink: told the sink before its first byte."""

    def __init__(self, boundary: bytes, admission: Admission, on_sink: Callable[[Sink], None]) -> None:
        self._admission = admission
        self._on_sink = on_sink
        self._parser = _Parser(boundary)
        self._part: Any = None
        self._text = bytearray()
        self._in_file = False
        self._passed = False
        self._fields: list[tuple[str, str]] = []
        self._fields_size = 0
        self._file: Any = None
        self._sink: Sink | None = None
        self.size = 0

    def feed(self, data: bytes) -> bool:
        """Take the body's next bytes. False: the sink wants a pause."""
        self.size += len(data)
        if self.size > self._admission.max_size:
            raise TooLarge(
                f"The upload is larger than {size_text(self._admission.max_size)}, the most that boothd takes."
            )
        go_on = True
        try:
            for event in self._parser.parse(data):
                if event is None:
                    self._end_part()
                elif isinstance(event, multipart.MultipartSegment):
                    self._begin_part(event)
                else:
                    go_on = self._data(event) and go_on
        except multipart.MultipartError as error:
            raise BrokenUpload(f"The upload is not a complete multipart form: {error}.") from error
        return go_on

    def finish(self) -> Form:
        """The body has ended. Raises BrokenUpload, WrongPassword, NoFile."""
        if not self._parser.complete:
            raise BrokenUpload("The upload ends before its last boundary.")
        if not self._passed:
            self._admission.check_password("")
        if self._sink is None:
            raise NoFile()
        file = self._file
        kind = _clean(file.content_type or "")
        return Form(
            tuple(self._fields), _clean(file.name), _clean(file.filename or ""), kind, file.bytes_received, self._sink
        )

    def discard(self) -> None:
        """Keep nothing. Idempotent."""
        self._parser.close()
        if self._sink is not None:
            self._sink.discard()

    def _begin_part(self, part: Any) -> None:
        if any(c in value for _, value in part.headerlist for c in "\r\n\0"):
            raise BrokenUpload("The upload's part headers are broken.")
        self._part, self._text = part, bytearray()
        self._in_file = part.filename is not None or (part.content_type or "").startswith("image/")
        if self._in_file and part.filename != "":
            self._open_file()  # a part with an empty name and no bytes is a file input that was left empty

    def _open_file(self) -> Sink:
        if self._sink is not None:
            raise TwoFiles()
        self._file = self._part
        sink = self._sink = self._admission.sink()
        self._on_sink(sink)
        return sink

    def _data(self, data: bytes) -> bool:
        if self._in_file:
            sink = self._sink if self._file is self._part else None
            return (sink or self._open_file()).write(data)
        self._fields_size += len(data)
        self._text += data
        if len(self._text) > MAX_FIELD or self._fields_size > MAX_FIELDS:
            raise TooLarge("The form's text fields are larger than boothd takes.")
        return True

    def _end_part(self) -> None:
        if self._in_file:
            return
        value = self._text.decode("utf-8", errors="replace")
        if self._part.name == _PASSWORD:
            self._admission.check_password(value)
            self._passed = True
        else:
            self._fields.append((_clean(self._part.name), value))
        self._part, self._text = None, bytearray()


class _Parser:
    """`multipart`'s push parser, made to judge the same body alike however it is cut into slices.

    In 2.0.1 strict mode takes a preamble only if it comes in one slice with the first boundary, sees bytes after the
    last boundary only if they come in a slice of their own, and then refuses even the CRLF that every client sends."""

    def __init__(self, boundary: bytes) -> None:
        self._starts = (b"--" + boundary, b"\r\n--" + boundary)
        self._head: bytes | None = b""
        self._end = b""
        self._inner: Any = multipart.PushMultipartParser(boundary, max_segment_count=MAX_PARTS, strict=True)
        self.complete = False

    def parse(self, data: bytes) -> Iterator[Any]:
        """Yield the parser's events. Raises MultipartError, BrokenUpload."""
        if self._head is not None:
            data = self._head + data
            if not any(data.startswith(s[: len(data)]) for s in self._starts):
                raise BrokenUpload("The upload does not begin with its boundary.")
            if len(data) < len(self._starts[1]):
                self._head = data
                return
            self._head = None
        if not self.complete:
            yield from self._inner.parse(data)
            # The one place that looks inside the parser: it has no public sign that the last boundary came.
            self.complete = self._inner._state is multipart._COMPLETE
            data = self._inner._buffer if self.complete else b""
        if self.complete:
            self._end += data[:3]
            if self._end not in {b"", b"\r", b"\r\n"}:
                raise BrokenUpload(_JUNK)

    def close(self) -> None:
        self._inner.close(check_complete=False)


def _clean(text: str) -> str:
    """A name as text that can be stored and shown: no lone surrogates, bounded."""
    return text[:MAX_NAME].encode("utf-8", errors="replace").decode("utf-8")
