"""Providers whose calls the test answers."""

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

from twisted.internet.defer import Deferred

from boothd.base.photo import Photo
from boothd.providers.interfaces import Call, EffectType, Options, Picture, Preset, ProviderSettings
from boothd.spool.journal import read
from tests.support.scripted import pictures


class FakeCall:
    """One call, until the test answers it. journal: as it stood on disk when the call left."""

    def __init__(self, photo: Photo | None, preset: Preset, call: Call) -> None:
        self.photo, self.preset, self.call = photo, preset, call
        journal = call.answer.parent / "journal.jsonl"
        self.journal = read(journal)
        self.cancels = 0
        self.cancelled_into: Exception | None = None
        """What its library makes of a cancel."""
        self._end: Deferred[Picture] = Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        self.cancels += 1
        if self.cancelled_into is not None:
            self._end.errback(self.cancelled_into)

    def answer(self, data: bytes | None = None, *, cost: Decimal | None = None, model: str = "fake-1") -> None:
        """Come with a picture; unless said otherwise, the photo's own."""
        sha256 = "0" * 64 if self.photo is None else self.photo.sha256
        self.call.answer.write_bytes(pictures.answer(sha256) if data is None else data)
        self._end.callback(Picture(self.call.answer, model, cost))

    def fail(self, error: BaseException) -> None:
        self._end.errback(error)

    async def end(self) -> Picture:
        return await self._end


class Fake:
    """A provider that does what the test says."""

    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "Fake"
    effects: ClassVar[tuple[EffectType, ...]] = (EffectType("style", "Style"),)
    paid: ClassVar[bool] = False
    Options: ClassVar[type[Options]] = Options
    Settings: ClassVar[type[ProviderSettings]] = ProviderSettings

    def __init__(self) -> None:
        self.calls: list[FakeCall] = []
        self.queue_numbers: list[str] = []
        self._script: list[Callable[[FakeCall], None]] = []

    def model(self, preset: Preset) -> str:
        return "fake-1"

    def then(self, *acts: Callable[[FakeCall], None]) -> "Fake":
        """What becomes of the next calls, each at once."""
        self._script += acts
        return self

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        return await self._called(FakeCall(photo, preset, call))

    async def _called(self, call: FakeCall) -> Picture:
        self.calls.append(call)
        if self._script:
            self._script.pop(0)(call)
        return await call.end()


class PaidFake(Fake):
    """A call costs money."""

    name = "paid"
    paid = True


class ResumingFake(PaidFake):
    """Its queue numbers can be asked for."""

    name = "resuming"

    async def resume(self, queue_number: str, preset: Preset, call: Call) -> Picture:
        self.queue_numbers.append(queue_number)
        return await self._called(FakeCall(None, preset, call))


def fails(error: Exception) -> Callable[[FakeCall], None]:
    return lambda call: call.fail(error)


def answers(call: FakeCall) -> None:
    call.answer()
