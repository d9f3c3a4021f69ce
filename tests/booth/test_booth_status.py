"""The status page and its action, as the operator sees them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from boothd.base.assets import assets
from boothd.base.errors import BadKey, NoSuchSlot, NotFound, Refused
from boothd.booth.slots import SlotBook
from boothd.booth.status import Condition, StatusPage
from boothd.http import Pages
from boothd.providers.interfaces import EffectType, Preset, ProviderSettings
from tests.booth.booth_support import PASSWORD, TODAY, Booth, FakeProvider, live_slot, picture, run

OpenBooth = Callable[..., Booth]


@dataclass
class Instructed(FakeProvider):
    """A provider whose effect has an instruction of its own."""

    effects: tuple[EffectType, ...] = ()  # type: ignore[misc]


class FakeRequest:
    operator = "op"

    def __init__(self, retried: str = "", host: str | None = "booth.test:8000") -> None:
        self._retried, self._host = retried, host

    def getCookie(self, name: bytes) -> bytes | None:
        return None

    def getHeader(self, name: str) -> str | None:
        return self._host if name == "host" else None

    def field(self, name: str) -> str:
        return self._retried if name == "retried" else ""


class Seen(HTMLParser):
    """What a page shows: its text, its links, its forms."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.words: list[str] = []
        self.inputs: list[dict[str, str | None]] = []
        self.forms: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.classes: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        said = dict(attrs)
        self.classes += (said.get("class") or "").split()
        if tag == "input" and said.get("type") != "hidden":
            self.inputs.append(said)
        if tag == "form" and said.get("action") != "/language":
            self.forms.append(said)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class Page:
    """A booth's status page."""

    def __init__(self, booth: Booth) -> None:
        self.booth = booth
        self.problem: str | None = None
        self.restart_needed: tuple[str, ...] = ()
        self.left_out: dict[str, str] = {}
        self._page = StatusPage(
            booth.desk,
            booth.stats,
            booth.trash,
            Pages(assets("web")),
            condition=lambda: Condition(booth.password, self.problem, self.restart_needed, self.left_out),
            base_url=lambda host: f"http://{host}",
        )

    def see(self, retried: str = "") -> Seen:
        handler: Any = self._page.routes()[0].handler
        reply = run(handler(FakeRequest(retried)))
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/html")
        return Seen(reply.body.decode())

    def retry(self, day: str, id: str) -> Any:
        handler: Any = self._page.routes()[1].handler
        return run(handler(FakeRequest(), day=day, id=id))


@pytest.fixture
def booth(open_booth: OpenBooth) -> Booth:
    booth = open_booth(FakeProvider(), slots=[live_slot(name="Pencil & ink"), live_slot(number=2, enabled=False)])
    booth.spool.free_bytes = 50 << 30
    return booth


