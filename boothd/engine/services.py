"""The providers as the engine sees them: one object each, with its turns, its breaker and its money."""

from collections.abc import Mapping

from boothd.base.clock import Clock
from boothd.engine.breaker import Breaker
from boothd.engine.spending import Spending, Till
from boothd.engine.turns import Turns
from boothd.providers.interfaces import Directs, Edits, Provider, ProviderSettings


class Service:
    """One provider. Turns, breaker and money outlive a change of the settings."""

    def __init__(self, name: str, provider: Provider, settings: ProviderSettings, clock: Clock, till: Till) -> None:
        self.name = name
        self.turns = Turns(settings.concurrency)
        self.breaker = Breaker(clock, settings.breaker_failures, settings.breaker_pause_s)
        self.spending = Spending(name, till, settings.price, settings.daily_budget)
        self.reconfigure(provider, settings)

    def reconfigure(self, provider: Provider, settings: ProviderSettings) -> None:
        """Use another provider object and other settings from the next call on; calls under way keep theirs."""
        self.provider, self.settings = provider, settings
        self.turns.size = settings.concurrency
        self.turns.admit()
        self.breaker.failures, self.breaker.pause_s = settings.breaker_failures, settings.breaker_pause_s
        self.breaker.forgive()
        self.spending.price, self.spending.budget = settings.price, settings.daily_budget

    @property
    def edits(self) -> Edits | None:
        """The provider, if it has the ability."""
        return self.provider if isinstance(self.provider, Edits) else None

    @property
    def directs(self) -> Directs | None:
        """The provider, if it has the ability."""
        return self.provider if isinstance(self.provider, Directs) else None

    @property
    def paid(self) -> bool:
        """Whether a call costs money."""
        return self.provider.paid or self.settings.price > 0

    def check(self) -> None:
        """Raise Paused or DailyBudgetSpent while no call may be made."""
        self.breaker.check()
        if self.paid:
            self.spending.check()


Services = Mapping[str, Service]
"""The providers that work, by name; filled and refilled by `service.py`."""
