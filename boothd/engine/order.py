"""What a room asks of the engine, and what it gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from boothd.base.budget import Budget
from boothd.base.errors import Charged
from boothd.base.photo import Photo
from boothd.providers.interfaces import Preset
from boothd.spool import Job
from boothd.spool.journal import Result, Role


def worst(*charges: Charged) -> Charged:
    """What several calls together cost: for sure, perhaps, or not."""
    return next(kind for kind in (Charged.YES, Charged.MAYBE, Charged.NO) if kind in (*charges, Charged.NO))


class Tally:
    """What one job's calls add up to, over all its providers.

    paid_attempts: how many calls for a picture may cost money, for sure or perhaps. spent: how many did, also before a
    restart. number: of the last call. charged: the worst that is known of all calls. results: the numbers of the result
    files that the job has."""

    def __init__(self, paid_attempts: int, spent: int = 0, number: int = 0, results: int = 0) -> None:
        self.paid_attempts, self.spent, self.number = paid_attempts, spent, number
        self.charged = Charged.NO
        self._results = set(range(1, results + 1))
        self._under_way = 0

    @property
    def may_spend(self) -> bool:
        """Whether one more call may cost money; those under way may, too."""
        return self.spent + self._under_way < self.paid_attempts

    @contextmanager
    def calling(self, paid: bool) -> Iterator[None]:
        """Around a call: until it has ended, it counts as one that costs."""
        self._under_way += paid
        try:
            yield
        finally:
            self._under_way -= paid

    def charge(self, charged: Charged, role: Role = "make") -> None:
        """Note what a call cost; the worst that is known stays. A direction is made once and counts for no attempt."""
        if charged is not Charged.NO:
            self.spent += role != "direct"
            self.charged = worst(self.charged, charged)

    def next_number(self) -> int:
        """The number of the job's next call, from 1."""
        self.number += 1
        return self.number

    @contextmanager
    def result_name(self, suffix: str) -> Iterator[str]:
        """The name of the job's next result: "result.jpg", then "result-2.jpg", …; free again when the block fails."""
        number = next(n for n in range(1, len(self._results) + 2) if n not in self._results)
        self._results.add(number)
        try:
            yield f"result{suffix}" if number == 1 else f"result-{number}{suffix}"
        except BaseException:
            self._results.discard(number)
            raise


ORIGINAL = "original"
"""The last resort of a chain: the guest's own photo."""


@dataclass(frozen=True, slots=True)
class Order:
    """One accepted photo and what is to become of it.

    photo: upright JPEG or PNG; its sha256 is the source's, as received. presets: the slot's preset, then those of its
    chain. original: whether the photo itself is the last resort. fresh: neither use nor join an answer that exists."""

    job: Job
    photo: Photo
    presets: tuple[Preset, ...]
    budget: Budget
    tally: Tally
    original: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that lies in the job's directory, durable. cached: nothing was called for it."""

    result: Result
    cached: bool = False
    fallbacks: tuple[str, ...] = field(default=())
