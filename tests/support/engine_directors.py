"""A provider that writes prompts, when the test says so."""

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

from twisted.internet.defer import Deferred

from boothd.base.photo import Photo
from boothd.providers.interfaces import (
    Call,
    Direction,
    DirectorOptions,
    EffectType,
    Options,
    Preset,
    ProviderSettings,
)
from boothd.spool.journal import read
from tests.support.engine import preset


class DirectorSettings(ProviderSettings):
    patience_s: float = 12


class DirectCall:
    """One call, until the test answers it. journal: as it stood on disk when the call left."""

    def __init__(self, preset: Preset, call: Call) -> None:
        self.preset, self.call = preset, call
        self.journal = read(call.answer.parent / "journal.jsonl")
        self.cancels = 0
        self._end: Deferred[Direction] = Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        self.cancels += 1

    def says(self, prompt: str, negative: str = "", *, cost: Decimal | None = None) -> None:
        self._end.callback(Direction(prompt, negative, "seer-2", cost))

    def fail(self, error: BaseException) -> None:
        self._end.errback(error)

    async def end(self) -> Direction:
        return await self._end


class Director:
    """Directs, makes no pictures."""

    name: ClassVar[str] = "director"
    title: ClassVar[str] = "Director"
    effects: ClassVar[tuple[EffectType, ...]] = (EffectType("style", "Style"),)
    paid: ClassVar[bool] = True
    Options: ClassVar[type[Options]] = DirectorOptions
    Settings: ClassVar[type[ProviderSettings]] = DirectorSettings

    def __init__(self) -> None:
        self.calls: list[DirectCall] = []
        self._script: list[Callable[[DirectCall], None]] = []

    def model(self, preset: Preset) -> str:
        return "seer"

    def then(self, *acts: Callable[[DirectCall], None]) -> "Director":
        """What becomes of the next calls, each at once."""
        self._script += acts
        return self

    async def direct(self, photo: Photo, preset: Preset, call: Call) -> Direction:
        self.calls.append(DirectCall(preset, call))
        made = self.calls[-1]
        if self._script:
            self._script.pop(0)(made)
        return await made.end()


def directed(renderer: str = "paid", prompt: str = "as an astronaut", **more: object) -> Preset:
    """A directing slot's preset."""
    return preset("director", prompt, renderer=preset(renderer, prompt, **more))


def says(prompt: str, negative: str = "", cost: Decimal | None = None) -> Callable[[DirectCall], None]:
    return lambda call: call.says(prompt, negative, cost=cost)


def cannot(error: Exception) -> Callable[[DirectCall], None]:
    return lambda call: call.fail(error)
