"""The first act of a start: every job that the last run left in active/ is judged and filed, the index rebuilt."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from twisted.logger import Logger

from boothd.base.budget import Budget
from boothd.base.errors import BoothdError, Charged, Interrupted
from boothd.base.threads import Threads
from boothd.booth.desk import Desk
from boothd.booth.slots import LiveSlot
from boothd.engine.attempt import Resumption
from boothd.engine.flight import Flight
from boothd.engine.order import Tally
from boothd.providers.interfaces import Preset
from boothd.spool import Job, Kept, ResultIndex, Spool, State
from boothd.spool.journal import (
    Answered,
    Attempt,
    AttemptEnded,
    Damaged,
    Entry,
    Finished,
    Received,
    Result,
    read,
    received,
)
from boothd.spool.recovery import Complete, GoOnPolling, MaybeCharged, NotBegun, Over, Verdict, judge, spent, unended
from boothd.spool.spool import mend


class Room(Protocol):
    """A room whose jobs can be used after a restart, because nobody stands and waits for them."""

    async def again(self, job: Job, received: Received, tally: Tally) -> bool:
        """Run a job again. False: it cannot be used any more; else it is the room's to file."""

    def go_on(self, job: Job, received: Received, flight: Flight) -> None:
        """Use and file what a call of the last run brings."""

    def deliver(self, job: Job, received: Received, result: Result) -> None:
        """Use and file a picture that is there already."""


Step = Callable[[], Awaitable[None]]


_WORDS: dict[type[Verdict], str] = {
    Complete: "its picture is there",
    Over: "it was over, only its move was missing",
    GoOnPolling: "the service has it in its queue",
    MaybeCharged: "a paid call was under way",
    NotBegun: "no call was under way",
}


