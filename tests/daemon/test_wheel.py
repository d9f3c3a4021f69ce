"""The wheel, installed apart from the checkout: it brings along all that the daemon needs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.booth import get, photo
from tests.support.daemon import LIMIT_S
from tests.support.runs import As, curl, send
from tests.support.scripted.fixture import ROOT

FOLDERS = ("boothd", "web", "etc", "twistd-plugin")
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
TWISTD = "import sys; sys.argv = ['twistd', '--help']; from twisted.scripts.twistd import run; run()"
TWIST = "from twisted.application.twist._twist import Twist; Twist.main(['twist', '--help'])"


class Installed:
    """A virtual environment with the wheel in it. The locked dependencies are seen where they are; the checkout is not."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.environ = {**os.environ, "PYTHONPATH": "", "BOOTHD_HOME": ""}

    @property
    def site(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def run(self, program: str, *arguments: str) -> str:
        """What it prints; from another directory than the checkout."""
        command = [str(self.bin / program), *arguments]
        ran = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, so that nothing is built in the checkout.
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / "source" / name)
    _python("-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(folder / "source"))
    (wheel,) = folder.glob("*.whl")
    shutil.rmtree(folder / "source")
    _python("-m", "venv", "--without-pip", str(folder / "venv"))
    place = Installed(folder / "venv")
    (place.site / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = ("-m", "pip", "--python", str(place.bin / "python"), "--disable-pip-version-check")
    _python(*pip, "install", "-q", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    return place


def _python(*arguments: str) -> None:
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    said = installed.run("python", "-c", "import boothd; print(boothd.__file__)").strip()
    assert Path(said).is_relative_to(installed.site)


def test_every_module_of_the_checkout_is_in_it(installed: Installed) -> None:
    def modules(package: Path) -> set[str]:
        return {str(path.relative_to(package)) for path in package.rglob("*.py")}

    assert sorted(modules(ROOT / "boothd") - modules(installed.site / "boothd")) == []


@pytest.mark.parametrize("folder", ["web/templates", "web/static", "etc/defaults"])
def test_every_asset_of_the_checkout_is_in_it(installed: Installed, folder: str) -> None:
    def files(place: Path) -> dict[str, bytes]:
        return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}

    assert files(ROOT / folder) == files(installed.site / "boothd" / folder)


def test_nothing_of_the_tests_is_in_it(installed: Installed) -> None:
    assert not (installed.site / "tests").exists()


@pytest.mark.parametrize("program", [TWISTD, TWIST])
def test_twistd_and_twist_list_it(installed: Installed, program: str) -> None:
    said = installed.run("python", "-c", program)
    assert "boothd" in said
    assert "The daemon between photo booths and AI services." in said


def test_a_home_is_made_and_a_booth_is_answered(installed: Installed, tmp_path: Path) -> None:
    home, picture = tmp_path / "home", tmp_path / "guest.jpg"
    picture.write_bytes(photo(1))
    passwords = ("--operator", "op", "--operator-password", "open sesame", "--upload-password", "123456")
    installed.run("boothd", "init", "--home", str(home), *passwords)
    link = urlsplit(installed.run("boothd", "link", "--home", str(home), "studio", "6").strip())

    class FromWheel(As):
        program = (str(installed.bin / "boothd"), "up", "--listen", "tcp:0:interface=127.0.0.1")

    with FromWheel(home, environ=installed.environ) as daemon:
        daemon.start()
        answer = send(tmp_path, f"http://127.0.0.1:{daemon.port}{link.path}", picture)
        assert (answer.status, answer.headers["x-boothd-made-by"]) == (200, "studio")
        page = get(daemon.port, "/")
        assert page.status == 200
        assert link.path in page.body.decode()
        style = page.body.decode().partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert curl(tmp_path, f"http://127.0.0.1:{daemon.port}{style}").headers["content-type"].startswith("text/css")
        assert daemon.stop() == 0
