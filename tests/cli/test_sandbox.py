"""`boothd sandbox`: a rehearsal without keys, from the home to the sum of what it would have cost."""

import signal
import socket
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from boothd.base.imaging import inspect
from boothd.booth.slots import load_slots
from boothd.cli.failed import Failed
from boothd.cli.rehearsal import KEY, settings_for, show_person, wire
from boothd.cli.takings import is_paid
from boothd.cli.undo import nothing_left_on_failure
from boothd.config import Home, read_daemon_config, read_secrets
from boothd.providers import provider_names, provider_type
from boothd.sandbox.fakes import FAKES
from boothd.sandbox.fakes.work import Work
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


def test_a_port_that_is_taken_is_passed_over_and_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with sandbox(port=port) as running:
            assert f"http://127.0.0.1:{port}" not in running.urls.values()
            assert len(set(running.urls.values())) == 4
            other = running.urls["gemini"].rpartition(":")[2]
            assert f"Port {port} is taken; gemini is at port {other} instead.\n" in running.head


def test_a_home_is_not_wired_to_other_ports_than_was_said(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = boothd("sandbox", "--home", home.path, "--port", str(port))
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"boothd: port {port} is taken (by another boothd sandbox?), so nothing was changed; end what listens there, or "
        "say --port N for the ports from N on\n"
    )
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before


def test_a_new_home_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events" / "home"
    command = f"ulimit -f 64; exec {sys.executable} -B -m boothd sandbox --port 0 --new {path}"  # 64 KiB a file
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert said.returncode == 1
    assert said.stderr.startswith("boothd: ")
    assert "File too large" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_was_in_a_folder_before_stays_when_a_home_cannot_be_made_in_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "mine").touch()

    def make() -> None:
        with nothing_left_on_failure(tmp_path):
            (tmp_path / "etc" / "slots").mkdir()
            (tmp_path / "etc" / "slots" / "gemini.yaml").touch()
            (tmp_path / "spool").mkdir()
            (tmp_path / "guest.jpg").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make()
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "etc", tmp_path / "etc" / "mine"]


def test_free_lists_are_no_paid_calls() -> None:
    free = Work(photo="", prompt="", model="available_api", key="…", ended="answered")
    assert not is_paid(free)
    assert is_paid(replace(free, charged=True))
    assert is_paid(replace(free, model="mix_images", ended="failed"))


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


@pytest.mark.parametrize(
    ("option", "word", "reason"),
    [
        ("--latency", "soon", "soon is not a time; say seconds: 12, or 5-20 for about so many"),
        ("--failures", "some", "some is not a share; say 0% to 100%, or 0 to 1"),
        ("--port", "foo", "foo is not the first of four ports; say 0 to 65532"),
    ],
)
def test_what_makes_no_sense_is_answered_in_plain_words(option: str, word: str, reason: str) -> None:
    assert boothd("sandbox", option, word).err.endswith(f": {reason}\n")


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
        command = [sys.executable, "-m", "boothd", "check", "--home", str(home.path)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert checked.stdout == f"all is well with {home.path}\n"  # a free list, which is not shown below
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


def test_wiring_changes_its_own_keys_only(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    file = home.provider_file("openai-images")
    before = file.read_text() + "\nbreaker_failures: 1000  # never\nprice: 0.08\nresult_private: false # mine\n"
    file.write_text(before)
    file.chmod(0o640)
    wire(home, URLS, force=False)
    assert file.read_text() == (
        before.replace(
            "#base_url: https://api.openai.com/v1\n",
            f"#base_url: https://api.openai.com/v1\nbase_url: {URLS['openai-images']}/v1\n",
        )
        .replace('#model: ""\n', '#model: ""\nmodel: gpt-image-1\n')
        .replace("\nresult_private: false # mine", "\nresult_private: true # mine")
    )
    assert file.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in file.parent.iterdir()} == {f"{name}.yaml" for name in (*CLOUD, "studio")}, (
        "nothing is left of the writing"
    )


def test_wiring_twice_is_wiring_once(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    wire(home, URLS, force=False)
    before = {path: path.read_bytes() for path in home.etc.rglob("*.yaml")}
    wire(home, URLS, force=False)
    assert {path: path.read_bytes() for path in home.etc.rglob("*.yaml")} == before


def test_a_file_that_cannot_be_changed_is_named_before_anything_is_written(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    home.provider_file("openai-images").write_text("concurrency: 2\n...\n")
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with pytest.raises(Failed, match=r"openai-images\.yaml: .*edit it by hand"):
        wire(home, URLS, force=False)
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before


def test_slots_are_switched_on_and_shown_a_person_with_their_explanations(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    before = {name: home.slots_file(name).read_text() for name in CLOUD}
    wire(home, URLS, force=False)
    for name in CLOUD:
        assert home.slots_file(name).read_text() == before[name].replace("    enabled: false", "    enabled: true")
    show_person(home, CLOUD, "poster.jpg")
    swap = "    enabled: true\n    effect: face-swap\n    references: "
    for name in CLOUD:
        wired = before[name].replace("    enabled: false", "    enabled: true")
        assert home.slots_file(name).read_text() == wired.replace(swap + "[evening.jpg]", swap + "[poster.jpg]")


@pytest.mark.parametrize("what", ["address", "key", "keys"])
def test_what_belongs_to_a_real_service_is_not_touched_without_force(tmp_path: Path, what: str) -> None:
    home = a_home(tmp_path / "home", "listen: tcp:8123\n")
    if what == "address":
        home.provider_file("turbotext").write_text("base_url: https://api.example.com\n")
    else:
        change(home.secrets_file, keys={"turbotext": "the-real-one" if what == "key" else ["the-real-one", "two"]})
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
