"""Photos handed to a service by link: signed, for one file, for a while, and no longer than its job is active."""

import math
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boothd.base.clock import Clock
from boothd.base.errors import BadRequest, NotFound
from boothd.base.threads import Threads
from boothd.http.routes import FileBody, Reply, Route
from boothd.http.signing import Signer

TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
NONCE = 8
"""Characters before the signature that make every link another one: to withdraw one must not withdraw the next."""
NO_ADDRESS = (
    "The service must fetch the photo from here: set public_url in boothd.yaml to an address that it can reach."
)


class Media:
    """folder: spool/active, whose subdirectories are the jobs. public_url: boothd's address from outside, or None.

    The links are checked by their signature, not by a table, so that a service can still fetch after a restart; that a
    link dies with its job comes from the job's leaving the folder."""

    def __init__(
        self, folder: Path, signer: Signer, clock: Clock, disk: Threads, public_url: Callable[[], str | None]
    ) -> None:
        self._folder, self._signer, self._clock, self._disk = folder, signer, clock, disk
        self._public_url = public_url
        self._withdrawn: dict[str, int] = {}  # signature to when it would have expired anyway

    def routes(self) -> list[Route]:
        return [
            Route(("GET",), "/media/<job>/<int:expires>/<signature>/<name>", "media link", self._serve, login=False)
        ]

    def publish(self, file: Path, ttl_s: float) -> "Link":
        """See `MediaLinks.publish`."""
        public_url = self._public_url()
        if not public_url:
            raise BadRequest(NO_ADDRESS)
        job, name = file.parent.name, file.name
        if file.parent.parent != self._folder or not _NAME.fullmatch(name) or file.suffix not in TYPES:
            raise ValueError(f"{file} is no picture of an active job")
        expires = math.ceil(self._now() + ttl_s)
        nonce = secrets.token_urlsafe(NONCE)[:NONCE]
        signature = nonce + self._signer.sign("media", job, str(expires), nonce, name)
        return Link(f"{public_url.rstrip('/')}/media/{job}/{expires}/{signature}/{name}", self, signature, expires)

    def withdraw(self, signature: str, expires: int) -> None:
        """Let a link die before its time."""
        now = self._now()
        self._withdrawn = {each: until for each, until in self._withdrawn.items() if until > now}
        self._withdrawn[signature] = expires

    async def _serve(self, request: Any, job: str, expires: int, signature: str, name: str) -> Reply:
        nonce, signed = signature[:NONCE], signature[NONCE:]
        if not self._signer.is_signed(signed, "media", job, str(expires), nonce, name):
            raise NotFound()
        path = self._folder / job / name
        over = expires <= self._now() or signature in self._withdrawn
        if over or not await self._disk.run(path.is_file):
            raise NotFound("This link has expired.")
        return Reply(200, {"Content-Type": TYPES[path.suffix], "X-Boothd-Job": job}, FileBody(path))

    def _now(self) -> float:
        return self._clock.now().timestamp()


class Link:
    """One published file."""

    def __init__(self, url: str, media: Media, signature: str, expires: int) -> None:
        self.url = url
        self._media, self._signature, self._expires = media, signature, expires

    def withdraw(self) -> None:
        self._media.withdraw(self._signature, self._expires)
