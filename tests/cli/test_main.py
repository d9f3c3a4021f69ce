"""The command line as a whole: help, wrong use, exit statuses, documents that keep up with the code."""

import pkgutil
import re
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import boothd as package
from boothd.base.assets import assets
from boothd.base.errors import BoothdError
from boothd.cli.failed import UNUSABLE_CONFIG
from boothd.cli.parser import make_parser
from boothd.config import ConfigError
from boothd.live import read_all
from tests.cli.support import CHECKOUT, a_home, boothd

COMMANDS = ("init", "up", "check", "models", "link", "send", "passwd", "demo", "sandbox")


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """`python -m boothd ARGV...`, in a process of its own."""
    command = [sys.executable, "-m", "boothd", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_names_every_command() -> None:
    said = run("--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert re.findall(r"^    (\w+) ", said.stdout, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    said = boothd(command, "--help")
    assert said.status == 0
    assert said.out.startswith(f"usage: boothd {command} [-h]")


def test_help_does_not_import_what_it_does_not_need() -> None:
    code = "import sys, boothd.cli; boothd.cli.main(['check', '--home', '/nowhere']); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"twisted.internet.reactor", "cv2", "klein"} & set(said.stdout.split())


@pytest.mark.parametrize("words", [[], ["dance"], ["link", "studio"], ["link", "studio", "one"], ["check", "--hom"]])
def test_wrong_use_is_status_2(words: list[str]) -> None:
    said = boothd(*words)
    assert (said.status, said.out) == (2, "")
    assert "usage: boothd" in said.err


def test_the_version_is_said() -> None:
    assert re.fullmatch(r"boothd \S+\n", boothd("--version").out)


def test_up_without_a_home_is_not_tried_again_by_systemd(tmp_path: Path) -> None:
    said = run("up", "--home", tmp_path / "none")
    assert said.returncode == UNUSABLE_CONFIG
    assert said.stderr.count("\n") == 1
    assert said.stderr.endswith(f"Make one with: boothd init --home {tmp_path / 'none'}\n")
    unit = (assets("etc") / "boothd.service").read_text()
    assert re.search(rf"^RestartPreventExitStatus=.*\b{UNUSABLE_CONFIG}\b", unit, re.MULTILINE)


def test_up_with_a_broken_configuration_says_file_key_and_reason(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "budget: {total: soon}\n")
    said = run("up", "--home", home.path)
    assert said.returncode == UNUSABLE_CONFIG
    assert said.stderr.splitlines()[-1].startswith(f"boothd: {home.config_file}: budget.total: 'soon' is not a time")


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("nonsense", "'nonsense' is not an endpoint (Unknown endpoint type: 'nonsense'); write it like tcp:8000"),
        ("tcp:99999", "'tcp:99999' is not an endpoint (there is no port 99999); write it like tcp:8000"),
        ("ssl:0:privateKey=/none.pem", "cannot be used (/none.pem: No such file or directory)"),
    ],
)
def test_up_with_an_endpoint_that_is_none_ends_for_good(tmp_path: Path, listen: str, reason: str) -> None:
    home = a_home(tmp_path / "home", f'listen: "{listen}"\n')
    said = run("up", "--home", home.path)
    assert said.returncode == UNUSABLE_CONFIG
    assert said.stderr.startswith(f"boothd: {home.config_file}: listen: '")
    assert said.stderr.endswith(f"{reason}\n")
    option = run("up", "--home", home.path, "--listen", listen)
    assert option.returncode == 2
    assert option.stderr.splitlines()[-1].startswith("boothd up: error: argument -l/--listen: '")
    assert option.stderr.endswith(f"{reason}\n")


