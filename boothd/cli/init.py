"""`boothd init`: make a home."""

import argparse
import os
import re
from dataclasses import dataclass
from pathlib import Path

from boothd.base.assets import assets
from boothd.cli.failed import Failed
from boothd.cli.homes import is_home, new_home
from boothd.config import Home
from boothd.secrets_file import new_password, write_secrets

_CHECKOUT = "etc/defaults/boothd.yaml"
_KEY = re.compile(r"\bNEW-KEY\b")


@dataclass(frozen=True, slots=True)
class NewHome:
    """What `make_home` made. generated: which of the passwords nobody gave."""

    home: Home
    operator: str
    operator_password: str
    upload_password: str
    generated: frozenset[str]


def run(args: argparse.Namespace) -> int:
    made = make_home(new_home(args.home), args.operator, args.operator_password, args.upload_password)
    rows = [("operator", made.operator)]
    if "operator" in made.generated:
        rows.append(("its password", f"{made.operator_password}   (only its hash is kept; note it down)"))
    if "upload" in made.generated:
        rows.append(("upload password", made.upload_password))
    print(f"Made {made.home.path}\n")
    for name, value in rows:
        print(f"  {name:<16} {value}")
    print(f"\nNext: boothd up --home {made.home.path}")
    return 0


def make_home(
    path: Path, operator: str = "operator", operator_password: str | None = None, upload_password: str | None = None
) -> NewHome:
    """Make a home at `path`, which must not exist, be empty, or be a checkout of boothd without a home in it.

    Passwords that are None are generated. Raises Failed."""
    from boothd.booth.slots import new_key
    from boothd.http import hash_password

    if not operator or ":" in operator:
        raise Failed("the operator's name must not be empty nor hold a colon; browsers could not send it")
    generated = {n for n, p in (("operator", operator_password), ("upload", upload_password)) if p is None}
    operator_password = operator_password if operator_password is not None else new_password()
    upload_password = upload_password if upload_password is not None else new_password()
    if not upload_password.strip():
        raise Failed("the upload password must not be empty: nobody could send a photo")
    try:
        hashed = hash_password(operator_password)
    except ValueError as error:
        raise Failed(f"the operator's password cannot be used: {error}") from None
    home, defaults = Home(path), assets("etc") / "defaults"
    _refuse(path)
    try:
        _make_folders(home)
        for source in sorted((defaults / "references").iterdir()):
            _write(home.library / "references" / source.name, source.read_bytes())
        for kind in ("providers", "slots"):
            for source in sorted((defaults / kind).glob("*.yaml")):
                text = _KEY.sub(lambda _: f'"{new_key()}"', source.read_text(encoding="utf-8"))
                _write(home.etc / kind / source.name, text.encode())
        write_secrets(home.secrets_file, {"operators": {operator: hashed}, "upload_password": upload_password})
        _write(home.config_file, (defaults / "boothd.yaml").read_bytes())  # last: it is what makes it a home
    except OSError as error:
        raise Failed(f"{error.filename or path} cannot be written: {error.strerror}") from None
    return NewHome(home, operator, operator_password, upload_password, frozenset(generated))


def _refuse(path: Path) -> None:
    if is_home(path):
        raise Failed(
            f"{path} is a home already, and stays as it is. Run it with: boothd up --home {path}; "
            f"change a password with: boothd passwd --home {path}"
        )
    try:
        if (path / _CHECKOUT).is_file():
            taken = [p for p in (path / "etc" / "secrets.yaml", path / "etc" / "slots") if p.exists()]
        else:
            taken = list(path.iterdir()) if path.exists() else []
    except OSError as error:
        raise Failed(f"{path} cannot be used: {error.strerror}") from None
    if taken:
        raise Failed(f"{path} is not empty (it holds {taken[0].name}). Give a new or an empty directory with --home")


def _make_folders(home: Home) -> None:
    if not (home.path / _CHECKOUT).is_file():
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.path.chmod(0o700)
    for folder in (home.etc, home.spool, home.trash, home.library):
        folder.mkdir(mode=0o700, exist_ok=True)
    for folder in (home.etc / "slots", home.etc / "providers", home.library / "references"):
        folder.mkdir(mode=0o700, exist_ok=True)


def _write(file: Path, data: bytes) -> None:
    """A new file for its owner only; one that exists is an error."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as out:
        out.write(data)
