"""`boothd sandbox`: a rehearsal without keys, from the home to the sum of what it would have cost."""

import signal
import socket
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from boothd.base.imaging import inspect
from boothd.booth.slots import load_slots
from boothd.cli.failed import Failed
from boothd.cli.rehearsal import KEY, settings_for, wire
from boothd.config import Home, read_daemon_config, read_secrets
from boothd.providers import provider_names, provider_type
from boothd.sandbox.fakes import FAKES
from tests.cli.sandbox_support import sandbox
from tests.cli.support import a_home, boothd, change
from tests.support.booth import photo, post
from tests.support.daemon import Daemon

CLOUD = ("gemini", "turbotext", "deepseek", "openai-images")
URLS = {name: f"http://127.0.0.1:{9100 + place}" for place, name in enumerate(CLOUD)}


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_every_fake_until_a_signal_and_ends_well(number: signal.Signals) -> None:
    with sandbox() as running:
        assert list(running.urls) == list(CLOUD)
        assert all(running.control(name, "ledger") == [] for name in CLOUD)
        status, said = running.end(number)
    assert status == 0
    assert said.strip() == "No paid call was made."


def test_it_prints_what_a_home_needs() -> None:
    with sandbox() as running:
        for name, url in running.urls.items():
            assert f"# etc/providers/{name}.yaml\nbase_url: {url}" in running.head
            assert f"  {name}: {KEY}\n" in running.head
        assert "public_url: http://127.0.0.1:8000" in running.head


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with sandbox(port=port) as running:
            assert f"http://127.0.0.1:{port}" not in running.urls.values()
            assert len(set(running.urls.values())) == 4


def test_slowness_and_failures_are_set_for_all_of_them() -> None:
    with sandbox("--latency", "5-20", "--failures", "10%") as running:
        for name in CLOUD:
            settings = running.control(name, "settings")
            assert (settings["latency_s"], settings["spread_s"]) == (12.5, 3.75)
            assert settings["failure_share"] == 0.1


@pytest.mark.parametrize(
    "words",
    [["--latency", "soon"], ["--latency", "20-5"], ["--failures", "110%"], ["--port", "70000"], ["--words", "x"]],
)
def test_what_makes_no_sense_is_wrong_use(words: list[str]) -> None:
    assert boothd("sandbox", *words).status == 2


def test_a_home_is_either_new_or_there(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    assert "is a home already; to use it, say --home" in boothd("sandbox", "--new", home.path).err
    assert "is not a home" in boothd("sandbox", "--home", tmp_path / "none").err


@pytest.mark.parametrize("name", CLOUD)
def test_the_words_for_prompts_are_told(name: str) -> None:
    said = boothd("sandbox", "--words", name)
    assert all(f"[[{word}]]" in said.out for word in FAKES[name].words)
    assert "latency_s=0" in said.out


def test_a_new_home_answers_photos_and_each_paid_call_is_shown_and_summed(tmp_path: Path) -> None:
    with sandbox("--new", tmp_path / "home") as running:
        home = Home(tmp_path / "home")
        assert (home.path / "guest.jpg").is_file()
        poster = home.library / "references" / "poster.jpg"
        assert (inspect(poster, 80_000_000).width, poster.stat().st_mode & 0o777) == (1200, 0o600)
        assert boothd("check", "--offline", "--home", home.path).out == f"all is well with {home.path}\n"
        for name in CLOUD:
            link = next(line for line in running.head.splitlines() if f"/upload/{name}/" in line)
            assert f"boothd send -H {home.path} {home.path}/guest.jpg http://" in link
        change(home.config_file, listen="tcp:0:interface=127.0.0.1")
        change(home.secrets_file, upload_password="123456")
        paths = {
            live.id: f"/upload/{live.provider}/{live.number}/{live.slot.key}"
            for live in load_slots(home, {name: provider_type(name) for name in provider_names()}, 80_000_000)
        }
        book = load_slots(home, {name: provider_type(name) for name in provider_names()}, 80_000_000)
        for live in book:
            if live.slot.references:
                swaps = live.slot.effect == "face-swap"
                assert live.slot.references == (("poster.jpg",) if swaps else ("evening.jpg",)), live.id
        with Daemon(home.path) as daemon:
            daemon.start()
            assert post(daemon.port, paths["gemini-4"], photo(1)).code == "ok"
            *_, paid = running.lines_until("gemini-nano-banana")
            assert paid.split()[1:] == ["gemini", "gemini-nano-banana-2.1,", "1", "picture", "answered", "charged"]
            running.control("gemini", "settings", {"outage": "error", "outage_status": 402})
            assert post(daemon.port, paths["gemini-4"], photo(2)).code == "ok"  # studio
            assert daemon.stop() == 0
        status, said = running.end()
    assert status == 0
    assert said.split() == ["gemini", "1", "calls", "1", "answered", "1", "charged"]


# --- the wiring ------------------------------------------------------------------------------------------------------


def test_wiring_makes_a_home_use_the_fakes(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    written = wire(home, URLS, force=False)
    for name in CLOUD:
        said = yaml.safe_load(home.provider_file(name).read_text())
        settings = provider_type(name).Settings.model_validate(said)
        assert said["base_url"].startswith(URLS[name])
        assert settings.price > Decimal(0)
        assert {home.provider_file(name), home.slots_file(name)} <= set(written)
    assert read_secrets(home, {}).keys == dict.fromkeys(CLOUD, (KEY,))
    assert read_daemon_config(home).public_url
    book = load_slots(home, {name: provider_type(name) for name in provider_names()}, 80_000_000)
    assert {live.provider for live in book if live.slot.enabled} == {"studio", *CLOUD}
    assert home.secrets_file.stat().st_mode & 0o777 == 0o600


def test_wiring_again_takes_the_new_ports(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    wire(home, URLS, force=False)
    wire(home, dict.fromkeys(CLOUD, "http://127.0.0.1:7000"), force=False)
    assert yaml.safe_load(home.provider_file("gemini").read_text()) == settings_for("gemini", "http://127.0.0.1:7000")


def test_the_explanations_in_an_untouched_file_stay(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    before = home.provider_file("gemini").read_text()
    wire(home, URLS, force=False)
    assert home.provider_file("gemini").read_text().startswith(before.rstrip())


@pytest.mark.parametrize("what", ["settings", "key"])
def test_what_belongs_to_a_real_service_is_not_touched_without_force(tmp_path: Path, what: str) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    if what == "settings":
        home.provider_file("turbotext").write_text("concurrency: 2\n")
    else:
        change(home.secrets_file, keys={"turbotext": "the-real-one"})
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with pytest.raises(Failed, match="--force replaces") as refused:
        wire(home, URLS, force=False)
    assert "the-real-one" not in str(refused.value)
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before
    wire(home, URLS, force=True)
    assert read_secrets(home, {}).keys["turbotext"] == (KEY,)
    assert read_daemon_config(home).public_url


def test_slots_and_public_url_that_are_set_stay(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "public_url: https://booth.example.com\n")
    file = home.slots_file("gemini")
    file.write_text(file.read_text().replace("enabled: false", "enabled: true", 1))
    before = file.read_text()
    wire(home, URLS, force=False)
    assert file.read_text() == before
    assert read_daemon_config(home).public_url == "https://booth.example.com"


def test_a_daemon_at_any_free_port_needs_a_public_url_first(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    with pytest.raises(Failed, match=r"set public_url in boothd\.yaml: listen is tcp:0, and that is any free port"):
        wire(home, URLS, force=False)
    assert not read_secrets(home, {}).keys
