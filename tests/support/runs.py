"""The other ways to run the daemon than `twistd -n`, and curl as DSLR Remote Pro."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.daemon import PASSWORD, Daemon

BIN = Path(sys.executable).parent
FIELDS = {
    "time": "1758217512",
    "user_id": "Acer-of-the-tests",
    "id": "CY04N068111304S2L_00000001.",
    "profile": "C:\\Users\\Acer-of-the-tests\\Documents\\PhotoboothImages\\1.xml",
    "hash": "d6d0b9cbe1b8b8a4a7f2c2e0bd6d5e3a7d1c9f00",
    "name": "DESKTOP-OF-THE-TESTS",
    "model": "Windows",
    "version": "3.30.2",
}
"""What the program sends beside the photo; personal data, by which a test recognises it in a log."""


class As(Daemon):
    """A daemon run by another program, given the same arguments: `--home DIR`."""

    program: Sequence[str] = ()

    def prefixed(self) -> list[str]:
        # What follows is `boothd --home DIR`; the shell takes the plugin's name away.
        command = " ".join(self.program)
        return ["/bin/sh", "-c", f'shift; exec {command} "$@"', "sh"]


class Up(As):
    """`boothd up`."""

    program = (str(BIN / "boothd"), "up")


class Twist(As):
    """`twist boothd`, without further flags."""

    program = (str(BIN / "twist"), "boothd")


class Twistd(As):
    """`twistd -n` with an own option before the plugin's name."""

    program = (str(BIN / "twistd"), "-n", "--pidfile=", "--reactor=epoll", "boothd")


class Curled:
    """What curl got. error: the code of an error reply, "" for a picture."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status, self.body, self.headers = status, body, headers

    @property
    def said(self) -> dict[str, Any]:
        """An error reply's JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def error(self) -> str:
        return "" if self.status == 200 else str(self.said["error"])


def curl(folder: Path, url: str, *arguments: str, limit_s: int = 60) -> Curled:
    """Run curl; what comes back goes into `folder` first."""
    body, head = folder / "curl.body", folder / "curl.head"
    for path in (body, head):
        path.unlink(missing_ok=True)
    ran = subprocess.run(
        ["curl", "-sS", "-m", str(limit_s), "-o", str(body), "-D", str(head), "-w", "%{http_code}", *arguments, url],
        capture_output=True,
        text=True,
        check=False,
    )
    # 18, 55, 56: the answer came while we were still sending, and the connection was closed after it.
    assert ran.returncode in {0, 18, 55, 56}, f"curl: {ran.returncode} {ran.stderr}"
    assert ran.stdout != "000", "there was no answer"
    last = head.read_text().replace("\r", "").rstrip("\n").split("\n\n")[-1]
    lines = (line.partition(": ") for line in last.split("\n")[1:])
    data = body.read_bytes() if body.exists() else b""
    return Curled(int(ran.stdout), data, {name.lower(): value for name, _, value in lines})


def send(
    folder: Path, link: str, photo: Path, *more: str, password: str | None = PASSWORD, expect: bool = True
) -> Curled:
    """Post a photo as the program does. more: further arguments for curl."""
    fields = FIELDS if password is None else {**FIELDS, "password": password}
    form = [part for name, value in fields.items() for part in ("--form-string", f"{name}={value}")]
    form += ["-F", f"fileToUpload=@{photo};filename=IMG_0003.JPG;type=image/jpeg"]
    return curl(folder, link, "-H", "Expect: 100-continue" if expect else "Expect:", *form, *more)
