"""What is configured at this moment, and how it changes while the daemon runs."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from twisted.internet.task import Clock as FakeTime
from twisted.logger import LogEvent

from boothd.base.clock import Clock
from boothd.base.errors import BadKey
from boothd.base.threads import Threads
from boothd.config import ConfigError, Home
from boothd.engine.spending import DailyBudgetSpent
from boothd.live import Live, read_all
from boothd.providers.tools import Tools
from tests.booth.booth_support import StepThreads, picture, run

KEY = "k" * 22
SITE = Path(__file__).parent / "support" / "scripted" / "site"

BROKEN = """
from boothd.providers.interfaces import NotConfigured, Options, ProviderSettings
from pydantic import field_validator
from twisted.internet.defer import Deferred

class Settings(ProviderSettings):
    mood: str = "good"

    @field_validator("mood")
    @classmethod
    def _judge(cls, mood):
        if mood == "unforeseen":
            raise ZeroDivisionError("a defect in the settings")
        return mood

class Broken:
    name, title, effects, paid = "broken", "Broken", (), False
    Options, Settings = Options, Settings
    tidying = []

    def __init__(self, settings, tools):
        if settings.mood == "bad":
            raise ZeroDivisionError("a defect in the constructor")

    async def tidy(self, budget):
        self.budget, self.tidied = budget, Deferred()
        self.tidying.append(self)
        await self.tidied
"""


class Etc:
    """A home's etc/ and what is made of it."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        for folder in (self.home.etc / "slots", self.home.etc / "providers", self.home.library / "references"):
            folder.mkdir(parents=True)
        self.daemon(listen="tcp:8000")
        self.secrets(upload_password="one")
        self.slots({1: {"key": KEY, "effect": "style", "prompt": "pencil"}})
        self.threads = StepThreads()

    def open(self) -> Live:
        self.time = FakeTime()
        self.clock = Clock(self.time)
        self.spent = {"studio": Decimal(0)}
        threads = cast(Threads, self.threads)
        self.live = Live(self.home, read_all(self.home), self.clock, threads, self._tools, self.spent.__getitem__)
        return self.live

    def _tools(self, keys: tuple[str, ...]) -> Tools:
        threads, none = cast(Threads, self.threads), cast(Any, None)
        return Tools(
            self.clock, None, keys, threads, threads, lambda: 1_000_000, threads, none, none, none, none, "node"
        )

    def change(self, *files: Path) -> None:
        """Tell that files have changed."""
        self.live.changed(frozenset(files or (self.home.config_file,)))

    def problem(self) -> str:
        """Why the last change was not taken; "" when it was."""
        return self.live.problem or ""

    def daemon(self, **said: Any) -> None:
        self.home.config_file.write_text(yaml.safe_dump(said))

    def secrets(self, **said: Any) -> None:
        self.home.secrets_file.write_text(yaml.safe_dump(said))

    def slots(self, slots: Any, provider: str = "studio") -> None:
        self.home.slots_file(provider).write_text(yaml.safe_dump({"slots": slots}))

    def provider(self, name: str, **said: Any) -> None:
        self.home.provider_file(name).write_text(yaml.safe_dump(said))


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Etc]:
    """With the provider `scripted`, which needs a url, and `broken`, which has defects, as other packages bring them."""
    package = tmp_path / "site"
    (package / "broken-0.dist-info").mkdir(parents=True)
    (package / "broken-0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0\n")
    (package / "broken-0.dist-info/entry_points.txt").write_text(
        "[boothd.providers]\nbroken = broken_provider:Broken\n"
    )
    (package / "broken_provider.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.syspath_prepend(str(SITE))
    yield Etc(tmp_path / "home")
    sys.modules.pop("broken_provider", None)


def test_what_is_there_at_the_start_is_in_force(etc: Etc) -> None:
    live = etc.open()
    assert [slot.id for slot in live.now.book] == ["studio-1"]
    assert {"studio", "broken"} <= live.services.keys()
    assert live.left_out["scripted"] == "scripted: set its url in etc/providers/scripted.yaml."
    assert not live.left_out.keys() & live.services.keys()
    assert live.problem is None
    assert not live.restart_needed


def test_a_good_edit_is_in_force_at_once_and_told(etc: Etc) -> None:
    live = etc.open()
    told: list[str] = []
    live.applied.append(lambda: told.append(live.now.secrets.upload_password))
    etc.secrets(upload_password="two")
    etc.slots({2: {"key": KEY, "effect": "style"}})
    etc.change(etc.home.secrets_file)
    assert told == ["two"]
    assert [slot.id for slot in live.now.book] == ["studio-2"]
    assert live.problem is None


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("etc/boothd.yaml", "budget: {total: soon}", "budget.total: 'soon' is not a time"),
        ("etc/boothd.yaml", "bugdet: {}", "bugdet: is not a known key"),
        ("etc/slots/studio.yaml", "slots: {1: {}}", "slots.1.key: field required"),
        ("etc/slots/studio.yaml", "slots: [1", "is not YAML"),
        ("etc/providers/studio.yaml", "concurrency: 0", "concurrency: input should be greater than or equal to 1"),
        ("etc/secrets.yaml", "operators: 7", "operators: "),
    ],
)
def test_a_bad_edit_is_refused_and_the_last_good_one_stays(
    etc: Etc, file: str, text: str, said: str, events: list[LogEvent]
) -> None:
    live = etc.open()
    before = live.now
    told: list[int] = []
    live.applied.append(lambda: told.append(1))
    path = etc.home.path / file
    good = path.read_text() if path.exists() else ""
    path.write_text(text)
    etc.change(path)
    problem = etc.problem()
    assert problem.startswith(str(path))
    assert said in problem
    assert live.now is before
    assert not told
    assert any(problem == event.get("problem") for event in events)
    path.write_text(good)
    etc.change(path)
    assert not etc.problem()
    assert told == [1]


