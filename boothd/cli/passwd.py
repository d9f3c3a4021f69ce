"""`boothd passwd`: change a password."""

import argparse
import getpass
import sys
from typing import Any

from boothd.cli.failed import Failed
from boothd.cli.homes import find_home
from boothd.config import Home, Secrets, parse, read_yaml
from boothd.secrets_file import change_secrets, new_password


def run(args: argparse.Namespace) -> int:
    home = find_home(args.home)
    file = home.secrets_file
    content = read_yaml(file, secret=True)
    parse(Secrets, content, file)  # what is broken is not rewritten
    whose = None if args.upload else _operator(home, content, args.operator)
    password = _new_password(args, "upload password" if whose is None else f"password of {whose}")
    try:
        change_secrets(file, lambda content: _set(content, whose, password))
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}") from None
    if args.generate:
        print(password)
    print("changed: the upload password" if whose is None else f"changed: the password of {whose}", file=sys.stderr)
    return 0


def _operator(home: Home, content: dict[str, Any], name: str | None) -> str:
    if name is None:
        names = list(content.get("operators") or {})
        if len(names) != 1:
            known = f"there are {', '.join(names)}" if names else "there is none yet"
            raise Failed(f"say whose password it is, with --operator NAME ({known}), or --upload")
        name = str(names[0])
    if not name or ":" in name:
        raise Failed("the operator's name must not be empty nor hold a colon; browsers could not send it")
    return name


def _new_password(args: argparse.Namespace, what: str) -> str:
    if args.generate:
        return new_password()
    if args.password is not None:
        return str(args.password)
    if not sys.stdin.isatty():
        raise Failed("nobody can be asked here; give --password or --generate")
    password = getpass.getpass(f"New {what}: ")
    if password != getpass.getpass("Again: "):
        raise Failed("the two differ; nothing is changed")
    return password


def _set(content: dict[str, Any], operator: str | None, password: str) -> None:
    from boothd.http import hash_password

    if operator is None:
        if not password.strip():
            raise Failed("the upload password must not be empty: nobody could send a photo")
        content["upload_password"] = password
        return
    try:
        content["operators"] = {**(content.get("operators") or {}), operator: hash_password(password)}
    except ValueError as error:
        raise Failed(f"this password cannot be used: {error}") from None
