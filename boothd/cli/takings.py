"""Shows what the fakes are asked for: a line for each paid call, a sum in the end."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from twisted.internet.defer import Deferred, gatherResults

from boothd.sandbox.fakes import Fake
from boothd.sandbox.fakes.turbotext_methods import AVAILABLE
from boothd.sandbox.fakes.work import Work

_ENDED = {"abandoned": "client gone"}


class Takings:
    """Counts by provider."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._charged: Counter[str] = Counter()

    async def show(self, fakes: Mapping[str, Fake]) -> None:
        """Print each call when it has ended, until this is cancelled."""
        watched = [Deferred.fromCoroutine(self._watch(name, Ended(fake))) for name, fake in fakes.items()]
        await gatherResults(watched, consumeErrors=True)

    def sum(self) -> str:
        """A line for each provider that was called."""
        lines = [
            f"  {name:<14} {calls:5} calls {self._answered[name]:5} answered {self._charged[name]:5} charged"
            for name, calls in sorted(self._calls.items())
        ]
        return "\n".join(lines) or "  No paid call was made."

    async def _watch(self, name: str, ended: "Ended") -> None:
        while True:
            for work in filter(is_paid, await ended.next()):
                self._calls[name] += 1
                self._answered[name] += work.ended == "answered"
                self._charged[name] += work.charged
                print(line(name, work), flush=True)


def is_paid(work: Work) -> bool:
    """Whether a call makes something: a list of methods is an entry of the queue like any other, but free unless charged."""
    return work.charged or work.model != AVAILABLE


class Ended:
    """A fake's paid calls that have ended, each once."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self._given: set[int] = set()
        self._oldest = 1  # all before it have been given

    async def next(self) -> list[Work]:
        """Wait for some; in the order in which they came."""
        await self._fake.until(lambda: bool(self._found()))
        found = self._found()
        self._given.update(work.number for work in found)
        while self._oldest in self._given:
            self._given.remove(self._oldest)
            self._oldest += 1
        return found

    def _found(self) -> list[Work]:
        found = []
        for work in reversed(self._fake.calls):
            if work.number < self._oldest:
                break
            if work.ended and work.number not in self._given:
                found.append(work)
        return found[::-1]


def line(name: str, work: Work) -> str:
    """A call on one line: when it came, at whom, what for, how it ended, whether it cost."""
    at = datetime.fromisoformat(work.at).astimezone().strftime("%H:%M:%S")
    sent = f", {len(work.photos)} picture{'s' * (len(work.photos) > 1)}" if work.photos else ""
    how = _ENDED.get(work.ended, work.ended)
    return f"{at}  {name:<14} {work.model + sent:<40} {how:<12} {'charged' if work.charged else 'not charged'}"
