"""boothd for the bench, in a process of its own, with the bench's provider registered.

python -m tests.bench.daemon HOME [--no-fsync]
"""

import sys
from pathlib import Path
from typing import Any


def main(home: Path, *, fsync: bool) -> int:
    from boothd import providers, service
    from boothd.config import Home

    providers._OWN["bench"] = "tests.bench.provider:Bench"
    service.Options()  # installs the reactor
    from boothd.base import logs
    from boothd.spool import Disk

    class Careless(Disk):
        """Writes and renames, and hopes."""

        def sync(self, fd: int) -> None:
            pass

        def sync_dir(self, path: Path) -> None:
            pass

    house = service.make_house(Home(home), disk=None if fsync else Careless())
    logs.begin(sys.stdout, "info")
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    reactor.addSystemEventTrigger("before", "shutdown", house.stopService)
    reactor.callWhenRunning(house.startService)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), fsync="--no-fsync" not in sys.argv))
