"""The slots: twenty presets per provider, each with an upload link of its own."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from boothd.base.errors import BoothdError, NoSuchSlot
from boothd.base.imaging import OutputFormat, inspect
from boothd.config import ConfigError, Home, Section, parse, read_yaml
from boothd.engine.order import ORIGINAL
from boothd.providers.interfaces import Options, Preset, Provider, Reference

SLOTS = 20
_FORMATS: Mapping[str, OutputFormat] = {"jpeg": "JPEG", "png": "PNG"}


def new_key() -> str:
    """An unguessable key for an upload link: 128 bits."""
    return secrets.token_urlsafe(16)


class Slot(Section):
    """One slot as it stands in `etc/slots/<provider>.yaml`.

    size: the largest width and height in pixels. on_failure: what a failure becomes: nothing = the error's code; names of
    other providers, asked in this order with the same effect and prompt; "original" last = the guest's own photo.
    paid_attempts: how many calls per photo may cost money."""

    name: str = Field("", max_length=200)
    key: str = Field(min_length=16, max_length=200, pattern=r"^[A-Za-z0-9_-]+$", repr=False)
    enabled: bool = True
    effect: str
    prompt: str = Field("", max_length=20_000)
    references: tuple[str, ...] = Field((), max_length=20)
    options: dict[str, Any] = Field(default_factory=dict)
    format: Literal["jpeg", "png"] = "jpeg"
    size: tuple[int, int] | None = None
    on_failure: tuple[str, ...] = ()
    keep_failures: bool = True
    paid_attempts: int = Field(2, ge=1, le=10)

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and not all(16 <= side <= 16_384 for side in size):
            raise ValueError("width and height are 16 to 16384 pixels")
        return size

    @field_validator("on_failure")
    @classmethod
    def _original_last(cls, chain: tuple[str, ...]) -> tuple[str, ...]:
        if ORIGINAL in chain[:-1]:
            raise ValueError(f"“{ORIGINAL}” can only come last")
        return chain


class _SlotsFile(Section):
    slots: dict[int, Slot] = Field(default_factory=dict)

    @field_validator("slots")
    @classmethod
    def _numbers(cls, slots: dict[int, Slot]) -> dict[int, Slot]:
        for number in slots:
            if not 1 <= number <= SLOTS:
                raise ValueError(f"there are slots 1 to {SLOTS}, not {number}")
        return slots


@dataclass(frozen=True, slots=True)
class LiveSlot:
    """A slot that photos can come to. presets: its own, then its chain's."""

    provider: str
    number: int
    slot: Slot
    presets: tuple[Preset, ...]
    original: bool

    @property
    def id(self) -> str:
        """As in journals, statistics and hot folders: "studio-1"."""
        return f"{self.provider}-{self.number}"


class SlotBook:
    """All slots of all providers at one moment; a reload makes a new one."""

    def __init__(self, slots: Mapping[str, LiveSlot]) -> None:
        self._slots = dict(slots)

    def __iter__(self) -> Iterator[LiveSlot]:
        return iter(self._slots.values())

    def get(self, id: str) -> LiveSlot | None:
        """By id ("studio-1"), enabled or not."""
        return self._slots.get(id)

    def find(self, provider: str, number: int, key: str) -> LiveSlot:
        """The enabled slot of an upload link; takes as long for a wrong key as for a right one. Raises NoSuchSlot."""
        found = self._slots.get(f"{provider}-{number}")
        expected = found.slot.key if found is not None else new_key()
        if not hmac.compare_digest(expected.encode(), key.encode()) or found is None or not found.slot.enabled:
            raise NoSuchSlot()
        return found


def load_slots(home: Home, providers: Mapping[str, type[Provider]], max_pixels: int) -> SlotBook:
    """Read every provider's slots, and their reference pictures. Blocks. Raises ConfigError."""
    found: dict[str, LiveSlot] = {}
    for provider in providers:
        file = home.slots_file(provider)
        for number, slot in parse(_SlotsFile, read_yaml(file, may_be_empty=False), file).slots.items():
            live = _Loader(home, providers, file, f"slots.{number}", max_pixels).load(provider, number, slot)
            found[live.id] = live
    return SlotBook(found)


@dataclass(frozen=True, slots=True)
class _Loader:
    home: Home
    providers: Mapping[str, type[Provider]]
    file: Path
    key: str
    max_pixels: int

    def load(self, provider: str, number: int, slot: Slot) -> LiveSlot:
        references = tuple(
            self._reference(name, f"{self.key}.references.{place}") for place, name in enumerate(slot.references)
        )
        chain = [name for name in slot.on_failure if name != ORIGINAL]
        presets = [self._preset(provider, slot, references, slot.options, "")]
        presets += [
            self._preset(name, slot, references, {}, f".on_failure.{place}") for place, name in enumerate(chain)
        ]
        return LiveSlot(provider, number, slot, tuple(presets), ORIGINAL in slot.on_failure)

    def _preset(
        self, provider: str, slot: Slot, references: tuple[Reference, ...], options: Mapping[str, Any], where: str
    ) -> Preset:
        kind = self.providers.get(provider)
        if kind is None:
            raise self._wrong(where, f"no provider is called “{provider}”; there are {', '.join(self.providers)}")
        effect = next((e for e in kind.effects if e.name == slot.effect), None)
        if effect is None:
            names = ", ".join(e.name for e in kind.effects)
            raise self._wrong(where or ".effect", f"{provider} has no effect “{slot.effect}”; it has {names}")
        if effect.needs_reference and not references:
            raise self._wrong(".references", f"the effect “{effect.name}” needs a reference picture")
        if effect.needs_prompt and not slot.prompt.strip():
            raise self._wrong(".prompt", f"the effect “{effect.name}” needs a prompt")
        return Preset(
            provider=provider,
            effect=effect.name,
            prompt=slot.prompt.strip(),
            references=references,
            options=self._options(kind, options),
            format=_FORMATS[slot.format],
            size=slot.size,
        )

    def _options(self, kind: type[Provider], options: Mapping[str, Any]) -> Options:
        try:
            return kind.Options.model_validate(options)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            raise self._wrong(".options." + ".".join(map(str, first["loc"])), first["msg"]) from None

    def _reference(self, name: str, key: str) -> Reference:
        folder = self.home.library / "references"
        path = folder / name
        if Path(name).name != name or name in {"", ".", ".."}:
            raise ConfigError(self.file, key, f"must be the name of a file in {folder}, without folders")
        try:
            inspect(path, self.max_pixels)
            with path.open("rb") as file:
                return Reference(path, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise ConfigError(self.file, key, f"{path} cannot be read ({error.strerror})") from None
        except BoothdError as error:
            raise ConfigError(self.file, key, f"{path}: {error.message}") from None

    def _wrong(self, where: str, reason: str) -> ConfigError:
        return ConfigError(self.file, self.key + where, reason)
