"""`boothd init`: what a new home is."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from boothd.base.imaging import inspect
from boothd.booth.slots import load_slots
from boothd.cli.failed import Failed
from boothd.cli.homes import find_home, usual_place
from boothd.config import DaemonConfig, Home, read_daemon_config, read_secrets
from boothd.http import verify_password
from boothd.providers import provider_names, provider_type
from boothd.providers.studio.looks import LOOKS, choose
from tests.cli.support import CHECKOUT, a_home, boothd, environment, standing_in

DEFAULTS = CHECKOUT / "etc" / "defaults"
OWN = provider_names()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home").path
    assert mode(home) == 0o700
    for path in home.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_a_new_home_holds_what_the_daemon_needs(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home").path
    found = {path.relative_to(home).as_posix() for path in home.rglob("*")}
    assert found >= {
        "etc/boothd.yaml",
        "etc/secrets.yaml",
        "etc/slots/studio.yaml",
        "etc/providers/studio.yaml",
        "library/references/evening.jpg",
        "spool",
        "trash",
    }


def test_a_new_home_passes_the_check(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    said = boothd("check", "--home", home.path)
    assert said.out == f"all is well with {home.path}\n"
    assert (said.status, said.err) == (0, "")


def test_passwords_that_nobody_gave_are_shown_and_work(tmp_path: Path) -> None:
    said = boothd("init", "--home", tmp_path / "home")
    assert said.status == 0
    shown = re.findall(r"\b[a-z2-9]{5}-[a-z2-9]{5}-[a-z2-9]{5}\b", said.out)
    secrets = read_secrets(Home(tmp_path / "home"), {})
    assert len(shown) == 2
    assert verify_password(secrets.operators["operator"], shown[0])
    assert secrets.upload_password == shown[1]


def test_passwords_that_were_given_are_not_shown(tmp_path: Path) -> None:
    said = boothd(
        *("init", "--home", tmp_path / "home", "--operator", "anna"),
        *("--operator-password", "rose garden", "--upload-password", "letmein"),
    )
    assert said.status == 0
    assert "anna" in said.out
    assert "rose garden" not in said.out
    assert "letmein" not in said.out
    secrets = read_secrets(Home(tmp_path / "home"), {})
    assert verify_password(secrets.operators["anna"], "rose garden")
    assert secrets.upload_password == "letmein"


def test_every_slot_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        book = load_slots(a_home(tmp_path / name), {"studio": provider_type("studio")}, 80_000_000)
        keys += [live.slot.key for live in book]
    assert len(keys) == len(set(keys)) == 2 * (1 + len(LOOKS))
    assert all(len(key) >= 22 for key in keys)


def test_the_first_slot_is_a_background_and_then_every_look_has_one(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    first, *others = load_slots(home, {"studio": provider_type("studio")}, 80_000_000)
    assert (first.number, first.slot.effect) == (1, "background")
    assert [(live.slot.effect, choose(live.slot.prompt).name) for live in others] == [("style", x.name) for x in LOOKS]


def test_the_bundled_reference_picture_is_one() -> None:
    for picture in (DEFAULTS / "references").iterdir():
        measures = inspect(picture, 80_000_000)
        assert measures.format == "JPEG"
        assert measures.width >= 2400


def test_an_existing_home_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home").path
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    said = boothd("init", "--home", home)
    assert said.status == 1
    assert said.err.startswith(f"boothd: {home} is a home already")
    assert f"boothd up --home {home}" in said.err
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    said = boothd("init", "--home", tmp_path)
    assert said.status == 1
    assert "is not empty (it holds holiday.jpg)" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_an_empty_directory_is_taken_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    assert boothd("init", "--home", tmp_path / "home").status == 0
    assert mode(tmp_path / "home") == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = boothd("init", "--home", tmp_path / "file" / "home")
    assert said.status == 1
    assert str(tmp_path / "file") in said.err
    assert len(said.err.splitlines()) == 1


def test_a_checkout_may_be_its_own_home(tmp_path: Path) -> None:
    (tmp_path / "etc" / "defaults").mkdir(parents=True)
    (tmp_path / "etc" / "defaults" / "boothd.yaml").write_text("listen: tcp:1\n")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / ".gitkeep").write_text("")
    tmp_path.chmod(0o755)
    with pytest.raises(Failed, match="is not a home"):  # a template is no configuration
        find_home(tmp_path)
    assert boothd("init", "--home", tmp_path).status == 0
    assert read_daemon_config(Home(tmp_path)) == DaemonConfig()
    assert mode(tmp_path) == 0o755  # a checkout is not ours to close
    assert boothd("init", "--home", tmp_path).status == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--operator", "an:na"], "must not be empty nor hold a colon"),
        (["--operator", ""], "must not be empty nor hold a colon"),
        (["--operator-password", ""], "the operator's password cannot be used"),
        (["--upload-password", " "], "the upload password must not be empty"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_made(tmp_path: Path, options: list[str], reason: str) -> None:
    said = boothd("init", "--home", tmp_path / "home", *options)
    assert said.status == 1
    assert reason in said.err
    assert not (tmp_path / "home").exists()


# --- the templates ---------------------------------------------------------------------------------------------------


def uncommented(file: Path) -> Any:
    """A template with every setting's # taken away. Prose begins with "# ", a nested key with "#  "."""
    lines = file.read_text().splitlines()
    return yaml.safe_load("\n".join(line[1:] for line in lines if re.match(r"#(  )?\w", line)))


