"""etc/secrets.yaml: written by boothd's own tools, whole or not at all, and readable by its owner only."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else
MODE = 0o600
_HEAD = """\
# boothd's secrets. Mode 0600. `boothd passwd` rewrites this file.
# operators: login name to argon2 hash. upload_password: what booths send. keys: provider to API key, or a list of them:
#   keys:
#     gemini: AIza...
#     turbotext: ...
#     deepseek: sk-...
#     openai-images: [sk-one, sk-two]
"""


def new_password() -> str:
    """Three groups of five letters and digits, 74 bits: fit to be typed into a booth's settings."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(3))


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
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
