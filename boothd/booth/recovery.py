"""The first act of a start: every job that the last run left in active/ is judged and filed, the index rebuilt."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta

from twisted.logger import Logger

from boothd.base.budget import Budget
from boothd.base.errors import BoothdError, Charged, Interrupted
from boothd.base.threads import Threads
from boothd.booth.desk import Desk
from boothd.booth.slots import LiveSlot
from boothd.engine.attempt import Resumption
from boothd.engine.order import Tally
from boothd.spool import Job, Kept, ResultIndex, Spool, State
from boothd.spool.journal import Answered, Attempt, Damaged, Entry, Finished, Received, Result, read, received
from boothd.spool.recovery import Complete, GoOnPolling, MaybeCharged, NotBegun, Over, judge, spent
from boothd.spool.spool import mend

Again = Callable[[Job, Received, Tally], Awaitable[bool]]
"""A room's answer to "can you still use this job's picture?": True, and it has taken the job on."""


class Recovery:
    """again: by room, who may run a job again; a room that is not there cannot."""

    log = Logger()

    def __init__(self, desk: Desk, index: ResultIndex, threads: Threads, again: dict[str, Again]) -> None:
        self._desk, self._index, self._threads, self._again = desk, index, threads, again
        self._spool: Spool = desk.spool

    async def run(self, today: date, index_s: float) -> None:
        """Judge all of active/, then index the results of the last `index_s` seconds' days."""
        for job in await self._spool.active():
            try:
                entries = await self._threads.run(_read_mended, job, self._spool)
            except Damaged as damaged:
                self.log.error("{job}: damaged ({reason}); moved to trash", job=job.id, reason=str(damaged))
                await self._spool.quarantine(job.directory, str(damaged))
                continue
            await self._file(job, entries)
        await self._index_recent(today - timedelta(seconds=index_s))

    async def _file(self, job: Job, entries: Sequence[Entry]) -> None:
        came = received(entries)
        job.slot = came.slot
        verdict = judge(entries)
        self.log.info("{job}: found in active, {verdict}", job=job.id, verdict=type(verdict).__name__)
        now = self._desk.clock.now()
        if isinstance(verdict, Over):
            await self._spool.move(job, State.DONE if verdict.ok else State.TRASH)
        elif isinstance(verdict, Complete):
            await self._spool.move(job, State.DONE, Finished(at=now, code="ok", late=verdict.late))
        elif isinstance(verdict, GoOnPolling):
            await self._go_on(job, came, entries, verdict)
        elif isinstance(verdict, MaybeCharged):
            reason = f"{verdict.attempt.provider} was being called when boothd was interrupted; it may have charged."
            await self._discard(job, entries, reason, Charged.MAYBE)
        else:
            await self._again_or_discard(job, came, entries, verdict)

    async def _go_on(self, job: Job, came: Received, entries: Sequence[Entry], verdict: GoOnPolling) -> None:
        attempt = verdict.attempt
        tally = Tally(paid_attempts=1, spent=spent(entries)[0], number=attempt.number)
        slot = self._desk.book().get(came.slot)
        preset = next((p for p in slot.presets if p.provider == attempt.provider), None) if slot else None
        lost = f"{attempt.provider} had it as number {verdict.queue_number} when boothd was interrupted"
        if slot is None or preset is None:
            await self._discard(job, entries, f"{lost}, but the slot is gone.", Charged.YES)
            return
        alone = LiveSlot(slot.provider, slot.number, slot.slot, (preset,), original=False)
        budget = Budget.of(self._desk.clock, 0)
        try:
            order = await self._desk.order(job, came, alone, budget, tally=tally)
            resumption = Resumption(attempt.number, attempt.model, attempt.revision, verdict.queue_number)
            flight = self._desk.engine.resume(order, resumption)
        except BoothdError as error:
            await self._discard(job, entries, f"{lost}, and it cannot be asked for: {error.message}", Charged.YES)
            return
        finished = Finished(at=self._desk.clock.now(), code="interrupted", reason=lost + ".", charged=Charged.YES)
        self._desk.settle_late(job, flight, State.TRASH, finished, came)

    async def _again_or_discard(self, job: Job, came: Received, entries: Sequence[Entry], verdict: NotBegun) -> None:
        again = self._again.get(came.room)
        numbers = [e.number for e in entries if isinstance(e, Attempt)]
        if again is not None and await again(job, came, Tally(2, verdict.spent, max(numbers, default=0))):
            return
        how = {Charged.NO: "not charged", Charged.MAYBE: "perhaps charged", Charged.YES: "charged"}[verdict.charged]
        await self._discard(
            job, entries, f"boothd was interrupted before the photo was answered; {how}.", verdict.charged
        )

    async def _discard(self, job: Job, entries: Sequence[Entry], reason: str, charged: Charged) -> None:
        now, came = self._desk.clock.now(), received(entries)
        told: list[Entry] = []
        if not any(isinstance(e, Answered) for e in entries):
            told.append(Answered(at=now, status=Interrupted.status, code=Interrupted.code, message=reason))
        finished = Finished(at=now, code=Interrupted.code, reason=reason, charged=charged)
        drop = [] if came.keep_failures else [came.file]
        await self._spool.move(job, State.TRASH, *told, finished, drop=drop)

    async def _index_recent(self, first: date) -> None:
        for day in await self._spool.days(State.DONE):
            if day >= first:
                for job in await self._spool.jobs_of(State.DONE, day):
                    for sha256, kept in await self._threads.run(_results_of, job):
                        self._index.add(sha256, kept)
        self.log.info("{results} recent results are known", results=len(self._index))


def _read_mended(job: Job, spool: Spool) -> Sequence[Entry]:
    entries = read(job.journal)
    mend(job, spool.disk)
    return entries


def _results_of(job: Job) -> list[tuple[str, Kept]]:
    try:
        entries = read(job.journal)
    except Damaged:
        return []
    came = received(entries)
    job.slot = came.slot
    return [(came.sha256, Kept(job, e)) for e in entries if isinstance(e, Result) and e.revision]