def keys(model: type[BaseModel]) -> dict[str, Any]:
    """The model's keys, sections with theirs."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: keys(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        for name, kind in kinds.items()
    }


def test_boothd_yaml_names_every_key_with_its_default() -> None:
    settings = uncommented(DEFAULTS / "boothd.yaml")
    assert {k: dict.fromkeys(v) if isinstance(v, dict) else None for k, v in settings.items()} == keys(DaemonConfig)
    settings.pop("public_url")  # an example; there is no default
    assert DaemonConfig.model_validate(settings) == DaemonConfig()


@pytest.mark.parametrize("provider", OWN)
def test_a_providers_file_names_every_key_with_its_default(provider: str) -> None:
    settings, kind = uncommented(DEFAULTS / "providers" / f"{provider}.yaml"), provider_type(provider).Settings
    assert {k: dict.fromkeys(v) if isinstance(v, dict) and v else None for k, v in settings.items()} == keys(kind)
    default = kind()
    if provider == "studio":
        settings["concurrency"] = default.concurrency  # it depends on the machine
    assert kind.model_validate(settings) == default


def test_every_provider_has_a_file_and_slots() -> None:
    for folder in ("providers", "slots"):
        assert {file.stem for file in (DEFAULTS / folder).iterdir()} == set(OWN)


def test_the_example_slots_can_be_switched_on(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    for file in (home.etc / "slots").iterdir():
        file.write_text(file.read_text().replace("enabled: false", "enabled: true"))
    book = load_slots(home, {name: provider_type(name) for name in OWN}, 80_000_000)
    assert {live.provider for live in book if live.slot.enabled} == set(OWN)


def test_only_the_studios_slots_are_switched_on(tmp_path: Path) -> None:
    book = load_slots(a_home(tmp_path / "home"), {name: provider_type(name) for name in OWN}, 80_000_000)
    assert {live.provider for live in book if live.slot.enabled} == {"studio"}
    assert {live.provider for live in book} == set(OWN)


def test_the_templates_settings_are_all_commented_out() -> None:
    for file in (DEFAULTS / "boothd.yaml", *(DEFAULTS / "providers").iterdir()):
        assert yaml.safe_load(file.read_text()) is None, file


# --- where a home is -------------------------------------------------------------------------------------------------


def test_the_usual_place() -> None:
    assert usual_place({"BOOTHD_HOME": "/booth"}, root=True) == Path("/booth")
    assert usual_place({}, root=True) == Path("/var/lib/boothd")
    assert usual_place({"XDG_DATA_HOME": "/data"}, root=False) == Path("/data/boothd")
    assert usual_place({}, root=False) == Path("~/.local/share/boothd").expanduser()


def test_a_home_is_given_or_named_or_the_current_directory(tmp_path: Path) -> None:
    given, named, current = (a_home(tmp_path / name).path for name in ("given", "named", "current"))
    with standing_in(current), environment(BOOTHD_HOME=str(named)):
        assert find_home(given).path == given
        assert find_home(None).path == named
    with standing_in(current), environment(BOOTHD_HOME=None):
        assert find_home(None).path == current


def test_a_missing_home_says_how_to_make_one(tmp_path: Path) -> None:
    said = boothd("link", "--home", tmp_path / "none", "studio", "1")
    assert said.status == 1
    assert said.err.endswith(f"Make one with: boothd init --home {tmp_path / 'none'}\n")
