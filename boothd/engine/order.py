"""What a room asks of the engine, and what it gets."""

from dataclasses import dataclass, field

from boothd.base.budget import Budget
from boothd.base.errors import Charged
from boothd.base.photo import Photo
from boothd.providers.interfaces import Preset
from boothd.spool import Job
from boothd.spool.journal import Result


class Tally:
    """What one job's calls add up to, over all its providers.

    paid_attempts: how many may cost money, for sure or perhaps. spent: how many did, also before a restart. charged: the
    worst of them."""

    def __init__(self, paid_attempts: int, spent: int = 0, number: int = 0) -> None:
        self.paid_attempts, self.spent, self.number = paid_attempts, spent, number
        self.charged = Charged.NO
        self.results = 0

    @property
    def may_spend(self) -> bool:
        return self.spent < self.paid_attempts

    def charge(self, charged: Charged) -> None:
        """Note what a call cost; the worst that is known stays."""
        if charged is not Charged.NO:
            self.spent += 1
            self.charged = Charged.YES if Charged.YES in (charged, self.charged) else charged

    def next_number(self) -> int:
        """The number of the job's next call, from 1."""
        self.number += 1
        return self.number

    def next_result(self) -> str:
        """The stem of the next result's file: "result", then "result-2", …"""
        self.results += 1
        return "result" if self.results == 1 else f"result-{self.results}"


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
