"""The money of an evening: whatever services answer, the statistics are the sum of the journals, and nothing is overpaid."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from boothd.base.errors import BadAnswer, BadKey, Busy, Charged, Refused, Unavailable, WorkError
from boothd.base.photo import Photo
from boothd.booth.slots import LiveSlot
from boothd.engine.stats import numbers
from boothd.providers.interfaces import Call, Direction, DirectorOptions, Options, Picture, Preset, ProviderSettings
from boothd.spool import State
from boothd.spool.journal import Attempt, AttemptEnded, Entry, read, received
from tests.booth.booth_support import Booth, FakeProvider, Guest, directing_slot, kinds, live_slot, picture
from tests.support.engine_evening import flat

PRICE = Decimal("0.04")


@dataclass(frozen=True)
class Act:
    """What becomes of one call. error: None = a picture. slow: it comes after so many seconds."""

    error: type[WorkError] | None = None
    charged: Charged = Charged.NO
    cost: Decimal | None = None
    slow_s: float = 0


@dataclass
class Acting(FakeProvider):
    """Does what its acts say, one a call; afterwards it makes pictures."""

    paid: bool = True
    acts: list[Act] = field(default_factory=list)
    sleep: Callable[[float], Any] | None = None

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        self.calls.append((photo, preset, call))
        cost = await self._act()
        call.answer.write_bytes(self.answer)
        return Picture(call.answer, "fake-1", cost)

    async def _act(self) -> Decimal | None:
        act = self.acts.pop(0) if self.acts else Act()
        if act.slow_s:
            assert self.sleep is not None
            await self.sleep(act.slow_s)
        if act.error is not None:
            raise act.error(charged=act.charged, cost=act.cost)
        return act.cost


@dataclass
class ActingDirector(Acting):
    name: str = "seer"
    Options: ClassVar[type[Options]] = DirectorOptions

    async def direct(self, photo: Photo, preset: Preset, call: Call) -> Direction:
        self.calls.append((photo, preset, call))
        return Direction("by the seer", cost=await self._act())


ACTS = st.builds(
    Act,
    error=st.sampled_from([None, None, Refused, Busy, Unavailable, BadAnswer, BadKey]),
    charged=st.sampled_from(Charged),
    cost=st.sampled_from([None, Decimal(0), Decimal("0.013"), Decimal("0.2")]),
    slow_s=st.sampled_from([0.0, 0.0, 0.0, 5.0, 20.0, 55.0]),
)
SCRIPT = st.lists(ACTS, max_size=5)
GUESTS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.0, 3.0, 30.0])), min_size=1, max_size=4)


def entries_of(booth: Booth) -> Mapping[Path, Sequence[Entry]]:
    """Every journal, by its job's directory."""
    return {path: read(path / "journal.jsonl") for state in State for path in booth.jobs(state)}


def journals_sum(booth: Booth) -> dict[tuple[str, ...], Decimal]:
    total: dict[tuple[str, ...], Decimal] = {}
    for entries in entries_of(booth).values():
        for entry in entries:
            for key, amount in numbers(received(entries).slot, entry):
                total[key] = total.get(key, Decimal(0)) + amount
    return total


@contextmanager
def an_evening(slot: LiveSlot, budgets: Mapping[str, Decimal], **scripts: Sequence[Act]) -> Iterator[Booth]:
    """A booth whose providers are scripted."""
    kinds_of = {"seer": ActingDirector, "fake": Acting, "other": Acting}
    providers = [kinds_of[name](name, acts=list(acts)) for name, acts in scripts.items()]
    with tempfile.TemporaryDirectory() as home:
        booth = Booth(Path(home), *providers, slots=[slot])
        for provider in providers:
            provider.sleep = booth.clock.sleep
            service = booth.services[provider.name]
            said = ProviderSettings(price=PRICE, daily_budget=budgets.get(provider.name), breaker_failures=4)
            service.reconfigure(service.provider, said)
        yield booth
        booth.clock.stop()
        booth.crash()


@settings(max_examples=100, deadline=None)
@given(seer=SCRIPT, fake=SCRIPT, other=SCRIPT, guests=GUESTS, paid_attempts=st.integers(1, 3), original=st.booleans())
def test_the_statistics_are_the_journals_sum_and_no_photo_is_overpaid(
    seer: list[Act],
    fake: list[Act],
    other: list[Act],
    guests: list[tuple[int, float]],
    paid_attempts: int,
    original: bool,
) -> None:
    slot = replace(directing_slot("fake", "other", paid_attempts=paid_attempts), original=original)
    with an_evening(slot, {}, seer=seer, fake=fake, other=other) as booth:
        staying: list[Guest] = []
        for number, leaves_after_s in guests:
            guest = booth.send(picture(size=(60 + number, 40)))
            booth.time.pump([0.5] * int(leaves_after_s * 2))
            if leaves_after_s and guest.waits:
                guest.leaves()
            else:
                staying.append(guest)
        booth.time.pump([0.5] * 400)
        assert not any(guest.waits for guest in staying)
        for guest in staying:
            guest.has_it()
        assert not booth.jobs(State.ACTIVE)
        counted = dict(flat(booth.today()))
        assert counted == journals_sum(booth)
        for name in booth.services:
            ends = [e for entries in entries_of(booth).values() for e in entries if isinstance(e, AttemptEnded)]
            assert booth.stats.spent_today(name) == sum(e.cost for e in ends if e.provider == name)
        for entries in entries_of(booth).values():
            ended = [e for e in entries if isinstance(e, AttemptEnded)]
            paid = [e for e in ended if e.role != "direct" and e.charged is not Charged.NO]
            assert len(paid) <= paid_attempts
            assert len([e for e in entries if isinstance(e, Attempt) and e.role == "direct"]) <= 1
            assert all(e.cost == 0 for e in ended if e.charged is Charged.NO)


@settings(max_examples=60, deadline=None)
@given(fake=SCRIPT, photos=st.integers(1, 12), limit=st.integers(0, 6))
def test_at_the_listed_price_a_day_never_costs_more_than_its_budget(fake: list[Act], photos: int, limit: int) -> None:
    acts = [replace(act, cost=None) for act in fake]
    budget = PRICE * limit
    with an_evening(live_slot(), {"fake": budget}, fake=acts) as booth:
        guests = [booth.send(picture(size=(60 + number, 40))) for number in range(photos)]
        booth.time.pump([0.5] * 400)
        assert not any(guest.waits for guest in guests)
        assert booth.stats.spent_today("fake") <= budget


def test_a_spent_day_is_told_and_filed_and_over_in_the_morning() -> None:
    with an_evening(live_slot(), {"fake": PRICE}, fake=[]) as booth:
        assert booth.send().reply.status == 200
        refused = booth.send(picture(colour="blue"))
        assert (refused.error.status, refused.error.code) == (502, "daily-budget-spent")
        assert "it begins anew at 06:00" in refused.error.message
        (directory,) = booth.jobs(State.TRASH)
        assert kinds(read(directory / "journal.jsonl")) == ["received", "answered", "finished"]
        booth.time.advance(12 * 3600)
        assert booth.send(picture(colour="blue")).reply.status == 200


def test_money_is_not_spent_on_a_photo_that_was_paid_for() -> None:
    with an_evening(live_slot(), {"fake": PRICE}, fake=[]) as booth:
        assert [booth.send().reply.status for _ in range(3)] == [200, 200, 200]
        assert booth.stats.spent_today("fake") == PRICE
