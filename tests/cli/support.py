"""What the tests of the command line share."""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from boothd.cli import main
from boothd.cli.init import make_home
from boothd.config import Home

CHECKOUT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    out: str
    err: str


def boothd(*argv: str | Path) -> Said:
    """`boothd ARGV...`, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(word) for word in argv])
        except SystemExit as ended:  # argparse
            status = int(ended.code or 0)
    return Said(status, out.getvalue(), err.getvalue())


def a_home(path: Path, config: str = "") -> Home:
    """A fresh home; its port is any free one. config: YAML put at the end of boothd.yaml."""
    home = make_home(path, "anna", "a password", "letmein").home
    with home.config_file.open("a") as file:
        file.write("\nlisten: tcp:0\n" if "listen:" not in config else "\n")
        file.write(config)
    return home


def change(file: Path, **keys: Any) -> None:
    """Set keys of a YAML file; None takes one away."""
    content = yaml.safe_load(file.read_text()) or {}
    content.update(keys)
    file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))


def change_slot(home: Home, number: int, **keys: Any) -> None:
    """Set keys of one of the studio's slots."""
    file = home.slots_file("studio")
    content = yaml.safe_load(file.read_text())
    content["slots"].setdefault(number, {}).update(keys)
    file.write_text(yaml.safe_dump(content))


@contextlib.contextmanager
def environment(**names: str | None) -> Iterator[None]:
    """With these variables set, or (None) not set."""
    before = dict(os.environ)
    for name, value in names.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """With `folder` as the current directory."""
    with contextlib.chdir(folder):
        yield
