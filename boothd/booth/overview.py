"""What the status page tells of providers and slots: state and money of each, and what a slot asks for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from boothd.base.errors import WorkError
from boothd.booth.slots import LiveSlot
from boothd.engine.breaker import BreakerState
from boothd.engine.order import ORIGINAL
from boothd.engine.services import Service, Services
from boothd.providers import provider_names, provider_type
from boothd.providers.interfaces import EffectType, Preset, Provider

State = Literal["works", "paused", "daily budget spent", "no key", "left out"]

NO_KEY = "no API key"
"""How a reason to leave a provider out begins when it is only that."""


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider. needed: an enabled slot asks it. why: of any state but `works`. spent: money since the day began."""

    name: str
    title: str
    state: State
    why: str = ""
    needed: bool = True
    under_way: int = 0
    waiting: int = 0
    spent: Decimal = Decimal(0)
    budget: Decimal | None = None


def provider_rows(services: Services, left_out: Mapping[str, str], book: Iterable[LiveSlot]) -> list[ProviderRow]:
    """Those that work, then those that are left out."""
    needed = {preset.provider for live in book if live.slot.enabled for preset in _presets(live)}
    working = [_working(service, service.name in needed) for service in services.values()]
    return working + [
        ProviderRow(name, _title(name), "no key" if why.startswith(NO_KEY) else "left out", why, name in needed)
        for name, why in left_out.items()
    ]


def _working(service: Service, needed: bool) -> ProviderRow:
    state: State = "works"
    why = ""
    if service.breaker.state is not BreakerState.CLOSED:
        state, why = "paused", service.breaker.reason
    else:
        try:
            service.check()
        except WorkError as spent:
            state, why = "daily budget spent", spent.message
    return ProviderRow(
        name=service.name,
        title=service.provider.title,
        state=state,
        why=why,
        needed=needed,
        under_way=service.turns.taken,
        waiting=service.turns.waiting,
        spent=service.spending.today,
        budget=service.settings.daily_budget,
    )


def _title(name: str) -> str:
    kind = _type(name)
    return name if kind is None else kind.title


def _type(name: str) -> type[Provider] | None:
    """None: no longer installed. It has been imported before, when the configuration was read."""
    return provider_type(name) if name in provider_names() else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a slot asks for. takes: the most reference pictures that the effect takes, None = any number. model: "" while
    the provider is left out. renderer: who draws, and what, where the provider only directs. chain: whom a failure asks;
    ORIGINAL = the guest's own photo."""

    effect: str
    instruction: str
    prompt: str
    has: int
    takes: int | None
    model: str
    renderer: str
    chain: tuple[str, ...]


def wanted(live: LiveSlot, services: Services) -> Wanted:
    """Of one slot."""
    preset, service = live.presets[0], services.get(live.provider)
    effect = _effect(preset, service)
    renderer = preset.renderer
    return Wanted(
        effect=effect.title,
        instruction=effect.instruction,
        prompt=preset.prompt,
        has=len(preset.references),
        takes=effect.max_references,
        model=service.provider.model(preset) if service is not None else "",
        renderer=f"{renderer.provider}, {renderer.effect}" if renderer is not None else "",
        chain=(*(each.provider for each in live.presets[1:]), *([ORIGINAL] if live.original else [])),
    )


def _effect(preset: Preset, service: Service | None) -> EffectType:
    kind = service.provider if service is not None else _type(preset.provider)
    effects = kind.effects if kind is not None else ()
    return next((e for e in effects if e.name == preset.effect), EffectType(preset.effect, preset.effect))


def _presets(live: LiveSlot) -> Iterator[Preset]:
    for preset in live.presets:
        yield preset
        if preset.renderer is not None:
            yield preset.renderer