def test_a_fresh_home_says_what_to_do(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.slots, booth.password = SlotBook({}), ""
    seen = Page(booth).see()
    assert "No slot is set up" in seen.text
    assert "etc/slots/studio.yaml" in seen.text
    assert "none is set" in seen.text
    assert "Needs you" in seen.text
    assert "no booth is let in" in seen.text
    assert "Nothing has failed." in seen.text


def test_when_all_is_well_it_says_so(booth: Booth) -> None:
    seen = Page(booth).see()
    assert "All is well" in seen.text
    assert "50.0 GiB free" in seen.text
    assert "Fake works" in seen.text
    assert PASSWORD in seen.text
    assert "bad" not in seen.classes


def test_links_stand_in_inputs_that_can_be_copied_without_scripts(booth: Booth) -> None:
    seen = Page(booth).see()
    (link,) = [field for field in seen.inputs if field.get("value", "")]
    assert link["value"] == f"http://booth.test:8000/upload/fake/1/{'k' * 22}"
    assert "readonly" in link
    assert link["aria-label"] == "Upload link of fake-1"
    assert "script" not in seen.tags


def test_a_slots_evening_is_told_in_numbers(booth: Booth) -> None:
    booth.send()
    booth.provider.fails = [Refused()]
    booth.send(picture(colour="blue"))
    seen = Page(booth).see()
    assert "fake-1" in seen.text
    assert "Pencil & ink" in seen.text
    assert 'data-label="today">1<' in seen.html
    assert "0.2" in seen.text


def test_uploads_that_were_not_accepted_are_counted(booth: Booth) -> None:
    for _ in range(3):
        with pytest.raises(NoSuchSlot):
            booth.counter.admit("/upload/fake/1/wrong", 10)
    seen = Page(booth).see()
    assert "no-such-slot 3" in seen.text


def test_a_failed_photo_has_its_reason_and_a_button(booth: Booth) -> None:
    booth.provider.fails = [Refused("No <b>celebrities</b>.")]
    job = booth.send().error.job
    seen = Page(booth).see()
    assert "No <b>celebrities</b>." in seen.text
    assert "<b>" not in seen.html
    assert [form["action"] for form in seen.forms] == [f"/trash/2026-11-20/{job}/retry"]
    assert "not charged" in seen.text or "may have been charged" in seen.text


def test_a_photo_that_was_not_kept_has_no_button(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(fails=[Refused()]), slots=[live_slot(keep_failures=False)])
    booth.send()
    assert not Page(booth).see().forms


def test_a_damaged_job_is_shown(booth: Booth) -> None:
    left = booth.leave_behind()
    (left / "journal.jsonl").write_bytes(b"?\n")
    booth.recover()
    seen = Page(booth).see()
    assert "line 1 of the journal" in seen.text
    assert not seen.forms


def test_no_more_than_twenty_are_shown(booth: Booth) -> None:
    for number in range(22):
        booth.provider.fails = [Refused()]
        booth.send(picture(size=(60 + number, 40)))
    assert len(Page(booth).see().forms) == 20


def test_an_unhealthy_disk_needs_a_person(booth: Booth) -> None:
    booth.spool.unhealthy = "Input/output error"
    seen = Page(booth).see()
    assert "Needs you" in seen.text
    assert "The disk failed: Input/output error" in seen.text
    assert "bad" in seen.classes


def test_a_nearly_full_disk_needs_a_person(open_booth: OpenBooth) -> None:
    booth = open_booth(spool={"floor": "1G"})
    booth.spool.free_bytes = 300 << 20
    seen = Page(booth).see()
    assert "Needs you" in seen.text
    assert "300 MiB are left, 1.0 GiB are the floor" in seen.text


def test_a_refused_edit_needs_a_person(booth: Booth) -> None:
    page = Page(booth)
    page.problem = "/home/etc/slots/fake.yaml: slots.1.effect: fake has no effect “magic”"
    seen = page.see()
    assert "Needs you" in seen.text
    assert page.problem in seen.text


def test_what_waits_for_a_restart_and_what_is_left_out_is_said_calmly(booth: Booth) -> None:
    page = Page(booth)
    page.restart_needed = ("listen", "threads")
    page.left_out = {"other": "no API key; put one into etc/secrets.yaml", "third": "its address is not set"}
    seen = page.see()
    assert "listen, threads" in seen.text
    assert "other no key" in seen.text
    assert "etc/secrets.yaml" not in seen.text
    assert "third left out its address is not set" in seen.text
    assert "All is well" in seen.text
    assert seen.classes.count("notice") == 1
    assert "bad" not in seen.classes


@pytest.mark.parametrize("chain", [(), ("other",)])
def test_a_provider_that_slots_need_but_is_left_out_needs_a_person(
    open_booth: OpenBooth, chain: tuple[str, ...]
) -> None:
    asked = live_slot("fake" if chain else "other", 1, *chain)
    page = Page(open_booth(FakeProvider(), slots=[asked]))
    page.left_out = {"other": "no API key; put one into etc/secrets.yaml"}
    seen = page.see()
    assert "Needs you" in seen.text
    assert "other is left out" in seen.text
    assert "put one into etc/secrets.yaml" in seen.text


def test_a_left_out_provider_whose_slots_are_switched_off_is_no_alarm(open_booth: OpenBooth) -> None:
    page = Page(open_booth(FakeProvider(), slots=[live_slot(), live_slot("other", enabled=False)]))
    page.left_out = {"other": "no API key"}
    assert "All is well" in page.see().text


def test_a_slot_that_is_unfolded_shows_what_is_asked_for(open_booth: OpenBooth) -> None:
    effect = EffectType("style", "Style", max_references=3, instruction="Keep every <face>.")
    slot = live_slot("fake", 1, "spare", original=True, prompt="A pencil drawing")
    seen = Page(open_booth(Instructed(effects=(effect,)), FakeProvider("spare"), slots=[slot])).see()
    assert "Built-in instruction Keep every <face>." in seen.text
    assert "<face>" not in seen.html
    assert "The slot adds A pencil drawing" in seen.text
    assert "Reference pictures 0 of at most 3" in seen.text
    assert "Model fake-1" in seen.text
    assert "On a failure spare → the guest's own photo" in seen.text


def test_a_slot_without_an_instruction_shows_its_prompt_alone(booth: Booth) -> None:
    seen = Page(booth).see()
    assert "Prompt pencil" in seen.text
    assert "Built-in instruction" not in seen.text
    assert "at most" not in seen.text


def test_a_directing_slot_says_who_draws(open_booth: OpenBooth) -> None:
    slot = live_slot()
    drawn = replace(slot.presets[0], renderer=Preset("spare", "portrait"))
    seen = Page(open_booth(FakeProvider(), FakeProvider("spare"), slots=[replace(slot, presets=(drawn,))])).see()
    assert "Drawn by spare, portrait" in seen.text


def test_slots_that_are_switched_off_are_folded_away(booth: Booth) -> None:
    seen = Page(booth).see()
    assert "1 slot is switched off" in seen.text
    assert seen.html.index("fake-2") > seen.html.index("1 slot is switched off") > seen.html.index("fake-1")


def test_a_providers_money_of_today_stands_beside_its_budget(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    settings = ProviderSettings(price=Decimal("0.04"), daily_budget=Decimal("0.1"))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, settings)
    booth.send()
    seen = Page(booth).see()
    assert 'data-label="spent today">0.04<' in seen.html
    assert 'data-label="daily budget">0.1<' in seen.html
    assert "All is well" in seen.text


def test_a_daily_budget_that_is_spent_is_said(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    settings = ProviderSettings(price=Decimal("0.04"), daily_budget=Decimal("0.04"))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, settings)
    booth.send()
    seen = Page(booth).see()
    assert "A daily budget is spent" in seen.text
    assert "fake has spent 0.04 of the 0.04" in seen.text
    assert "daily budget spent" in seen.text


def test_calls_under_way_are_counted(booth: Booth) -> None:
    booth.provider.holding = True
    booth.send()
    assert 'data-label="under way">1<' in Page(booth).see().html


def test_a_provider_that_is_paused_says_why(booth: Booth) -> None:
    booth.provider.fails = [BadKey("The key is wrong.")]
    booth.send()
    seen = Page(booth).see()
    assert "A service is paused" in seen.text
    assert "Fake is paused after “The key is wrong.”" in seen.text
    assert "Fake works" not in seen.text


def test_a_provider_with_a_queue_says_how_long_it_is(booth: Booth) -> None:
    booth.services["fake"].reconfigure(booth.services["fake"].provider, ProviderSettings(concurrency=1))
    booth.provider.holding = True
    for size in (61, 62, 63):
        booth.send(picture(size=(size, 40)))
    assert 'data-label="waiting">2<' in Page(booth).see().html


@pytest.mark.parametrize(("outcome", "said"), [("done", "lies in done"), ("refused", "failed too"), ("", "")])
def test_a_retry_says_how_it_ended(booth: Booth, outcome: str, said: str) -> None:
    assert said in Page(booth).see(outcome).text


def test_what_the_address_says_is_escaped(booth: Booth) -> None:
    assert "<script>" not in Page(booth).see("<script>alert(1)</script>").html


def test_a_retry_leads_back_to_the_page(booth: Booth) -> None:
    booth.provider.fails = [Refused()]
    job = booth.send().error.job
    reply = Page(booth).retry(TODAY.isoformat(), str(job))
    assert (reply.status, reply.headers["Location"]) == (303, "/?retried=done#trash")


@pytest.mark.parametrize(
    ("day", "id"),
    [
        ("2026-11-20", "20261120T180000.000-abcdef"),
        ("today", "20261120T180000.000-abcdef"),
        ("..", "20261120T180000.000-abcdef"),
        ("2026-11-20/..", "20261120T180000.000-abcdef"),
        ("2026-11-20", ".."),
        ("", ""),
    ],
)
def test_a_retry_of_nothing_is_404(booth: Booth, day: str, id: str) -> None:
    with pytest.raises(NotFound):
        Page(booth).retry(day, id)


def test_a_day_that_begins_at_six_is_still_yesterday_at_night(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.send()
    booth.time.advance(timedelta(hours=10).total_seconds())  # four in the morning
    assert 'data-label="today">1<' in Page(booth).see().html
    booth.time.advance(timedelta(hours=3).total_seconds())
    assert 'data-label="today">0<' in Page(booth).see().html


def test_money_does_not_break_the_numbers(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, ProviderSettings(price=Decimal("0.039")))
    booth.send()
    assert "All is well" in Page(booth).see().text
