"""`boothd check`: one line for each thing that would not work."""

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from boothd.config import Home
from tests.cli.support import a_home, boothd, change, change_slot


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return a_home(tmp_path / "home")


def check(home: Home) -> list[str]:
    """The lines; their number and the exit status agree."""
    said = boothd("check", "--home", home.path)
    lines = said.out.splitlines()
    assert said.err == ""
    assert said.status == (0 if lines == [f"all is well with {home.path}"] else 1)
    return lines


def only(lines: list[str]) -> str:
    (line,) = lines
    return line


def write(name: str, text: str) -> Callable[[Home], None]:
    def break_it(home: Home) -> None:
        (home.path / name).parent.mkdir(exist_ok=True)
        (home.path / name).write_text(text)

    return break_it


def config(**keys: object) -> Callable[[Home], None]:
    return lambda home: change(home.config_file, **keys)


def slot(**keys: object) -> Callable[[Home], None]:
    return lambda home: change_slot(home, 1, **keys)


def broken_picture(home: Home) -> None:
    write("library/references/broken.jpg", "no picture")(home)
    change_slot(home, 1, references=["broken.jpg"])


BROKEN: list[tuple[Callable[[Home], None], str, str]] = [
    (lambda h: h.spool.rmdir(), "spool", "is not there; make it with: mkdir -m 700 -p"),
    (lambda h: h.trash.rmdir(), "trash", "is not there"),
    (lambda h: h.secrets_file.chmod(0o640), "etc/secrets.yaml", "others may read it (mode 0640); run: chmod 600"),
    (write("etc/boothd.yaml", "listen: [\n"), "etc/boothd.yaml", "is not YAML"),
    (write("etc/boothd.yaml", "lisen: tcp:0\n"), "etc/boothd.yaml", "lisen: is not a known key"),
    (config(budget={"total": "soon"}), "etc/boothd.yaml", "budget.total: 'soon' is not a time"),
    (config(budget={"reserve": "48s"}), "etc/boothd.yaml", "budget.reserve: must be less than budget.total"),
    (config(public_url="booth.example.com"), "etc/boothd.yaml", "public_url:"),
    (config(public_url="http://booth:port"), "etc/boothd.yaml", "public_url: 'http://booth:port' is not an address"),
    (config(listen="tcp:http!"), "etc/boothd.yaml", "listen: 'tcp:http!' is not an endpoint"),
    (config(listen="8000"), "etc/boothd.yaml", "listen: '8000' is not an endpoint"),
    (config(listen="tcp:0:interface=192.0.2.77"), "etc/boothd.yaml", "this machine has no address 192.0.2.77"),
    (
        config(listen="ssl:0:privateKey=/none.pem"),
        "etc/boothd.yaml",
        "listen: 'ssl:0:privateKey=/none.pem' cannot be used (/none.pem: No such",
    ),
    (config(spool={"floor": "900T"}), "spool", "GB are free; below spool.floor"),
    (config(log={"file": "nowhere/boothd.log"}), "etc/boothd.yaml", "log.file:"),
    (lambda h: change(h.secrets_file, operators=None), "etc/secrets.yaml", "nobody can log in; run: boothd passwd"),
    (
        lambda h: change(h.secrets_file, operators={"anna": "secret"}),
        "etc/secrets.yaml",
        "operators.anna: is not an argon2",
    ),
    (lambda h: change(h.secrets_file, upload_password=None), "etc/secrets.yaml", "upload_password: is empty"),
    (lambda h: change(h.secrets_file, password="x"), "etc/secrets.yaml", "password: is not a known key"),
    (write("etc/providers/studio.yaml", "concurrency: 0\n"), "etc/providers/studio.yaml", "concurrency:"),
    (write("etc/providers/studoi.yaml", ""), "etc/providers/studoi.yaml", "no provider is called “studoi”"),
    (write("etc/slots/gemmini.yaml", ""), "etc/slots/gemmini.yaml", "no provider is called “gemmini”"),
    (slot(effect="magic"), "etc/slots/studio.yaml", "slots.1.effect: studio has no effect “magic”"),
    (slot(key="short"), "etc/slots/studio.yaml", "slots.1.key:"),
    (slot(references=[]), "etc/slots/studio.yaml", "slots.1.references: the effect “background” needs a reference"),
    (write("etc/slots/studio.yaml", "slots: {}\n"), "etc/slots", "no slot is enabled"),
    (broken_picture, "etc/slots/studio.yaml", "is not a picture"),
]


