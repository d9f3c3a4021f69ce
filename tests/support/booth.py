"""A booth of the tests: it posts photos over a plain socket, one step at a time."""

import base64
import http.client
import io
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self

from PIL import Image

from tests.support.daemon import OPERATOR, OPERATOR_PASSWORD, PASSWORD

BOUNDARY = "------------090306000104030805010400"
TIMEOUT_S = 60.0
"""Only a safety net; boothd answers before that."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def job(self) -> str:
        """The job's id; of an error reply, too."""
        return self.headers.get("x-boothd-job") or str(self.error.get("job") or "")

    @property
    def error(self) -> Mapping[str, object]:
        """What an error reply says: error, message, job."""
        found: dict[str, object] = {} if self.status == 200 else json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """ "ok", or the error's code."""
        return str(self.error.get("error", "ok"))


class Broken(Exception):
    """The connection broke before the reply was whole."""


def photo(number: int, size_bytes: int = 0) -> bytes:
    """A small JPEG that no other number has. size_bytes: at least so long, by bytes behind its end."""
    said = f"photo {number:08d}".encode()
    jpeg = _jpeg()
    marked = jpeg[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + jpeg[2:]
    return marked + bytes(max(0, size_bytes - len(marked)))


@lru_cache(maxsize=1)
def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((64, 48)).save(out, "JPEG")
    return out.getvalue()


class Upload:
    """One photo on one connection. Every method raises Broken when the connection breaks.

    receive_bytes: of the receive buffer; a small one makes a slow reader."""

    def __init__(
        self, port: int, path: str, photo: bytes, *, password: str = PASSWORD, receive_bytes: int | None = None
    ) -> None:
        self._request = _request(path, photo, password)
        self._sent = 0
        self._socket = socket.socket()
        self._socket.settimeout(TIMEOUT_S)
        if receive_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise Broken(str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def send_half(self) -> None:
        """Up to the middle of the photo."""
        self._send(self._request[: len(self._request) // 2])

    def send_rest(self) -> None:
        """All that has not been sent."""
        self._send(self._request[self._sent :])

    def await_reply(self) -> None:
        """Wait for the reply's first byte."""
        try:
            if not self._socket.recv(1, socket.MSG_PEEK):
                raise Broken("closed without a reply")
        except OSError as error:
            raise Broken(str(error)) from error

    def answer(self) -> Answer:
        """Wait for the whole reply."""
        response = http.client.HTTPResponse(self._socket, method="POST")
        try:
            response.begin()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Broken(str(error)) from error
        finally:
            response.close()
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, body)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Broken(str(error)) from error
        self._sent += len(data)


def post(port: int, path: str, photo: bytes) -> Answer:
    """Send a photo and wait for the whole reply. Raises Broken."""
    with Upload(port, path, photo) as upload:
        upload.send_rest()
        return upload.answer()


def get(port: int, path: str) -> Answer:
    """Ask as the operator."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    login = base64.b64encode(f"{OPERATOR}:{OPERATOR_PASSWORD}".encode()).decode()
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
        response = connection.getresponse()
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def _request(path: str, photo: bytes, password: str) -> bytes:
    fields = (("user_id", "tests"), ("version", "3.30.2"), ("password", password))
    parts = [f'Content-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields]
    parts.append(
        'Content-Disposition: form-data; name="fileToUpload"; filename="IMG_0001.JPG"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    before = "".join(f"--{BOUNDARY}\r\n{part}" for part in parts).encode()
    body = before + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
