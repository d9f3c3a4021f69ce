"""The composition root, in this process: what it builds, and how it says that it cannot."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import LogEvent, Logger
from twisted.python import usage

from boothd import service
from boothd.base import logs
from boothd.base.aio import Background
from boothd.base.house import House
from boothd.config import ConfigError, Home
from boothd.spool import SpoolInUse
from tests.support.daemon import make_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a slot; afterwards the reactor's clock is what it was."""
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
    return Home(make_home(tmp_path / "home", {"studio": {1: {"prompt": "pencil"}}}))


async def page(house: House, path: str) -> Any:
    """Ask a house that is open."""
    import treq

    (port,) = [part.port for name, part in house._parts if name == "main listener"]  # type: ignore[attr-defined]
    answer = await treq.get(f"http://127.0.0.1:{port}{path}", persistent=False)
    await answer.content()
    return answer


@pytest_twisted.ensureDeferred
async def test_a_house_opens_serves_and_closes(home: Home) -> None:
    house = service.make_house(home)
    await house.open()
    try:
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 401), ("/nothing", 404)):
            assert (await page(house, path)).code == status
    finally:
        await house.close()
    again = service.make_house(home)
    await again.open()
    await again.close()


@pytest_twisted.ensureDeferred
async def test_a_part_that_cannot_start_lets_the_others_go(home: Home) -> None:
    first = service.make_house(home)
    await first.open()
    try:
        second = service.make_house(home)
        with pytest.raises(SpoolInUse, match="stop it first"):
            await second.open()
        port = (await page(first, "/livez")).request.absoluteURI.split(b":")[2].split(b"/")[0].decode()
        other = service.make_house(Home(make_home(home.path.with_name("other"), {})), f"tcp:{port}:interface=127.0.0.1")
        with pytest.raises(CannotListenError):
            await other.open()
        free = service.make_house(Home(home.path.with_name("other")))
        await free.open()
        await free.close()
    finally:
        await first.close()


def test_a_directory_that_is_no_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make a home with: boothd init --home"):
        service.make_house(Home(tmp_path))


def test_make_service_says_in_one_line_what_is_wrong(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.slots_file("studio").write_text("slots: {1: {}}")
    monkeypatch.setenv("BOOTHD_HOME", str(home.path))
    options: Any = service.Options()
    options.parseOptions([])
    with pytest.raises(SystemExit) as ended:
        service.makeService(options)
    assert ended.value.code == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"boothd cannot start: {home.slots_file('studio')}: slots.1.key: ")


def test_the_home_given_comes_before_the_environments(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOOTHD_HOME", str(home.path))
    options: Any = service.Options()
    options.parseOptions(["--home", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        service.makeService(options)
    assert str(tmp_path / "nowhere") in capsys.readouterr().err


def test_unknown_options_are_refused() -> None:
    options: Any = service.Options()
    with pytest.raises(usage.UsageError):
        options.parseOptions(["--nonsense"])


def test_options_leave_a_reactor_that_is_there_alone() -> None:
    from twisted.internet import reactor  # noqa: TID251

    service.Options()
    from twisted.internet import reactor as same  # noqa: TID251

    assert reactor is same


# --- the log -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What an observer at level info writes."""
    out = io.StringIO()
    written = logs.observer(out, "info")
    from twisted.logger import globalLogPublisher

    globalLogPublisher.addObserver(written)
    yield out
    globalLogPublisher.removeObserver(written)


def test_a_line_has_time_level_and_text(log: io.StringIO) -> None:
    Logger("boothd.tests").info("{what} happened", what="something")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d info     something happened\n", log.getvalue()
    )


def test_what_comes_from_outside_begins_no_line_and_steers_no_terminal(log: io.StringIO) -> None:
    name = "a\nb\rc\x1b[31md\x85e\u2028f\udce4.jpg"
    Logger("boothd.tests").warn("{file} waits", file=name)
    (line,) = log.getvalue().splitlines()
    assert line.endswith("a b c [31md e f\\udce4.jpg waits")


@pytest.mark.parametrize(
    ("namespace", "level", "written"),
    [
        ("twisted.web", "info", False),
        ("twisted.web", "warn", True),
        ("boothd.booth", "info", True),
        ("boothd.booth", "debug", False),
    ],
)
def test_twisteds_chatter_is_left_out(log: io.StringIO, namespace: str, level: str, written: bool) -> None:
    getattr(Logger(namespace), level)("said")
    assert bool(log.getvalue()) is written


def test_a_traceback_follows_the_line_that_names_the_job(log: io.StringIO, events: list[LogEvent]) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("a defect")

    Background().start("a photo's work", fail(), job="20261120T180000.000-abcdef")
    first, second, *_ = log.getvalue().splitlines()
    assert "a photo's work failed, job 20261120T180000.000-abcdef" in first
    assert second.startswith("Traceback")
    assert log.getvalue().splitlines()[-1].endswith("ZeroDivisionError: a defect")


def test_a_cancelled_work_is_no_failure(log: io.StringIO) -> None:
    async def wait() -> None:
        await Deferred()

    Background().start("a wait", wait()).cancel()
    assert log.getvalue() == ""


def test_a_full_log_file_begins_anew_and_the_newest_old_ones_stay(tmp_path: Path) -> None:
    file = logs.rotating_file(tmp_path / "log" / "boothd.log", rotate_bytes=100, keep=2)
    for number in range(20):
        file.write(f"line {number} of a log that is soon full\n")
    file.close()
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == ["boothd.log", "boothd.log.1", "boothd.log.2"]
    assert (tmp_path / "log/boothd.log").stat().st_mode & 0o777 == 0o600
    assert "line 19 " in (tmp_path / "log/boothd.log").read_text()
