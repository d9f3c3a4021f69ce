"""`boothd check`: what would not work."""

import argparse
import os
import secrets as random
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from boothd.cli.homes import find_home, runs
from boothd.cli.notes import NOTE
from boothd.cli.port import port_problem
from boothd.config import ConfigError, DaemonConfig, Home, Secrets, read_daemon_config, read_secrets


def run(args: argparse.Namespace) -> int:
    home = find_home(args.home)
    found = 0
    for line in problems(home, offline=args.offline):
        print(line)
        found += not line.startswith(NOTE)
    if not found:
        print(f"all is well with {home.path}")
    return 1 if found else 0


def problems(home: Home, *, offline: bool = False) -> Iterator[str]:
    """One line for each thing that would not work, and, begun with NOTE, for each that may not work as it is meant.

    Blocks, and runs the reactor; changes nothing that stays.
    offline: the services are not asked."""
    yield from _folders(home)
    yield from _modes(home)
    config: DaemonConfig | None = None
    secrets: Secrets | None = None
    try:
        config = read_daemon_config(home)
    except ConfigError as error:
        yield str(error)
    try:
        secrets = read_secrets(home)
    except ConfigError as error:
        yield str(error)
    else:
        yield from _logins(home, secrets)
    yield from _providers(home, config or DaemonConfig(), secrets, offline=offline)
    if config is not None:
        yield from _daemon(home, config)


def _providers(home: Home, config: DaemonConfig, secrets: Secrets | None, *, offline: bool) -> Iterator[str]:
    from boothd.cli.services import service_problems
    from boothd.cli.setup import read_setup

    problems: list[str] = []
    setup = read_setup(home, config, secrets or Secrets(), problems)
    yield from problems
    if secrets is not None and setup is not None:
        yield from service_problems(setup, offline=offline)


def _folders(home: Home) -> Iterator[str]:
    usable = True
    for folder in (home.etc, home.spool, home.trash, home.library / "references"):
        if not folder.is_dir():
            yield f"{folder}: is not there; make it with: mkdir -m 700 -p {folder}"
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield f"{folder}: cannot be read and written by this user"
        else:
            continue
        usable = usable and folder not in {home.spool, home.trash}
    if usable:
        yield from _rename(home)


def _rename(home: Home) -> Iterator[str]:
    """A job goes to the trash by a rename, so both must lie on one file system."""
    name = f".check-{random.token_hex(4)}"
    old, new = home.spool / name, home.trash / name
    try:
        old.mkdir(mode=0o700)
        old.rename(new)
    except OSError as error:
        yield f"{home.trash}: a job cannot be moved there from {home.spool} ({error.strerror}); both must lie on one disk"
    finally:
        for left in (old, new):
            if left.is_dir():
                left.rmdir()


def _modes(home: Home) -> Iterator[str]:
    file = home.secrets_file
    if file.is_file():
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            yield f"{file}: others may read it (mode {mode:04o}); run: chmod 600 {file}"


def _logins(home: Home, secrets: Secrets) -> Iterator[str]:
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    file = home.secrets_file
    if not secrets.operators:
        yield f"{file}: operators: there is none, so nobody can log in; run: boothd passwd --operator NAME"
    for name, hashed in secrets.operators.items():
        try:
            extract_parameters(hashed)
        except InvalidHashError:
            yield f"{file}: operators.{name}: is not an argon2 hash; run: boothd passwd --operator {name}"
    if not secrets.upload_password:
        yield f"{file}: upload_password: is empty, so no booth is let in; run: boothd passwd --upload"


def _daemon(home: Home, config: DaemonConfig) -> Iterator[str]:
    file = home.config_file
    if config.public_url:
        try:
            known = bool(urlsplit(config.public_url).hostname) and urlsplit(config.public_url).port != 0
        except ValueError:
            known = False
        if not known:
            yield f"{file}: public_url: {config.public_url!r} is not an address; write it like https://booth.example.com"
    problem = port_problem(config.listen, lambda: runs(home))
    if problem:
        yield f"{file}: listen: {problem}"
    yield from _room(home.spool, config.spool.floor)
    if config.log.file is not None and not os.access(Path(home.path, config.log.file).parent, os.W_OK):
        yield f"{file}: log.file: {Path(home.path, config.log.file).parent} cannot be written"


def _room(spool: Path, floor: int) -> Iterator[str]:
    try:
        found = os.statvfs(spool)
    except OSError:
        return  # said before
    free = found.f_bavail * found.f_frsize
    if free < floor:
        yield f"{spool}: {free / 1e9:.2f} GB are free; below spool.floor ({floor / 1e9:.2f} GB) no photo is taken"