@pytest.mark.parametrize(("break_it", "where", "reason"), BROKEN, ids=[reason for _, _, reason in BROKEN])
def test_each_broken_thing_has_one_line(home: Home, break_it: Callable[[Home], None], where: str, reason: str) -> None:
    break_it(home)
    line = only(check(home))
    assert line.startswith(f"{home.path / where}: ")
    assert reason in line


def test_many_broken_things_have_a_line_each(home: Home) -> None:
    home.secrets_file.chmod(0o644)
    change(home.secrets_file, upload_password=None)
    (home.library / "references" / "evening.jpg").unlink()
    change(home.config_file, public_url="http://booth:port", listen="tcp:0:interface=192.0.2.77")
    assert len(check(home)) == 5


def test_a_missing_reference_picture_is_named(home: Home) -> None:
    picture = home.library / "references" / "evening.jpg"
    picture.unlink()
    assert only(check(home)).endswith(f"slots.1.references.0: {picture} cannot be read (No such file or directory)")


def test_a_secret_is_never_shown(home: Home) -> None:
    change(home.secrets_file, keys={"studio": {"hidden": "sesame"}}, upload_password=["letmein"])
    assert not any("sesame" in line or "letmein" in line for line in check(home))


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A folder of another file system than the temporary one: shared memory, or /proc, which nothing can be moved to."""
    memory = Path("/dev/shm")
    if memory.is_dir() and memory.stat().st_dev != Path(tempfile.gettempdir()).stat().st_dev:
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            yield Path(folder)
    else:
        yield Path("/proc")


def test_spool_and_trash_lie_on_one_file_system(home: Home) -> None:
    home.trash.rmdir()
    with elsewhere() as folder:
        home.trash.symlink_to(folder)
        line = only(check(home))
    assert line.startswith(f"{home.trash}: a job cannot be moved there from {home.spool} (Invalid cross-device link)")


def test_a_check_leaves_nothing_behind(home: Home) -> None:
    before = sorted(home.path.rglob("*"))
    check(home)
    assert sorted(home.path.rglob("*")) == before


def test_folders_that_may_not_be_written_are_said(home: Home) -> None:
    if os.geteuid() == 0:  # root may write everywhere but into what is no folder
        shutil.rmtree(home.trash)
        home.trash.write_text("")
        assert "is not there" in only(check(home))
    else:
        home.trash.chmod(0o500)
        assert "cannot be read and written by this user" in only(check(home))


# --- the port --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(answer: bytes) -> Iterator[int]:
    """A web server on the loopback interface that says `answer` to everything; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_port_in_use_by_another_program_is_said(home: Home) -> None:
    with serving(b"It works!") as port:
        change(home.config_file, listen=f"tcp:{port}:interface=127.0.0.1")
        assert only(check(home)).endswith(f"listen: port {port} is in use by another program")


def test_a_port_where_nobody_speaks_http_is_in_use_too(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        change(home.config_file, listen=f"tcp:{port}:interface=127.0.0.1")
        assert "in use by another program" in only(check(home))
        thread.join()


def test_a_port_in_use_by_this_homes_own_boothd_is_well(home: Home) -> None:
    with serving(b"alive\n") as port, (home.spool / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        change(home.config_file, listen=f"tcp:{port}:interface=127.0.0.1")
        assert only(check(home)).startswith("all is well")


@pytest.mark.parametrize("ran_before", [False, True])
def test_a_port_in_use_by_the_boothd_of_another_home_is_said(home: Home, ran_before: bool) -> None:
    if ran_before:
        (home.spool / ".lock").touch()
    with serving(b"alive\n") as port:
        change(home.config_file, listen=f"tcp:{port}:interface=127.0.0.1")
        assert only(check(home)) == (
            f"{home.config_file}: listen: port {port} is in use by another boothd (a demo?); "
            "stop it, or choose another port in listen"
        )


def test_an_endpoint_of_systemd_is_not_judged_outside_of_it(home: Home) -> None:
    change(home.config_file, listen="systemd:domain=INET:index=0")
    assert only(check(home)).startswith("all is well")
