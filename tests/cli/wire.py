"""A server of bytes: it reads what a script wants and writes what the script says."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Line:
    """The server's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.head = b""
        self.body = b""
        self.early = b""

    @property
    def headers(self) -> list[str]:
        """Request line and headers."""
        return self.head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")

    @property
    def length(self) -> int:
        (value,) = (line.partition(": ")[2] for line in self.headers if line.startswith("Content-Length: "))
        return int(value)

    def read_head(self) -> None:
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self._connection.recv(1)

    def read_early(self) -> None:
        """What comes although nobody said that it may."""
        self._connection.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            self.early += self._connection.recv(1)
        self._connection.settimeout(30)

    def read_body(self) -> None:
        self.read_some(self.length)

    def read_some(self, size: int) -> None:
        while len(self.body) < size:
            self.body += self._connection.recv(1 << 16)

    def read_rest(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            while data := self._connection.recv(1 << 16):
                self.body += data

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def wait_for_hang_up(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            while self._connection.recv(1 << 16):
                pass


Script = Callable[[Line], None]


@contextlib.contextmanager
def serving(script: Script) -> Iterator[tuple[str, Line]]:
    """One connection at the loopback interface, served by `script`: where it is, and what it saw."""
    seen = Line(socket.socket())
    seen._connection.close()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(30)
                seen._connection = connection
                script(seen)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/upload/studio/1/key", seen
        finally:
            thread.join()


def reply(body: bytes, status: str = "200 OK", *headers: str, kind: str = "image/jpeg") -> bytes:
    """A final answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def refusal(code: str, message: str, status: str) -> bytes:
    """An error's JSON."""
    body = f'{{"error": "{code}", "message": "{message}"}}'.encode()
    return reply(body, status, kind="application/json; charset=utf-8")


def answering(answer: bytes) -> Script:
    """Say 100, read everything, say `answer`, and leave the connection open."""

    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON)
        line.read_body()
        line.say(answer)
        line.wait_for_hang_up()

    return script
