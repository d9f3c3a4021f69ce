"""The operators' login: HTTP Basic, argon2id in a thread, right answers remembered for a few minutes."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from boothd.base.clock import Clock
from boothd.base.errors import LoginRequired
from boothd.base.threads import Threads
from boothd.http.passwords import NOBODY, verify_password
from boothd.http.throttle import Throttle, too_many

REMEMBER_S = 300.0
MOST_REMEMBERED = 256
MOST_WAITING = 32  # passwords being checked or waiting for a thread; each check takes 19 MiB


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    hashed: str
    until_s: float


class Logins:
    """Who may use the pages.

    operators: the names and argon2 hashes of now; a change there ends what was remembered. threads: where passwords are
    checked."""

    def __init__(self, operators: Callable[[], Mapping[str, str]], threads: Threads, clock: Clock) -> None:
        self._operators, self._threads, self._clock = operators, threads, clock
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, _Known] = {}
        self._checking: dict[bytes, list[Deferred[str]]] = {}
        self._throttle = Throttle(clock)

    async def check(self, authorization: str | None, address: str) -> str:
        """The operator's name. Raises LoginRequired, TooManyLogins.

        authorization: the header. A remembered login is asked first, so nobody else's wrong tries lock it out."""
        if not authorization:
            raise LoginRequired()
        key = hmac.digest(self._secret, authorization.encode("utf-8", errors="replace"), "sha256")
        known = self._known.get(key)
        if known is not None and known.until_s > self._clock.seconds():
            if self._operators().get(known.name) == known.hashed:
                return known.name
            del self._known[key]
        name, password = _basic(authorization)
        answer: Deferred[str] = Deferred()
        if key in self._checking:  # a page and its pictures come at once: one check for all
            self._checking[key].append(answer)
        elif len(self._checking) >= MOST_WAITING:
            raise too_many(2.0)
        else:
            self._throttle.charge(address, name)
            self._checking[key] = [answer]
            Deferred.fromCoroutine(self._verify(key, name, password, address)).addBoth(self._tell, key)
        return await answer

    def _tell(self, outcome: "str | Failure", key: bytes) -> None:
        for answer in self._checking.pop(key):
            if not answer.called:  # else its client has left
                answer.callback(outcome)  # a Failure is passed on as one

    async def _verify(self, key: bytes, name: str, password: str, address: str) -> str:
        hashed = self._operators().get(name)
        right = await self._threads.run(verify_password, hashed or NOBODY, password)
        if not right or hashed is None:
            raise LoginRequired("The name or the password is wrong.")
        self._throttle.forgive(address, name)
        if len(self._known) >= MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = _Known(name, hashed, self._clock.seconds() + REMEMBER_S)
        return name


def _basic(authorization: str) -> tuple[str, str]:
    """Name and password of a Basic header. Raises LoginRequired."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise LoginRequired()
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise LoginRequired() from None
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon:
        raise LoginRequired()
    return name[:256], password
