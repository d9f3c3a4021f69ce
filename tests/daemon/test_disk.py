"""A full disk and a broken one: what was accepted is kept, what cannot be kept is refused, the rest goes on."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boothd.base.errors import Charged
from tests.support.booth import get, photo, post
from tests.support.daemon import Daemon, make_home, wait_until
from tests.support.jobs import counted, directories, folded, incoming, job, sha256_of
from tests.support.scripted.fixture import scripted_server

PLAIN, HELD = 1, 2
SLOTS = {"scripted": {PLAIN: {"prompt": "ok"}, HELD: {"prompt": "hold size=300000"}}}
LARGE = 200_000
"""Bytes of a photo that does not fit into what a full disk may still have in a corner."""


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs in a mount namespace of its own; it goes when its holder goes. home: as the daemon sees it.

    inside: the same directory as the test sees it. prefix: what runs a program in there."""

    home: Path
    inside: Path
    prefix: tuple[str, ...]

    @property
    def filler(self) -> Path:
        return self.inside / "filler"

    def fill(self) -> None:
        """Until not one byte more fits."""
        with self.filler.open("ab", buffering=0) as file:
            piece = bytes(1 << 16)
            while piece:
                try:
                    file.write(piece)
                except OSError:
                    piece = piece[: len(piece) // 2]


@contextmanager
def small_disk(home: Path, size: str = "8m") -> Iterator[SmallDisk]:
    home.mkdir()
    root = os.geteuid() == 0
    command = 'mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec cat'
    with subprocess.Popen(
        ["unshare", "-m" if root else "-rm", "sh", "-c", command, "sh", size, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        said = holder.stdout.readline()
        assert said == "mounted\n", (
            f"This test needs a small tmpfs, and none can be mounted here ({said.strip()}). Run it as root with "
            "CAP_SYS_ADMIN (docker: --privileged), or allow unprivileged user namespaces."
        )
        others = () if root else ("-U", "--preserve-credentials")
        inside = Path(f"/proc/{holder.pid}/root{home}")
        yield SmallDisk(home, inside, ("nsenter", "-t", str(holder.pid), "-m", *others))


def test_a_full_disk_loses_nothing_and_goes_on_by_itself(tmp_path: Path) -> None:
    with (
        scripted_server(tmp_path / "charges.jsonl") as server,
        small_disk(tmp_path / "home") as disk,
        ThreadPoolExecutor(1) as pool,
    ):
        make_home(disk.inside, SLOTS, {"scripted": {"url": server.url}})
        plain, held = Daemon.path("scripted", PLAIN), Daemon.path("scripted", HELD)
        with Daemon(disk.home, prefix=disk.prefix) as daemon:
            daemon.start()
            port = daemon.port
            first = post(port, plain, photo(1))
            assert first.status == 200
            under_way = pool.submit(post, port, held, photo(2))
            server.calls(at_least=2)
            disk.fill()

            refused = post(port, plain, photo(3, LARGE))
            assert (refused.status, refused.code) == (507, "disk-full")
            wait_until(lambda: not incoming(disk.inside), "nothing of it is left")
            assert get(port, "/livez").status == 200
            status = get(port, "/")
            assert (status.status, first.job in status.body.decode()) == (200, False)
            assert get(port, "/metrics").status == 200

            # Its answer comes, and there is no room for it: the photo is kept, and the charge is told.
            server.release()
            unkept = under_way.result()
            assert (unkept.status, unkept.code) == (507, "disk-full")
            assert post(port, plain, photo(4, LARGE)).code == "disk-full"
            assert post(port, plain, photo(3, LARGE)).code == "disk-full"
            assert len(directories(disk.inside)) == 2
            assert get(port, "/").status == 200

            disk.filler.unlink()
            wait_until(lambda: post(port, plain, photo(3, LARGE)).status == 200, "photos are taken again")
            again = post(port, plain, photo(1))
            assert (again.status, again.headers.get("x-boothd-cached")) == (200, "yes")
            assert again.body == first.body
            daemon.stop()

        kept = job(disk.inside, first.job)
        assert (kept.state, kept.source_sha256) == ("done", sha256_of(photo(1)))
        assert kept.result_sha256 == sha256_of(first.body)
        lost = job(disk.inside, unkept.job)
        assert (lost.state, lost.source_sha256) == ("trash", sha256_of(photo(2)))
        assert [server.charges(sha256_of(photo(n, s))) for n, s in ((1, 0), (2, 0), (3, LARGE), (4, LARGE))] == [
            1,
            1,
            1,
            0,
        ]
        print(*lost.entries, sep="\n")
        if lost.finished is not None:  # there may have been room for a line; else the page says that the disk was full
            assert (lost.finished.code, lost.finished.charged is Charged.NO) == ("disk-full", False)
        assert counted(disk.inside) == folded(disk.inside)


def test_below_the_floor_only_new_photos_are_refused(tmp_path: Path) -> None:
    with (
        scripted_server(tmp_path / "charges.jsonl") as server,
        small_disk(tmp_path / "home") as disk,
        ThreadPoolExecutor(1) as pool,
    ):
        make_home(disk.inside, SLOTS, {"scripted": {"url": server.url}}, spool={"floor": "4M"})
        plain = Daemon.path("scripted", PLAIN)
        with Daemon(disk.home, prefix=disk.prefix) as daemon:
            daemon.start()
            under_way = pool.submit(post, daemon.port, Daemon.path("scripted", HELD), photo(1))
            server.calls(at_least=1)
            disk.filler.write_bytes(bytes(5 << 20))
            numbers = iter(range(2, 100_000))
            wait_until(lambda: post(daemon.port, plain, photo(next(numbers))).code == "disk-full", "photos are refused")
            charges = len(server.ledger)
            refused = post(daemon.port, plain, photo(next(numbers)))
            assert (refused.status, refused.code) == (507, "disk-full")
            assert len(server.ledger) == charges
            assert get(daemon.port, "/").status == 200
            server.release()
            assert under_way.result().status == 200, "what was accepted goes on"
            disk.filler.unlink()
            wait_until(lambda: post(daemon.port, plain, photo(next(numbers))).status == 200, "photos are taken again")
            daemon.stop()
        assert counted(disk.inside) == folded(disk.inside)


@contextmanager
def failing_fsync(pid: int) -> Iterator[None]:
    """From now on every fsync and fdatasync of the process says EIO."""
    calls = "fsync,fdatasync"
    command = [
        "strace",
        "-f",
        "-p",
        str(pid),
        "-o",
        "/dev/null",
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={calls}:error=EIO",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = strace.stderr.readline()
        assert "attached" in said, f"This test needs strace to attach to its own daemon (ptrace): {said.strip()}"
        try:
            yield
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait()


def test_a_failed_fsync_is_not_tried_again(tmp_path: Path) -> None:
    with scripted_server(tmp_path / "charges.jsonl") as server, ThreadPoolExecutor(1) as pool:
        home = make_home(tmp_path / "home", SLOTS, {"scripted": {"url": server.url}})
        plain = Daemon.path("scripted", PLAIN)
        with Daemon(home) as daemon:
            daemon.start()
            port = daemon.port
            first = post(port, plain, photo(1))
            assert first.status == 200
            assert get(port, "/readyz").status == 200
            under_way = pool.submit(post, port, Daemon.path("scripted", HELD), photo(2))
            server.calls(at_least=2)
            with failing_fsync(daemon.pid):
                refused = post(port, plain, photo(3))
                assert (refused.status, refused.code) == (503, "spool-unhealthy")
                wait_until(lambda: not incoming(home), "nothing of it is left")
                ready = get(port, "/readyz")
                assert (ready.status, "unhealthy" in ready.body.decode()) == (503, True)
                server.release()
                unkept = under_way.result()
                assert (unkept.status, unkept.code) == (503, "spool-unhealthy")

            # The disk works again; what it lost meanwhile nobody knows, so only a restart helps.
            assert post(port, plain, photo(3)).code == "spool-unhealthy"
            assert get(port, "/readyz").status == 503
            assert get(port, "/livez").status == 200
            assert get(port, "/").status == 200
            assert len(server.calls()) == 2
            daemon.stop()

            daemon.start()
            assert get(daemon.port, "/readyz").status == 200
            assert post(daemon.port, plain, photo(3)).status == 200
            again = post(daemon.port, plain, photo(1))
            assert (again.headers.get("x-boothd-cached"), again.body) == ("yes", first.body)
            wait_until(lambda: not list((home / "spool/active").iterdir()), "active is empty")
            daemon.stop()
        lost = job(home, unkept.job)
        assert lost.source_sha256 == sha256_of(photo(2))
        assert lost.finished is not None
        assert lost.finished.reason or lost.finished.code == "ok"
        assert lost.state == "done" or lost.finished.charged is not Charged.NO
        assert counted(home) == folded(home)