class Recovery:
    """rooms: by name; a job of one that is not there (the booth: its client is gone) is not run again."""

    log = Logger()

    def __init__(self, desk: Desk, index: ResultIndex, threads: Threads, rooms: Mapping[str, Room]) -> None:
        self._desk, self._index, self._threads, self._rooms = desk, index, threads, rooms
        self._spool: Spool = desk.spool
        self._next: list[tuple[Job, Step]] = []

    async def run(self, today: date, index_s: float) -> None:
        """Judge all of active/, index the results of the last `index_s` seconds' days, then go on with what can be used.

        A job that cannot be filed stays in active/ for the next start; it keeps nobody else waiting."""
        for job in await self._spool.active():
            await self._guarded(job, self._judge)
        await self._index_recent(today - timedelta(seconds=index_s))
        # Only now: a photo whose answer exists is not paid for again.
        going_on, self._next = self._next, []
        for job, step in going_on:
            await self._guarded(job, lambda _, step=step: step())  # type: ignore[misc]

    async def _guarded(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await step(job)
        except Exception:  # noqa: BLE001 (logged; one job must not keep the daemon from starting)
            self.log.failure("{job}: could not be filed; it stays in active", job=job.id)

    async def _judge(self, job: Job) -> None:
        try:
            entries = await self._threads.run(_read_mended, job, self._spool)
        except Damaged as damaged:
            self.log.error("{job}: damaged ({reason}); moved to trash", job=job.id, reason=str(damaged))
            await self._spool.quarantine(job.directory, str(damaged))
            return
        await self._file(job, entries)

    async def _file(self, job: Job, entries: Sequence[Entry]) -> None:
        came = received(entries)
        job.slot = came.slot
        verdict = judge(entries)
        self.log.info("{job}: found in active; {verdict}", job=job.id, verdict=_WORDS[type(verdict)])
        room = self._rooms.get(came.room)
        if isinstance(verdict, Over):
            drop = [] if verdict.ok or came.keep_failures else [came.file]
            await self._spool.move(job, State.DONE if verdict.ok else State.TRASH, drop=drop)
        elif isinstance(verdict, Complete):
            if verdict.unended is not None:
                await self._spool.append(job, _ended_well(verdict.unended, verdict.result))
            await self._end(job, entries, verdict.unended)
            await self._complete(job, came, verdict, None if _answered(entries) else room)
        elif isinstance(verdict, GoOnPolling):
            await self._end(job, entries, verdict.attempt)
            self._next.append((job, lambda: self._go_on(job, came, entries, verdict, room)))
        elif isinstance(verdict, MaybeCharged):
            reason = f"{verdict.attempt.provider} was being called when boothd was interrupted; it may have charged."
            # Behind what says that the job is over: without an end it would be judged as one that can be run again.
            ends = [self._interrupted(attempt) for attempt in unended(entries)]
            await self._discard(job, entries, reason, Charged.MAYBE, ends)
        elif room is not None:
            self._next.append((job, lambda: self._again(job, came, entries, verdict, room)))
        else:
            await self._give_up(job, entries, verdict)

    async def _complete(self, job: Job, came: Received, verdict: Complete, room: Room | None) -> None:
        if verdict.result.revision:
            self._index.add(came.sha256, Kept(job, verdict.result))
        if room is None:
            await self._spool.move(job, State.DONE, Finished(at=self._desk.clock.now(), code="ok", late=verdict.late))
        else:
            room.deliver(job, came, verdict.result)

    async def _go_on(
        self, job: Job, came: Received, entries: Sequence[Entry], verdict: GoOnPolling, room: Room | None
    ) -> None:
        attempt = verdict.attempt
        results = await self._threads.run(_results, job)
        tally = Tally(paid_attempts=1, spent=spent(entries)[0], number=attempt.number, results=results)
        slot = self._desk.book().get(came.slot)
        preset = None if slot is None else _preset_of(slot, attempt)
        lost = f"{attempt.provider} had it as number {verdict.queue_number} when boothd was interrupted"
        if slot is None or preset is None:
            gone = "is gone" if slot is None else f"does not ask {attempt.provider} any more"
            await self._discard(job, entries, f"{lost}, but the slot {gone}.", Charged.YES)
            return
        alone = LiveSlot(slot.provider, slot.number, slot.slot, (preset,), original=False)
        budget = Budget.of(self._desk.clock, 0)
        try:
            order = await self._desk.order(job, came, alone, budget, tally=tally)
            resumption = Resumption(
                attempt.number,
                attempt.model,
                attempt.revision,
                verdict.queue_number,
                attempt.role,
                attempt.credit_provider,
                attempt.credit_model,
            )
            flight = self._desk.engine.resume(order, resumption)
        except BoothdError as error:
            await self._discard(job, entries, f"{lost}, and it cannot be asked for: {error.message}", Charged.YES)
            return
        if room is not None:
            room.go_on(job, came, flight)
            return
        told = self._told(entries, lost + ".")
        if told:
            await self._spool.append(job, *told)
        finished = Finished(at=self._desk.clock.now(), code="interrupted", reason=lost + ".", charged=Charged.YES)
        self._desk.settle_late(job, flight, State.TRASH, finished, came)

    async def _again(self, job: Job, came: Received, entries: Sequence[Entry], verdict: NotBegun, room: Room) -> None:
        numbers = [e.number for e in entries if isinstance(e, Attempt)]
        tally = Tally(2, verdict.spent, max(numbers, default=0), await self._threads.run(_results, job))
        tally.charged = verdict.charged
        if not await room.again(job, came, tally):
            await self._give_up(job, entries, verdict)

    async def _give_up(self, job: Job, entries: Sequence[Entry], verdict: NotBegun) -> None:
        how = {Charged.NO: "not charged", Charged.MAYBE: "perhaps charged", Charged.YES: "charged"}[verdict.charged]
        await self._discard(
            job, entries, f"boothd was interrupted before the photo was answered; {how}.", verdict.charged
        )

    async def _discard(
        self, job: Job, entries: Sequence[Entry], reason: str, charged: Charged, ends: Sequence[Entry] = ()
    ) -> None:
        finished = Finished(at=self._desk.clock.now(), code=Interrupted.code, reason=reason, charged=charged)
        came = received(entries)
        drop = [] if came.keep_failures else [came.file]
        await self._spool.move(job, State.TRASH, *self._told(entries, reason), finished, *ends, drop=drop)

    async def _end(self, job: Job, entries: Sequence[Entry], known: Attempt | None) -> None:
        """Count what the calls without an end may have cost; known: the one of which more is known."""
        ends = [self._interrupted(attempt) for attempt in unended(entries) if attempt is not known]
        if ends:
            await self._spool.append(job, *ends)

    def _interrupted(self, attempt: Attempt) -> AttemptEnded:
        return AttemptEnded(
            at=self._desk.clock.now(),
            number=attempt.number,
            provider=attempt.provider,
            model=attempt.model,
            outcome=Interrupted.code,
            message="boothd was interrupted while it was under way.",
            charged=Charged.MAYBE,
            cost=attempt.price,
            role=attempt.role,
            credit_provider=attempt.credit_provider,
            credit_model=attempt.credit_model,
        )

    def _told(self, entries: Sequence[Entry], reason: str) -> list[Entry]:
        """For the journal and the statistics: whoever waited got no answer."""
        if _answered(entries):
            return []
        now = self._desk.clock.now()
        return [Answered(at=now, status=Interrupted.status, code=Interrupted.code, message=reason)]

    async def _index_recent(self, first: date) -> None:
        for day in await self._spool.days(State.DONE):
            if day >= first:
                for job in await self._spool.jobs_of(State.DONE, day):
                    for sha256, kept in await self._threads.run(_results_of, job):
                        self._index.add(sha256, kept)
        self.log.info("{results} recent results are known", results=len(self._index))


def _ended_well(attempt: Attempt, result: Result) -> AttemptEnded:
    """The end of the call that brought `result`; its own line was torn off."""
    return AttemptEnded(
        at=result.at,
        number=attempt.number,
        provider=attempt.provider,
        model=result.model.removeprefix(f"{attempt.provider}/") if attempt.role == "render" else result.model,
        outcome="ok",
        charged=Charged.YES if attempt.paid else Charged.NO,
        cost=attempt.price if attempt.paid else Decimal(0),
        seconds=round(result.work_ms / 1000, 3),
        role=attempt.role,
        credit_provider=attempt.credit_provider,
        credit_model=attempt.credit_model,
    )


def _answered(entries: Sequence[Entry]) -> bool:
    return any(isinstance(entry, Answered) for entry in entries)


def _preset_of(slot: LiveSlot, attempt: Attempt) -> Preset | None:
    """The preset that was asked for, or what the slot has of that provider by now, as maker or as renderer."""
    if attempt.role == "render":
        same = [p for p in slot.presets if p.renderer is not None and p.renderer.provider == attempt.provider]
    else:
        same = [p for p in slot.presets if p.renderer is None and p.provider == attempt.provider]
    return next((preset for preset in same if preset.revision == attempt.revision), same[0] if same else None)


# what blocks


def _read_mended(job: Job, spool: Spool) -> Sequence[Entry]:
    entries = read(job.journal)
    mend(job, spool.disk)
    return entries


def _results(job: Job) -> int:
    return len(list(job.directory.glob("result*")))


def _results_of(job: Job) -> list[tuple[str, Kept]]:
    try:
        entries = read(job.journal)
    except Damaged:
        return []
    came = received(entries)
    job.slot = came.slot
    return [(came.sha256, Kept(job, e)) for e in entries if isinstance(e, Result) and e.revision]
