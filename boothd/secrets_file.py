"""etc/secrets.yaml: written by boothd's own tools and pages, whole or not at all, and readable by its owner only.

Everything here blocks and belongs into the disk threads.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml

from boothd.config import Secrets, parse, read_yaml

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else
MODE = 0o600
_HEAD = """\
# boothd's secrets. Mode 0600. `boothd passwd` and the pages rewrite this file.
# operators: login name to argon2 hash. upload_password: what booths send. keys: provider to API key, or a list of them:
#   keys:
#     gemini: AIza...
#     turbotext: ...
#     deepseek: sk-...
#     openai-images: [sk-one, sk-two]
"""

Source = Literal["file", "credentials", "environment"]
"""Where a secret comes from; only the file's can be changed here."""


def new_password() -> str:
    """Three groups of five letters and digits, 74 bits: fit to be typed into a booth's settings."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(3))


def source_of(name: str, environ: Mapping[str, str] | None = None) -> Source:
    """Where the secret `name` ("upload_password", "key_gemini") comes from, as `read_secrets` decides it."""
    environ = os.environ if environ is None else environ
    if environ.get(f"BOOTHD_{name.replace('-', '_').upper()}", "").strip():
        return "environment"
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        names = {name, name.replace("-", "_")}
        try:
            if any((Path(folder) / each).read_bytes().strip() for each in names if (Path(folder) / each).is_file()):
                return "credentials"
        except OSError:
            pass  # `read_secrets` says what is wrong with it
    return "file"


def change_secrets(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Read `file`, have its content changed, and put the result in its place; one writer at a time, in any process.

    What is broken, or would be broken afterwards, is not rewritten. Raises ConfigError, OSError, what `change` raises."""
    with _alone(file.parent):
        content = read_yaml(file, secret=True)
        parse(Secrets, content, file)
        change(content)
        parse(Secrets, content, file)
        write_secrets(file, content)


def write_secrets(file: Path, content: Mapping[str, Any]) -> None:
    """Put `content` in the place of `file`; a crash leaves the old or the new one. Its owner stays. Raises OSError."""
    text = _HEAD + yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with open(fd, "w", encoding="utf-8") as out:
            os.fchmod(fd, MODE)  # whatever the umask says
            if file.exists() and os.geteuid() == 0:
                old = file.stat()
                os.fchown(fd, old.st_uid, old.st_gid)
            out.write(text)
            out.flush()
            os.fsync(fd)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    with _opened(file.parent) as folder:
        os.fsync(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with _opened(folder) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
