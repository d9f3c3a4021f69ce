"""A provider from another package, really installed: the daemon serves its slots, the commands know it."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.support.booth import photo, post
from tests.support.daemon import Daemon, make_home
from tests.support.tiny import install_tiny

Boothd = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PYTHONPATH with which it is found."""
    return install_tiny(tmp_path_factory.mktemp("tiny") / "site")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One slot of tiny's, a key, and a setting of its own."""
    slots = {"tiny": {1: {"effect": "frame", "prompt": "red"}, 2: {"effect": "frame", "prompt": "lime"}}}
    home = make_home(tmp_path / "home", slots, {"tiny": {"width": 5}})
    for folder in ("spool", "trash", "library/references"):
        (home / folder).mkdir(parents=True)
    set_keys(home, "good-1")
    return home


@pytest.fixture
def boothd(installed: str, home: Path) -> Boothd:
    """Run a command on the home, in a process of its own."""

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "boothd", argv[0], "--home", str(home), *argv[1:]]
        environ = {"PYTHONPATH": f"{installed}:{Path.cwd()}", "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)

    return run


def set_keys(home: Path, *keys: str) -> None:
    file = home / "etc/secrets.yaml"
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "keys": {"tiny": list(keys)}}))


def set_slot(home: Path, number: int, **said: object) -> None:
    file = home / "etc/slots/tiny.yaml"
    content = yaml.safe_load(file.read_text())
    content["slots"][number].update(said)
    file.write_text(yaml.safe_dump(content))


def test_its_slots_answer_photos(installed: str, home: Path) -> None:
    with Daemon(home, environ={"PYTHONPATH": installed}) as daemon:
        daemon.start()
        answer = post(daemon.port, daemon.path("tiny", 1), photo(1))
        assert answer.code == "ok"
        picture = Image.open(io.BytesIO(answer.body)).convert("RGB")
        red, green, blue = picture.getpixel((2, 2))  # type: ignore[misc]
        assert (red > 200, green < 50, blue < 50) == (True, True, True)
        assert daemon.stop() == 0


def test_the_check_finds_nothing_wrong_with_it(boothd: Boothd, home: Path) -> None:
    said = boothd("check")
    assert (said.stdout, said.stderr) == (f"all is well with {home}\n", "")
    assert said.returncode == 0


def test_the_check_tries_every_key_and_names_the_bad_one_by_its_place_only(boothd: Boothd, home: Path) -> None:
    set_keys(home, "good-1", "bad-2", "good-3")
    said = boothd("check")
    assert said.stdout == (
        f"{home}/etc/secrets.yaml: keys.tiny: key 2 of 3 is refused by the service (Tiny does not know the key ….)\n"
    )
    assert said.returncode == 1


def test_the_check_leaves_the_network_out_when_told_to(boothd: Boothd, home: Path) -> None:
    set_keys(home, "bad-1")
    assert boothd("check", "--offline").returncode == 0
    assert boothd("check").returncode == 1


def test_the_check_says_which_slots_lack_a_key(boothd: Boothd, home: Path) -> None:
    set_keys(home)
    said = boothd("check")
    assert said.stdout == (
        f"{home}/etc/secrets.yaml: keys.tiny: there is no API key, but tiny-1, tiny-2 need one; "
        "put it there or into $BOOTHD_KEY_TINY\n"
    )


def test_the_check_names_slots_whose_model_the_account_does_not_have(boothd: Boothd, home: Path) -> None:
    set_slot(home, 2, options={"model": "frame-9"})
    said = boothd("check")
    assert said.stdout == (
        f"{home}/etc/slots/tiny.yaml: slots.2: frame-9: the account does not have it; see: boothd models tiny\n"
    )


def test_its_models_are_listed_with_the_slots_that_use_them(boothd: Boothd, home: Path) -> None:
    set_slot(home, 2, options={"model": "frame-9"})
    said = boothd("models", "tiny")
    assert said.stdout.splitlines() == [
        "* frame-1  tiny-1; one colour",
        "  frame-2  two colours",
        "! frame-9  tiny-2; the account does not have it",
    ]
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(
    ("keys", "provider", "reason"),
    [
        ((), "tiny", "tiny: no API key; put one into etc/secrets.yaml under keys.tiny, or into $BOOTHD_KEY_TINY"),
        (("bad-1",), "tiny", "tiny: Tiny does not know the key ….\n"),
        (("good-1",), "studio", "studio has no service that could be asked"),
        (("good-1",), "tony", "no provider is called tony; there are "),
    ],
)
def test_what_cannot_be_listed_says_why_in_one_line(
    boothd: Boothd, home: Path, keys: tuple[str, ...], provider: str, reason: str
) -> None:
    set_keys(home, *keys)
    said = boothd("models", provider)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"boothd: {reason}")
    assert said.stderr.count("\n") == 1
