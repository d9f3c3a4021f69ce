"""`boothd demo`: a guest's photo through the real daemon, in a home that is thrown away."""

import argparse
import signal
import tempfile
from pathlib import Path
from types import FrameType

from boothd.cli.daemon import Daemon
from boothd.cli.failed import Failed
from boothd.cli.init import NewHome, make_home
from boothd.cli.link import upload_path_of
from boothd.cli.port import free_port
from boothd.cli.progress import Progress
from boothd.cli.send import send_to_file
from boothd.sandbox.send import Answered

PORT = 8000
_STAGES = (("receive", "receiving"), ("wait", "waiting"), ("work", "working"), ("encode", "encoding"))
_CONFIG = """
spool:
  floor: 64M  # a demo is small
"""


def run(args: argparse.Namespace) -> int:
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="boothd-demo-") as folder:
            _demo(Path(folder), args.out, args.port, once=args.once)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _demo(folder: Path, out: Path, wanted: int | None, *, once: bool) -> None:
    from boothd.sandbox.guest import write_guest

    before = out / "before.jpg"
    try:
        out.mkdir(parents=True, exist_ok=True)
        port = free_port(PORT) if wanted is None else wanted
        with Progress("composing a guest before a green screen"):
            write_guest(before)
    except OSError as error:
        raise Failed(f"{error.filename or out}: {error.strerror}") from None
    with Progress("making a home"):
        made = make_home(folder / "home")
        with made.home.config_file.open("a", encoding="utf-8") as file:
            file.write(_CONFIG)
    daemon: Daemon | None = None
    try:
        with Progress(f"starting the daemon at port {port}"):
            daemon = Daemon(made.home.path, port, folder / "daemon.log")
            daemon.wait_until_ready()
        _send(daemon, made, port, before, out / "after.jpg")
        if not once:
            _stay(daemon, made, port)
    finally:
        if daemon is not None:
            daemon.stop()


def _send(daemon: Daemon, made: NewHome, port: int, before: Path, after: Path) -> None:
    link = f"http://127.0.0.1:{port}{upload_path_of(made.home, 'studio', 1)}"
    try:
        with Progress("sending it as DSLR Remote Pro does"):
            answered, _ = send_to_file(before, link, made.upload_password, after)
    except Failed as error:
        raise daemon.failed(str(error)) from None
    _report(answered, before, after)


def _report(answered: Answered, before: Path, after: Path) -> None:
    stages = dict(answered.stages)
    print(f"\n  before   {before}\n  after    {after}\n")
    for stage, word in _STAGES:
        if stage in stages:
            print(f"  {word:<10} {stages[stage]:8.0f} ms")
    print(f"  {'in all':<10} {answered.took_s * 1000:8.0f} ms, from connecting to the last byte", flush=True)


def _stay(daemon: Daemon, made: NewHome, port: int) -> None:
    print(f"\n  page     http://localhost:{port}/")
    print(f"  login    {made.operator}, password {made.operator_password}")
    print("\nCtrl-C ends the demo.", flush=True)
    try:
        status = daemon.wait()
    except KeyboardInterrupt:
        print("\nThe demo is over; its home is removed, the pictures stay.", flush=True)
        return
    raise daemon.failed(f"the daemon ended with status {status}")
