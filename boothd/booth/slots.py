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
from boothd.providers.interfaces import DirectorOptions, EffectType, Options, Preset, Provider, Reference

SLOTS = 20
_FORMATS: Mapping[str, OutputFormat] = {"jpeg": "JPEG", "png": "PNG"}


def new_key() -> str:
    """An unguessable key for an upload link: 128 bits."""
    return secrets.token_urlsafe(16)


class Slot(Section):
    """One slot as it stands in `etc/slots/<provider>.yaml`.

    size: the largest width and height in pixels. on_failure: what a failure becomes: nothing = the error's code; names of
    other providers, asked in this order with the same effect (or what they have of the same kind) and prompt; "original" last
    = the guest's own photo. paid_attempts: how many calls per photo may cost money."""

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
class _Asked:
    """What one provider is asked for in a slot, and below which keys of the slot it stands there.

    own: whether it is the slot's own provider, which knows the effect by its own name."""

    provider: str
    effect: str
    options: Mapping[str, Any]
    provider_key: str
    effect_key: str
    options_key: str
    own: bool = False


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
        asked = [_Asked(provider, slot.effect, slot.options, "", ".effect", ".options", own=True)]
        for place, name in enumerate(slot.on_failure):
            if name != ORIGINAL:
                where = f".on_failure.{place}"
                asked.append(_Asked(name, slot.effect, {}, where, where, where))
        presets = tuple(self._preset(one, slot, references) for one in asked)
        return LiveSlot(provider, number, slot, presets, ORIGINAL in slot.on_failure)

    def _preset(self, asked: _Asked, slot: Slot, references: tuple[Reference, ...]) -> Preset:
        kind = self._kind(asked.provider, asked.provider_key)
        effect = self._effect(kind, asked)
        self._check(asked, effect, slot, len(references))
        options = self._options(kind, asked)
        return Preset(
            provider=asked.provider,
            effect=effect.name,
            prompt=slot.prompt.strip(),
            references=references,
            options=options,
            format=_FORMATS[slot.format],
            size=slot.size,
            renderer=self._renderer(options, asked, slot, references) if isinstance(options, DirectorOptions) else None,
        )

    def _renderer(
        self, options: DirectorOptions, director: _Asked, slot: Slot, references: tuple[Reference, ...]
    ) -> Preset:
        """The same slot's preset for who makes the picture."""
        where = director.options_key
        keys = (where, where, where)
        if director.own:
            effect_key = "renderer_effect" if options.renderer_effect else "renderer"
            keys = (f"{where}.renderer", f"{where}.{effect_key}", f"{where}.renderer_options")
        effect = options.renderer_effect or slot.effect
        if issubclass(self._kind(options.renderer, keys[0]).Options, DirectorOptions):
            raise self._wrong(keys[0], f"{options.renderer} makes no pictures itself; choose a provider that does")
        return self._preset(_Asked(options.renderer, effect, options.renderer_options, *keys), slot, references)

    def _kind(self, provider: str, key: str) -> type[Provider]:
        kind = self.providers.get(provider)
        if kind is None:
            raise self._wrong(key, f"no provider is called “{provider}”; there are {', '.join(self.providers)}")
        return kind

    def _effect(self, kind: type[Provider], asked: _Asked) -> EffectType:
        """By the provider's own name for it; in a chain, or as a renderer's, also by another's."""
        named = [e for e in kind.effects if e.name == asked.effect]
        if not asked.own:
            named += [e for e in kind.effects if asked.effect in e.also]
        if not named:
            names = ", ".join(e.name for e in kind.effects)
            raise self._wrong(asked.effect_key, f"{asked.provider} has no effect “{asked.effect}”; it has {names}")
        return named[0]

    def _check(self, asked: _Asked, effect: EffectType, slot: Slot, references: int) -> None:
        whose = "" if asked.own else f"{asked.provider}'s "
        if effect.needs_reference and not references:
            raise self._wrong(".references", f"{whose or 'the '}effect “{effect.name}” needs a reference picture")
        if effect.max_references is not None and references > effect.max_references:
            most = "no reference picture" if effect.max_references == 0 else f"at most {effect.max_references}"
            said = f"{whose or 'the '}effect “{effect.name}” takes {most}; the slot has {references}"
            raise self._wrong(".references", said)
        if effect.needs_prompt and not slot.prompt.strip():
            raise self._wrong(".prompt", f"{whose or 'the '}effect “{effect.name}” needs a prompt")

    def _options(self, kind: type[Provider], asked: _Asked) -> Options:
        try:
            return kind.Options.model_validate(asked.options)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            key = ".".join([asked.options_key, *map(str, first["loc"])])
            raise self._wrong(key, first["msg"]) from None

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
