"""What the statistics of one day or of several add up to, by provider and model and by slot."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from boothd.base.clock import Clock
from boothd.engine.stats import KEPT_DAYS, MONEY, NOT_ACCEPTED, Stats
from boothd.http.languages import N_

AT_ONCE = 4
"""So many days are added up before others get the reactor."""


class WrongPeriod(ValueError):
    """The days that were asked for cannot be shown. field: which of them is wrong; reason: a text to be translated."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: str, last: str, today: date) -> "Period":
        """What a form says, as ISO dates; what it does not say is today, or the one day that it says. Raises WrongPeriod."""
        begins = _day("from", first)
        ends = _day("to", last)
        period = cls(begins or ends or today, ends or begins or today)
        if period.last < period.first:
            raise WrongPeriod("to", N_("The last day lies before the first."))
        if period.last > today:
            raise WrongPeriod("to" if last else "from", N_("This day has not come yet."))
        if len(period) > KEPT_DAYS:
            raise WrongPeriod("from", N_("The statistics reach back 400 days; choose fewer."))
        return period

    @classmethod
    def until(cls, last: date, days: int) -> "Period":
        """So many days up to `last`."""
        return cls(last - timedelta(days=days - 1), last)

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __iter__(self) -> Any:
        return (self.first + timedelta(days=number) for number in range(len(self)))


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise WrongPeriod(field, N_("This is not a day; write it like 2026-11-20.")) from None


@dataclass(frozen=True, slots=True)
class Money:
    """What calls cost. charged, maybe, free: how many did, may have, did not. spent: for sure or perhaps."""

    charged: int
    maybe: int
    free: int
    spent: Decimal

    @classmethod
    def of(cls, numbers: Sequence[Mapping[str, Any]]) -> "Money":
        return cls(
            _sum(numbers, "charged"), _sum(numbers, "maybe charged"), _sum(numbers, "not charged"), _money(numbers)
        )


@dataclass(frozen=True, slots=True)
class ModelSum:
    """One model of one provider. pictures: that count for it; rendered: that it drew for another; mean_s: of a call."""

    provider: str
    model: str
    attempts: int
    pictures: int
    directed: int
    rendered: int
    failed: int
    causes: Mapping[str, int]
    mean_s: float | None
    money: Money


@dataclass(frozen=True, slots=True)
class SlotSum:
    """One slot. answered, failed: what booths were told; reused: answers that cost no call; mean_s: of an answer."""

    slot: str
    received: int
    answered: int
    failed: int
    causes: Mapping[str, int]
    late: int
    fell_back: int
    reused: int
    mean_s: float | None
    money: Money


@dataclass(frozen=True, slots=True)
class Sums:
    """All of a period. refused: uploads that were not accepted, by code. whole: the slots together. spent: by provider,
    since each may have a currency of its own."""

    models: Sequence[ModelSum]
    slots: Sequence[SlotSum]
    refused: Mapping[str, int]
    whole: SlotSum
    spent: Mapping[str, Decimal]


async def numbers_of(stats: Stats, clock: Clock, days: Iterable[date]) -> AsyncIterator[tuple[date, Mapping[str, Any]]]:
    """Each day's numbers, as `Stats.day` gives them; others get the reactor in between."""
    for number, day in enumerate(days):
        if number and number % AT_ONCE == 0:
            await clock.sleep(0)
        yield day, stats.day(day)


def add_up(days: Sequence[Mapping[str, Any]]) -> Sums:
    """The sums of some days' numbers."""
    models: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    slots: dict[str, list[Mapping[str, Any]]] = {}
    for day in days:
        for provider, its in day.get("models", {}).items():
            for model, numbers in its.items():
                models.setdefault((provider, model), []).append(numbers)
        for slot, numbers in day.get("slots", {}).items():
            slots.setdefault(slot, []).append(numbers)
    spent: dict[str, Decimal] = {}
    for (provider, _), numbers_of_it in models.items():
        spent[provider] = spent.get(provider, Decimal(0)) + _money(numbers_of_it)
    return Sums(
        spent={provider: amount for provider, amount in sorted(spent.items()) if amount},
        models=[_model(*key, numbers) for key, numbers in sorted(models.items())],
        slots=[_slot(slot, numbers) for slot, numbers in sorted(slots.items(), key=lambda each: _in_order(each[0]))],
        refused=_causes([{"failed": day.get(NOT_ACCEPTED, {})} for day in days]),
        whole=_slot("", [numbers for its in slots.values() for numbers in its]),
    )


def answers(day: Mapping[str, Any]) -> tuple[int, int]:
    """How many pictures and how many errors booths were answered with on one day."""
    slots = day.get("slots", {}).values()
    return _sum(slots, "answered"), sum(_causes(slots).values())


def _model(provider: str, model: str, numbers: Sequence[Mapping[str, Any]]) -> ModelSum:
    causes, attempts = _causes(numbers), _sum(numbers, "attempts")
    return ModelSum(
        provider=provider,
        model=model,
        attempts=attempts,
        pictures=_sum(numbers, "pictures"),
        directed=_sum(numbers, "directed"),
        rendered=_sum(numbers, "rendered"),
        failed=sum(causes.values()),
        causes=causes,
        mean_s=_mean(numbers, attempts),
        money=Money.of(numbers),
    )


def _slot(slot: str, numbers: Sequence[Mapping[str, Any]]) -> SlotSum:
    causes, answered = _causes(numbers), _sum(numbers, "answered")
    return SlotSum(
        slot=slot,
        received=_sum(numbers, "received"),
        answered=answered,
        failed=sum(causes.values()),
        causes=causes,
        late=_sum(numbers, "late"),
        fell_back=_sum(numbers, "fell back"),
        reused=_sum(numbers, "cached") + _sum(numbers, "shared"),
        mean_s=_mean(numbers, answered),
        money=Money.of(numbers),
    )


def _sum(numbers: Iterable[Mapping[str, Any]], key: str) -> int:
    return int(sum(each.get(key, 0) for each in numbers))


def _money(numbers: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((each.get(MONEY, Decimal(0)) for each in numbers), Decimal(0))


def _mean(numbers: Iterable[Mapping[str, Any]], count: int) -> float | None:
    return float(sum(each.get("seconds", 0) for each in numbers)) / count if count else None


def _causes(numbers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """By code, the most frequent first."""
    found: dict[str, int] = {}
    for each in numbers:
        for code, count in each.get("failed", {}).items():
            found[code] = found.get(code, 0) + int(count)
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _in_order(slot: str) -> tuple[str, int, str]:
    """gemini-2 before gemini-10."""
    provider, _, number = slot.rpartition("-")
    return provider, int(number) if number.isdecimal() else 0, slot
