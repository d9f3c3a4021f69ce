"""Asks services, free of charge, what the accounts have: every API key of every provider, all at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import WorkError
from boothd.providers.interfaces import Offer, Offers, Provider

LIMIT_S = 10.0
"""For all questions together."""
SHOWN = 300
"""Characters of what an error says."""


@dataclass(frozen=True, slots=True)
class Question:
    """One key of one provider. number: the key's place, from 1; 0: the provider has none and needs none.

    provider: made with that key alone; it is a Provider, and an Offers."""

    name: str
    number: int
    key: str
    provider: Any


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it. offers: None when the service tells nothing, or has not answered. error: why it has not."""

    question: Question
    offers: Sequence[Offer] | None = None
    error: Exception | None = None

    @property
    def said(self) -> str:
        """The error on one line, without the key."""
        text = self.error.message if isinstance(self.error, WorkError) else repr(self.error)
        return on_one_line(text, (self.question.key,))


def on_one_line(text: str, keys: Sequence[str]) -> str:
    """What a service says, without the keys that it may repeat."""
    for key in filter(None, keys):
        text = text.replace(key, "…")
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def questions(name: str, keys: Sequence[str], make: Callable[[tuple[str, ...]], Provider]) -> list[Question]:
    """One for each key; none for a provider that cannot be asked. make: the provider with these keys; what it raises
    passes through."""
    found = []
    for number, key in enumerate(keys, 1):
        provider = make((key,))
        if isinstance(provider, Offers):
            found.append(Question(name, number, key, provider))
    if not keys:
        provider = make(())
        if isinstance(provider, Offers):
            found.append(Question(name, 0, "", provider))
    return found


async def ask_all(asked: Sequence[Question], clock: Clock, limit_s: float = LIMIT_S) -> list[Told]:
    """Ask all of them at the same time; an error of one is that one's. Takes at most `limit_s` seconds."""
    budget = Budget.of(clock, limit_s)
    asking = [Deferred.fromCoroutine(_ask(question, budget)) for question in asked]
    return list(await gatherResults(asking, consumeErrors=True))


async def _ask(question: Question, budget: Budget) -> Told:
    try:
        return Told(question, await budget.limit(question.provider.offers(budget)))
    except CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 (shown to the operator; another package's code, too)
        return Told(question, error=error)
