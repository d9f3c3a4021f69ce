"""Which home a command is about."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

from boothd.cli.failed import Failed
from boothd.config import Home


def is_home(path: Path) -> bool:
    """Whether `boothd init` has been here."""
    return Home(path).config_file.is_file()


def runs(home: Home) -> bool:
    """Whether a daemon works on this home now: it holds the spool's lock."""
    try:
        lock = os.open(home.spool / ".lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(lock)
    return False


def usual_place(environ: Mapping[str, str], *, root: bool) -> Path:
    """Where a home lies if nobody says otherwise: /var/lib/boothd for root, else in the user's own data directory."""
    if environ.get("BOOTHD_HOME"):
        return Path(environ["BOOTHD_HOME"])
    if root:
        return Path("/var/lib/boothd")
    data = environ.get("XDG_DATA_HOME") or str(Path("~/.local/share").expanduser())
    return Path(data) / "boothd"


def new_home(given: Path | None) -> Path:
    """Where `init` makes a home."""
    return (given or usual_place(os.environ, root=os.geteuid() == 0)).absolute()


def find_home(given: Path | None) -> Home:
    """The home that a command works with: --home, else $BOOTHD_HOME, else the current directory if it is one, else the
    usual place. Raises Failed when there is no home."""
    if given is None and not os.environ.get("BOOTHD_HOME") and is_home(Path.cwd()):
        return Home(Path.cwd())
    path = new_home(given)
    if not is_home(path):
        raise Failed(f"{path} is not a home: there is no etc/boothd.yaml. Make one with: boothd init --home {path}")
    return Home(path)
