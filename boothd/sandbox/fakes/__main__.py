"""A fake as a process of its own; it prints its port.

python -m boothd.sandbox.fakes gemini --port 9001 --ledger gemini.jsonl --set latency_s=12 --set spread_s=4"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from twisted.internet.defer import Deferred

from boothd.sandbox.fakes import FAKES, start_fake
from boothd.sandbox.fakes.words import help_text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m boothd.sandbox.fakes", description="Fake provider servers.")
    parser.add_argument("name", choices=sorted(FAKES))
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--interface", default="127.0.0.1")
    parser.add_argument("--ledger", type=Path, help="where charges are kept; they are counted on from there")
    parser.add_argument("--seed", type=int, default=1, help="of latency and failures")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; see --words")
    parser.add_argument("--words", action="store_true", help="print the words for prompts and the settings, and end")
    said = parser.parse_args()
    kind = FAKES[said.name]
    if said.words:
        sys.stdout.write(help_text(kind, option="--set ") + "\n")
        return

    from twisted.internet import reactor as installed  # noqa: TID251 (this is a program of its own)

    reactor: Any = installed
    settings = {name: yaml.safe_load(value) for name, _, value in (pair.partition("=") for pair in said.set)}
    try:
        running = start_fake(
            reactor,
            kind,
            port=said.port,
            interface=said.interface,
            ledger=said.ledger,
            settings=settings,
            seed=said.seed,
        )
    except ValueError as error:
        parser.error(str(error))
    sys.stdout.write(f"{running.port}\n")
    sys.stdout.flush()
    # Its threads would keep the process alive.
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(running.stop()))
    reactor.run()


if __name__ == "__main__":
    main()
