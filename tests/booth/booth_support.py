"""A booth with a real spool in a temporary home and a fake provider, on a fake clock.

Disk and picture work runs at once in the test's thread, so everything that does not wait for time or for the provider has
happened when a call returns."""

import io
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, ClassVar, TypeVar, cast

from PIL import Image
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock as FakeTime
from twisted.python.failure import Failure

from boothd.base.clock import Clock
from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.booth.desk import Desk
from boothd.booth.recovery import Recovery, Room
from boothd.booth.slots import LiveSlot, Slot, SlotBook
from boothd.booth.trash import Trash
from boothd.booth.uploads import Counter, upload_path
from boothd.config import DaemonConfig, Home
from boothd.engine.attempt import Attempts
from boothd.engine.engine import Engine
from boothd.engine.services import Service
from boothd.engine.spending import Till
from boothd.engine.stats import Stats
from boothd.http import FileBody, Reply, Upload
from boothd.providers.interfaces import (
    Call,
    Direction,
    DirectorOptions,
    EffectType,
    Options,
    Picture,
    Preset,
    ProviderSettings,
)
from boothd.spool import Disk, ResultIndex, Spool, State
from boothd.spool.journal import Entry, Received, dump, read

T = TypeVar("T")
KEY = "k" * 22
_SEEDS = count()
PASSWORD = "hunter2hunter2"
BEGAN = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def run(work: "Coroutine[Any, Any, T] | Deferred[T]") -> T:
    """What `work` comes to; it must not have to wait."""
    outcome: list[Any] = []
    done: Deferred[Any] = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    done.addBoth(outcome.append)
    assert outcome, "it waits"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return cast(T, outcome[0])


