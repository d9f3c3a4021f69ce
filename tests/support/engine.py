"""An engine in a world of its own: real spool and pictures, fake time, a provider whose calls the test answers."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, ParamSpec, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as FakeTime
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.engine.attempt import Attempts
from boothd.engine.engine import Engine
from boothd.engine.order import Made, Order, Tally
from boothd.engine.services import Service
from boothd.engine.spending import Till
from boothd.providers.interfaces import (
    Preset,
    Provider,
)
from boothd.spool import Disk, Incoming, Job, ResultIndex, Spool
from boothd.spool.journal import AttemptEnded, Entry, Received, read
from tests.support.engine_fakes import Fake, FakeCall
from tests.support.scripted import pictures

T = TypeVar("T")
E = TypeVar("E", bound=Entry)
P = ParamSpec("P")

RESERVE_S = 2.0
EVENING = datetime(2026, 11, 20, 18, tzinfo=UTC)


class CountedThreads(Threads):
    """Threads of which a test can tell when they have nothing left to do."""

    busy = 0

    async def run(self, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        self.busy += 2  # the thread, which a cancel does not end, and who waits for it

        def counted() -> T:
            try:
                return call(*args, **kw)
            finally:
                self._reactor.callFromThread(self._over)

        try:
            return await super().run(counted)
        finally:
            self._over()

    def _over(self) -> None:
        self.busy -= 1


class Spent:
    """What each provider's calls have cost, by the journals."""

    def __init__(self) -> None:
        self.money: dict[str, Decimal] = {}

    def count(self, _: Job, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, AttemptEnded):
                self.money[entry.provider] = self.today(entry.provider) + entry.cost

    def today(self, provider: str) -> Decimal:
        return self.money.get(provider, Decimal(0))


class FaultyDisk(Disk):
    """Whatever is made durable meets `trouble`, while there is one."""

    trouble: OSError | None = None

    def sync(self, fd: int) -> None:
        if self.trouble is not None:
            raise self.trouble
        super().sync(fd)


