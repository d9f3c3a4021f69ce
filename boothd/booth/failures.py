"""The photos of the last days that failed: when, why, what the booth was told, whether it cost money.

Kept in memory: heard from the journals as they are written, and read from the newest of them after a start.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from boothd.base.aio import Background
from boothd.base.clock import Clock
from boothd.base.errors import Charged
from boothd.base.threads import Threads
from boothd.engine.order import worst
from boothd.http.languages import N_
from boothd.spool import Job, Spool, State
from boothd.spool.journal import Answered, AttemptEnded, Damaged, Entry, Finished, Retried, read, received

HOURS = (1, 6, 24, 72)
MOST = 5_000
"""So many failures are remembered at most; the oldest go first."""
MOST_READ = 2_000
"""So many journals of each state are read after a start, the newest first."""
AT_ONCE = 50

CAUSES = {
    "refused": N_("The service refused the photo or the prompt"),
    "bad-request-to-provider": N_("The service cannot do what the slot asks for"),
    "bad-key": N_("The service does not accept the API key"),
    "out-of-credit": N_("No money left at the service"),
    "busy": N_("The service had no room"),
    "unavailable": N_("The service could not be reached"),
    "bad-answer": N_("The service answered without a usable picture"),
    "out-of-time": N_("Not ready in time"),
    "interrupted": N_("boothd was stopped meanwhile"),
    "client-gone": N_("The booth had left"),
    "failed": N_("The picture could not be made"),
    "disk-full": N_("The disk was full"),
    "spool-unhealthy": N_("The disk failed"),
    "internal-error": N_("Something went wrong inside boothd"),
    "damaged": N_("The job is damaged"),
    "unknown": N_("The cause is not known"),
}
"""What an error's code means, for people."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One photo that failed. status: what the booth was answered with; None: nobody waited. charged: None while it is not
    known yet. day: of trash/, where the job lies; None: it does not lie there. after: a picture that came all the same, in
    time for nobody or at a later try. again: somebody has asked for another try."""

    job: str
    at: datetime
    slot: str
    code: str
    reason: str
    status: int | None = None
    charged: Charged | None = None
    day: date | None = None
    after: Literal["", "late", "retried"] = ""
    again: bool = False


class Failures:
    """A listener of the spool's journals."""

    def __init__(self, spool: Spool, threads: Threads, clock: Clock) -> None:
        self._spool, self._threads, self._clock = spool, threads, clock
        self._known: OrderedDict[str, Failure] = OrderedDict()  # by job, the newest failure last
        self._background = Background()

    async def start(self) -> None:
        """Listen from now on; read what there was before, while others go on."""
        self._spool.journaled.append(self.heard)
        self._background.start("read the last failures", self._read())

    async def stop(self) -> None:
        self._spool.journaled.remove(self.heard)
        await self._background.stop()

    def heard(self, job: Job, entries: Sequence[Entry]) -> None:
        """Note what a job's new entries say."""
        known = self._known.get(job.id)
        new = _folded(known, job, entries)
        if new is None or new is known:
            return
        self._known[job.id] = new
        if known is None or new.at != known.at:
            self._known.move_to_end(job.id)
        self._forget_old()

    def newest(self, count: int) -> list[Failure]:
        """The last failures, newest first."""
        found = reversed(self._known.values())
        return [failure for failure, _ in zip(found, range(count), strict=False)]

    def by_cause(self) -> dict[str, tuple[int, ...]]:
        """How many failed by each cause within each of the last `HOURS`; the most frequent cause of the longest first."""
        now = self._clock.now()
        counts = [Counter[str]() for _ in HOURS]
        for failure in reversed(self._known.values()):
            for hours, count in zip(HOURS, counts, strict=True):
                if failure.at > now - timedelta(hours=hours):
                    count[failure.code] += 1
        return {code: tuple(count[code] for count in counts) for code, _ in counts[-1].most_common()}

    async def _read(self) -> None:
        first = self._spool.today() - timedelta(hours=HOURS[-1] + 24)  # a day's folder is as old as its beginning
        found: list[Failure] = []
        for state in (State.TRASH, State.DONE):
            jobs: list[Job] = []
            for day in reversed(await self._spool.days(state)):
                if day >= first and len(jobs) < MOST_READ:
                    jobs += reversed(await self._spool.jobs_of(state, day))
            for at in range(0, min(len(jobs), MOST_READ), AT_ONCE):
                found += await self._threads.run(_failures_of, jobs[at : min(at + AT_ONCE, MOST_READ)])
        # What was heard meanwhile is newer than what was read.
        before = sorted((each for each in found if each.job not in self._known), key=lambda each: each.at)
        self._known = OrderedDict({each.job: each for each in before} | self._known)
        self._forget_old()

    def _forget_old(self) -> None:
        oldest = self._oldest()
        while self._known and (len(self._known) > MOST or next(iter(self._known.values())).at < oldest):
            self._known.popitem(last=False)

    def _oldest(self) -> datetime:
        return self._clock.now() - timedelta(hours=HOURS[-1])


def _folded(known: Failure | None, job: Job, entries: Sequence[Entry]) -> Failure | None:
    for entry in entries:
        known = _after(known, job, entry)
    return known


def _after(known: Failure | None, job: Job, entry: Entry) -> Failure | None:
    """What is known once `entry` is: None as long as nothing has failed."""
    if isinstance(entry, Answered) and entry.status != 200:
        return Failure(job.id, entry.at, job.slot, entry.code, entry.message, entry.status)
    if isinstance(entry, Finished) and entry.code != "ok":
        if known is None or known.again:  # nobody was answered
            known = Failure(job.id, entry.at, job.slot, entry.code, entry.reason)
        return replace(known, charged=entry.charged, reason=entry.reason or known.reason, day=_day_of(job))
    return None if known is None else _gone_on(known, entry)


def _gone_on(known: Failure, entry: Entry) -> Failure:
    if isinstance(entry, AttemptEnded):
        return replace(known, charged=worst(known.charged or Charged.NO, entry.charged))
    if isinstance(entry, Retried):
        return replace(known, again=True, day=None)
    if isinstance(entry, Finished):
        return replace(known, after="retried" if known.again else "late", day=None)
    return known


def _day_of(job: Job) -> date | None:
    """The day's folder that the job lies in; its directory has moved before the entry is told of."""
    return date.fromisoformat(job.directory.parent.name) if job.state is State.TRASH else None


def _failures_of(jobs: Sequence[Job]) -> list[Failure]:
    """Of jobs whose journals can be read, those that failed. Blocks."""
    found = []
    for job in jobs:
        try:
            entries = read(job.journal)
        except Damaged:
            continue
        job.slot = received(entries).slot
        failure = _folded(None, job, entries)
        if failure is not None:
            found.append(failure)
    return found
