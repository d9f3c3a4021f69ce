"""Put this folder in front of a child's PYTHONPATH: what takes long there is written down with the thread that did it.

A line each in the file $BOOTHD_TESTS_RECORD: what, and "reactor" (the main thread, once the daemon runs) or "other". What
happens before the reactor runs, and hashes of little, are left out."""

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable
from typing import Any

LARGE = 64 << 10
_record = os.open(os.environ["BOOTHD_TESTS_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _running() -> bool:
    import sys

    reactor = sys.modules.get("twisted.internet.reactor")
    return bool(getattr(reactor, "running", False))


def _note(what: str) -> None:
    if _running():
        thread = "reactor" if threading.current_thread() is threading.main_thread() else "other"
        os.write(_record, f"{what} {thread}\n".encode())


def _watch(owner: Any, name: str, what: str, large: Callable[..., bool] = lambda *_, **__: True) -> None:
    real = getattr(owner, name)

    def watched(*args: Any, **kw: Any) -> Any:
        if large(*args, **kw):
            _note(what)
        return real(*args, **kw)

    setattr(owner, name, watched)


def _is_large(data: Any, *_: Any, **__: Any) -> bool:
    return len(data) > LARGE


class _Sha256:
    """A hash whose updates are seen."""

    def __init__(self, data: bytes = b"", **how: Any) -> None:
        self._real = _real_sha256(**how)
        if data:
            self.update(data)

    def update(self, data: Any) -> None:
        if len(data) > 4096:
            _note("sha256")
        self._real.update(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


_real_sha256 = hashlib.sha256
hashlib.sha256 = _Sha256  # type: ignore[assignment]
_watch(hashlib, "file_digest", "sha256")
for _name in ("fsync", "fdatasync"):
    _watch(os, _name, _name)
for _name in ("b64encode", "b64decode"):
    _watch(base64, _name, "base64", _is_large)
_watch(json, "loads", "json", _is_large)


def _watch_pillow() -> None:
    from PIL import Image, ImageFile

    _watch(ImageFile.ImageFile, "load", "decode")
    _watch(Image.Image, "save", "encode")


def _watch_argon2() -> None:
    import argon2

    _watch(argon2.PasswordHasher, "verify", "argon2")


_watch_pillow()
_watch_argon2()
