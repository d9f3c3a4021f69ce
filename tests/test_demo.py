"""`make demo ONCE=1`: a guest's photo through the real daemon, as everyone sees it first."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CHECKOUT = Path(__file__).resolve().parent.parent
LIMIT_S = 240


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "boothd", "demo", "--out", str(folder / "demo-out"), *words]
    env = {**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"}
    (folder / "tmp").mkdir()
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=folder)


def pixels(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def test_the_demo_makes_a_picture_and_says_how_long_it_took(tmp_path: Path) -> None:
    demo = start(tmp_path, "--once")
    out, err = demo.communicate(timeout=LIMIT_S)
    assert (demo.returncode, err) == (0, ""), out + err
    for stage in ("receiving", "waiting", "working", "encoding", "in all"):
        assert re.search(rf"^  {stage} +\d+ ms", out, re.MULTILINE), out
    before, after = tmp_path / "demo-out" / "before.jpg", tmp_path / "demo-out" / "after.jpg"
    assert f"before   {before}" in out
    assert f"after    {after}" in out
    assert list((tmp_path / "tmp").iterdir()) == []  # the home is gone

    photo, picture = pixels(before), pixels(after)
    assert photo.shape == picture.shape
    # The upper left corner was green screen and is the evening sky now; the guest is the guest.
    corner = np.s_[: photo.shape[0] // 6, : photo.shape[1] // 6]
    green, sky = photo[corner].mean(axis=(0, 1)), picture[corner].mean(axis=(0, 1))
    assert green[1] > green[[0, 2]].max() + 20
    assert sky[1] < sky[2]
    assert np.abs(photo - picture).mean(axis=2).min() < 2
    kept = np.abs(photo - picture).max(axis=2) < 24
    assert 0.1 < kept.mean() < 0.8


def test_the_demo_stays_for_a_look_until_it_is_told_to_end(tmp_path: Path) -> None:
    demo = start(tmp_path)
    assert demo.stdout is not None
    said = ""
    while "Ctrl-C ends the demo." not in said:
        line = demo.stdout.readline()
        assert line, said + (demo.stderr.read() if demo.stderr else "")
        said += line
    page = re.search(r"page +(http://localhost:(\d+)/)", said)
    assert page is not None
    login = re.search(r"login +(\S+), password (\S+)", said)
    assert login is not None
    auth = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    auth.add_password(None, page[1], login[1], login[2])
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(auth))
    with opener.open(page[1], timeout=30) as answer:
        assert b"studio" in answer.read().lower()
    demo.send_signal(signal.SIGTERM)
    out, err = demo.communicate(timeout=LIMIT_S)
    assert (demo.returncode, err) == (0, ""), out + err
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", int(page[2]))) != 0
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_demo_whose_port_is_taken_shows_the_daemons_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        demo = start(tmp_path, "--once", "--port", str(taken.getsockname()[1]))
        out, err = demo.communicate(timeout=LIMIT_S)
    assert demo.returncode == 1, out
    assert re.search(r"^boothd: the daemon ended with status [1-9]\d*; the end of its log:$", err, re.MULTILINE)
    assert "Address already in use" in err
    assert "Traceback" not in err
    assert list((tmp_path / "tmp").iterdir()) == []
