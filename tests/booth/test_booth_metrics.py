"""What monitoring sees of an evening."""

from collections.abc import Callable
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from boothd.base.errors import BadKey, Charged, Refused
from boothd.engine.metrics import Metrics
from boothd.providers.interfaces import ProviderSettings
from tests.booth.booth_support import Booth, FakeProvider, live_slot, picture

OpenBooth = Callable[..., Booth]


def watched(booth: Booth, stall_s: float = 0.0) -> Callable[..., float | None]:
    """Ask for a sample: `sample("boothd_photos_received_total", slot="fake-1")`."""
    registry = CollectorRegistry()
    Metrics(registry, booth.spool, booth.services, lambda: stall_s)

    def sample(name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for found in family.samples:
                if found.name == name and found.labels == labels:
                    return float(found.value)
        return None

    return sample


def test_a_photos_way_is_counted(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, ProviderSettings(price=Decimal("0.04")))
    sample = watched(booth)
    booth.send(took_s=0.3)
    booth.send(took_s=0.3)
    assert sample("boothd_photos_received_total", slot="fake-1") == 2
    assert sample("boothd_photos_answered_total", slot="fake-1", code="ok") == 2
    assert sample("boothd_answers_reused_total", slot="fake-1") == 1
    assert sample("boothd_attempts_total", provider="fake", outcome="ok") == 1
    assert sample("boothd_attempts_charged_total", provider="fake", sure="yes") == 1
    assert sample("boothd_money_total", provider="fake") == 0.04
    assert sample("boothd_answer_seconds_bucket", slot="fake-1", le="0.5") == 2
    assert sample("boothd_answer_seconds_bucket", slot="fake-1", le="0.25") == 0


def test_the_money_of_today_and_its_limit_are_shown(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True), FakeProvider("other"))
    said = ProviderSettings(price=Decimal("0.04"), daily_budget=Decimal(2))
    booth.services["fake"].reconfigure(booth.services["fake"].provider, said)
    sample = watched(booth)
    booth.send()
    assert sample("boothd_spent_today", provider="fake") == 0.04
    assert sample("boothd_daily_budget", provider="fake") == 2
    assert sample("boothd_spent_today", provider="other") == 0
    assert sample("boothd_daily_budget", provider="other") is None


def test_failures_are_counted_by_what_was_said(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(paid=True, fails=[Refused(charged=Charged.MAYBE)]))
    sample = watched(booth)
    booth.send()
    assert sample("boothd_photos_answered_total", slot="fake-1", code="refused") == 1
    assert sample("boothd_attempts_total", provider="fake", outcome="refused") == 1
    assert sample("boothd_attempts_charged_total", provider="fake", sure="maybe") == 1
    assert sample("boothd_answer_seconds_count", slot="fake-1") is None


def test_chains_that_go_on_and_late_pictures_are_counted(open_booth: OpenBooth) -> None:
    slow, other = FakeProvider(fails=[Refused()]), FakeProvider("other", holding=True, paid=True)
    booth = open_booth(slow, other, slots=[live_slot("fake", 1, "other")])
    sample = watched(booth)
    booth.send().leaves()
    other.let_go()
    assert sample("boothd_fallbacks_total", slot="fake-1", provider="fake") == 1
    assert sample("boothd_photos_late_total", slot="fake-1") == 1


def test_the_state_is_asked_at_each_scrape(open_booth: OpenBooth) -> None:
    booth = open_booth(FakeProvider(holding=True))
    booth.services["fake"].turns.size = 1
    sample = watched(booth, stall_s=0.25)
    for width in (60, 61, 62):
        booth.send(picture(size=(width, 40)))
    assert sample("boothd_turns_taken", provider="fake") == 1
    assert sample("boothd_turns_waiting", provider="fake") == 2
    assert sample("boothd_provider_up", provider="fake") == 1
    assert sample("boothd_spool_healthy") == 1
    assert sample("boothd_reactor_stall_seconds") == 0.25
    assert sample("boothd_disk_free_bytes") == booth.spool.free_bytes
    booth.spool.unhealthy = "Input/output error"
    booth.provider.fails = [BadKey()] * 3
    booth.provider.let_go()
    assert sample("boothd_spool_healthy") == 0
    assert sample("boothd_provider_up", provider="fake") == 0
