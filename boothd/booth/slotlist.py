"""A provider's tab: its twenty slots at a glance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from boothd.booth.desk import Desk
from boothd.booth.overview import NO_KEY, provider_rows
from boothd.booth.slotfields import Types, effect_named
from boothd.booth.slots import SLOTS, LiveSlot, SlotBook
from boothd.booth.uploads import upload_path
from boothd.engine.stats import Stats
from boothd.http.languages import N_

State = Literal["on", "off", "empty", "waiting", "stopped"]

NO_PUBLIC_URL = N_("it fetches the photos by itself; set public_url in etc/boothd.yaml")


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether a provider can work now. state: as a slot of it is when it is switched on. short: the reason in a word or two,
    why: in a sentence."""

    title: str
    state: Literal["on", "waiting", "stopped"] = "on"
    short: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One slot. live: None = empty. short: why it is not ready. link: "" when it would be refused."""

    number: int
    state: State
    live: LiveSlot | None = None
    effect: str = ""
    short: str = ""
    link: str = ""
    answered: int = 0
    failed: int = 0
    mean_s: float | None = None


def readiness(desk: Desk, left_out: Mapping[str, str], types: Types) -> dict[str, Ready]:
    """Of every registered provider."""
    found: dict[str, Ready] = {}
    rows = {row.name: row for row in provider_rows(desk.engine.services, left_out, ())}
    for name, kind in types.items():
        row = rows.get(name)
        if row is not None and row.state in {"paused", "daily budget spent"}:
            found[name] = Ready(kind.title, "waiting", row.state, row.why)
        elif row is not None and row.state != "works":
            short = "no key" if row.why.startswith(NO_KEY) else "left out"
            found[name] = Ready(kind.title, "stopped", short, row.why)
        elif getattr(kind, "needs_public_url", False) and not desk.config().public_url:
            found[name] = Ready(kind.title, "stopped", "no public_url", NO_PUBLIC_URL)
        else:
            found[name] = Ready(kind.title)
    return found


def rows_of(provider: str, desk: Desk, stats: Stats, types: Types, ready: Mapping[str, Ready], base: str) -> list[Row]:
    """All twenty. base: the beginning of upload links."""
    numbers = stats.day(desk.config().day.day_of(desk.clock.now())).get("slots", {})
    book = desk.book()
    return [_row(provider, number, book, numbers, types, ready, base) for number in range(1, SLOTS + 1)]


def row_of(
    provider: str, number: int, desk: Desk, stats: Stats, types: Types, ready: Mapping[str, Ready], base: str
) -> Row:
    """One of them."""
    numbers = stats.day(desk.config().day.day_of(desk.clock.now())).get("slots", {})
    return _row(provider, number, desk.book(), numbers, types, ready, base)


def _row(
    provider: str,
    number: int,
    book: SlotBook,
    numbers: Mapping[str, Any],
    types: Types,
    ready: Mapping[str, Ready],
    base: str,
) -> Row:
    live = book.get(f"{provider}-{number}")
    if live is None:
        return Row(number, "empty")
    state, short = _state(live, ready)
    counted = numbers.get(live.id, {})
    answered = int(counted.get("answered", 0))
    effect = effect_named(types[provider], live.slot.effect)
    return Row(
        number=number,
        state=state,
        live=live,
        effect=effect.title if effect is not None else live.slot.effect,
        short=short,
        link=base + upload_path(live) if live.slot.enabled else "",
        answered=answered,
        failed=int(sum(counted.get("failed", {}).values())),
        mean_s=float(counted["seconds"]) / answered if answered else None,
    )


def _state(live: LiveSlot, ready: Mapping[str, Ready]) -> tuple[State, str]:
    """Of the first who cannot work; a chain's other providers only count when it has come to them."""
    if not live.slot.enabled:
        return "off", ""
    for name in _asked_first(live):
        one = ready.get(name)
        if one is not None and one.state != "on":
            return one.state, one.short
    return "on", ""


def _asked_first(live: LiveSlot) -> Iterator[str]:
    yield live.provider
    renderer = live.presets[0].renderer
    if renderer is not None:
        yield renderer.provider
