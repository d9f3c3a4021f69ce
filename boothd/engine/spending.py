"""What a provider may cost a day."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from boothd.base.errors import WorkError


class DailyBudgetSpent(WorkError):
    """The money that the service may cost a day is spent. Raise its daily_budget, or wait."""

    code = "daily-budget-spent"


@dataclass(frozen=True, slots=True)
class Till:
    """What is known of the money outside the engine. spent_today: by a provider's name, since the operator's day began;
    begins: when the next one does, "06:00"."""

    spent_today: Callable[[str], Decimal]
    begins: Callable[[], str]


class Spending:
    """One provider's money of today: what was spent, and what the calls under way will cost at the listed price.

    price: of a call; where it is 0 and the service says afterwards what a call cost, the calls of one burst can overshoot.
    budget: None = as much as it likes."""

    def __init__(self, name: str, till: Till, price: Decimal, budget: Decimal | None) -> None:
        self._name, self._till = name, till
        self.price, self.budget = price, budget
        self._under_way = Decimal(0)

    @property
    def today(self) -> Decimal:
        """What was spent, without the calls under way."""
        return self._till.spent_today(self._name)

    def check(self) -> None:
        """Raise DailyBudgetSpent when one more call is not to be made."""
        if self.budget is None:
            return
        spent, gone = self.today, self.today + self._under_way
        if gone >= self.budget or gone + self.price > self.budget:
            under_way = f" and {_text(self._under_way)} on calls under way" if self._under_way else ""
            raise DailyBudgetSpent(
                f"{self._name} has spent {_text(spent)}{under_way} of the {_text(self.budget)} that it may cost a day; "
                f"it begins anew at {self._till.begins()}."
            )

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Around a call, until what it cost has been counted."""
        price = self.price
        self._under_way += price
        try:
            yield
        finally:
            self._under_way -= price


def _text(money: Decimal) -> str:
    """Without an exponent and without noughts at the end."""
    text = f"{money:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