def test_an_endpoint_that_is_none_is_refused_by_a_reload_too(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: nonsense\n")
    with pytest.raises(ConfigError) as refused:
        read_all(home)  # what the live reload calls
    assert (refused.value.file, refused.value.key) == (home.config_file, "listen")


def test_an_endpoint_is_judged_without_the_reactor() -> None:
    code = "import sys, boothd.base.endpoint as e; print(e.endpoint_problem('ssl:8443')); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "cannot be used" in said.stdout
    assert "twisted.internet.reactor" not in said.stdout.split()


@pytest.mark.parametrize("log", [None, "boothd.log"])
def test_up_at_a_port_in_use_says_what_to_do(tmp_path: Path, log: str | None) -> None:
    home = a_home(tmp_path / "home", f"log: {{file: {log}}}\n" if log else "")
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = run("up", "--home", home.path, "--listen", f"tcp:{server.getsockname()[1]}:interface=127.0.0.1")
    assert said.returncode == 1
    (line,) = (line for line in said.stderr.splitlines() if "cannot start" in line)
    assert line.endswith(
        "Address already in use; stop what uses it, or choose another port: boothd up --listen tcp:8001"
    )


def test_a_reader_that_stops_reading_is_no_crash(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    command = f"{sys.executable} -m boothd check --home {home.path} | true"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert said.stderr == ""


def test_assets_that_are_not_there_are_named() -> None:
    assert assets("etc") == CHECKOUT / "etc"
    with pytest.raises(FileNotFoundError, match="boothd's own nothing/ is neither in"):
        assets("nothing")


# --- documents -------------------------------------------------------------------------------------------------------


def every_error(kind: type[BoothdError]) -> set[type[BoothdError]]:
    ours = {kind} if kind.__module__.startswith("boothd.") else set()
    return ours.union(*(every_error(below) for below in kind.__subclasses__()))


def test_the_operators_page_explains_every_error_code() -> None:
    for module in pkgutil.walk_packages(package.__path__, "boothd."):
        if not module.name.endswith("__main__"):
            import_module(module.name)  # every error there is, whatever other tests have imported
    page = (CHECKOUT / "docs" / "operations.md").read_text()
    explained = set(re.findall(r"^\| `([\w-]+)` \| (\d+) \|", page, re.MULTILINE))
    assert explained == {(error.code, str(error.status)) for error in every_error(BoothdError)}


def test_the_readme_names_every_command() -> None:
    named = re.findall(r"^\| `boothd (\w+)", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    assert named == list(COMMANDS)


def test_the_readmes_commands_work_when_typed_in_order() -> None:
    page = (CHECKOUT / "README.md").read_text()
    typed = re.findall(r"^(boothd [^#\n]+)", "\n".join(re.findall(r"```\n(.*?)```", page, re.DOTALL)), re.MULTILINE)
    typed += [words for words in re.findall(r"`(boothd [^`]+)`", page) if "--home" in words]
    parsed = [make_parser().parse_args(words.replace("SLOT", "1").split()[1:]) for words in typed]
    assert {args.command for args in parsed} == {"init", "up", "check", "models", "link", "send", "passwd", "sandbox"}
    homes = {str(args.home) for args in parsed if args.command != "sandbox"}
    assert homes == {"~/booth", "~/rehearsal", "."}
    assert {str(args.new) for args in parsed if args.command == "sandbox"} == {"~/rehearsal"}


def test_no_secret_of_a_checkout_gets_into_a_package() -> None:
    """A checkout may be a home; what is packaged from etc/ is what git has, too."""
    setup = (CHECKOUT / "setup.cfg").read_text()
    (patterns,) = re.findall(r"^boothd\.etc = ((?!etc$).+)$", setup, re.MULTILINE)
    packaged = {path for pattern in patterns.split(", ") for path in (CHECKOUT / "etc").glob(pattern)}
    assert {path.relative_to(CHECKOUT / "etc").parts[0] for path in packaged} == {"defaults", "boothd.service"}
    wanted = {path for path in (CHECKOUT / "etc" / "defaults").rglob("*") if path.is_file()}
    assert wanted <= packaged
