"""Which slots use which providers, and where a provider's keys stand."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from boothd.booth.slots import LiveSlot
from boothd.config import Home
from boothd.providers.interfaces import Preset


@dataclass(frozen=True, slots=True)
class Use:
    """An enabled slot's preset for one provider: the slot's own, one of its chain, or its renderer's."""

    live: LiveSlot
    preset: Preset


def uses(book: Iterable[LiveSlot]) -> dict[str, list[Use]]:
    """By provider."""
    found: dict[str, list[Use]] = {}
    for live in book:
        for preset in _presets(live) if live.slot.enabled else ():
            found.setdefault(preset.provider, []).append(Use(live, preset))
    return found


def _presets(live: LiveSlot) -> Iterator[Preset]:
    for preset in live.presets:
        yield preset
        if preset.renderer is not None:
            yield preset.renderer


def slot_names(used: Iterable[Use], most: int = 5) -> str:
    """The slots' ids, each once: "gemini-1, gemini-3"."""
    names = list(dict.fromkeys(use.live.id for use in used))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def variable(provider: str) -> str:
    """The environment variable of a provider's keys."""
    return f"BOOTHD_KEY_{provider.upper().replace('-', '_')}"


def place_of_keys(home: Home, provider: str, environ: Mapping[str, str] | None = None) -> str:
    """Where the keys in force stand, for people: what `read_secrets` prefers. Blocks."""
    environ = os.environ if environ is None else environ
    if environ.get(variable(provider), "").strip():
        return f"${variable(provider)}"
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for file in sorted(Path(folder).glob("key_*")) if folder else ():
        if file.name.removeprefix("key_").replace("_", "-") == provider and file.read_text("utf-8").strip():
            return str(file)
    return f"{home.secrets_file}: keys.{provider}"
