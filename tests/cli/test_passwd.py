"""`boothd passwd`: one secret changes, everything else stays."""

import io
import os
import stat
from pathlib import Path

import pytest
import yaml

from boothd.config import Home, read_secrets
from boothd.http import verify_password
from boothd.secrets_file import write_secrets
from tests.cli.support import a_home, boothd, change


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return a_home(tmp_path / "home")


def test_the_only_operators_password_is_changed(home: Home) -> None:
    said = boothd("passwd", "--home", home.path, "--password", "new one")
    assert (said.status, said.out, said.err) == (0, "", "changed: the password of anna\n")
    secrets = read_secrets(home, {})
    assert verify_password(secrets.operators["anna"], "new one")
    assert secrets.upload_password == "letmein"


def test_a_new_name_is_a_new_operator(home: Home) -> None:
    assert boothd("passwd", "--home", home.path, "--operator", "ben", "--password", "bens").status == 0
    operators = read_secrets(home, {}).operators
    assert operators.keys() == {"anna", "ben"}
    assert verify_password(operators["ben"], "bens")
    assert verify_password(operators["anna"], "a password")


def test_with_two_operators_one_must_be_named(home: Home) -> None:
    boothd("passwd", "--home", home.path, "--operator", "ben", "--password", "bens")
    said = boothd("passwd", "--home", home.path, "--password", "x")
    assert said.status == 1
    assert "say whose password it is, with --operator NAME (there are anna, ben), or --upload" in said.err


def test_the_upload_password_is_changed(home: Home) -> None:
    said = boothd("passwd", "--home", home.path, "--upload", "--password", "sesame")
    assert (said.status, said.err) == (0, "changed: the upload password\n")
    assert read_secrets(home, {}).upload_password == "sesame"


def test_a_generated_password_is_printed_and_works(home: Home) -> None:
    said = boothd("passwd", "--home", home.path, "--upload", "--generate")
    assert said.status == 0
    assert read_secrets(home, {}).upload_password == said.out.strip()


def test_what_is_not_known_here_stays(home: Home) -> None:
    keys = {"gemini": ["first", "second"], "turbotext": "only"}
    change(home.secrets_file, keys=keys)
    assert boothd("passwd", "--home", home.path, "--upload", "--generate").status == 0
    assert yaml.safe_load(home.secrets_file.read_text())["keys"] == keys


def test_the_file_is_replaced_whole_and_private(home: Home) -> None:
    home.secrets_file.chmod(0o644)
    before = home.secrets_file.stat().st_ino
    umask = os.umask(0)
    try:
        assert boothd("passwd", "--home", home.path, "--upload", "--generate").status == 0
    finally:
        os.umask(umask)
    assert home.secrets_file.stat().st_ino != before
    assert stat.S_IMODE(home.secrets_file.stat().st_mode) == 0o600
    assert sorted(path.name for path in home.etc.iterdir()) == ["boothd.yaml", "providers", "secrets.yaml", "slots"]


def test_what_cannot_be_written_leaves_the_old_file(home: Home) -> None:
    before = home.secrets_file.read_bytes()
    with pytest.raises(yaml.YAMLError):
        write_secrets(home.secrets_file, {"upload_password": object()})
    assert home.secrets_file.read_bytes() == before
    assert not [path for path in home.etc.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(os.geteuid() != 0 and "CI" not in os.environ, reason="only root can give files away")
def test_root_leaves_the_file_to_the_daemons_user(home: Home) -> None:
    os.chown(home.secrets_file, 12345, 12345)
    assert boothd("passwd", "--home", home.path, "--upload", "--generate").status == 0
    assert (home.secrets_file.stat().st_uid, home.secrets_file.stat().st_gid) == (12345, 12345)


def test_a_broken_file_is_not_rewritten(home: Home) -> None:
    home.secrets_file.write_text("operators: [\n")
    said = boothd("passwd", "--home", home.path, "--upload", "--generate")
    assert said.status == 1
    assert "secrets.yaml: line 2: is not YAML" in said.err
    assert home.secrets_file.read_text() == "operators: [\n"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--upload", "--password", " "], "must not be empty"),
        (["--password", ""], "this password cannot be used"),
        (["--operator", "a:b", "--password", "x"], "nor hold a colon"),
        (["--upload"], "nobody can be asked here; give --password or --generate"),
    ],
)
def test_what_cannot_work_is_refused(
    home: Home, options: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    before = home.secrets_file.read_bytes()
    said = boothd("passwd", "--home", home.path, *options)
    assert said.status == 1
    assert reason in said.err
    assert home.secrets_file.read_bytes() == before


@pytest.mark.parametrize("options", [["--upload", "--operator", "x"], ["--password", "x", "--generate"]])
def test_what_excludes_each_other_is_wrong_use(home: Home, options: list[str]) -> None:
    assert boothd("passwd", "--home", home.path, *options).status == 2
