"""boothd on the command line: `boothd init · up · check · link · send · passwd · demo`."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from boothd.cli.failed import FAILED, Failed
from boothd.cli.parser import make_parser
from boothd.config import ConfigError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 it did not work, 2 wrong use, 78 unusable configuration (`up` only)."""
    args = make_parser().parse_args(argv)
    # Named, not imported: `up` installs its reactor first, and no command waits for what another needs.
    run: Callable[..., int] = import_module(f"boothd.cli.{args.command}").run
    try:
        status = run(args)
        sys.stdout.flush()
    except Failed as error:
        print(f"boothd: {error}", file=sys.stderr)
        return error.status
    except ConfigError as error:
        print(f"boothd: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # `boothd check | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130  # as a shell counts an interrupted command
    return status