def test_one_bad_file_holds_back_the_good_ones_too(etc: Etc) -> None:
    live = etc.open()
    etc.secrets(upload_password="two")
    etc.slots({99: {}})
    etc.change()
    assert live.now.secrets.upload_password == "one"


def test_a_home_that_cannot_be_read_at_the_start_says_why(etc: Etc) -> None:
    etc.slots({1: {"key": KEY, "effect": "magic"}})
    with pytest.raises(ConfigError) as caught:
        read_all(etc.home)
    assert (caught.value.file, caught.value.key) == (etc.home.slots_file("studio"), "slots.1.effect")


def test_what_takes_effect_at_the_next_start_is_said_until_it_is_taken_back(etc: Etc) -> None:
    live = etc.open()
    etc.daemon(listen="tcp:9000", threads={"disk": 2}, budget={"total": 30})
    etc.change()
    assert live.restart_needed == ("listen", "threads")
    assert live.now.daemon.budget.total == 30
    etc.daemon(listen="tcp:8000")
    etc.change()
    assert not live.restart_needed


def test_a_change_during_a_reload_brings_another(etc: Etc) -> None:
    live = etc.open()
    told: list[str] = []
    live.applied.append(lambda: told.append(live.now.secrets.upload_password))
    etc.threads.hold = True
    etc.change()
    for password in ("two", "three"):
        etc.secrets(upload_password=password)
        etc.change()
    etc.threads.release()
    assert told == ["three", "three"]
    etc.change()
    assert len(told) == 3


def test_a_reload_ends_with_the_daemon(etc: Etc) -> None:
    live = etc.open()
    etc.threads.hold = True
    etc.change()
    stopped: list[object] = []
    from twisted.internet.defer import Deferred

    Deferred.fromCoroutine(live.stop()).addBoth(stopped.append)
    assert stopped == [None]


@pytest.mark.parametrize("name", ["notes.txt", ".studio.yaml.swp", "4913"])
def test_files_that_are_no_configuration_change_nothing(etc: Etc, name: str) -> None:
    live = etc.open()
    told: list[int] = []
    live.applied.append(lambda: told.append(1))
    etc.change(etc.home.etc / "slots" / name)
    assert not told


def test_a_reference_picture_that_changes_changes_the_preset(etc: Etc) -> None:
    reference = etc.home.library / "references" / "beach.jpg"
    reference.write_bytes(picture())
    etc.slots({1: {"key": KEY, "effect": "background", "references": ["beach.jpg"]}})
    live = etc.open()
    (before,) = live.now.book
    reference.write_bytes(picture(colour="red"))
    etc.change(reference)
    (after,) = live.now.book
    assert before.presets[0].revision != after.presets[0].revision


# --- providers -----------------------------------------------------------------------------------------------------------


def test_new_settings_keep_the_queue_and_lift_a_pause(etc: Etc) -> None:
    live = etc.open()
    service = live.services["studio"]
    service.turns.taken = 1
    try:
        with service.breaker.watch():
            raise BadKey()
    except BadKey:
        pass
    before = service.provider
    etc.provider("studio", concurrency=7)
    etc.change(etc.home.provider_file("studio"))
    assert live.services["studio"] is service
    assert (service.turns.size, service.turns.taken) == (7, 1)
    assert service.breaker.state.value == "closed"
    assert service.provider is not before


def test_what_did_not_change_is_left_as_it_is(etc: Etc) -> None:
    live = etc.open()
    before = live.services["studio"].provider
    etc.secrets(upload_password="two")
    etc.change(etc.home.secrets_file)
    assert live.services["studio"].provider is before


