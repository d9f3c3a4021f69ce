"""The contract between the engine and the AI services: presets, pictures, abilities.

A provider is one file beside this one. It knows its service's wire and nothing of spools, slots or retries: it makes one
attempt, and answers a `Picture` or raises one of the `WorkError`s of `boothd.base.errors`.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.imaging import OutputFormat
from boothd.base.photo import Photo
from boothd.base.threads import Threads


class Frozen(BaseModel):
    """A value from a configuration file: no unknown keys, no later change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Options(Frozen):
    """A provider's own fields of a slot (a model id, a strength). Every field changes the picture."""


class ProviderSettings(Frozen):
    """`etc/providers/<name>.yaml`: what every provider has. A provider adds its own by subclassing."""

    concurrency: int = Field(4, ge=1, le=10_000, description="photos worked on at the same time")
    price: Decimal = Field(Decimal(0), ge=0, description="money per picture, in the account's currency")
    late_s: float = Field(60, ge=0, description="seconds past its budget that a paid answer is still waited for")
    breaker_failures: int = Field(5, ge=1, description="failures in a row after which the provider is paused")
    breaker_pause_s: float = Field(30, gt=0, description="seconds of that pause, before one photo is tried again")


@dataclass(frozen=True, slots=True)
class EffectType:
    """What a slot can ask a provider for. `name` is what stands in a slot's file."""

    name: str
    title: str
    needs_reference: bool = False
    needs_prompt: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference image of a slot. sha256: hex digest of the file's bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Preset:
    """All that decides what becomes of a photo.

    size: the largest (width, height) in pixels, None = as the provider makes it."""

    provider: str
    effect: str
    prompt: str = ""
    references: tuple[Reference, ...] = ()
    options: Options = field(default_factory=Options)
    format: OutputFormat = "JPEG"
    size: tuple[int, int] | None = None

    @cached_property
    def revision(self) -> str:
        """16 hex digits that change whenever anything changes that changes the picture."""
        said = [
            self.provider,
            self.effect,
            self.prompt,
            [r.sha256 for r in self.references],
            self.options.model_dump(mode="json"),
            self.format,
            self.size,
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a provider made: the file `Call.answer`, unchecked bytes.

    model: what made it, for the statistics. cost: what it cost, where the service says so (None = the listed price).
    finished: our own code wrote it in the preset's format and size, without metadata, so it need not be decoded again."""

    path: Path
    model: str
    cost: Decimal | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What one attempt is given besides photo and preset.

    job: its id, for logs. budget: when the attempt is cancelled. answer: the file to write the picture to; its directory
    exists. queued: awaited with the service's queue number before it is polled; once it returns, the number is on disk and
    a restart goes on polling it instead of paying again."""

    job: str
    budget: Budget
    answer: Path
    queued: Callable[[str], Awaitable[None]]


@runtime_checkable
class Edits(Protocol):
    """The ability *edit*: a photo and a preset become a picture."""

    async def edit(self, photo: Photo, preset: Preset, call: Call) -> Picture:
        """Make one attempt. `photo` is an upright JPEG or PNG.

        Raises Refused, BadRequest, BadKey, OutOfCredit, Busy, Unavailable, BadAnswer, OutOfTime. When it is cancelled it
        lets go of its connection."""


@runtime_checkable
class Resumes(Protocol):
    """A provider whose queue numbers outlive us."""

    async def resume(self, queue_number: str, preset: Preset, call: Call) -> Picture:
        """Go on polling `queue_number`, which is paid for. Raises as `Edits.edit` does."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a provider may use; all of it is passed in.

    http: a `treq.client.HTTPClient` without retries and redirects. keys: the provider's API keys, in order. pictures,
    disk: thread pools. max_pixels: the most that an answer may have."""

    clock: Clock
    http: Any
    keys: tuple[str, ...]
    pictures: Threads
    disk: Threads
    max_pixels: Callable[[], int]


class Provider(Protocol):
    """What the registry holds: a class with these attributes, made from its settings and the tools.

    name: as it stands in links and files. effects: the slot's menu. paid: whether a call may cost money, even while no
    price is set. Options: the slot's own fields. Settings: the provider's own file. Its constructor raises NotConfigured
    when it cannot work (no key), with the reason."""

    name: ClassVar[str]
    title: ClassVar[str]
    effects: ClassVar[tuple[EffectType, ...]]
    paid: ClassVar[bool]
    Options: ClassVar[type[Options]]
    Settings: ClassVar[type[ProviderSettings]]

    def __init__(self, settings: Any, tools: Tools) -> None: ...

    def model(self, preset: Preset) -> str:
        """The model that `preset` would use, for journal and statistics."""


class NotConfigured(Exception):
    """A provider lacks something (a key) and is left out. The message says what, and where to put it."""
