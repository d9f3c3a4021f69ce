"""Configuration: good files become models, bad ones say in which file which key is wrong and why."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from boothd.config import (
    ConfigError,
    DaemonConfig,
    DayConfig,
    Home,
    Secrets,
    UploadConfig,
    parse,
    read_daemon_config,
    read_secrets,
    read_yaml,
)

SECRET = "hunter2"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "etc").mkdir()
    return Home(tmp_path)


def daemon(home: Home, text: str) -> DaemonConfig:
    home.config_file.write_text(text, encoding="utf-8")
    return read_daemon_config(home)


def wrong(home: Home, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        daemon(home, text)
    assert caught.value.file == home.config_file
    assert str(caught.value).startswith(f"{home.config_file}: ")
    return caught.value


# the daemon's file


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}\n", "\ufeff# from Windows\n"])
def test_without_values_everything_has_its_default(home: Home, text: str) -> None:
    assert daemon(home, text) == DaemonConfig()


def test_without_a_file_everything_has_its_default(home: Home) -> None:
    assert read_daemon_config(home) == DaemonConfig()


def test_values_are_read_with_their_units(home: Home) -> None:
    config = daemon(
        home,
        """
listen: tcp:8080
public_url: https://booth.example/boothd
budget: {total: 30s, reserve: 500ms, starts: accepted}
upload: {max_size: 1.5M, min_rate: 4096, max_time: 1m}
spool: {floor: 2G, keep_done: 30d, index: 12h}
day: {time_zone: Europe/Berlin, starts: "05:30"}
""",
    )
    assert config.listen == "tcp:8080"
    assert (config.budget.total, config.budget.reserve, config.budget.starts) == (30, 0.5, "accepted")
    assert (config.upload.max_size, config.upload.min_rate, config.upload.max_time) == (1_572_864, 4096, 60)
    assert (config.spool.floor, config.spool.keep_done, config.spool.index) == (2 << 30, 2_592_000, 43_200)
    assert (config.day.time_zone, config.day.starts) == ("Europe/Berlin", "05:30")


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("- a\n- b\n", "", "must hold keys and values"),
        ("just words\n", "", "must hold keys and values"),
        ("budget:\n  total: [1\n", "", "line 3: is not YAML"),
        ("listen: a: b\n", "", "line 1: is not YAML"),
        ("upload: {}\nspool: {}\nupload: {}\n", "", "line 3: is not YAML (the key upload comes twice)"),
        ("listen: 2026-13-45\n", "", "is not YAML"),
        ("budgt: {}\n", "budgt", "is not a known key"),
        ("budget: {totl: 3}\n", "budget.totl", "is not a known key"),
        ("budget: 48s\n", "budget", "must hold keys and values"),
        ("budget:\n", "budget", "must hold keys and values"),
        ("budget: {total: 48 parsecs}\n", "budget.total", "'48 parsecs' is not a time; write it like 48s"),
        ("budget: {total: yes}\n", "budget.total", "is not a time"),
        ("budget: {total: .inf}\n", "budget.total", "is not a time"),
        ("budget: {total: .nan}\n", "budget.total", "is not a time"),
        ("budget: {total: []}\n", "budget.total", "is not a time"),
        ("budget: {total: 0}\n", "budget.total", "greater than 0"),
        ("budget: {total: 2h}\n", "budget.total", "less than or equal to 3600"),
        ("budget: {total: 5s, reserve: 5s}\n", "budget.reserve", "must be less than budget.total"),
        ("budget: {starts: later}\n", "budget.starts", "'first-byte' or 'accepted'"),
        ("upload: {max_size: 30 apples}\n", "upload.max_size", "'30 apples' is not a size; write it like 500M"),
        ("upload: {max_size: -1}\n", "upload.max_size", "greater than 0"),
        ("upload: {max_size: " + "9" * 400 + "G}\n", "upload.max_size", "is not a size"),
        ("upload: {max_pixels: true}\n", "upload.max_pixels", "valid integer"),
        ("upload: {max_pixels: many}\n", "upload.max_pixels", "valid integer"),
        ("spool: {keep_done: .inf}\n", "spool.keep_done", "is not a time"),
        ("spool: {keep_done: 99999999999999d}\n", "spool.keep_done", "is not a time"),
        ("hot: {enabled: maybe}\n", "hot.enabled", "valid boolean"),
        ("log: {level: loud}\n", "log.level", "'debug', 'info', 'warn' or 'error'"),
        ("threads: {disk: 0}\n", "threads.disk", "greater than or equal to 1"),
        ("day: {time_zone: Mars/Olympus}\n", "day.time_zone", "'Mars/Olympus' is not a time zone"),
        ("day: {time_zone: ../../etc/passwd}\n", "day.time_zone", "is not a time zone"),
        ("day: {time_zone: Europe}\n", "day.time_zone", "is not a time zone"),
        ('day: {time_zone: ""}\n', "day.time_zone", "is not a time zone"),
        ("day: {starts: 25:00}\n", "day.starts", "is not a time of day; write it like 06:00"),
        ("day: {starts: dawn}\n", "day.starts", "'dawn' is not a time of day"),
        ("public_url: booth.example\n", "public_url", "'booth.example' is not an address"),
        ("listen: 8000\n", "listen", "valid string"),
        ("1: x\n", "1", ""),
    ],
)
def test_an_error_names_file_key_and_reason(home: Home, text: str, key: str, reason: str) -> None:
    error = wrong(home, text)
    assert error.key == key
    assert reason in error.reason
    assert "\n" not in error.reason


def test_a_file_that_is_not_utf8_says_so(home: Home) -> None:
    home.config_file.write_bytes("listen: größer\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_daemon_config(home)


def test_a_file_that_cannot_be_read_says_why(home: Home) -> None:
    home.config_file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_daemon_config(home)


def test_a_prefix_stands_before_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(UploadConfig, {"max_size": "x"}, tmp_path / "studio.yaml", "slots.3")
    assert caught.value.key == "slots.3.max_size"


def test_values_never_change() -> None:
    config = DaemonConfig()
    with pytest.raises(ValidationError):
        setattr(config, "listen", "tcp:1")  # noqa: B010 (mypy knows it, too)


def test_a_time_of_day_needs_no_quotes(home: Home) -> None:
    """YAML 1.1 reads 10:30 as 630."""
    assert daemon(home, "day: {starts: 10:30}\n").day.starts == "10:30"
    assert daemon(home, "day: {starts: 06:00}\n").day.starts == "06:00"


# units


SIZES = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "m": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SPANS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "S": 1}


@given(st.integers(1, 900), st.sampled_from(sorted(SIZES)), st.sampled_from(["", " "]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str, space: str) -> None:
    found = parse(UploadConfig, {"max_size": f"{number}{space}{unit}"}, Path("x"))
    assert found.max_size == number * SIZES[unit]
    assert isinstance(found.max_size, int)


@given(st.integers(1, 999_999).map(lambda n: n / 1000), st.sampled_from(sorted(SPANS)))
def test_a_time_is_its_number_times_its_unit(number: float, unit: str) -> None:
    found = parse(UploadConfig, {"max_time": f"{number:.3f}{unit}"}, Path("x"))
    assert found.max_time == pytest.approx(number * SPANS[unit])


@given(st.text(max_size=8) | st.floats() | st.booleans() | st.none() | st.lists(st.integers(), max_size=2))
def test_whatever_stands_there_is_a_value_or_a_config_error(value: object) -> None:
    for key in ("max_size", "max_time", "max_pixels"):
        with suppress(ConfigError):
            assert parse(UploadConfig, {key: value}, Path("x"))


# secrets


def secrets(home: Home, text: str, environ: dict[str, str] | None = None) -> Secrets:
    home.secrets_file.write_text(text, encoding="utf-8")
    return read_secrets(home, environ or {})


def test_secrets_come_from_their_file(home: Home) -> None:
    found = secrets(home, "operators: {admin: $argon2id$x}\nupload_password: hunter2\nkeys: {gemini: [a, b], x: c}\n")
    assert found.operators == {"admin": "$argon2id$x"}
    assert found.upload_password == SECRET
    assert found.keys == {"gemini": ("a", "b"), "x": ("c",)}


def test_without_a_file_there_are_none(home: Home) -> None:
    assert read_secrets(home, {}) == Secrets()


def test_the_environment_wins_over_credentials_and_these_over_the_file(home: Home, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "upload_password").write_text("from systemd\n")
    (credentials / "key_gemini").write_text("from-systemd\n")
    (credentials / "key_openai-images").write_text("one, two\n")
    (credentials / "something-else").write_bytes(b"\xff")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    text = "upload_password: from file\nkeys: {gemini: file, turbotext: file, openai-images: file}\n"
    found = secrets(home, text, environ)
    assert found.upload_password == "from systemd"
    assert found.keys == {"gemini": ("from-systemd",), "turbotext": ("file",), "openai-images": ("one", "two")}
    environ |= {"BOOTHD_UPLOAD_PASSWORD": "from env", "BOOTHD_KEY_OPENAI_IMAGES": "three,four,", "BOOTHD_HOME": "/x"}
    found = secrets(home, text, environ)
    assert found.upload_password == "from env"
    assert found.keys["openai-images"] == ("three", "four")
    assert found.keys["gemini"] == ("from-systemd",)


def test_an_empty_variable_is_as_good_as_none(home: Home) -> None:
    environ = {"BOOTHD_UPLOAD_PASSWORD": "", "BOOTHD_KEY_GEMINI": " "}
    found = secrets(home, "upload_password: from file\nkeys: {gemini: file}\n", environ)
    assert (found.upload_password, found.keys) == ("from file", {"gemini": ("file",)})


def test_credentials_that_cannot_be_read_say_so(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secrets(home, {"CREDENTIALS_DIRECTORY": str(tmp_path / "gone")})
    (tmp_path / "upload_password").write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        read_secrets(home, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert SECRET not in everything_said(caught.value)


def test_secrets_are_not_shown(home: Home) -> None:
    found = secrets(home, "operators: {admin: hunter2}\nupload_password: hunter2\nkeys: {gemini: hunter2}\n")
    assert SECRET not in repr(found) + str(found) + f"{found!r}"


def everything_said(error: BaseException | None) -> str:
    """An error, its cause and its context, as a log would show them."""
    said = ""
    while error is not None:
        said += f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    return said


@pytest.mark.parametrize(
    "text",
    [
        "upload_password: *hunter2\n",
        "upload_password: !hunter2\n",
        "upload_password: &hunter2\n  a: b\n",
        "upload_password: [hunter2\n",
        "upload_password: 'hunter2\n",
        "upload_password: hunter2: x\n",
        "hunter2\n",
        "- hunter2\n",
        "upload_password: [hunter2]\n",
        "upload_password: {hunter2: 1}\n",
        "keys: hunter2\n",
        "keys: {gemini: {a: hunter2}}\n",
        "keys: {gemini: [[hunter2]]}\n",
        "operators: [hunter2]\n",
        "upload_password: hunter2\nx: 1\n",
    ],
)
def test_no_error_quotes_a_secret(home: Home, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        secrets(home, text)
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize("value", ["0123", "1.5", "yes", "2026-11-20", "123456"])
@pytest.mark.parametrize("where", ["upload_password: {}", "keys: {{gemini: {}}}", "keys: {{gemini: [a, {}]}}"])
def test_a_secret_that_yaml_takes_for_something_else_wants_quotes(home: Home, where: str, value: str) -> None:
    with pytest.raises(ConfigError, match="must be text; put it into quotes") as caught:
        secrets(home, where.format(value) + "\n")
    assert value not in str(caught.value).removeprefix(str(home.secrets_file))


def test_yaml_is_read_as_plain_data_only(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="line 1: is not YAML"):
        read_yaml(tmp_path / "x.yaml")


# days

BERLIN = DayConfig(time_zone="Europe/Berlin", starts="06:00")


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ("2026-11-20T17:45:00+01:00", "2026-11-20"),
        ("2026-11-21T00:30:00+01:00", "2026-11-20"),
        ("2026-11-21T05:59:59+01:00", "2026-11-20"),
        ("2026-11-21T06:00:00+01:00", "2026-11-21"),
        ("2026-11-21T04:59:59+00:00", "2026-11-20"),
        ("2026-11-21T05:00:00+00:00", "2026-11-21"),
        # on the last Sunday of March 06:00 is an hour earlier in UTC than the day before
        ("2026-03-28T05:00:00+00:00", "2026-03-28"),
        ("2026-03-29T03:59:59+00:00", "2026-03-28"),
        ("2026-03-29T04:00:00+00:00", "2026-03-29"),
        ("2026-10-25T04:59:59+00:00", "2026-10-24"),
        ("2026-10-25T05:00:00+00:00", "2026-10-25"),
    ],
)
def test_an_evening_that_passes_midnight_is_one_day(when: str, day: str) -> None:
    assert BERLIN.day_of(datetime.fromisoformat(when)) == date.fromisoformat(day)


@given(
    st.sampled_from(["Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "UTC"]),
    st.sampled_from(["00:00", "00:30", "02:00", "02:30", "06:00", "23:59"]),
    st.integers(0, 3 * 365 * 24 * 4),
    st.integers(0, 24 * 8),
)
def test_days_never_go_back(zone: str, starts: str, quarter: int, later: int) -> None:
    day = DayConfig(time_zone=zone, starts=starts)
    when = datetime(2024, 1, 1, tzinfo=UTC) + quarter * timedelta(minutes=15)
    assert day.day_of(when) <= day.day_of(when + later * timedelta(minutes=7.5))


def test_the_hour_that_comes_twice_does_not_bring_yesterday_back() -> None:
    day = DayConfig(time_zone="Europe/Berlin", starts="02:30")
    first = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45 in summer time
    again = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 in winter time
    assert day.day_of(first) == day.day_of(again) == date(2026, 10, 25)


@pytest.fixture
def machine_in_new_york() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("machine_in_new_york")
def test_local_is_the_machines_own_zone() -> None:
    day = DayConfig(time_zone="local", starts="06:00")
    assert day.day_of(datetime(2026, 11, 20, 10, 59, tzinfo=UTC)) == date(2026, 11, 19)
    assert day.day_of(datetime(2026, 11, 20, 11, 0, tzinfo=UTC)) == date(2026, 11, 20)
    assert day.day_of(datetime(2026, 7, 20, 10, 0, tzinfo=UTC)) == date(2026, 7, 20)


def test_a_home_knows_its_places(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.slots_file("studio") == tmp_path / "etc" / "slots" / "studio.yaml"
    assert home.provider_file("gemini") == tmp_path / "etc" / "providers" / "gemini.yaml"
    assert (home.spool, home.trash, home.library) == (tmp_path / "spool", tmp_path / "trash", tmp_path / "library")
