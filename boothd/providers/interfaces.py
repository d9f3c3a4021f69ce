"""The contract between the engine and the AI services: presets, pictures, abilities.

A provider is one file beside this one. It knows its service's wire and nothing of spools, slots or retries: it makes one
attempt, and answers a `Picture` or raises one of the `WorkError`s of `boothd.base.errors`.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, field_validator

from boothd.base.budget import Budget
from boothd.base.clients import BadBundle, check_bundle
from boothd.base.imaging import OutputFormat
from boothd.base.photo import Photo
from boothd.providers.tools import Tools


class Frozen(BaseModel):
    """A value from a configuration file: no unknown keys, no later change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Options(Frozen):
    """A provider's own fields of a slot (a model id, a strength). Every field changes the picture."""


class ProviderSettings(Frozen):
    """`etc/providers/<name>.yaml`: what every provider has. A provider adds its own by subclassing."""

    concurrency: int = Field(4, ge=1, le=10_000, description="photos worked on at the same time")
    price: Decimal = Field(Decimal(0), ge=0, description="money per picture, in the account's currency")
    daily_budget: Decimal | None = Field(
        None, ge=0, description="money per day, after which no more is spent and the slots' failure rule holds"
    )
    late_s: float = Field(60, ge=0, description="seconds past its budget that a paid answer is still waited for")
    breaker_failures: int = Field(5, ge=1, description="failures in a row after which the provider is paused")
    breaker_pause_s: float = Field(30, gt=0, description="seconds of that pause, before one photo is tried again")


class CloudSettings(ProviderSettings):
    """What every provider has that is reached over the network. A provider gives its own default of `base_url`."""

    base_url: str = Field("", description="where the service is: its own address, a reseller's, or a server of yours")
    ca_bundle: Path | None = Field(None, description="a PEM file of the only authorities that its certificate may have")

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^/\s@?#]+(/[^\s?#]*)?", url):
            raise ValueError(f"{url!r} is not an address; write it like https://api.example.com/v1")
        return url.rstrip("/")

    @field_validator("ca_bundle")
    @classmethod
    def _usable(cls, bundle: Path | None) -> Path | None:
        if bundle is not None:
            try:
                check_bundle(bundle)
            except BadBundle as error:
                raise ValueError(str(error)) from None
        return bundle


@dataclass(frozen=True, slots=True)
class EffectType:
    """What a slot can ask a provider for. `name` is what stands in a slot's file.

    also: other providers' names of the same thing, for chains. max_references: how many reference pictures are taken,
    None = any number. instruction: what the provider is told by itself; a slot's prompt extends it. note: what an operator
    must know before choosing it."""

    name: str
    title: str
    needs_reference: bool = False
    needs_prompt: bool = False
    also: tuple[str, ...] = ()
    max_references: int | None = None
    instruction: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference image of a slot. sha256: hex digest of the file's bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Preset:
    """All that decides what becomes of a photo.

    size: the largest (width, height) in pixels, None = as the provider makes it. negative: what the picture must not show.
    renderer: who makes the picture, where `provider` only directs (see `Directs`): the same slot's preset for it."""

    provider: str
    effect: str
    prompt: str = ""
    references: tuple[Reference, ...] = ()
    options: Options = field(default_factory=Options)
    format: OutputFormat = "JPEG"
    size: tuple[int, int] | None = None
    negative: str = ""
    renderer: "Preset | None" = None

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
        # Only where there is one: a preset without keeps the revision, and so the paid pictures, that it had before.
        said += [self.negative] if self.negative else []
        said += [self.renderer.revision] if self.renderer else []
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
class Direction:
    """What the renderer is told. prompt: instead of the slot's. cost: see `Picture`."""

    prompt: str
    negative: str = ""
    model: str = ""
    cost: Decimal | None = None


@runtime_checkable
class Directs(Protocol):
    """The ability *direct*: looks at a photo and writes the prompt by which another provider, the renderer, makes the
    picture. Its options are `DirectorOptions`, its settings have `patience_s`."""

    async def direct(self, photo: Photo, preset: Preset, call: Call) -> Direction:
        """Make one attempt. Raises as `Edits.edit` does; after anything but Refused the slot's own prompt is used."""


class DirectorOptions(Options):
    """A directing slot's own fields. renderer: the provider that makes the picture. renderer_effect: "" = the slot's.
    renderer_options: the renderer's own fields."""

    renderer: str = "studio"
    renderer_effect: str = ""
    renderer_options: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be drawn. size: (width, height) in pixels, None = as the service likes it."""

    prompt: str
    negative: str = ""
    size: tuple[int, int] | None = None
    options: Options = field(default_factory=Options)


@runtime_checkable
class Draws(Protocol):
    """The ability *draw*: a prompt becomes a picture."""

    async def draw(self, wish: Wish, call: Call) -> Picture:
        """Make one attempt. The picture may have another size than was wished. Raises as `Edits.edit` does."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a photo. kind: an answer in words, or where the things named in `text` are: boxes, or masks."""

    text: str
    kind: Literal["text", "boxes", "masks"] = "text"


@dataclass(frozen=True, slots=True)
class Found:
    """A thing in a photo. box: left, top, right, bottom in pixels of the upright photo, right and bottom outside.

    mask: a greyscale picture of the box's size, 0 (not the thing) to 255 (surely the thing); beside `Call.answer`."""

    label: str
    box: tuple[int, int, int, int]
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a service says about a photo. found: for questions about boxes and masks."""

    text: str
    model: str
    found: tuple[Found, ...] = ()
    cost: Decimal | None = None


@runtime_checkable
class Reads(Protocol):
    """The ability *read*: a photo and a question become words."""

    async def read(self, photo: Photo, question: Question, call: Call) -> Reading:
        """Make one attempt. Raises as `Edits.edit` does; BadAnswer when the answer is not of the question's kind."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that an account has: a model, a method. note: what the service says about it."""

    name: str
    note: str = ""


@runtime_checkable
class Offers(Protocol):
    """A provider that can be asked, free of charge, what the account has."""

    async def offers(self, budget: Budget) -> Sequence[Offer] | None:
        """None: the service is there and takes the key, but tells nothing. Raises as `Edits.edit` does."""


@runtime_checkable
class Tidies(Protocol):
    """A provider that may have left something at its service in an earlier run."""

    async def tidy(self, budget: Budget) -> None:
        """Remove it. Called in the background when the provider has been set up; must not fail for lack of anything."""


class Provider(Protocol):
    """What the registry holds: a class with these attributes, made from its settings and the tools.

    name: as it stands in links and files. effects: the slot's menu. paid: whether a call may cost money, even while no
    price is set. Options: the slot's own fields. Settings: the provider's own file. Its constructor raises NotConfigured
    when it cannot work (no key), with the reason.

    A class may also have `needs_public_url: ClassVar[bool]`: whether its service fetches the photos from us, so that it
    works only where `public_url` is set; without the attribute it does not."""

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
