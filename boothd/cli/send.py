"""`boothd send`: send a photo as a booth does."""

import argparse
import os
import secrets
from pathlib import Path

from boothd.cli.failed import Failed
from boothd.cli.homes import find_home
from boothd.config import read_secrets
from boothd.sandbox.send import Answered, NotSent, send_photo

_EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png"}


class Refused(Failed):
    """The server answered, but not with a picture."""


def run(args: argparse.Namespace) -> int:
    password = args.password
    if password is None:
        password = os.environ.get("BOOTHD_UPLOAD_PASSWORD") or _password_of_home(args.home)
    answered, out = send_to_file(args.photo, args.link, password, args.out, args.timeout)
    print(f"{answered.status} in {answered.took_s:.2f} s, {out.stat().st_size} bytes {answered.media_type}")
    if answered.job is not None:
        print(f"job {answered.job}")
    if answered.stages:
        print(", ".join(f"{name} {ms:.0f} ms" for name, ms in answered.stages))
    if "x-boothd-cached" in answered.headers:
        print("known already, not made again")
    if "x-boothd-fell-back" in answered.headers:
        maker = answered.headers.get("x-boothd-made-by")
        print(f"fell back: {answered.headers['x-boothd-fell-back']}" + (f"; made by {maker}" if maker else ""))
    print(out)
    return 0


def _password_of_home(given: Path | None) -> str:
    try:
        home = find_home(given)
    except Failed:
        if given is not None or os.environ.get("BOOTHD_HOME"):
            raise
        raise Failed(
            "no password: give --password, set $BOOTHD_UPLOAD_PASSWORD, or name the home with --home"
        ) from None
    return read_secrets(home).upload_password


def send_to_file(
    photo: Path, link: str, password: str, out: Path | None, timeout_s: float = 60.0
) -> tuple[Answered, Path]:
    """Send, and put the picture at `out`, which appears only when it is whole. None: beside the current directory's
    files, named after the photo. Raises Refused, Failed."""
    if out is not None and out.is_dir():
        raise Failed(f"{out} is a directory; name the file in it")  # said before anything is sent, and paid for
    folder = Path.cwd() if out is None else out.parent
    part = folder / f".boothd-{secrets.token_hex(4)}.part"
    try:
        with part.open("xb") as file:
            answered = send_photo(photo, link, password, file, timeout_s)
        if answered.error is not None:
            code, message = answered.error
            raise Refused(f"{answered.status} {code}: {message}" if code else f"{answered.status} {message}")
        if answered.media_type not in _EXTENSIONS:
            raise Refused(f"{answered.status}, but no picture: {answered.media_type or 'nothing known'}")
        target = out or folder / f"{photo.stem}-boothd{_EXTENSIONS[answered.media_type]}"
        part.replace(target)
        return answered, target
    except NotSent as error:
        raise Failed(str(error)) from None
    except OSError as error:
        if error.filename in {None, str(part)}:
            raise Failed(f"{out or folder} cannot be written: {error.strerror}") from None
        raise Failed(f"{error.filename}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
