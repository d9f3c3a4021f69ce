"""What a provider is given to work with: each a small seam that `service.py` fills."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.guard import Guard
from boothd.base.threads import Threads


class MediaLink(Protocol):
    """A file that one service may fetch for a while. url: absolute, unguessable, for that file alone."""

    url: str

    def withdraw(self) -> None:
        """The link is dead from now on. Idempotent."""


class MediaLinks(Protocol):
    """Hands files out by link; `http` implements it."""

    def publish(self, file: Path, ttl_s: float) -> MediaLink:
        """Publish a file of a job's directory (a JPEG or PNG) while that job is active, for at most `ttl_s` seconds.

        A link outlives a restart of boothd. Raises BadRequest when others could not reach it: no `public_url` is set."""


class Expected(Protocol):
    """A call that a service may make once. came: fires with the JSON that it posts; it may have fired already."""

    url: str
    came: Deferred[Any]

    def close(self) -> None:
        """Expect it no longer. Idempotent."""


class Callbacks(Protocol):
    """Receives services' calls (webhooks); `http` implements it."""

    def expect(self, name: str) -> Expected:
        """Expect one call for `name` (job and attempt). The address is unguessable, and the same after a restart.

        Raises BadRequest when others could not reach it: no `public_url` is set."""


class Fetch(Protocol):
    """Fetches result links; see `boothd.base.download`."""

    async def __call__(
        self, url: str, path: Path, *, guard: Guard, max_bytes: int, budget: Budget, ca_bundle: Path | None = None
    ) -> int:
        """Fetch `url` into the new file `path`; returns its size in bytes. Raises BadAnswer, Unavailable, OutOfTime."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a provider may use; all of it is passed in.

    http: a `treq.client.HTTPClient` without retries and redirects. keys: the provider's API keys, in order. pictures,
    disk: thread pools. max_pixels: the most that an answer may have. codec: the one thread that turns pictures into
    base64 and back, a step at a time. client: the like of `http` for a CA bundle (None: the system's authorities); raises
    NotConfigured. node: a name of this daemon that others using the same account do not have."""

    clock: Clock
    http: Any
    keys: tuple[str, ...]
    pictures: Threads
    disk: Threads
    max_pixels: Callable[[], int]
    codec: Threads
    client: Callable[[Path | None], Any]
    fetch: Fetch
    media: MediaLinks
    callbacks: Callbacks
    node: str
