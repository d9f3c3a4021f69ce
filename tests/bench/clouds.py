"""The cloud providers over their fakes: what boothd adds to a call, and what twenty big ones at once do to the reactor."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.bench.client import Target, many, photo, unique, upload
from tests.bench.direct import DIRECT, Static
from tests.bench.processes import metric, peak, percentile, process, read_port, reset_peak

KEY = "benchbenchbenchbench"
SMALL, BIG = "[[canned size=500K]]", "[[canned size=8M]]"
SLOTS: dict[str, dict[str, Any]] = {
    "gemini": {"effect": "prompt", "prompt": "a pirate"},
    "openai-images": {"effect": "prompt", "prompt": "a pirate"},
    "turbotext": {"effect": "prompt", "prompt": "a pirate"},
    "deepseek": {"effect": "prompt", "prompt": "a pirate", "options": {"renderer": "openai-images"}},
}
OWN: dict[str, dict[str, Any]] = {
    "openai-images": {"model": "gpt-image-1"},
    "turbotext": {"result_private": True, "poll_s": 0.5},
}
PATHS = {"gemini": "", "openai-images": "/v1", "turbotext": "/api_ai", "deepseek": ""}


@dataclass(frozen=True, slots=True)
class Clouds:
    """All fakes and a daemon that uses them."""

    fakes: dict[str, int]
    port: int
    pid: int

    def slot(self, provider: str) -> Target:
        return Target(self.port, f"/upload/{provider}/1/{KEY}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _home(home: Path, port: int, fakes: dict[str, int]) -> None:
    files: dict[str, Any] = {
        "boothd.yaml": {
            "listen": f"tcp:{port}:interface=127.0.0.1",
            "public_url": f"http://127.0.0.1:{port}",
            "spool": {"floor": 0},
            "budget": {"total": 300},
        },
        "secrets.yaml": {"upload_password": "123456", "keys": dict.fromkeys(fakes, "good-1")},
    }
    for name, fake_port in fakes.items():
        address = f"http://127.0.0.1:{fake_port}{PATHS[name]}"
        files[f"providers/{name}.yaml"] = {"base_url": address, "concurrency": 100, **OWN.get(name, {})}
        files[f"slots/{name}.yaml"] = {"slots": {1: {"key": KEY, **SLOTS[name]}}}
    for name, data in files.items():
        file = home / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(data))


@contextlib.contextmanager
def clouds(script: str) -> Iterator[Clouds]:
    """Start them; every picture that a fake makes is as `script` says."""
    with contextlib.ExitStack() as stack:
        fakes: dict[str, int] = {}
        for name in SLOTS:
            said = "" if name == "deepseek" else script  # it makes no pictures
            words = ("--set", f'script="{said}"') if said else ()
            fakes[name] = read_port(stack.enter_context(process("boothd.sandbox.fakes", name, "--port", "0", *words)))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boothd-bench-")))
        port = _free_port()
        _home(home, port, fakes)
        child = stack.enter_context(process("tests.bench.daemon", str(home)))
        read_port(child, r"listening at .*port=(\d+)")
        yield Clouds(fakes, port, child.pid)


async def overhead(count: int) -> None:
    """A photo of 1 MiB and an answer of 500 KiB: through boothd, and by the least client that there is, by turns."""
    print("\none photo over a fake, ms          boothd p50   direct p50    added    ratio")
    jpeg = photo(1 << 20)
    with clouds(SMALL) as all_of_it, Static() as static:
        for name in SLOTS:
            ours: list[float] = []
            theirs: list[float] = []
            booth, direct = partial(upload, all_of_it.slot(name)), DIRECT[name](all_of_it.fakes, static)
            for number in range(-3, count):
                pair: list[tuple[Callable[[bytes], Awaitable[float]], list[float]]]
                pair = [(booth, ours), (direct, theirs)]
                for call, times in pair if number % 2 else reversed(pair):
                    took = await call(unique(jpeg))
                    if number >= 0:
                        times.append(took)
            a, b = percentile(ours, 0.5), percentile(theirs, 0.5)
            print(f"  {name:<32} {a:10.1f}   {b:10.1f} {a - b:8.1f} {a / b:8.2f}")


async def big_calls() -> None:
    """Twenty at once, 5 MB out and 8 MiB in: the reactor's longest stall (median of five), and the memory."""
    print("\n20 calls at once, 5 MB out, 8 MiB in     longest stall, ms (five tries)      peak memory, MB")
    jpeg = photo(5_000_000)
    with clouds(BIG) as all_of_it:
        for name in SLOTS:
            target = all_of_it.slot(name)
            await many(target, jpeg, 20, 20)
            found = []
            reset_peak(all_of_it.pid)
            before = peak(all_of_it.pid)
            for _ in range(5):
                metric(all_of_it.port, "boothd_reactor_stall_seconds")
                await many(target, jpeg, 20, 20)
                found.append(metric(all_of_it.port, "boothd_reactor_stall_seconds") * 1000)
            grown = (peak(all_of_it.pid) - before) / 1e6
            tries = " ".join(f"{each:.1f}" for each in sorted(found))
            print(f"  {name:<32} {sorted(found)[2]:10.1f}   ({tries})   +{grown:.0f}")


def main() -> None:
    """For trying one table alone: python -m tests.bench.clouds."""
    asyncio.run(overhead(10))
    asyncio.run(big_calls())


if __name__ == "__main__":
    main()