def picture(form: str = "JPEG", size: tuple[int, int] = (60, 40), colour: str = "teal", **how: Any) -> bytes:
    """A picture file; its left half is white."""
    image = Image.new("RGB", size, colour)
    image.paste("white", (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def rotated(orientation: int, size: tuple[int, int] = (60, 40)) -> bytes:
    """A JPEG that says it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(size=size, exif=exif.tobytes())


PHOTO = picture()


class StepThreads:
    """Runs at once in the caller's thread; while `hold` is set, only once `release` is called."""

    def __init__(self) -> None:
        self.hold = False
        self._held: list[Deferred[None]] = []

    async def run(self, call: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        if self.hold:
            turn: Deferred[None] = Deferred()
            self._held.append(turn)
            await turn
        return call(*args, **kw)

    def release(self) -> None:
        self.hold = False
        held, self._held = self._held, []
        for turn in held:
            turn.callback(None)


@dataclass
class FakeProvider:
    """Answers with `answer`, after `holding` is let go; raises what `fails` holds, one error a call."""

    name: str = "fake"
    paid: bool = False
    answer: bytes = field(default_factory=lambda: picture(colour="red"))
    fails: list[Exception] = field(default_factory=list)
    calls: list[tuple[Photo, Preset, Call]] = field(default_factory=list)
    photos: list[bytes] = field(default_factory=list)
    holding: bool = False
    held: list["Deferred[None]"] = field(default_factory=list)
    cancelled: int = 0
    queue_number: str | None = None
    title: ClassVar[str] = "Fake"
    effects: ClassVar[tuple[EffectType, ...]] = (EffectType("style", "Style"),)
    Options: ClassVar[type[Options]] = Options
    Settings: ClassVar[type[ProviderSettings]] = ProviderSettings

    def model(self, preset: Preset) -> str:
        return "fake-1"

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        self.calls.append((photo, preset, call))
        self.photos.append(photo.path.read_bytes())
        if self.queue_number is not None:
            await call.queued(self.queue_number)
        return await self._answer(call)

    async def _answer(self, call: Call) -> Picture:
        if self.holding:
            self.held.append(Deferred(self._cancel))
            await self.held[-1]
        if self.fails:
            raise self.fails.pop(0)
        call.answer.write_bytes(self.answer)
        return Picture(call.answer, "fake-1")

    def _cancel(self, _: object) -> None:
        self.cancelled += 1

    def let_go(self) -> None:
        self.holding = False
        held, self.held = self.held, []
        for waiting in held:
            waiting.callback(None)


@dataclass
class DirectingFake(FakeProvider):
    """Writes prompts as the other one makes pictures; its answer is no picture's."""

    name: str = "seer"
    Options: ClassVar[type[Options]] = DirectorOptions

    async def direct(self, photo: Photo, preset: Preset, call: Call) -> Direction:
        self.calls.append((photo, preset, call))
        await self._answer(call)
        return Direction("by the seer", model="seer-1")


@dataclass
class ResumingFake(FakeProvider):
    """One whose queue numbers outlive us."""

    resumed: list[str] = field(default_factory=list)

    async def resume(self, queue_number: str, preset: Preset, call: Call) -> Picture:
        self.resumed.append(queue_number)
        return await self._answer(call)


def live_slot(provider: str = "fake", number: int = 1, *chain: str, original: bool = False, **slot: Any) -> LiveSlot:
    """A slot whose chain goes on to other providers."""
    made = Slot.model_validate({"key": KEY, "effect": "style", "prompt": "pencil", **slot})
    size = made.size
    presets = tuple(Preset(name, "style", made.prompt, size=size) for name in (provider, *chain))
    return LiveSlot(provider, number, made, presets, original)


def directing_slot(renderer: str = "fake", *chain: str, **slot: Any) -> LiveSlot:
    """A slot of the seer, whose pictures another one makes."""
    made = live_slot("seer", 1, *chain, **slot)
    first = replace(made.presets[0], renderer=replace(made.presets[0], provider=renderer))
    return replace(made, presets=(first, *made.presets[1:]))


class FakeRequest:
    """What the upload's handler looks at."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.finished: list[Deferred[None]] = []

    def notifyFinish(self) -> "Deferred[None]":
        self.finished.append(Deferred())
        return self.finished[-1]


class Guest:
    """One upload that has come whole, and what became of it."""

    def __init__(self, booth: "Booth", request: FakeRequest, slot: LiveSlot, key: str) -> None:
        self._request = request
        handler = booth.counter.routes()[0].handler
        self._outcome: list[Reply | Failure] = []

        async def answer() -> Reply:
            return await handler(request, provider=slot.provider, number=slot.number, key=key)

        self.answering: Deferred[Reply] = Deferred.fromCoroutine(answer())
        self.answering.addBoth(self._outcome.append)

    @property
    def waits(self) -> bool:
        return not self._outcome

    @property
    def reply(self) -> Reply:
        (outcome,) = self._outcome
        if isinstance(outcome, Failure):
            outcome.raiseException()
        assert isinstance(outcome, Reply)
        return outcome

    @property
    def error(self) -> Any:
        (outcome,) = self._outcome
        assert isinstance(outcome, Failure)
        return outcome.value

    @property
    def body(self) -> bytes:
        assert isinstance(self.reply.body, FileBody)
        return self.reply.body.path.read_bytes()

    def leaves(self) -> None:
        """The connection breaks: klein cancels the handler, and `notifyFinish` fails."""
        for finished in self._request.finished:
            finished.errback(Failure(ConnectionDone()))
        self.answering.cancel()

    def has_it(self) -> None:
        """The reply has been sent."""
        for finished in self._request.finished:
            finished.callback(None)


class Booth:
    """All parts of the booth but the network."""

    def __init__(self, home: Path, *providers: FakeProvider, slots: Sequence[LiveSlot] = (), **config: Any) -> None:
        self.home = Home(home)
        self.time = FakeTime()
        self.clock = Clock(self.time, lambda: BEGAN + timedelta(seconds=self.time.seconds()))
        self.provider = providers[0] if providers else FakeProvider()
        self.slots = SlotBook({s.id: s for s in (slots or [live_slot(self.provider.name)])})
        self.config = DaemonConfig.model_validate({"spool": {"floor": 0}, "day": {"time_zone": "UTC"}, **config})
        self.threads, self.pictures = StepThreads(), StepThreads()
        threads, pictures = cast(Threads, self.threads), cast(Threads, self.pictures)
        self.spool = Spool(
            self.home.spool,
            self.home.trash,
            disk=Disk(),
            threads=threads,
            clock=self.clock,
            random=Random(next(_SEEDS)),
            day_of=self.config.day.day_of,
            floor_bytes=lambda: self.config.spool.floor,
        )
        self.stats = Stats(self.home.spool / "stats.yaml", self.spool, threads, self.clock, self.config.day.day_of)
        till = Till(self.stats.spent_today, lambda: self.config.day.starts)
        self.services = {
            p.name: Service(p.name, cast(Any, p), ProviderSettings(), self.clock, till)
            for p in (providers or (self.provider,))
        }
        self.index = ResultIndex()
        self.engine = Engine(
            self.spool,
            self.index,
            self.services,
            Attempts(self.spool, self.index, pictures, self.clock, lambda: self.config.upload.max_pixels),
            pictures,
            self.clock,
            Random(1),
            reserve_s=self.config.budget.reserve,
            left_out={},
        )
        self.desk = Desk(self.spool, self.engine, pictures, self.clock, lambda: self.config, lambda: self.slots)
        self.password = PASSWORD
        self.counter = Counter(self.desk, self.stats, lambda: self.password)
        self.trash = Trash(self.desk, threads)
        run(self.spool.start())
        run(self.stats.start())

    def recover(self, rooms: dict[str, Room] | None = None) -> None:
        """What a start does with active/."""
        recovery = Recovery(self.desk, self.index, cast(Threads, self.threads), rooms or {})
        run(recovery.run(self.spool.today(), self.config.spool.index))

    def crash(self) -> None:
        """Let the spool's lock go, and nothing else."""
        run(self.spool.stop())

    # guests

    def send(
        self,
        photo: bytes = PHOTO,
        slot: LiveSlot | None = None,
        key: str = KEY,
        name: str = "IMG_0003.JPG",
        took_s: float = 0.25,
        form: tuple[tuple[str, str], ...] = (("user_id", "Acer"),),
    ) -> Guest:
        """A photo comes in whole; `took_s` seconds lie between its first and its last byte."""
        slot = slot or next(iter(self.slots))
        admission = self.counter.admit(upload_path(slot).replace(slot.slot.key, key), len(photo))
        assert admission is not None
        started_s = self.clock.seconds()
        admission.check_password(PASSWORD)
        sink = admission.sink()
        sink.on_drain(lambda: None)
        sink.write(photo)
        self.time.advance(took_s)
        run(sink.close())
        upload = Upload(
            form=form,
            field="fileToUpload",
            filename=name,
            content_type="image/jpeg",
            size_bytes=len(photo),
            sink=sink,
            query="session=42",
            started_s=started_s,
            received_s=self.clock.seconds(),
        )
        return Guest(self, FakeRequest(upload), slot, key)

    # what lies on disk

    def jobs(self, state: State) -> list[Path]:
        """The directories of the jobs in a state, oldest first."""
        place = self.spool.place(state)
        pattern = "*" if state in {State.ACTIVE, State.INCOMING} else "*/*"
        return sorted(place.glob(pattern))

    def only_job(self, state: State) -> tuple[Path, Sequence[Entry]]:
        """The one job that there is; it lies in `state`."""
        for other in set(State) - {state}:
            assert not self.jobs(other), f"something lies in {other}"
        (directory,) = self.jobs(state)
        return directory, read(directory / "journal.jsonl")

    def today(self) -> Any:
        """Today's statistics."""
        return self.stats.day(TODAY)

    def leave_behind(self, *entries: Entry, id: str = "20261120T170000.000-000001", **received: Any) -> Path:
        """A job as a crash leaves it in active/."""
        directory = self.spool.place(State.ACTIVE) / id
        directory.mkdir(parents=True)
        (directory / "source.jpg").write_bytes(PHOTO)
        (directory / "journal.jsonl").write_bytes(dump([arrival(**received), *entries]))
        return directory


def arrival(**received: Any) -> Received:
    """A journal's first line."""
    said: dict[str, Any] = {
        "at": BEGAN,
        "room": "booth",
        "slot": "fake-1",
        "provider": "fake",
        "file": "source.jpg",
        "name": "IMG_0003.JPG",
        "sha256": "0" * 64,
        "size_bytes": len(PHOTO),
        "width": 60,
        "height": 40,
        "format": "JPEG",
    }
    return Received.model_validate(said | received)


def kinds(entries: Sequence[Entry]) -> list[str]:
    """What a journal's lines are."""
    return [entry.kind for entry in entries]


def last(entries: Sequence[Entry], kind: type[T]) -> T:
    """The last line of a kind."""
    found = [entry for entry in entries if isinstance(entry, kind)]
    return found[-1]
