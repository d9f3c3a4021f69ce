"""Runs the bench and prints its tables. `--quick` takes a tenth of the photos."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from tests.bench import clouds
from tests.bench.client import Target, many, photo, unique, upload
from tests.bench.processes import metric, percentile, process, read_port, resident

KEY = "benchbenchbenchbench"
SIZES = {"52 KiB": 52 << 10, "1 MiB": 1 << 20, "10 MiB": 10 << 20}


def make_home(folder: Path, service_port: int) -> Path:
    """A home with two slots: one whose service answers at once, one whose service holds."""
    home = folder
    (home / "etc" / "slots").mkdir(parents=True)
    (home / "etc" / "providers").mkdir()
    files = {
        "boothd.yaml": {"listen": "tcp:0:interface=127.0.0.1", "spool": {"floor": 0}, "budget": {"total": 300}},
        "secrets.yaml": {"upload_password": "123456"},
        "slots/bench.yaml": {
            "slots": {
                1: {"key": KEY, "effect": "prompt", "prompt": "edit"},
                2: {"key": KEY, "effect": "prompt", "prompt": "hold"},
            }
        },
        "providers/bench.yaml": {"url": f"http://127.0.0.1:{service_port}", "concurrency": 100},
    }
    for name, data in files.items():
        (home / "etc" / name).write_text(yaml.safe_dump(data))
    return home


@contextlib.contextmanager
def boothd(service_port: int, *more: str, concurrency: int | None = None) -> Iterator[tuple[int, int]]:
    """A daemon on a home of its own: (port, process id)."""
    with tempfile.TemporaryDirectory(prefix="boothd-bench-") as folder:
        home = make_home(Path(folder), service_port)
        if concurrency is not None:
            file = home / "etc/providers/bench.yaml"
            file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "concurrency": concurrency}))
        with process("tests.bench.daemon", str(home), *more) as child:
            yield read_port(child, r"listening at .*port=(\d+)"), child.pid


def slot(port: int, number: int) -> Target:
    return Target(port, f"/upload/bench/{number}/{KEY}")


async def latency(booth: Target, relay: Target, count: int) -> None:
    """One at a time, boothd and relay by turns, so that whatever else the machine does hits both."""
    print("one photo at a time, ms            boothd p50    p99      relay p50    p99      ratio p50   p99")
    for name, size in SIZES.items():
        jpeg = photo(size)
        ours: list[float] = []
        theirs: list[float] = []
        for number in range(-3, count if size < 5 << 20 else max(10, count // 4)):
            pair = [(booth, ours), (relay, theirs)]
            for target, times in pair if number % 2 else reversed(pair):
                took = await upload(target, unique(jpeg))
                if number >= 0:
                    times.append(took)
        a, b, c, d = percentile(ours, 0.5), percentile(ours, 0.99), percentile(theirs, 0.5), percentile(theirs, 0.99)
        print(f"  {name:<32} {a:8.1f} {b:8.1f}     {c:8.1f} {d:8.1f}     {a / c:8.2f} {b / d:6.2f}")


async def throughput(booth: Target, relay: Target, count: int) -> None:
    print("\nuploads of 1 MiB per second        boothd         relay        ratio")
    jpeg = photo(1 << 20)
    for parallel in (1, 20, 100):
        total = max(count, parallel * 2)
        ours = total / await many(booth, jpeg, parallel, total)
        theirs = total / await many(relay, jpeg, parallel, total)
        print(f"  {parallel:3d} parallel                   {ours:8.1f}       {theirs:8.1f}     {ours / theirs:8.2f}")


def post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as reply:
        reply.read()


def held(service_port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{service_port}/held") as reply:
        return int(reply.read())


def in_turns(port: int) -> int:
    """How many photos the daemon at `port` has at its provider or waiting for it."""
    state = (r'boothd_turns_waiting{provider="bench"}', r'boothd_turns_taken{provider="bench"}')
    return int(sum(metric(port, s) for s in state))


async def memory(service_port: int, pid: int, target: Target, waiting: Callable[[], int], count: int) -> float:
    """KiB of memory of process `pid` for each of `count` requests that wait at `target`."""
    jpeg, before = photo(20 << 10), resident(pid)
    tasks: list[asyncio.Future[float]] = []
    while len(tasks) < count:  # fifty at a time: what waits is measured, not what arrives
        tasks += [asyncio.ensure_future(upload(target, unique(jpeg))) for _ in range(50)]
        while await asyncio.to_thread(waiting) < len(tasks):
            await asyncio.sleep(0.01)
    each = (resident(pid) - before) / count / 1024
    while not all(task.done() for task in tasks):
        await asyncio.to_thread(post, f"http://127.0.0.1:{service_port}/release")
        await asyncio.sleep(0.05)
    await asyncio.gather(*tasks)
    return each


async def waiting(service_port: int, count: int, concurrency: int) -> float:
    """KiB of boothd's memory per waiting request."""
    with boothd(service_port, concurrency=concurrency) as (port, pid):
        await many(slot(port, 1), photo(20 << 10), 50, 200)
        return await memory(service_port, pid, slot(port, 2), lambda: in_turns(port), count)


async def waiting_at_relay(service_port: int, count: int) -> float:
    """KiB of the bare relay's memory per waiting request."""
    with process("tests.bench.relay", f"http://127.0.0.1:{service_port}/hold") as relay:
        target = Target(read_port(relay), "/")
        return await memory(service_port, relay.pid, target, lambda: held(service_port), count)


async def stall(service_port: int, *more: str) -> float:
    """The longest stall, in ms, while 20 photos of 5 MB come at once; the median of five tries."""
    jpeg = photo(5_000_000)
    with boothd(service_port, *more) as (port, _):
        await many(slot(port, 1), jpeg, 20, 20)
        found = []
        for _ in range(5):
            metric(port, "boothd_reactor_stall_seconds")
            await many(slot(port, 1), jpeg, 20, 20)
            found.append(metric(port, "boothd_reactor_stall_seconds") * 1000)
    return sorted(found)[2]


async def run(count: int) -> None:
    with process("tests.bench.service") as service:
        service_port = read_port(service)
        url = f"http://127.0.0.1:{service_port}/edit"
        with process("tests.bench.relay", url) as relay, boothd(service_port) as (port, _):
            relay_target = Target(read_port(relay), "/")
            await latency(slot(port, 1), relay_target, count)
            await throughput(slot(port, 1), relay_target, count)
        waiters = min(2000, count * 20)
        print(f"\nmemory per request, {waiters} waiting")
        print(f"  for a turn at the provider     {await waiting(service_port, waiters, 4):8.1f} KiB")
        print(f"  for the provider's answer      {await waiting(service_port, waiters, waiters):8.1f} KiB")
        print(f"  the same at the bare relay     {await waiting_at_relay(service_port, waiters):8.1f} KiB")
        print("\nlongest stall of the reactor, 20 uploads of 5 MB at once")
        ours, careless = await stall(service_port), await stall(service_port, "--no-fsync")
        print(f"  durable {ours:.1f} ms, without fsync {careless:.1f} ms, ratio {ours / careless:.2f}")
    await clouds.overhead(max(10, count // 3))
    await clouds.big_calls()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    print(f"{cores} cores, load {load:.2f}, Python {sys.version.split()[0]}")
    if load > cores:
        print("The machine is busy with something else: read the ratios, not the milliseconds.")
    began = time.perf_counter()
    asyncio.run(run(10 if arguments.quick else 100))
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
