"""The commands and their options, with the texts of `--help`."""

import argparse
import math
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from boothd.base.endpoint import endpoint_problem

_PLACE = "the home; else $BOOTHD_HOME, else the current directory if it is one, else {usual}"
_USUAL = "~/.local/share/boothd (root: /var/lib/boothd)"


def make_parser() -> argparse.ArgumentParser:
    """The parser of `boothd`. What it returns holds `command`, the name of a module of this package."""
    parser = argparse.ArgumentParser(
        prog="boothd",
        description="The daemon between photo booths and AI services. Begin with `boothd init`, then `boothd up`; "
        "`boothd demo` shows it without either.",
        epilog="Exit status: 0 done, 1 it did not work, 2 wrong use. `boothd COMMAND --help` tells more of a command.",
    )
    parser.add_argument("--version", action="version", version=f"boothd {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for add in (_init, _up, _check, _models, _link, _send, _passwd, _demo, _sandbox):
        add(commands)
    return parser


def _version() -> str:
    try:
        return version("boothd")
    except PackageNotFoundError:
        return "from a folder, not installed"


def _command(commands: Any, name: str, short: str, long: str, *, home: bool = True) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=short, description=long)
    if home:
        parser.add_argument("-H", "--home", type=Path, metavar="DIR", help=_PLACE.format(usual=_USUAL))
    return parser


def _init(commands: Any) -> None:
    parser = _command(
        commands,
        "init",
        "make a home: configuration, slots, passwords",
        "Make a home: the directory that holds everything of one boothd. Passwords that are not given are generated and "
        "shown once. An existing home is never touched.",
        home=False,
    )
    parser.add_argument(
        "-H", "--home", type=Path, metavar="DIR", help=f"where; else $BOOTHD_HOME, else {_USUAL}. New, or empty"
    )
    parser.add_argument("--operator", default="operator", metavar="NAME", help="login name of the pages (%(default)s)")
    parser.add_argument("--operator-password", metavar="P", help="its password; left out: generated")
    parser.add_argument("--upload-password", metavar="P", help="what booths send; left out: generated")


def _up(commands: Any) -> None:
    parser = _command(
        commands,
        "up",
        "run the daemon",
        "Run the daemon in the foreground until SIGTERM or Ctrl-C; photos in flight are answered first. Exit status 78: "
        "the home or its configuration cannot be used, so starting again will not help.",
    )
    _listen(parser)


def _check(commands: Any) -> None:
    parser = _command(
        commands,
        "check",
        "say what would not work",
        "Look at everything that the daemon needs: directories, file modes, configuration, slots, reference pictures, the "
        "port, free space, logins; and ask the providers' services, free of charge, whether they take the API keys and "
        "have the models. One line for each thing that would not work, and exit status 1; what is only a "
        "note begins with “note:”. Changes nothing.",
    )
    parser.add_argument("--offline", action="store_true", help="ask no service")


def _models(commands: Any) -> None:
    parser = _command(
        commands,
        "models",
        "list what a provider's account offers",
        "Ask a provider's service, free of charge, which models or methods the account has, and show which slots use them.",
    )
    parser.add_argument("provider", metavar="PROVIDER", help="gemini, openai-images, ...")


def _link(commands: Any) -> None:
    parser = _command(
        commands,
        "link",
        "print a slot's upload link",
        "Print the link that goes into DSLR Remote Pro. It begins with `public_url` where boothd.yaml has one, else with "
        "this machine's address in the local network and the port of `listen`. Give --listen where `boothd up` has it.",
    )
    _listen(parser)
    parser.add_argument("provider", metavar="PROVIDER", help="studio, …")
    parser.add_argument("slot", metavar="SLOT", type=_slot_number, help="1 to 20")


def _send(commands: Any) -> None:
    parser = _command(
        commands,
        "send",
        "send a photo as a booth does",
        "Send a photo to an upload link exactly as DSLR Remote Pro does, and keep the picture that comes back.",
    )
    parser.add_argument("photo", metavar="PHOTO", type=Path, help="a picture file")
    parser.add_argument("link", metavar="LINK", help="an upload link, as `boothd link` prints it")
    parser.add_argument(
        "-p", "--password", metavar="P", help="the upload password; else $BOOTHD_UPLOAD_PASSWORD, else the home's"
    )
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, help="where the picture goes (PHOTO-boothd.jpg, .png)")
    parser.add_argument(
        "--timeout", metavar="S", type=_seconds, default=60.0, help="give up after so many seconds (%(default)g)"
    )


