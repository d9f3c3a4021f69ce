"""What a slot's chain, its paid attempts and a provider's daily budget make of a service that fails."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from boothd.spool.journal import FellBack
from tests.support.zoo import Row, Zoo, check_filed, check_money, rows, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes

NAMES = ("gemini", "openai-images", "turbotext")
PLAIN, ORIGINAL, STUDIO, NEXT, THRICE, ONCE = 1, 2, 3, 4, 5, 6
"""Slots: no chain; the guest's own photo, studio, another service for a failure; three calls may cost; only one may."""

PROMPT: Mapping[str, Any] = {"effect": "prompt", "prompt": "a pirate", "paid_attempts": 1}
SLOTS = {
    PLAIN: PROMPT,
    ORIGINAL: {**PROMPT, "prompt": "a pirate king", "on_failure": ["original"]},
    STUDIO: {**PROMPT, "prompt": "oil painting", "on_failure": ["studio"]},
    NEXT: {**PROMPT, "prompt": "a pirate queen", "paid_attempts": 2},
    THRICE: {**PROMPT, "prompt": "three pirates", "paid_attempts": 3},
    ONCE: {**PROMPT, "prompt": "one pirate"},
}
BEHIND = {"gemini": "openai-images", "openai-images": "turbotext", "turbotext": "gemini"}
"""Who is asked when the other fails."""


def slots_of(provider: str) -> dict[int, Mapping[str, Any]]:
    return {**SLOTS, NEXT: {**SLOTS[NEXT], "on_failure": [BEHIND[provider], "original"]}}


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), *NAMES) as running:
        yield running


@pytest.fixture(scope="module")
def place(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    slots = {name: slots_of(name) for name in NAMES}
    with zoo(tmp_path_factory.mktemp("zoo"), fakes, slots) as running:
        yield running


@pytest.mark.parametrize("provider", NAMES)
@rows(
    Row("the guest's own photo", "[[status=401]]", "200 ok", "bad-key no", 0, slot=ORIGINAL, made_by="original"),
    Row("the guest's own photo after a paid failure", "[[html]]", "200 ok", "bad-answer maybe", 1, slot=ORIGINAL,
        made_by="original"),
    Row("studio", "[[status=402]]", "200 ok", "out-of-credit no, studio ok no", 0, slot=STUDIO, made_by="studio"),
    Row("studio after a paid failure", "[[html]]", "200 ok", "bad-answer maybe, studio ok no", 1, slot=STUDIO,
        made_by="studio"),
)  # fmt: skip
def test_a_failure_becomes(place: Zoo, provider: str, row: Row) -> None:
    seen = place.check(provider, row)
    assert seen.answer.headers["x-boothd-fell-back"] == provider


@pytest.mark.parametrize("provider", NAMES)
def test_a_failure_leads_to_another_service(place: Zoo, provider: str) -> None:
    other = BEHIND[provider]
    attempts = f"bad-key no, {other} ok yes"
    row = Row("it fails", "[[status=401]]", "200 ok", attempts, 0, slot=NEXT, made_by=other, others={other: 1})
    place.check(provider, row)


@pytest.mark.parametrize("provider", NAMES)
def test_paid_attempts_hold_for_the_whole_chain(place: Zoo, provider: str) -> None:
    """Both that may cost are made at the first service; then the guest's own photo is all that is left."""
    other = BEHIND[provider]
    place.tell({provider: "[[html]]", other: "[[html]]"})
    before = place.charged()
    seen = place.send(provider, NEXT, place.photo())
    check_filed(seen, "original")
    assert seen.attempts(provider) == "bad-answer maybe, bad-answer maybe"
    fell = [(entry.provider, entry.to, entry.code) for entry in seen.job.all(FellBack)]
    assert fell == [(provider, other, "bad-answer"), (other, "original", "paid-attempts-used-up")]
    cost = {name: now - before[name] for name, now in place.charged().items()}
    assert cost == {**dict.fromkeys(NAMES, 0), provider: 2}
    check_money(seen, cost)


@pytest.mark.parametrize("provider", NAMES)
@pytest.mark.parametrize(("slot", "most"), [(ONCE, 1), (NEXT, 2), (THRICE, 3)])
def test_no_more_than_the_paid_attempts_are_made(place: Zoo, provider: str, slot: int, most: int) -> None:
    place.tell({provider: "[[drop charged]]", BEHIND[provider]: "[[status=401]]"})
    before = len(place.fakes[provider].charges)
    seen = place.send(provider, slot, place.photo())
    assert len(place.fakes[provider].charges) - before == most
    assert seen.paid(provider) == (0, most)


@pytest.fixture(scope="module")
def thrifty(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    """A day has money for one picture: 4 of 5 hundredths."""
    slots = {name: slots_of(name) for name in NAMES}
    providers = {name: {"price": "0.04", "daily_budget": "0.05"} for name in NAMES}
    with zoo(tmp_path_factory.mktemp("thrifty"), fakes, slots, providers=providers) as running:
        yield running


@pytest.mark.parametrize("provider", NAMES)
def test_when_the_days_money_is_spent_the_slots_failure_rule_holds_and_nothing_is_called(
    thrifty: Zoo, provider: str
) -> None:
    thrifty.tell({})
    check_filed(thrifty.send(provider, PLAIN, thrifty.photo()), provider)
    fake = thrifty.fakes[provider]
    calls, charges = len(fake.calls()), len(fake.charges)
    refused = thrifty.send(provider, PLAIN, thrifty.photo())
    assert (refused.answer.status, refused.answer.code) == (502, "daily-budget-spent")
    assert refused.attempts(provider) == ""
    check_filed(refused, provider)
    check_filed(thrifty.send(provider, ORIGINAL, thrifty.photo()), "original")
    check_filed(thrifty.send(provider, STUDIO, thrifty.photo()), "studio", guest=False)
    assert len(fake.calls()) == calls
    assert len(fake.charges) == charges


def test_a_days_money_stays_spent_after_a_restart(thrifty: Zoo) -> None:
    thrifty.tell({})
    for provider in NAMES:
        for _ in range(2):
            thrifty.send(provider, PLAIN, thrifty.photo())
    before = thrifty.charged()
    thrifty.daemon.kill()
    thrifty.daemon.start()
    for provider in NAMES:
        assert thrifty.send(provider, PLAIN, thrifty.photo()).answer.code == "daily-budget-spent"
    assert thrifty.charged() == before
