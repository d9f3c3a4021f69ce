"""Child processes of the bench, and what is measured of them."""

import contextlib
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def process(*command: str) -> Iterator["subprocess.Popen[str]"]:
    """A child that ends with the block."""
    child = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(60)


def read_port(child: "subprocess.Popen[str]", pattern: str = r"(\d+)") -> int:
    """The port that a child prints; the rest of its output is then drained in the background."""
    assert child.stdout is not None
    for line in child.stdout:
        found = re.search(pattern, line)
        if found:
            subprocess.Popen(["cat"], stdin=child.stdout, stdout=subprocess.DEVNULL)
            return int(found[1])
    raise RuntimeError("the process ended before it listened")


def percentile(values: list[float], part: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def reset_peak(pid: int) -> None:
    """Let the process's highest memory count from now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The most bytes that a process has held since then."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def metric(port: int, pattern: str) -> float:
    """One of the daemon's metrics; 0 when it is not there."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        found = re.search(pattern + r" ([0-9.e+-]+)", reply.read().decode())
    return float(found[1]) if found else 0.0
