"""`boothd send`: the bytes on the wire are DSLR Remote Pro's, whatever the server does."""

import hashlib
import io
import random
import re
import tracemalloc
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from unittest.mock import patch

import pytest

from boothd.sandbox.send import NotSent, body_around, form_fields, new_boundary, request_head, send_photo
from tests.cli.support import a_home, boothd, environment, standing_in
from tests.cli.wire import GO_ON, Line, answering, refusal, reply, serving

PICTURE = b"\xff\xd8\xff the picture \xff\xd9"
STAGES = "Server-Timing: receive;dur=12.3, wait;dur=0.0, work;dur=345.6, encode;dur=7.8"
JOB = "X-Boothd-Job: 20261120T174512.439-7f3a9c"
SEED = (  # the recorded request of DSLR Remote Pro 3.30.2
    ("time", "1758217512"),
    ("user_id", "Acer"),
    ("id", "CY04N068111304S2L_00000001."),
    ("profile", "C:\\Users\\Acer\\Documents\\PhotoboothImages\\setup_Serg.xml"),
    ("status", "C:\\Users\\Acer\\Documents\\PhotoboothImages\\screenSerg\\preview.jpg"),
    ("hash", "7b6c683e1d3fd29c8701791c54e3c12a236f5a5b"),
    ("name", "DESKTOP-K968T3F"),
    ("model", "Windows"),
    ("version", "3.30.2"),
    ("password", "123456"),
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0003.JPG"
    path.write_bytes(b"\xff\xd8\xff" + bytes(range(256)) * 600 + b"\r\n--\r\n")
    return path


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_the_body_is_as_long_as_the_recorded_one() -> None:
    # The recorded Content-Length, 53205, fits to the byte without the part of the password; that part has 99 bytes.
    fields = tuple(field for field in SEED if field[0] != "password")
    head, tail = body_around(fields, "IMG_0003.JPG", "------------090306000104030805010400")
    assert len(head) + 51977 + len(tail) == 53205


def test_the_boundary_is_made_like_the_recorded_one() -> None:
    for seed in range(100):
        assert re.fullmatch(r"-{12}(0\d){12}", new_boundary(random.Random(seed)))


def test_the_fields_are_the_programs_in_its_order() -> None:
    assert [name for name, _ in form_fields("", "p")] == [name for name, _ in SEED]
    assert [name for name, _ in form_fields("", "")] == [name for name, _ in SEED[:-1]]


def test_the_bytes_on_the_wire(photo: Path) -> None:
    out = io.BytesIO()
    with serving(answering(reply(PICTURE))) as (link, seen):
        answered = send_photo(photo, link + "?session=42", "letmein", out)
    first, *headers = seen.headers
    boundary = headers[1].rpartition("boundary=")[2]
    assert first == "POST /upload/studio/1/key?session=42 HTTP/1.1"
    assert headers == [
        f"Host: {link.split('/')[2]}",
        f"Content-Type: multipart/form-data; boundary={boundary}",
        f"Content-Length: {len(seen.body)}",
        "Expect: 100-continue",
    ]
    sha1 = hashlib.sha1(photo.read_bytes()).hexdigest()
    pieces = seen.body.split(f"--{boundary}".encode())
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    *texts, file = pieces[1:-1]
    assert [piece.decode() for piece in texts[1:]] == [
        f'\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form_fields(sha1, "letmein")[1:]
    ]
    assert re.fullmatch(rb'\r\nContent-Disposition: form-data; name="time"\r\n\r\n\d{10}\r\n', texts[0])
    assert file == (
        b'\r\nContent-Disposition: form-data; name="fileToUpload"; filename="IMG_0003.JPG"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + photo.read_bytes() + b"\r\n"
    )
    assert (answered.status, out.getvalue(), answered.error) == (200, PICTURE, None)


def test_a_parser_that_is_not_ours_reads_the_body(photo: Path) -> None:
    with serving(answering(reply(PICTURE))) as (link, seen):
        send_photo(photo, link, "letmein", io.BytesIO())
    kind = next(line for line in seen.headers if line.startswith("Content-Type"))
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(f"{kind}\r\n\r\n".encode() + seen.body)
    parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
    assert parts["fileToUpload"].get_payload(decode=True) == photo.read_bytes()
    assert parts["fileToUpload"].get_filename() == "IMG_0003.JPG"
    assert parts["password"].get_payload() == "letmein"


def test_a_file_name_cannot_break_the_form() -> None:
    head, _ = body_around((), 'a"b\\c\r\nX-Evil: 1.jpg', "b")
    assert b'filename="a\\"b\\\\c  X-Evil: 1.jpg"\r\nContent-Type' in head


def test_a_request_line_keeps_links_as_they_are() -> None:
    from urllib.parse import urlsplit

    head = request_head(urlsplit("http://user:secret@[::1]:8000"), "b", 3).decode()
    assert head.startswith("POST / HTTP/1.1\r\nHost: [::1]:8000\r\n")
    assert "secret" not in head


def test_nothing_of_the_body_goes_before_100_continue(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.read_early()
        line.say(GO_ON)
        line.read_body()
        line.say(reply(PICTURE))

    with serving(script) as (link, seen):
        send_photo(photo, link, "p", io.BytesIO())
    assert seen.early == b""
    assert len(seen.body) == seen.length


def test_a_server_that_never_says_100_gets_the_body_all_the_same(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.read_body()
        line.say(reply(PICTURE))

    out = io.BytesIO()
    with serving(script) as (link, _):
        assert send_photo(photo, link, "p", out, continue_s=0.01).status == 200
    assert out.getvalue() == PICTURE


def test_a_large_photo_is_never_held_whole(tmp_path: Path) -> None:
    photo = tmp_path / "large.jpg"
    with photo.open("wb") as file:
        file.truncate(48 << 20)

    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON)
        left = line.length
        buffer = bytearray(1 << 16)
        while left:
            left -= line._connection.recv_into(buffer)
        line.say(reply(PICTURE))

    with serving(script) as (link, _):
        tracemalloc.start()
        try:
            send_photo(photo, link, "p", io.BytesIO())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 << 20


# --- what comes back -------------------------------------------------------------------------------------------------


def test_a_refusal_instead_of_100_is_read_and_no_photo_sent(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.say(refusal("no-such-slot", "No slot has this link.", "404 Not Found"))
        line.read_rest()

    out = io.BytesIO()
    with serving(script) as (link, seen):
        answered = send_photo(photo, link, "p", out)
    assert (answered.status, answered.error) == (404, ("no-such-slot", "No slot has this link."))
    assert seen.body == b""
    assert out.getvalue() == b""


def test_a_refusal_in_the_middle_ends_the_sending(tmp_path: Path) -> None:
    photo = tmp_path / "large.jpg"
    photo.write_bytes(b"\xff\xd8\xff" + bytes(64 << 20))

    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON)
        line.read_some(100_000)
        line.say(refusal("wrong-password", "The upload password is wrong.", "403 Forbidden"))
        line.read_rest()

    with serving(script) as (link, seen):
        answered = send_photo(photo, link, "p", io.BytesIO())
    assert (answered.status, answered.error) == (403, ("wrong-password", "The upload password is wrong."))
    assert len(seen.body) < seen.length


def test_a_refusal_that_is_no_json_has_its_reason(photo: Path) -> None:
    bad = reply(b"<html>Bad Gateway</html>", "502 Bad Gateway", kind="text/html")
    with serving(answering(bad)) as (link, _):
        assert send_photo(photo, link, "p", io.BytesIO()).error == ("", "Bad Gateway")


def test_a_chunked_answer_is_put_together(photo: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"5\r\nfirst\r\n3\r\n, 2\r\n0\r\n\r\n"
    out = io.BytesIO()
    with serving(answering(chunked)) as (link, _):
        assert send_photo(photo, link, "p", out).media_type == "image/png"
    assert out.getvalue() == b"first, 2"


def test_an_answer_without_a_length_ends_with_the_connection(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON)
        line.read_body()
        line.say(b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURE)

    out = io.BytesIO()
    with serving(script) as (link, _):
        send_photo(photo, link, "p", out)
    assert out.getvalue() == PICTURE


def test_100_and_the_answer_at_once(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON + reply(PICTURE))
        line.read_rest()

    out = io.BytesIO()
    with serving(script) as (link, _):
        assert send_photo(photo, link, "p", out).status == 200
    assert out.getvalue() == PICTURE


def test_a_picture_that_is_cut_short_is_an_error(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON)
        line.read_body()
        line.say(reply(PICTURE)[:-3])

    with serving(script) as (link, _), pytest.raises(NotSent, match="IncompleteRead"):
        send_photo(photo, link, "p", io.BytesIO())


def test_a_server_that_hangs_up_is_an_error(photo: Path) -> None:
    with (
        serving(Line.read_head) as (link, _),
        pytest.raises(NotSent, match="Remote end closed connection without response"),
    ):
        send_photo(photo, link, "p", io.BytesIO())


def test_the_time_limit_holds_for_silence(photo: Path) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.say(GO_ON)
        line.wait_for_hang_up()

    with serving(script) as (link, _), pytest.raises(NotSent, match=r"no answer within 0\.2 s"):
        send_photo(photo, link, "p", io.BytesIO(), timeout_s=0.2)


def test_the_time_limit_holds_for_an_endless_answer(photo: Path) -> None:
    def endless(line: Line) -> None:
        line.read_head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 99999999999\r\n\r\n")
        try:
            while True:
                line.say(b"\0")
        except OSError:
            pass

    with serving(endless) as (link, _), pytest.raises(NotSent, match=r"no answer within 0\.3 s"):
        send_photo(photo, link, "p", io.BytesIO(), timeout_s=0.3)


@pytest.mark.parametrize(
    "link", ["booth", "ftp://booth/upload", "http:///upload", "http://booth:x/", "http://b/a b", "http://ü/"]
)
def test_what_is_no_link_is_refused(photo: Path, link: str) -> None:
    with pytest.raises(NotSent, match="is not a link"):
        send_photo(photo, link, "p", io.BytesIO())


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_what_came_and_keeps_it(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "after.jpg"
    with serving(answering(reply(PICTURE, "200 OK", STAGES, JOB))) as (link, _):
        said = boothd("send", photo, link, "--password", "p", "-o", out)
    assert (said.status, said.err) == (0, "")
    first, job, stages, last = said.out.splitlines()
    assert re.fullmatch(rf"200 in \d+\.\d\d s, {len(PICTURE)} bytes image/jpeg", first)
    assert job == "job 20261120T174512.439-7f3a9c"
    assert stages == "receive 12 ms, wait 0 ms, work 346 ms, encode 8 ms"
    assert last == str(out)
    assert out.read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        (
            ("X-Boothd-Fell-Back: gemini, turbotext", "X-Boothd-Made-By: studio"),
            "fell back: gemini, turbotext; made by studio",
        ),
        (("X-Boothd-Fell-Back: gemini",), "fell back: gemini"),
    ],
)
def test_a_picture_of_a_fallback_names_who_made_it(
    photo: Path, tmp_path: Path, headers: tuple[str, ...], line: str
) -> None:
    with serving(answering(reply(PICTURE, "200 OK", *headers))) as (link, _):
        said = boothd("send", photo, link, "--password", "p", "-o", tmp_path / "after.jpg")
    assert said.out.splitlines()[1:] == [line, str(tmp_path / "after.jpg")]


def test_without_a_name_the_picture_is_named_after_the_photo(photo: Path, tmp_path: Path) -> None:
    with serving(answering(reply(PICTURE, kind="image/png"))) as (link, _), standing_in(tmp_path):
        assert boothd("send", photo, link, "-p", "p").status == 0
    assert (tmp_path / "IMG_0003-boothd.png").read_bytes() == PICTURE


def test_a_refusal_is_one_line_and_leaves_no_file(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    no = refusal("out-of-time", "The picture was not ready in time.", "504 Gateway Timeout")
    with serving(answering(no)) as (link, _):
        said = boothd("send", photo, link, "-p", "p", "-o", out / "after.jpg")
    assert (said.status, said.out) == (1, "")
    assert said.err == "boothd: 504 out-of-time: The picture was not ready in time.\n"
    assert list(out.iterdir()) == []


def test_an_answer_that_is_no_picture_is_a_refusal(photo: Path, tmp_path: Path) -> None:
    with serving(answering(reply(b"<html>", kind="text/html"))) as (link, _):
        said = boothd("send", photo, link, "-p", "p", "-o", tmp_path / "after.jpg")
    assert (said.status, said.err) == (1, "boothd: 200, but no picture: text/html\n")
    assert not (tmp_path / "after.jpg").exists()


def test_an_earlier_picture_stays_until_the_new_one_is_whole(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "after.jpg").write_bytes(b"old")
    with serving(Line.read_head) as (link, _):
        assert boothd("send", photo, link, "-p", "p", "-o", tmp_path / "after.jpg").status == 1
    assert (tmp_path / "after.jpg").read_bytes() == b"old"


def test_the_password_comes_from_the_environment_or_the_home(photo: Path, tmp_path: Path) -> None:
    home = a_home(tmp_path / "home").path
    for set_to, expected in (("from outside", b"from outside"), (None, b"letmein")):
        with (
            serving(answering(reply(PICTURE))) as (link, seen),
            environment(BOOTHD_UPLOAD_PASSWORD=set_to, BOOTHD_HOME=str(home)),
        ):
            assert boothd("send", photo, link, "-o", tmp_path / "after.jpg").status == 0
        assert b'name="password"\r\n\r\n' + expected + b"\r\n" in seen.body


def test_without_password_and_home_it_is_said_how_to_give_one(photo: Path, tmp_path: Path) -> None:
    none = {"BOOTHD_UPLOAD_PASSWORD": None, "BOOTHD_HOME": None, "XDG_DATA_HOME": str(tmp_path)}
    with environment(**none), standing_in(tmp_path), patch("os.geteuid", return_value=1000):
        said = boothd("send", photo, "http://127.0.0.1:9/")
        named = boothd("send", photo, "http://127.0.0.1:9/", "--home", tmp_path / "none")
    assert (said.status, said.err) == (
        1,
        "boothd: no password: give --password, set $BOOTHD_UPLOAD_PASSWORD, or name the home with --home\n",
    )
    assert named.err.startswith(f"boothd: {tmp_path / 'none'} is not a home")


@pytest.mark.parametrize("command", ["file", "folder"])
def test_a_place_that_cannot_be_written_is_named_as_it_was_given(photo: Path, tmp_path: Path, command: str) -> None:
    out = tmp_path / "none" / "o.jpg" if command == "file" else tmp_path
    said = boothd("send", photo, "http://127.0.0.1:9/", "-p", "p", "-o", out)
    why = "cannot be written: No such file or directory" if command == "file" else "is a directory; name the file in it"
    assert (said.status, said.err) == (1, f"boothd: {out} {why}\n")


def test_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = boothd("send", tmp_path / "none.jpg", "http://127.0.0.1:9/", "-p", "p", "-o", tmp_path / "after.jpg")
    assert (said.status, said.err) == (1, f"boothd: {tmp_path / 'none.jpg'}: No such file or directory\n")


def test_nobody_listening_is_one_line(photo: Path, tmp_path: Path) -> None:
    said = boothd("send", photo, "http://127.0.0.1:1/upload", "-p", "p", "-o", tmp_path / "after.jpg")
    assert (said.status, said.err) == (1, "boothd: 127.0.0.1:1: Connection refused\n")


def test_a_time_limit_is_a_time(photo: Path) -> None:
    for wrong in ("0", "-1", "nan", "soon", "1e9"):
        assert boothd("send", photo, "http://booth/", "--timeout", wrong).status == 2