@dataclass
class World:
    """Everything an engine needs."""

    time: FakeTime
    clock: Clock
    spool: Spool
    disk: Disk
    disk_threads: CountedThreads
    picture_threads: CountedThreads
    index: ResultIndex
    services: dict[str, Service]
    engine: Engine
    wall: list[datetime]
    spent: Spent

    @classmethod
    async def make(
        cls, home: Path, disk_threads: CountedThreads, picture_threads: CountedThreads, disk: Disk | None = None
    ) -> "World":
        time, wall = FakeTime(), [EVENING]
        clock = Clock(time, lambda: wall[0] + timedelta(seconds=time.seconds()))
        disk = disk or Disk()
        spool = Spool(
            home / "spool",
            home / "trash",
            disk=disk,
            threads=disk_threads,
            clock=clock,
            random=Random(1),
            day_of=datetime.date,
            floor_bytes=lambda: 0,
        )
        await spool.start()
        spent = Spent()
        spool.journaled.append(spent.count)
        index, services = ResultIndex(), dict[str, Service]()
        attempts = Attempts(spool, index, picture_threads, clock, lambda: 10_000_000)
        random = Random(1)
        engine = Engine(
            spool, index, services, attempts, picture_threads, clock, random, reserve_s=RESERVE_S, left_out={}
        )
        return cls(time, clock, spool, disk, disk_threads, picture_threads, index, services, engine, wall, spent)

    async def close(self) -> None:
        await self.engine.stop()
        await self.spool.stop()
        self.clock.stop()

    @property
    def today(self) -> date:
        return self.clock.now().date()

    @property
    def timers(self) -> list[float]:
        """When the next timers fire."""
        calls: Any = self.time.getDelayedCalls()
        return sorted(call.getTime() for call in calls)

    def provides(self, provider: Any, **settings: Any) -> Any:
        """Have a provider work here."""
        kind: type[Provider] = type(provider)
        known = kind.Settings(**settings)
        self.services[kind.name] = Service(
            kind.name, provider, known, self.clock, Till(self.spent.today, lambda: "06:00")
        )
        return provider

    async def job(self, number: int = 1, slot: str = "fake-1") -> Job:
        """An accepted photo; each number is another picture."""
        incoming = self.spool.receive()
        incoming.write(photo_bytes(number))
        await incoming.close()
        return await self.spool.accept(incoming, self.received(incoming, slot))

    def received(self, incoming: Incoming, slot: str) -> Received:
        arrived = incoming.arrived
        return Received(
            at=self.clock.now(),
            room="booth",
            slot=slot,
            provider=slot.partition("-")[0],
            file=arrived.file,
            sha256=arrived.sha256,
            size_bytes=arrived.size_bytes,
            width=256,
            height=256,
            format=arrived.format,
        )

    async def order(
        self,
        number: int = 1,
        *presets: Preset,
        slot: str = "fake-1",
        budget_s: float = 48,
        paid_attempts: int = 2,
        original: bool = False,
        fresh: bool = False,
    ) -> Order:
        """What the booth would order for photo `number`."""
        job = await self.job(number, slot)
        came = journal_of(job)[0]
        assert isinstance(came, Received)
        photo = Photo(job.directory / came.file, came.sha256, came.size_bytes, 256, 256, "JPEG")
        return Order(
            job=job,
            photo=photo,
            presets=presets or (preset(),),
            budget=Budget.of(self.clock, budget_s),
            tally=Tally(paid_attempts),
            original=original,
            fresh=fresh,
        )

    def run(self, order: Order) -> "Deferred[Made]":
        """Begin; the test goes on."""
        return begin(self.engine.run(order))

    async def settle(self) -> None:
        """Wait until nothing goes on any more without time passing, a provider answering or somebody leaving."""
        quiet = 0
        while quiet < 3:
            busy = self.disk_threads.busy + self.picture_threads.busy
            quiet = 0 if busy else quiet + 1
            await turn()

    async def calls(self, provider: Fake, count: int) -> FakeCall:
        """The provider's call number `count`, once it has come."""
        await until(lambda: len(provider.calls) >= count)
        return provider.calls[count - 1]

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and what it brings about be done."""
        await self.settle()
        self.time.advance(seconds)
        await self.settle()

    def result(self, made: Made, order: Order) -> Path:
        return order.job.directory / made.result.file


def begin(work: Coroutine[Any, Any, T]) -> "Deferred[T]":
    """Start something that the test does not wait for yet."""
    return Deferred.fromCoroutine(work)


async def turn() -> None:
    """Let the reactor turn once."""
    from twisted.internet import reactor as installed  # noqa: TID251

    reactor: Any = installed
    turned: Deferred[None] = Deferred()
    reactor.callLater(0, turned.callback, None)
    await turned


async def until(condition: Callable[[], object]) -> None:
    """Let the reactor turn until something is so."""
    ends_s = monotonic() + 20
    while not condition():
        assert monotonic() < ends_s, "it did not come about"
        await turn()


def preset(provider: str = "fake", prompt: str = "", **more: Any) -> Preset:
    return Preset(provider=provider, effect="style", prompt=prompt, **more)


def photo_bytes(number: int) -> bytes:
    """A JPEG of 256 × 256 pixels; each number gives another."""
    return pictures.answer(f"{number:064x}")


def journal_of(job: Job) -> Sequence[Entry]:
    return read(job.journal)


def kinds(job: Job) -> list[str]:
    """What stands in a job's journal, by kind."""
    return [entry.kind for entry in journal_of(job)]


def entries_of(job: Job, kind: type[E]) -> list[E]:
    return [entry for entry in journal_of(job) if isinstance(entry, kind)]


def failures(events: Sequence[LogEvent]) -> list[BaseException]:
    """What was logged as a failure."""
    return [event["log_failure"].value for event in events if "log_failure" in event]


@contextmanager
def logged() -> Iterator[list[LogEvent]]:
    """Every log event of the block."""
    events: list[LogEvent] = []
    note = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(note)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(note)
