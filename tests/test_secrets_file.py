"""The file of the secrets: one writer at a time, and where a secret comes from."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from boothd.config import ConfigError, Home, Secrets, read_secrets
from boothd.secrets_file import change_secrets, source_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "etc/secrets.yaml"
    file.parent.mkdir()
    file.write_text("upload_password: old\n")
    return file


def test_two_changes_at_once_both_last(file: Path) -> None:
    first_is_in, go_on = threading.Event(), threading.Event()

    def first(content: dict[str, Any]) -> None:
        first_is_in.set()
        assert go_on.wait(30)
        content["upload_password"] = "new"

    def second(content: dict[str, Any]) -> None:
        content["keys"] = {"gemini": "AIza"}

    threads = [threading.Thread(target=change_secrets, args=(file, change)) for change in (first, second)]
    threads[0].start()
    assert first_is_in.wait(30)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert yaml.safe_load(file.read_text()) == {"upload_password": "new", "keys": {"gemini": "AIza"}}


def test_a_second_change_waits_for_the_first(file: Path) -> None:
    def first(content: dict[str, Any]) -> None:
        with pytest.raises(BlockingIOError), open_folder(file.parent) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)

    change_secrets(file, first)


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    folder = os.open(path, os.O_RDONLY)
    try:
        yield folder
    finally:
        os.close(folder)


def test_a_change_that_would_break_the_file_is_not_written(file: Path) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        change_secrets(file, lambda content: content.update(nonsense=1))
    assert file.read_text() == "upload_password: old\n"
    assert [path.name for path in file.parent.iterdir()] == ["secrets.yaml"]


@pytest.mark.parametrize(
    ("environ", "credential", "source", "password"),
    [
        ({}, None, "file", "old"),
        ({"BOOTHD_UPLOAD_PASSWORD": " "}, None, "file", "old"),
        ({"BOOTHD_UPLOAD_PASSWORD": "e"}, None, "environment", "e"),
        ({}, "c\n", "credentials", "c"),
        ({}, " \n", "file", "old"),
        ({"BOOTHD_UPLOAD_PASSWORD": "e"}, "c", "environment", "e"),
    ],
)
def test_a_secret_comes_from_where_it_is_read_from(
    file: Path, tmp_path: Path, environ: dict[str, str], credential: str | None, source: str, password: str
) -> None:
    if credential is not None:
        (tmp_path / "credentials").mkdir()
        (tmp_path / "credentials/upload_password").write_text(credential)
        environ = {**environ, "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert source_of("upload_password", environ) == source
    found: Secrets = read_secrets(Home(tmp_path), environ)
    assert found.upload_password == password


@pytest.mark.parametrize("name", ["BOOTHD_KEY_OPENAI_IMAGES"])
def test_a_key_of_the_environment_is_known_as_one(name: str) -> None:
    assert source_of("key_openai-images", {name: "sk-one"}) == "environment"
    assert source_of("key_gemini", {name: "sk-one"}) == "file"
