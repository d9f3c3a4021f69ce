"""Unguessable addresses that need no memory: what they stand for, signed with a key of this daemon."""

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

KEY_SIZE = 32


class Signer:
    """key: secret bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, *said: str) -> str:
        """32 characters (192 bits) that only this daemon can make for these words."""
        text = "".join(f"{len(word)}:{word}" for word in said)
        digest = hmac.digest(self._key, text.encode(), hashlib.sha256)
        return urlsafe_b64encode(digest[:24]).decode("ascii")

    def is_signed(self, signature: str, *said: str) -> bool:
        """Whether `sign` made it; takes as long for a wrong one as for a right one."""
        return hmac.compare_digest(self.sign(*said).encode(), signature.encode("utf-8", "replace"))


def signing_key(file: Path) -> bytes:
    """The daemon's key, made when there is none, so that links outlive a restart. Blocks. Raises OSError."""
    try:
        key = file.read_bytes()
        if len(key) == KEY_SIZE:
            return key
    except FileNotFoundError:
        pass
    file.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_SIZE)
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
        opened.write(key)
        opened.flush()
        os.fsync(opened.fileno())
    new.rename(file)
    return key
