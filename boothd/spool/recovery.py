"""What becomes of a job that a crash left in active/, judged by its journal alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from boothd.base.errors import Charged
from boothd.spool.journal import Answered, Attempt, AttemptEnded, Entry, Finished, Queued, Result, Retried, Shared


@dataclass(frozen=True, slots=True)
class Complete:
    """There is a durable result: it goes to done/. late: nobody was answered with it.

    unended: the attempt that brought it, when a crash tore the line off that ends it."""

    result: Result
    late: bool
    unended: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """It was over, only the rename is missing. ok: done/, else trash/."""

    ok: bool


@dataclass(frozen=True, slots=True)
class GoOnPolling:
    """The service has it under a queue number; it is paid for."""

    attempt: Attempt
    queue_number: str


@dataclass(frozen=True, slots=True)
class MaybeCharged:
    """A paid call was under way without a queue number; nobody knows whether it was charged."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class NotBegun:
    """No call is open: it can be run again. spent: how many calls for a picture ended that cost or may have cost money;
    charged: the worst that is known of all calls."""

    spent: int
    charged: Charged


E = TypeVar("E", bound=Entry)
Verdict = Complete | Over | GoOnPolling | MaybeCharged | NotBegun


def judge(entries: Sequence[Entry]) -> Verdict:
    """Judge one job. What happened before a person's last retry is history and does not count."""
    life = _since_last_retry(entries)
    finished = _last(life, Finished)
    if finished is not None:
        return Over(ok=finished.code == "ok")
    ended = {e.number for e in life if isinstance(e, AttemptEnded)}
    under_way = {e.number: e for e in life if isinstance(e, Attempt) and e.number not in ended}
    result = _last(life, Result)
    if result is not None:
        answered = _last(life, Answered)
        return Complete(result, answered is None or answered.status != 200, _torn(life, result, under_way))
    # A direction that nobody waits for is of no use; only what brings a picture is polled on.
    polled = {number for number, attempt in under_way.items() if attempt.role != "direct"}
    queued = _last([e for e in life if isinstance(e, Queued) and e.number in polled], Queued)
    if queued is not None:
        return GoOnPolling(under_way[queued.number], queued.queue_number)
    paid = [attempt for attempt in under_way.values() if attempt.paid]
    return MaybeCharged(paid[-1]) if paid else NotBegun(*spent(life))


def spent(entries: Sequence[Entry]) -> tuple[int, Charged]:
    """How many ended attempts at a picture cost or may have cost, and the worst that is known of all attempts.

    A direction does not count against a slot's `paid_attempts`."""
    charged = [e for e in entries if isinstance(e, AttemptEnded) and e.charged is not Charged.NO]
    if not charged:
        return 0, Charged.NO
    worst = Charged.YES if any(e.charged is Charged.YES for e in charged) else Charged.MAYBE
    return sum(e.role != "direct" for e in charged), worst


def unended(entries: Sequence[Entry]) -> Sequence[Attempt]:
    """The calls since a person's last retry that cost money and have no end in the journal."""
    life = _since_last_retry(entries)
    ended = {e.number for e in life if isinstance(e, AttemptEnded)}
    return [e for e in life if isinstance(e, Attempt) and e.paid and e.number not in ended]


def _torn(life: Sequence[Entry], result: Result, under_way: Mapping[int, Attempt]) -> Attempt | None:
    """A result and the end of its attempt are one append, so the attempt of a result that comes last has lost its end."""
    if life[-1] is not result or any(isinstance(e, Shared) for e in life[-2:]):
        return None
    its = (
        e
        for e in under_way.values()
        if e.role != "direct" and (e.credit_provider or e.provider, e.revision) == (result.provider, result.revision)
    )
    return next(its, None)


def _since_last_retry(entries: Sequence[Entry]) -> Sequence[Entry]:
    for place in range(len(entries) - 1, -1, -1):
        if isinstance(entries[place], Retried):
            return entries[place + 1 :]
    return entries


def _last(entries: Sequence[Entry], kind: type[E]) -> E | None:
    return next((e for e in reversed(entries) if isinstance(e, kind)), None)
