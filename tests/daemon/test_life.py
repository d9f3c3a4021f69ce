"""The daemon's life: every way to start it, how it ends, and how it takes changes meanwhile."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.booth import Answer, Broken, Upload, get, photo, post
from tests.support.daemon import PASSWORD, Daemon, key, make_home, wait_until
from tests.support.jobs import directories, jobs
from tests.support.runs import BIN, FIELDS, Curled, Twist, Twistd, Up, curl, send
from tests.support.scripted.fixture import ScriptedServer, environment, scripted
from tests.support.scripted.pictures import whose

__all__ = ["scripted"]  # a fixture


def studio(path: Path, **daemon: Any) -> Path:
    """A home with one slot of the built-in provider."""
    return make_home(path, {"studio": {1: {"prompt": "pencil"}}}, **daemon)


def sent(daemon: Daemon, folder: Path, port: int | None = None) -> Curled:
    """One upload by real curl, as the program sends it."""
    picture = folder / "guest.jpg"
    picture.write_bytes(photo(1))
    return send(folder, f"http://127.0.0.1:{port or daemon.port}{daemon.path('studio', 1)}", picture)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# --- coming up ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Daemon, Up])
def test_it_comes_up_answers_a_booth_and_ends_well(kind: type[Daemon], tmp_path: Path) -> None:
    with kind(studio(tmp_path / "home")) as daemon:
        daemon.start()
        answer = sent(daemon, tmp_path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.body.startswith(b"\xff\xd8\xff")
        assert daemon.stop() == 0


def test_twist_brings_it_up_without_further_flags(tmp_path: Path) -> None:
    with Twist(studio(tmp_path / "home")) as daemon:
        daemon.launch()
        port = int(re.findall(r"Site starting on (\d+)", daemon.wait_for_log("Site starting on"))[0])
        assert sent(daemon, tmp_path, port).status == 200
        assert daemon.stop() == 0


def test_twistd_brings_it_up_in_the_background(tmp_path: Path) -> None:
    home, pidfile, log = studio(tmp_path / "home"), tmp_path / "boothd.pid", tmp_path / "boothd.log"
    command = [str(BIN / "twistd"), "--pidfile", str(pidfile), "--logfile", str(log), "boothd", "--home", str(home)]
    started = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    wait_until(lambda: log.exists() and "listening at" in log.read_text(), "the daemon listens")
    pid = int(pidfile.read_text())
    try:
        (port,) = re.findall(r"port=(\d+)", log.read_text())
        assert sent(Daemon(home), tmp_path, int(port)).status == 200
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not pidfile.exists(), "the daemon has ended")
    finally:
        if pidfile.exists():
            os.kill(pid, signal.SIGKILL)
    assert "Server Shut Down." in log.read_text()
    assert "Traceback" not in log.read_text()


def test_another_reactor_is_refused_in_one_line(tmp_path: Path) -> None:
    with Twistd(studio(tmp_path / "home")) as daemon:
        daemon.launch()
        assert daemon.wait() == 78
        assert daemon.log.strip() == (
            "boothd cannot start: boothd runs on the asyncio reactor; leave out --reactor, or give --reactor=asyncio"
        )


@pytest.mark.parametrize("kind", [Daemon, Up])
@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("etc/boothd.yaml", "budget: {total: soon}\n", "budget.total: 'soon' is not a time"),
        ("etc/slots/studio.yaml", "slots: {1: {key: short, effect: style}}\n", "slots.1.key: "),
        ("etc/secrets.yaml", "operators: [\n", "is not YAML"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_said_in_one_line(
    kind: type[Daemon], file: str, text: str, said: str, tmp_path: Path
) -> None:
    home = studio(tmp_path / "home")
    (home / file).write_text(text)
    with kind(home) as daemon:
        daemon.launch()
        assert daemon.wait() == 78
        (line,) = daemon.log.strip().splitlines()
        assert f"{home / file}: " in line
        assert said in line


@pytest.mark.parametrize("kind", [Daemon, Up])
def test_a_second_daemon_on_the_same_home_says_so_and_ends(kind: type[Daemon], tmp_path: Path) -> None:
    home = studio(tmp_path / "home")
    with Daemon(home) as first, kind(home) as second:
        first.start()
        second.launch()
        assert second.wait() == 1
        assert f"cannot start: another boothd works on {home / 'spool'}" in second.log
        assert sent(first, tmp_path).status == 200


@pytest.mark.parametrize("kind", [Daemon, Up])
def test_a_port_in_use_is_said_and_ends_it(kind: type[Daemon], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with kind(studio(tmp_path / "home", listen=f"tcp:{port}:interface=127.0.0.1")) as daemon:
            daemon.launch()
            assert daemon.wait() == 1
            assert "boothd cannot start: " in daemon.log
            assert str(port) in daemon.log


def test_a_stop_in_the_middle_of_the_start_ends_well(tmp_path: Path) -> None:
    with Up(studio(tmp_path / "home")) as daemon:
        daemon.launch()
        daemon.wait_for_log("recent results are known")
        assert daemon.stop() == 0


# --- the end -----------------------------------------------------------------------------------------------------------------


def slow_home(path: Path, server: ScriptedServer, **slot: object) -> Path:
    return make_home(path, {"scripted": {1: {"prompt": "hold", **slot}}}, {"scripted": {"url": server.url}})


@pytest.mark.parametrize("kind", [Daemon, Up])
def test_sigterm_lets_what_is_in_flight_end(kind: type[Daemon], tmp_path: Path, scripted: ScriptedServer) -> None:
    with kind(slow_home(tmp_path / "home", scripted)) as daemon, ThreadPoolExecutor() as booths:
        daemon.start()
        port = daemon.port
        with socket.create_connection(("127.0.0.1", port)) as kept:
            kept.settimeout(30)
            answer = booths.submit(post, port, daemon.path("scripted", 1), photo(1))
            scripted.wait_until_open(working=1)
            kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n")  # begun before, complete after
            get(port, "/livez")
            daemon.send(signal.SIGTERM)
            wait_until(lambda: not _listens(port), "it accepts nothing more")
            kept.sendall(b"\r\n")
            said = _read_all(kept)
            assert b" 503 " in said.split(b"\r\n")[0]
            assert b"shutting down" in said
            assert b"Connection: close" in said
        scripted.release()
        assert answer.result().status == 200
        assert daemon.wait() == 0
        (job,) = jobs(daemon.home)
        assert job.state == "done"


def test_an_upload_that_begins_while_it_drains_is_told_so(tmp_path: Path, scripted: ScriptedServer) -> None:
    with Daemon(slow_home(tmp_path / "home", scripted)) as daemon, ThreadPoolExecutor() as booths:
        daemon.start()
        port, path = daemon.port, daemon.path("scripted", 1)
        answer = booths.submit(post, port, path, photo(1))
        scripted.wait_until_open(working=1)
        with socket.create_connection(("127.0.0.1", port)) as late:
            late.settimeout(30)
            late.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n".encode())
            get(port, "/livez")
            daemon.send(signal.SIGTERM)
            wait_until(lambda: not _listens(port), "it accepts nothing more")
            late.sendall(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n")
            assert b'"draining"' in _read_all(late)
        scripted.release()
        assert answer.result().status == 200
        assert daemon.wait() == 0


def test_two_sigterms_are_one(tmp_path: Path, scripted: ScriptedServer) -> None:
    with Daemon(slow_home(tmp_path / "home", scripted)) as daemon, ThreadPoolExecutor() as booths:
        daemon.start()
        port = daemon.port
        answer = booths.submit(post, port, daemon.path("scripted", 1), photo(1))
        scripted.wait_until_open(working=1)
        daemon.send(signal.SIGTERM)
        wait_until(lambda: not _listens(port), "it accepts nothing more")
        daemon.send(signal.SIGTERM)
        scripted.release()
        assert answer.result().status == 200
        assert daemon.wait() == 0
        assert "Traceback" not in daemon.log


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def _read_all(connection: socket.socket) -> bytes:
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


# --- changes -------------------------------------------------------------------------------------------------------------


def status_page(daemon: Daemon) -> str:
    return get(daemon.port, "/").body.decode()


def test_an_edit_is_in_force_on_the_next_photo(tmp_path: Path, scripted: ScriptedServer) -> None:
    home = make_home(tmp_path / "home", {"scripted": {1: {"prompt": "ok one"}}}, {"scripted": {"url": scripted.url}})
    with Daemon(home) as daemon:
        daemon.start()
        assert post(daemon.port, daemon.path("scripted", 1), photo(1)).status == 200
        file = home / "etc/slots/scripted.yaml"
        file.write_text(file.read_text().replace("ok one", "ok two"))
        daemon.wait_for_log("applies to the next photo")
        assert post(daemon.port, daemon.path("scripted", 1), photo(1)).status == 200
        assert [call["prompt"] for call in scripted.calls()] == ["ok one", "ok two"]
        file.write_text("slots: {1: {effect: magic}}")
        daemon.wait_for_log("configuration not taken")
        assert f"{file}: slots.1.key: " in status_page(daemon)
        assert post(daemon.port, daemon.path("scripted", 1), photo(2)).status == 200
        file.write_text(yaml.safe_dump({"slots": {2: {"key": key("scripted", 2), "effect": "style", "prompt": "ok"}}}))
        wait_until(lambda: "scripted-2" in status_page(daemon), "the new slot is on the page")
        assert "not taken" not in status_page(daemon)
        assert post(daemon.port, daemon.path("scripted", 2), photo(3)).status == 200
        assert post(daemon.port, daemon.path("scripted", 1), photo(4)).code == "no-such-slot"


def _write_beside(file: Path, text: str) -> None:
    """As editors do it."""
    new = file.with_name(f".{file.name}.swp")
    new.write_text(text)
    new.replace(file)


def _replace_folder(file: Path, text: str) -> None:
    """As deployments do it."""
    folder, old = file.parent, file.parent.with_name("slots.old")
    folder.rename(old)
    new = folder.with_name("slots.new")
    new.mkdir()
    (new / file.name).write_text(text)
    new.rename(folder)


@pytest.mark.parametrize("write", [Path.write_text, _write_beside, _replace_folder])
def test_however_the_file_is_written(write: Callable[[Path, str], object], tmp_path: Path) -> None:
    home = studio(tmp_path / "home")
    with Daemon(home) as daemon:
        daemon.start()
        file = home / "etc/slots/studio.yaml"
        for name in ("one edit", "another edit"):
            assert name not in status_page(daemon)
            write(file, file.read_text().replace("effect:", f"name: {name}\n    effect:", 1))
            wait_until(partial(_shows, daemon, name), "the edit is on the page")
            _forget_old(home)
            file.write_text(re.sub(r" *name: .*\n", "", file.read_text()))
            wait_until(partial(_shows_not, daemon, name), "it is taken back")


def _shows(daemon: Daemon, text: str) -> bool:
    return text in status_page(daemon)


def _shows_not(daemon: Daemon, text: str) -> bool:
    return text not in status_page(daemon)


def _forget_old(home: Path) -> None:
    for left in home.glob("etc/slots.old/*"):
        left.unlink()
    if (home / "etc/slots.old").is_dir():
        (home / "etc/slots.old").rmdir()


def test_the_first_slot_of_a_home_without_any_works_as_soon_as_it_is_saved(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {})
    (home / "etc/slots").rmdir()
    with Daemon(home) as daemon:
        daemon.start()
        assert "No slot is set up" in status_page(daemon)
        (home / "etc/slots").mkdir()
        slot = {"key": key("studio", 1), "effect": "style", "prompt": "pencil"}
        (home / "etc/slots/studio.yaml").write_text(yaml.safe_dump({"slots": {1: slot}}))
        daemon.wait_for_log("applies to the next photo")
        wait_until(lambda: "studio-1" in status_page(daemon), "the slot is on the page")
        assert sent(daemon, tmp_path).status == 200


def test_a_new_upload_password_closes_the_old_ones_door(tmp_path: Path) -> None:
    home = studio(tmp_path / "home")
    with Daemon(home) as daemon:
        daemon.start()
        file = home / "etc/secrets.yaml"
        file.write_text(file.read_text().replace(PASSWORD, "another-password"))
        daemon.wait_for_log("applies to the next photo")
        assert sent(daemon, tmp_path).error == "wrong-password"


# --- the log -----------------------------------------------------------------------------------------------------------------


def test_the_log_holds_no_key_no_password_and_no_form_values(tmp_path: Path, scripted: ScriptedServer) -> None:
    slots = {1: {"prompt": "ok"}, 2: {"prompt": "ok cost=not-a-number"}, 3: {"prompt": "status=422"}}
    home = make_home(
        tmp_path / "home",
        {"scripted": slots},
        {"scripted": {"url": scripted.url}},
        log={"level": "debug", "file": "log/boothd.log", "rotate_size": "500", "keep": 100},
    )
    with Daemon(home) as daemon:
        daemon.start()
        picture = tmp_path / "guest.jpg"
        picture.write_bytes(photo(1))
        broken = send(tmp_path, daemon.link("scripted", 2), picture)
        traceback = "".join(f.read_text() for f in (home / "log").iterdir()) + daemon.log
        for number in (1, 3):
            send(tmp_path, daemon.link("scripted", number), picture)
        send(tmp_path, daemon.link("scripted", 1), picture, password="wrong-password-of-a-test")
        send(tmp_path, daemon.link("scripted", 1) + "typo", picture)
        post(daemon.port, daemon.path("scripted", 1) + "?session=42-of-a-test", photo(2))
        curl(tmp_path, f"http://127.0.0.1:{daemon.port}/", "-u", "op:wrong-operator-of-a-test")
        status_page(daemon)
        assert daemon.stop() == 0
        files = sorted((home / "log").iterdir())
        assert len(files) > 3
        assert all(file.stat().st_mode & 0o077 == 0 for file in files)
        text = "".join(file.read_text() for file in files) + daemon.log
    assert broken.status == 502
    job = str(broken.said["job"])
    assert re.search(rf"critical +{job}: scripted failed in an unforeseen way\nTraceback", traceback) or re.search(
        rf"{job}: scripted failed in an unforeseen way.*\n.*Traceback", traceback
    )
    assert "booth.upload 200" in text
    secret = [key("scripted", n) for n in slots] + [PASSWORD, "open sesame", "-of-a-test", "wrong-password"]
    personal = [FIELDS["user_id"], FIELDS["name"], FIELDS["hash"], FIELDS["profile"], "IMG_0003", "session=42"]
    wrong_code = text.replace("wrong-password ", "")
    for word in [*secret, *personal]:
        assert word not in wrong_code, word


def test_the_level_says_what_is_written(tmp_path: Path) -> None:
    port = free_port()
    log = {"level": "warn", "file": "boothd.log"}
    home = studio(tmp_path / "home", log=log, listen=f"tcp:{port}:interface=127.0.0.1")
    with Up(home) as daemon:
        daemon.launch()
        wait_until(lambda: _listens(port), "it listens")
        (home / "etc/slots/studio.yaml").write_text("slots: 7")
        wait_until(lambda: "configuration not taken" in (home / "boothd.log").read_text(), "a bad edit is in the log")
        assert daemon.stop() == 0
        lines = (home / "boothd.log").read_text().splitlines()
    assert lines
    assert all(re.match(r"\S+ \S+ (warn|error|critical) ", line) for line in lines)
    assert daemon.log == ""


# --- many at once ----------------------------------------------------------------------------------------------------------


def test_two_hundred_uploads_wait_at_once_and_all_are_answered(tmp_path: Path, scripted: ScriptedServer) -> None:
    count = 200
    home = make_home(
        tmp_path / "home",
        {"scripted": {1: {"prompt": "hold one"}}},
        {"scripted": {"url": scripted.url, "concurrency": 500}},
        budget={"total": "10m"},
    )
    with Daemon(home) as daemon, ThreadPoolExecutor(count) as booths:
        daemon.start()
        port, path = daemon.port, daemon.path("scripted", 1)
        answers = [booths.submit(post, port, path, photo(number)) for number in range(count)]
        scripted.wait_until_open(working=count)
        assert get(port, "/livez").status == 200
        scripted.release()
        assert [answer.result().status for answer in answers] == [200] * count
        assert len({whose(answer.result().body) for answer in answers}) == count
        assert len(scripted.ledger) == count
        assert not [job for job in jobs(home) if job.state != "done"]
        assert daemon.stop() == 0


def test_a_busy_slot_does_not_keep_another_ones_photo(tmp_path: Path, scripted: ScriptedServer) -> None:
    home = make_home(
        tmp_path / "home",
        {"scripted": {1: {"prompt": "hold busy"}, 2: {"prompt": "ok quiet"}}},
        {"scripted": {"url": scripted.url, "concurrency": 1}},
        budget={"total": "10m"},
    )
    with Daemon(home) as daemon, ThreadPoolExecutor(32) as booths:
        daemon.start()
        port = daemon.port
        busy = [booths.submit(post, port, daemon.path("scripted", 1), photo(number)) for number in range(20)]
        wait_until(lambda: _waiting(port) == 19, "nineteen wait")
        quiet = booths.submit(post, port, daemon.path("scripted", 2), photo(100))
        wait_until(lambda: _waiting(port) == 20, "the other slot's photo waits too")
        scripted.release()
        assert quiet.result().status == 200
        assert [answer.result().status for answer in busy] == [200] * 20
        order = [str(call["prompt"]) for call in scripted.calls()]
        assert order.index("ok quiet") <= 2


def _waiting(port: int) -> int:
    text = get(port, "/metrics").body.decode()
    return int(float(re.findall(r'boothd_turns_waiting\{provider="scripted"\} (\S+)', text)[0]))


# --- never late --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prompt", "state"), [("hang", "trash"), ("delay=600", "trash")])
def test_a_service_that_hangs_is_told_to_the_booth_in_time(
    prompt: str, state: str, tmp_path: Path, scripted: ScriptedServer
) -> None:
    home = make_home(
        tmp_path / "home",
        {"scripted": {1: {"prompt": prompt}}},
        {"scripted": {"url": scripted.url, "late_s": 0.5}},
        budget={"total": "3s", "reserve": "1s"},
    )
    with Daemon(home) as daemon:
        daemon.start()
        answer = _post_with_limit(daemon, 3.0)
        assert (answer.status, answer.code) == (504, "out-of-time")
        scripted.wait_until_open(working=0)  # the service sees that nobody listens any more
        wait_until(lambda: list(directories(home).values()) == [state], f"the job lies in {state}")
        (job,) = jobs(home)
        assert job.directory.name == answer.job
        assert job.entries[-1].kind == "finished"


def _post_with_limit(daemon: Daemon, limit_s: float) -> Answer:
    """As the booth's own timeout: an answer that comes after it is none."""
    with Upload(daemon.port, daemon.path("scripted", 1), photo(1)) as upload:
        upload._socket.settimeout(limit_s)
        upload.send_rest()
        try:
            return upload.answer()
        except Broken as late:
            raise AssertionError("the booth had given up by then") from late
