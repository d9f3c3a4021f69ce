"""Asking services what the accounts have: all at once, within a limit, every error kept apart."""

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from boothd.base.budget import Budget
from boothd.base.errors import BadKey, OutOfTime, Unavailable
from boothd.cli.asking import LIMIT_S, Told, ask_all, on_one_line, questions
from boothd.cli.models import listing
from boothd.cli.uses import Use
from boothd.providers.interfaces import Offer, Preset
from tests.booth.booth_support import live_slot
from tests.support.clock import FakeClock


class Asked:
    """A provider with these keys; the first of them says what its service does."""

    title = "Asked"

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.hung_up = False

    def model(self, preset: Preset) -> str:
        return preset.prompt

    async def offers(self, budget: Budget) -> Sequence[Offer] | None:
        match self.keys:
            case ("hangs",):
                await Deferred(self._hang_up)
            case ("bad",):
                raise BadKey("The key bad is not known.")
            case ("crashes",):
                raise ZeroDivisionError("by zero")
            case ("mute",):
                return None
        return [Offer("model-1")]

    def _hang_up(self, _: object) -> None:
        self.hung_up = True


class Silent:
    """A provider that cannot be asked."""


def made(*keys: str) -> list[Any]:
    return questions("asked", keys, Asked)  # type: ignore[arg-type]


def asking(asked: list[Any], clock: FakeClock) -> list[Told]:
    found: list[list[Told]] = []
    Deferred.fromCoroutine(ask_all(asked, clock)).addCallback(found.append)
    while not found:
        clock.advance(LIMIT_S / 2)
    return found[0]


def test_every_key_is_asked_alone_and_by_its_place(clock: FakeClock) -> None:
    asked = made("good", "bad", "mute")
    assert [(question.number, question.provider.keys) for question in asked] == [
        (1, ("good",)),
        (2, ("bad",)),
        (3, ("mute",)),
    ]
    good, bad, mute = asking(asked, clock)
    assert (good.offers, good.error) == ([Offer("model-1")], None)
    assert isinstance(bad.error, BadKey)
    assert (mute.offers, mute.error) == (None, None)


def test_a_provider_without_keys_is_asked_once(clock: FakeClock) -> None:
    (question,) = made()
    assert (question.number, question.key) == (0, "")
    assert asking([question], clock)[0].offers == [Offer("model-1")]


def test_a_provider_that_cannot_be_asked_is_not() -> None:
    assert questions("silent", ("one", "two"), lambda _: Silent()) == []  # type: ignore[arg-type, return-value]
    assert questions("silent", (), lambda _: Silent()) == []  # type: ignore[arg-type, return-value]


def test_one_limit_holds_for_all_and_hangs_up(clock: FakeClock) -> None:
    asked, began_s = made("hangs", "good", "hangs"), clock.seconds()
    first, good, last = asking(asked, clock)
    assert isinstance(first.error, OutOfTime)
    assert isinstance(last.error, OutOfTime)
    assert good.error is None
    assert all(question.provider.hung_up for question in (asked[0], asked[2]))
    assert clock.seconds() - began_s == LIMIT_S
    assert clock.timers == 0


def test_a_crash_of_anothers_code_is_that_keys_alone(clock: FakeClock) -> None:
    crashed, good = asking(made("crashes", "good"), clock)
    assert crashed.said == "ZeroDivisionError('by zero')"
    assert good.error is None


def test_what_is_said_of_a_key_does_not_give_it_away(clock: FakeClock) -> None:
    (bad,) = asking(made("bad"), clock)
    assert bad.said == "The key … is not known."


def test_what_a_service_says_is_one_line_of_a_bearable_length() -> None:
    assert on_one_line("a\n b\tc", ()) == "a b c"
    assert len(on_one_line("word " * 1000, ("", "x"))) == 300
    assert Told(made("good")[0], error=Unavailable("no\nway")).said == "no way"


# --- the listing -----------------------------------------------------------------------------------------------------


def used(number: int, model: str) -> Use:
    return Use(live_slot("asked", number), Preset("asked", "style", model))


@pytest.mark.parametrize(("offers", "said"), [(None, "does not tell what the account has"), ([], "has nothing")])
def test_a_service_that_tells_nothing_has_one_clear_line(offers: Sequence[Offer] | None, said: str) -> None:
    (line,) = listing(Asked(()), offers, [])
    assert said in line


def test_a_listing_marks_what_slots_use_and_what_they_lack() -> None:
    offers = [Offer("model-2", "new\nand slow"), Offer("model-1")]
    slots = [used(1, "model-2"), used(4, "model-2"), used(2, "gone-model")]
    assert listing(Asked(()), offers, slots) == [
        "  model-1",
        "* model-2     asked-1, asked-4; new and slow",
        "! gone-model  asked-2; the account does not have it",
    ]