def _passwd(commands: Any) -> None:
    parser = _command(
        commands,
        "passwd",
        "change a password",
        "Change an operator's password, or the upload password. A new operator's name makes a new operator. A running "
        "daemon takes it over by itself. Without --password or --generate it is asked for.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--operator", metavar="NAME", help="whose (the only one's, where there is one)")
    which.add_argument("--upload", action="store_true", help="the upload password; booths must be told the new one")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--password", metavar="P", help="the new one; other users of this machine may see it")
    how.add_argument("--generate", action="store_true", help="make one and show it once")


def _demo(commands: Any) -> None:
    parser = _command(
        commands,
        "demo",
        "show it: a guest's photo through the real daemon",
        "Start the daemon in a throw-away home, send a sample guest before a green screen through it as a booth would, "
        "and keep the picture in ./demo-out. Then it stays up for a look at the page, until Ctrl-C.",
        home=False,
    )
    parser.add_argument("--once", action="store_true", help="end after the picture")
    parser.add_argument("--port", type=_one_port, metavar="N", help="where to listen (8000, or a free one)")
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), metavar="DIR", help="for the pictures (%(default)s)"
    )


def _sandbox(commands: Any) -> None:
    parser = _command(
        commands,
        "sandbox",
        "rehearse without keys: fake services on this machine",
        "Run fake services of all cloud providers in one process, until Ctrl-C, and show every call that would have cost "
        "money. Without --new and --home it prints the configuration that a home needs to use them. With --home only the "
        "lines of the fakes are changed.",
        home=False,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--new", type=Path, metavar="DIR", help="make a home for rehearsals, and wire it to the fakes")
    which.add_argument("-H", "--home", type=Path, metavar="DIR", help="wire this home to the fakes")
    parser.add_argument("--force", action="store_true", help="with --home: replace addresses and keys of real services")
    parser.add_argument(
        "--port", type=_port, default=9101, metavar="N", help="the first of four ports (%(default)s); 0: free ones"
    )
    parser.add_argument(
        "--latency", type=_latency, default=(0.0, 0.0), metavar="S", help="seconds that a call takes: 12, or about 5-20"
    )
    parser.add_argument(
        "--failures", type=_share, default=0.0, metavar="SHARE", help="so many calls fail with 503: 10%%"
    )
    parser.add_argument(
        "--words",
        choices=("gemini", "turbotext", "deepseek", "openai-images"),
        metavar="PROVIDER",
        help="print what a slot's prompt can ask of its fake, in double square brackets, and end",
    )


def _listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-l",
        "--listen",
        metavar="ENDPOINT",
        type=_endpoint,
        help="a Twisted endpoint instead of boothd.yaml's: tcp:8000",
    )


def _endpoint(text: str) -> str:
    problem = endpoint_problem(text)
    if problem is not None:
        raise argparse.ArgumentTypeError(problem)
    return text


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a time; say seconds, more than 0 and at most 3600")
    return value


def _port(text: str) -> int:
    return _whole(text, "the first of four ports", 0, 65_532)


def _one_port(text: str) -> int:
    return _whole(text, "a port", 0, 65_535)


def _slot_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a slot's number; say 1 to 20") from None


def _latency(text: str) -> tuple[float, float]:
    """Mean and standard deviation."""
    least, _, most = text.partition("-")
    low, high = _number(least), _number(most or least)
    if not 0 <= low <= high <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a time; say seconds: 12, or 5-20 for about so many")
    return (low + high) / 2, (high - low) / 4


def _share(text: str) -> float:
    value = _number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share; say 0% to 100%, or 0 to 1")
    return value


def _number(text: str) -> float:
    """NaN, which is within no bounds, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _whole(text: str, what: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not {what}; say {least} to {most}")
    return value
