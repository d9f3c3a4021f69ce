"""`boothd check` and the providers' services: keys, money, models, addresses."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boothd.cli.port import free_port
from boothd.cli.rehearsal import KEY, wire
from boothd.cli.uses import place_of_keys
from boothd.config import Home
from tests.cli.sandbox_support import Sandbox, sandbox
from tests.cli.support import a_home, boothd, change, environment

CLOUD = ("gemini", "turbotext", "deepseek", "openai-images")


@pytest.fixture(scope="module")
def services() -> Iterator[Sandbox]:
    with sandbox() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, services: Sandbox) -> Home:
    """Wired to the fakes; all is well with it."""
    home = a_home(tmp_path / "home", "listen: tcp:0\npublic_url: http://127.0.0.1:8000\n")
    wire(home, services.urls, force=False)
    return home


def check(home: Home, *options: str, **environ: str) -> list[str]:
    """In a process of its own: it runs the reactor."""
    command = [sys.executable, "-m", "boothd", "check", "--home", str(home.path), *options]
    with environment(**environ):
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    lines = said.stdout.splitlines()
    assert said.stderr == ""
    problems = [line for line in lines if not line.startswith("note: ")]
    assert said.returncode == (0 if problems == [f"all is well with {home.path}"] else 1)
    return lines


def set_keys(home: Home, **keys: Any) -> None:
    change(home.secrets_file, keys={**dict.fromkeys(CLOUD, KEY), **keys})


def test_a_wired_home_is_well(home: Home) -> None:
    assert check(home) == [f"all is well with {home.path}"]


def test_every_key_that_is_no_use_has_a_line_without_the_key(home: Home) -> None:
    set_keys(home, gemini=["good-1", "bad-22222", "poor-3333"], deepseek="bad-44444")
    refused, poor, deepseek = sorted(check(home), key=lambda line: "deepseek" in line)
    assert refused.startswith(f"{home.secrets_file}: keys.gemini: key 2 of 3 is refused by the service (")
    assert poor.startswith(f"{home.secrets_file}: keys.gemini: key 3 of 3 has no money left at the service (")
    assert deepseek.startswith(f"{home.secrets_file}: keys.deepseek: is refused by the service (")
    assert not any(key in line for line in (refused, poor, deepseek) for key in ("22222", "3333-", "bad-", "poor-"))


def test_a_key_from_the_environment_is_named_by_its_variable(home: Home) -> None:
    (line,) = check(home, BOOTHD_KEY_OPENAI_IMAGES="bad-one")
    assert line.startswith("$BOOTHD_KEY_OPENAI_IMAGES: is refused by the service (")


def test_a_service_that_is_not_there_is_told_once(home: Home) -> None:
    set_keys(home, deepseek=["good-1", "good-2"])
    change(home.provider_file("deepseek"), base_url=f"http://127.0.0.1:{free_port()}")
    (line,) = check(home)
    assert line.startswith(f"{home.provider_file('deepseek')}: Deepseek cannot be used (")


def test_models_that_the_account_does_not_have_are_named_where_they_stand(home: Home) -> None:
    change(home.provider_file("gemini"), model="gemini-9")
    file = home.slots_file("openai-images")
    file.write_text(file.read_text().replace("size: auto", "model: gpt-image-9"))
    ask = "the account does not have it; see: boothd models"
    assert sorted(check(home)) == [
        f"{home.provider_file('gemini')}: model: gemini-9: {ask} gemini",
        f"{file}: slots.3: gpt-image-9: {ask} openai-images",
    ]


def test_a_model_that_cannot_see_photos_is_a_problem_where_it_stands(home: Home) -> None:
    change(home.provider_file("deepseek"), model="deepseek-v4-pro")
    assert check(home) == [
        f"{home.provider_file('deepseek')}: model: deepseek-v4-pro: it cannot see photos; see: boothd models deepseek"
    ]
    change(home.provider_file("deepseek"), model=None)
    file = home.slots_file("deepseek")
    file.write_text(file.read_text().replace("{renderer: studio}", "{renderer: studio, model: deepseek-v4-pro}"))
    assert check(home) == [f"{file}: slots.2: deepseek-v4-pro: it cannot see photos; see: boothd models deepseek"]


def test_a_service_without_a_list_is_noted_and_no_problem(home: Home, services: Sandbox) -> None:
    file = home.provider_file("openai-images")
    change(file, base_url=services.urls["openai-images"])  # without its /v1
    assert check(home) == [
        f"note: {file}: the service answers but lists no models, so the model could not be verified; if photos fail with "
        "404, base_url may lack its /v1",
        f"all is well with {home.path}",
    ]


def test_a_budget_that_no_price_fills_is_noted(home: Home) -> None:
    for name in ("gemini", "openai-images", "deepseek"):
        change(home.provider_file(name), daily_budget=5, price=1 if name == "deepseek" else 0)
    change(home.provider_file("gemini"), price_per_million_input=1, price_per_million_output=2)
    change(home.provider_file("studio"), daily_budget=5)
    assert check(home, "--offline") == [
        f"note: {home.provider_file('openai-images')}: daily_budget: price is 0, so the budget counts only what the service "
        "reports itself",
        f"all is well with {home.path}",
    ]


def test_references_for_an_effect_without_any_are_a_problem(home: Home) -> None:
    change(home.provider_file("gemini"), price=1)
    file = home.slots_file("turbotext")
    file.write_text(file.read_text().replace("effect: prompt", "effect: prompt\n    references: [evening.jpg]"))
    (line,) = check(home, "--offline")
    assert line.startswith(f"{file}: slots.3")
    assert "no reference picture" in line


def test_slots_that_are_switched_on_without_a_key_are_a_problem_and_need_no_network(home: Home) -> None:
    set_keys(home, gemini=[])
    (line,) = check(home, "--offline")
    assert line == (
        f"{home.secrets_file}: keys.gemini: there is no API key, but deepseek-1, gemini-1, gemini-2, gemini-3, gemini-4 "
        "need one; put it there or into $BOOTHD_KEY_GEMINI"
    )


def test_offline_asks_nobody(home: Home) -> None:
    set_keys(home, gemini="bad-1")
    change(home.provider_file("deepseek"), base_url=f"http://127.0.0.1:{free_port()}")
    assert boothd("check", "--offline", "--home", home.path).status == 0


def test_a_key_for_nobody_is_named(home: Home) -> None:
    set_keys(home, gemmini="secret")
    (line,) = check(home, "--offline")
    assert line.startswith(f"{home.secrets_file}: keys.gemmini: no provider is called “gemmini”; there are ")


def test_a_fresh_home_has_nobody_to_ask(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    assert boothd("check", "--home", home.path).out == f"all is well with {home.path}\n"


# --- public_url ------------------------------------------------------------------------------------------------------


def test_turbotext_needs_an_address_to_fetch_from(home: Home) -> None:
    change(home.config_file, public_url=None)
    (line,) = check(home, "--offline")
    assert line == (
        f"{home.config_file}: public_url: is not set, but turbotext fetches the photos of turbotext-1, turbotext-2, "
        "turbotext-3 from there"
    )


@pytest.mark.parametrize(
    ("url", "well"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://192.168.1.20:8000", False),
        ("http://[::1]:8000", False),
        ("http://booth:8000", False),
        ("http://booth.local", False),
        ("https://booth.example.com", True),
        ("http://8.8.8.8:8000", True),
    ],
)
def test_the_real_turbotext_needs_one_that_leads_into_the_internet(home: Home, url: str, well: bool) -> None:
    change(home.provider_file("turbotext"), base_url=None, result_private=None)
    change(home.config_file, public_url=url)
    said = boothd("check", "--offline", "--home", home.path).out
    assert said == (
        f"all is well with {home.path}\n"
        if well
        else f"{home.config_file}: public_url: {url} leads into this network only; turbotext must reach it to fetch the "
        "photos\n"
    )


# --- where keys stand ------------------------------------------------------------------------------------------------


def test_keys_stand_where_the_daemon_reads_them(tmp_path: Path) -> None:
    home, folder = Home(tmp_path), tmp_path / "credentials"
    folder.mkdir()
    in_file = f"{home.secrets_file}: keys.openai-images"
    assert place_of_keys(home, "openai-images", {}) == in_file
    assert place_of_keys(home, "openai-images", {"CREDENTIALS_DIRECTORY": str(folder)}) == in_file
    (folder / "key_openai_images").write_text("one\n")
    assert place_of_keys(home, "openai-images", {"CREDENTIALS_DIRECTORY": str(folder)}) == str(
        folder / "key_openai_images"
    )
    both = {"CREDENTIALS_DIRECTORY": str(folder), "BOOTHD_KEY_OPENAI_IMAGES": "two"}
    assert place_of_keys(home, "openai-images", both) == "$BOOTHD_KEY_OPENAI_IMAGES"
    assert place_of_keys(home, "openai-images", {"BOOTHD_KEY_OPENAI_IMAGES": " "}) == in_file