def test_a_new_api_key_makes_a_new_provider(etc: Etc) -> None:
    etc.provider("scripted", url="http://127.0.0.1:9")
    live = etc.open()
    before: Any = live.services["scripted"].provider
    etc.secrets(upload_password="one", keys={"scripted": "a-key"})
    etc.change(etc.home.secrets_file)
    after: Any = live.services["scripted"].provider
    assert after is not before
    assert after._headers == {"Authorization": "Bearer a-key"}


def test_a_provider_comes_when_it_can_work_and_goes_when_it_cannot(etc: Etc) -> None:
    live = etc.open()
    etc.provider("scripted", url="http://127.0.0.1:9")
    etc.change(etc.home.provider_file("scripted"))
    assert "scripted" in live.services
    assert "scripted" not in live.left_out
    etc.home.provider_file("scripted").unlink()
    etc.change(etc.home.provider_file("scripted"))
    assert "scripted" not in live.services
    assert "set its url" in live.left_out["scripted"]


def test_a_provider_with_a_defect_is_left_out_and_the_others_work(etc: Etc, events: list[LogEvent]) -> None:
    etc.provider("broken", mood="bad")
    live = etc.open()
    assert "a defect in the constructor" in live.left_out["broken"]
    assert "studio" in live.services
    assert [event["provider"] for event in events if "log_failure" in event] == ["broken"]
    etc.provider("broken", mood="good")
    etc.change(etc.home.provider_file("broken"))
    assert "broken" not in live.left_out
    assert "broken" in live.services


def test_a_reload_that_fails_in_an_unforeseen_way_is_shown_and_does_not_end_reloading(
    etc: Etc, events: list[LogEvent]
) -> None:
    live = etc.open()
    before = live.now
    etc.provider("broken", mood="unforeseen")
    etc.change(etc.home.provider_file("broken"))
    assert "a defect in the settings" in etc.problem()
    assert live.now is before
    assert any("log_failure" in event for event in events)
    etc.provider("broken")
    etc.change(etc.home.provider_file("broken"))
    assert not etc.problem()


def test_another_public_address_makes_the_providers_anew(etc: Etc) -> None:
    live = etc.open()
    before = live.services["studio"].provider
    etc.daemon(listen="tcp:8000", public_url="https://booth.example")
    etc.change()
    assert live.services["studio"].provider is not before


def test_the_money_of_today_and_its_limit_can_be_read(etc: Etc) -> None:
    etc.provider("studio", daily_budget=2.5)
    live = etc.open()
    etc.spent["studio"] = Decimal("1.25")
    spending = live.services["studio"].spending
    assert (spending.today, spending.budget) == (Decimal("1.25"), Decimal("2.5"))
    etc.provider("studio", daily_budget=1, price=0.1)
    etc.daemon(listen="tcp:8000", day={"starts": "09:30"})
    etc.change()
    with pytest.raises(DailyBudgetSpent, match=r"studio has spent 1\.25 of the 1 .* anew at 09:30"):
        live.services["studio"].check()


# --- tidying up ----------------------------------------------------------------------------------------------------------


def tidying() -> list[Any]:
    """The providers that were told to tidy up."""
    found: list[Any] = sys.modules["broken_provider"].Broken.tidying
    return found


def test_a_provider_tidies_up_when_the_daemon_runs_and_not_before(etc: Etc) -> None:
    live = etc.open()
    assert tidying() == []
    run(live.start())
    (provider,) = tidying()
    working: Any = live.services["broken"].provider
    assert provider is working
    assert provider.budget.left_s() == 60
    run(live.stop())


def test_a_provider_that_is_made_anew_tidies_up_too_and_reloading_goes_on_meanwhile(etc: Etc) -> None:
    live = etc.open()
    run(live.start())
    for prompt in ("good too", "good as well"):
        etc.provider("broken", mood=prompt)
        etc.change(etc.home.provider_file("broken"))
    assert len(tidying()) == 3
    run(live.stop())


def test_tidying_up_takes_no_more_than_a_minute_and_its_failure_is_only_logged(
    etc: Etc, events: list[LogEvent]
) -> None:
    live = etc.open()
    run(live.start())
    etc.time.advance(60)
    (said,) = [event for event in events if event.get("reason")]
    assert said["provider"] == "broken"
    etc.provider("broken", mood="good too")
    etc.change(etc.home.provider_file("broken"))
    tidying()[1].tidied.errback(ZeroDivisionError("a defect"))
    assert [event["log_failure"].value.args for event in events if "log_failure" in event] == [("a defect",)]
    assert "broken" in live.services
    run(live.stop())


def test_stopping_ends_the_tidying(etc: Etc) -> None:
    live = etc.open()
    run(live.start())
    run(live.stop())
    assert tidying()[0].tidied.called
    etc.provider("broken", mood="good too")
    etc.change(etc.home.provider_file("broken"))
    assert len(tidying()) == 1
