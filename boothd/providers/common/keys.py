"""Several API keys of one provider: when one is refused or has no room, the next is taken."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from twisted.logger import Logger

from boothd.base.clock import Clock
from boothd.base.errors import BadKey, Busy, Charged, OutOfCredit, WorkError
from boothd.providers.interfaces import NotConfigured

T = TypeVar("T")

BUSY_S = 30.0
"""A key that has no room rests for so long, unless the service says how long."""
REFUSED_S = 600.0
"""One that is refused or has no money: whoever tops it up need not restart boothd."""


class KeyRing:
    """The keys in their order. One that works is kept until it does not.

    Raises NotConfigured when there is none."""

    log = Logger()

    def __init__(self, provider: str, keys: Sequence[str], clock: Clock) -> None:
        if not keys:
            variable = f"BOOTHD_KEY_{provider.upper().replace('-', '_')}"
            raise NotConfigured(f"no API key; put one into etc/secrets.yaml under keys.{provider}, or into ${variable}")
        self._provider, self._keys, self._clock = provider, tuple(dict.fromkeys(keys)), clock
        self._rests_until = dict.fromkeys(self._keys, clock.seconds())
        self._current = self._keys[0]

    async def use(self, call: Callable[[str], Awaitable[T]]) -> T:
        """Make `call(key)` with one key after the other, each at most once, until one is not refused for its own sake.

        Only BadKey, OutOfCredit and Busy lead to the next key, and only when they cost nothing. Raises what the last key
        brought."""
        order = self._order()
        for place, key in enumerate(order, 1):
            try:
                result = await call(key)
            except (BadKey, OutOfCredit, Busy) as error:
                self._rest(key, error)
                if error.charged is not Charged.NO or place == len(order):
                    raise
                self.log.warn(
                    "{provider}: key {key} failed ({code}); the next one is tried",
                    provider=self._provider,
                    key=tag(key),
                    code=error.code,
                )
            else:
                self._rests_until[key] = self._clock.seconds()
                self._current = key
                return result
        raise AssertionError("there is at least one key")

    def find(self, wanted: str) -> str | None:
        """The key with this tag, if it is still there."""
        return next((key for key in self._keys if tag(key) == wanted), None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def _order(self) -> list[str]:
        """The rested keys, beginning with the one in use; when all rest, the one alone that has rested longest."""
        now_s, start = self._clock.seconds(), self._keys.index(self._current)
        around = [*self._keys[start:], *self._keys[:start]]
        rested = [key for key in around if self._rests_until[key] <= now_s]
        return rested or [min(around, key=self._rests_until.__getitem__)]

    def _rest(self, key: str, error: WorkError) -> None:
        usual_s = BUSY_S if isinstance(error, Busy) else REFUSED_S
        rest_s = usual_s if error.retry_after_s is None else error.retry_after_s
        self._rests_until[key] = self._clock.seconds() + rest_s


def tag(key: str) -> str:
    """Eight hex digits by which a key is named in logs and journals; they do not give it away."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]
