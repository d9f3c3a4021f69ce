"""Every way in which an upload can be wrong, by real curl against a real daemon; and on which threads the work is done."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from PIL import Image

from tests.support.booth import BOUNDARY, photo, post
from tests.support.daemon import PASSWORD, Daemon, key, make_home, wait_until
from tests.support.jobs import directories, incoming, jobs
from tests.support.runs import Curled, curl, send
from tests.support.scripted.fixture import ROOT, ScriptedServer, scripted_server

MAX_SIZE = 200_000
SLOTS: dict[int, dict[str, object]] = {
    1: {"prompt": "ok"},
    2: {"prompt": "status=422"},
    3: {"prompt": "status=400"},
    4: {"prompt": "hang"},
    5: {"prompt": "ok", "enabled": False},
    6: {"prompt": "html"},
    7: {"prompt": "status=503", "on_failure": ["original"]},
}


@dataclass
class Place:
    """A daemon with the scripted service behind it."""

    daemon: Daemon
    folder: Path
    picture: Path

    def send(
        self, slot: int, *more: str, link: str | None = None, picture: Path | None = None, **how: object
    ) -> Curled:
        url = link or self.daemon.link("scripted", slot)
        return send(self.folder, url, picture or self.picture, *more, **how)  # type: ignore[arg-type]

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    @property
    def left(self) -> list[Path]:
        """What lies in incoming/ and active/."""
        return [*incoming(self.daemon.home), *directories(self.daemon.home, "active")]

    def is_clean(self) -> bool:
        return not self.left


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedServer]:
    with scripted_server(tmp_path_factory.mktemp("scripted") / "ledger.jsonl") as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, server: ScriptedServer) -> Iterator[Daemon]:
    home = make_home(
        tmp_path_factory.mktemp("uploads") / "home",
        {"scripted": SLOTS},
        {"scripted": {"url": server.url, "late_s": 0, "breaker_failures": 1000}},
        budget={"total": "4s", "reserve": "1s"},
        upload={"max_size": MAX_SIZE, "max_pixels": 1_000_000, "max_time": "3s", "header_time": "2s"},
    )
    with Daemon(home) as daemon:
        daemon.start()
        yield daemon
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log


@pytest.fixture
def place(running: Daemon, tmp_path: Path) -> Iterator[Place]:
    """Whatever a test sends, nothing stays behind."""
    picture = tmp_path / "guest.jpg"
    picture.write_bytes(photo(int.from_bytes(os.urandom(3))))
    place = Place(running, tmp_path, picture)
    yield place
    wait_until(place.is_clean, f"nothing is left: {place.left}")


def refused(answer: Curled, status: int, code: str) -> None:
    """It is that error, in JSON, and says something to a person."""
    assert (answer.status, answer.error) == (status, code)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.said["message"].endswith((".", "?", "!"))


def test_the_programs_own_request_is_answered_with_the_picture(place: Place) -> None:
    answer = place.send(1, link=place.daemon.link("scripted", 1) + "?session=42")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-boothd-made-by"] == "scripted"
    assert int(answer.headers["content-length"]) == len(answer.body)
    found = {job.id: job for job in jobs(place.daemon.home)}[answer.headers["x-boothd-job"]]
    assert found.state == "done"
    assert ("user_id", "Acer-of-the-tests") in found.received.form
    assert "password" not in dict(found.received.form)


@pytest.mark.parametrize("wrong", ["key", "slot", "provider", "disabled"])
def test_a_wrong_link_is_404(place: Place, wrong: str) -> None:
    port = place.daemon.port
    links = {
        "key": f"/upload/scripted/1/{key('scripted', 2)}",
        "slot": f"/upload/scripted/19/{key('scripted', 1)}",
        "provider": f"/upload/nobody/1/{key('scripted', 1)}",
        "disabled": f"/upload/scripted/5/{key('scripted', 5)}",
    }
    refused(place.send(1, link=f"http://127.0.0.1:{port}{links[wrong]}"), 404, "no-such-slot")


@pytest.mark.parametrize("password", ["wrong", "", None])
def test_a_wrong_password_is_403(place: Place, password: str | None) -> None:
    refused(place.send(1, password=password), 403, "wrong-password")


def test_a_form_without_a_file_is_400(place: Place) -> None:
    answer = curl(place.folder, place.daemon.link("scripted", 1), "-F", f"password={PASSWORD}", "-F", "name=x")
    refused(answer, 400, "no-file")


def test_two_files_are_400(place: Place) -> None:
    refused(place.send(1, "-F", f"second=@{place.picture};type=image/jpeg"), 400, "two-files")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=xx", b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end'),
        ("multipart/form-data; boundary=xx", b"this is no form"),
        ("multipart/form-data", b"--xx--\r\n"),
        ("application/x-www-form-urlencoded", b"password=123456"),
        ("image/jpeg", b"\xff\xd8\xff\xe0"),
    ],
)
def test_what_is_no_form_is_400(place: Place, kind: str, body: bytes) -> None:
    file = place.file("body", body)
    answer = curl(
        place.folder, place.daemon.link("scripted", 1), "-H", f"Content-Type: {kind}", "--data-binary", f"@{file}"
    )
    refused(answer, 400, "broken-upload")


@pytest.mark.parametrize("expect", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_too_much_is_413(place: Place, expect: bool, chunked: bool) -> None:
    large = place.file("large.jpg", photo(7, MAX_SIZE + 1000))
    more = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    refused(place.send(1, *more, picture=large, expect=expect), 413, "too-large")


def test_far_too_much_is_413_before_it_is_sent(place: Place) -> None:
    """The program asks first; it is told no, and sends not one byte of its ten million."""
    large = place.file("large.jpg", photo(8, 10_000_000))
    answer = place.send(1, "-w", "%{http_code}", picture=large)
    refused(answer, 413, "too-large")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("notes.jpg", b"just a text" * 20, "not-a-picture"),
        ("empty.jpg", b"", "not-a-picture"),
        ("broken.jpg", b"\xff\xd8\xff\xe0" + b"x" * 300, "not-a-picture"),
        ("moving.gif", b"GIF89a" + bytes(300), "unlisted-format"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not-a-picture"),
    ],
)
def test_what_is_no_photo_is_415(place: Place, name: str, data: bytes, code: str) -> None:
    refused(place.send(1, picture=place.file(name, data)), 415, code)


def test_too_many_pixels_are_415(place: Place) -> None:
    path = place.folder / "wide.png"
    Image.new("L", (2000, 1000)).save(path)
    refused(place.send(1, picture=path), 415, "too-many-pixels")


def test_too_slow_is_408(place: Place) -> None:
    slow = place.file("slow.jpg", photo(9, 100_000))
    refused(place.send(1, "--limit-rate", "10k", picture=slow), 408, "too-slow")


def test_a_client_that_stops_sending_is_told_408_and_leaves_nothing(place: Place) -> None:
    with socket.create_connection(("127.0.0.1", place.daemon.port)) as line:
        line.settimeout(30)
        head = f"POST {place.daemon.path('scripted', 1)} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
        head += f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n--{BOUNDARY}\r\n"
        line.sendall(head.encode() + b'Content-Disposition: form-data; name="f"; filename="a.jpg"\r\n\r\n' + photo(10))
        said = b""
        while piece := line.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "too-slow"


def test_a_refusal_of_the_service_is_422(place: Place) -> None:
    answer = place.send(2)
    assert (answer.status, answer.error, answer.said["message"]) == (422, "refused", "scripted 422")
    assert answer.said["job"] == answer.headers["x-boothd-job"]
    wait_until(lambda: str(answer.said["job"]) in {path.name for path in directories(place.daemon.home, "trash")}, "")


@pytest.mark.parametrize(("slot", "code"), [(3, "bad-request-to-provider"), (6, "bad-answer")])
def test_a_failure_of_the_service_is_502(place: Place, slot: int, code: str) -> None:
    answer = place.send(slot)
    assert answer.status == 502
    assert answer.error in {code, "paid-attempts-used-up"}
    assert "job" in answer.said


def test_a_service_that_is_too_late_is_504(place: Place) -> None:
    refused(place.send(4), 504, "out-of-time")


def test_the_guests_own_photo_may_be_the_last_resort(place: Place) -> None:
    answer = place.send(7)
    assert (answer.status, answer.headers["x-boothd-made-by"]) == (200, "original")
    assert answer.headers["x-boothd-fell-back"] == "scripted"


def test_a_browser_that_opens_the_link_is_told_405(place: Place) -> None:
    refused(curl(place.folder, place.daemon.link("scripted", 1)), 405, "method-not-allowed")


def test_a_full_disk_is_507_while_all_else_goes_on(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {"studio": {1: {"prompt": "pencil"}}}, spool={"floor": "900000G"})
    picture = tmp_path / "guest.jpg"
    picture.write_bytes(photo(1))
    with Daemon(home) as daemon:
        daemon.start()
        answer = send(tmp_path, daemon.link("studio", 1), picture)
        refused(answer, 507, "disk-full")
        assert curl(tmp_path, f"http://127.0.0.1:{daemon.port}/livez").status == 200
        assert "The disk is nearly full" in _page(tmp_path, daemon)
        (home / "etc/boothd.yaml").write_text("listen: tcp:0:interface=127.0.0.1\nspool: {floor: 0}\n")
        daemon.wait_for_log("applies to the next photo")
        assert send(tmp_path, daemon.link("studio", 1), picture).status == 200


def _page(folder: Path, daemon: Daemon) -> str:
    from tests.support.daemon import OPERATOR, OPERATOR_PASSWORD

    login = f"{OPERATOR}:{OPERATOR_PASSWORD}"
    return curl(folder, f"http://127.0.0.1:{daemon.port}/", "-u", login).body.decode()


def test_refusals_are_counted_on_the_page(place: Place) -> None:
    place.send(1, password="wrong")
    assert "wrong-password" in _page(place.folder, place.daemon)


def test_one_connection_may_carry_many_uploads(place: Place) -> None:
    connection = HTTPConnection("127.0.0.1", place.daemon.port, timeout=30)
    try:
        for number in range(5):
            body = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="password"\r\n\r\n{PASSWORD}\r\n--{BOUNDARY}\r\n'
                'Content-Disposition: form-data; name="fileToUpload"; filename="a.jpg"\r\n\r\n'
            ).encode()
            body += photo(20_000 + number) + f"\r\n--{BOUNDARY}--\r\n".encode()
            kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            connection.request("POST", place.daemon.path("scripted", 1), body, kind)
            answer = connection.getresponse()
            assert answer.status == 200
            assert answer.read()
    finally:
        connection.close()


# --- which thread does what --------------------------------------------------------------------------------------------


HEAVY = {"fsync", "fdatasync", "sha256", "decode", "encode", "argon2"}


def _threads_of(record: Path) -> dict[str, set[str]]:
    """What was done, and by which threads: "reactor" or "other"."""
    found: dict[str, set[str]] = {}
    for line in record.read_text().splitlines():
        what, thread = line.split()
        found.setdefault(what, set()).add(thread)
    return found


def _sites(*folders: str) -> str:
    return os.pathsep.join(str(ROOT / "tests" / "support" / folder) for folder in folders)


def test_nothing_heavy_runs_in_the_reactors_thread(tmp_path: Path, server: ScriptedServer) -> None:
    home = make_home(
        tmp_path / "home",
        {
            "studio": {
                1: {"effect": "background", "references": ["beach.jpg"]},
                2: {"effect": "style", "prompt": "oil painting"},
            },
            "scripted": {1: {"prompt": "ok"}},
        },
        {"scripted": {"url": server.url}},
        hot={"settle": "0.1s"},
    )
    (home / "library/references").mkdir(parents=True)
    Image.linear_gradient("L").convert("RGB").resize((900, 600)).save(home / "library/references/beach.jpg")
    guest = Image.new("RGB", (900, 600), (20, 200, 40))
    guest.paste((190, 140, 120), (300, 150, 600, 600))
    guest.save(tmp_path / "guest.jpg", quality=95)
    turned = Image.Exif()
    turned[0x0112] = 6
    guest.save(tmp_path / "turned.jpg", exif=turned)
    record = tmp_path / "threads.txt"
    path = os.pathsep.join([_sites("watched_threads", "scripted/site"), str(ROOT)])
    environ = {"PYTHONPATH": path, "BOOTHD_TESTS_RECORD": str(record)}
    with Daemon(home, environ=environ) as daemon:
        daemon.start()
        for number in (1, 2):
            assert send(tmp_path, daemon.link("studio", number), tmp_path / "guest.jpg").status == 200
        assert send(tmp_path, daemon.link("studio", 2), tmp_path / "turned.jpg").status == 200
        assert post(daemon.port, daemon.path("scripted", 1), photo(30_001, 3_000_000)).status == 200
        (home / "spool/hot/studio-2/dropped.jpg").write_bytes((tmp_path / "guest.jpg").read_bytes())
        wait_until((home / "spool/hot/studio-2/out/dropped.jpg").exists, "the hot folder's photo is made")
        assert "studio-1" in _page(tmp_path, daemon)
        assert daemon.stop() == 0
    found = _threads_of(record)
    assert found.keys() >= HEAVY, "the test sees all of it"
    assert {what: by for what, by in found.items() if "reactor" in by} == {}
