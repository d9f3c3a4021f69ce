"""Wrong passwords cost time: counted per client address and per account."""

from dataclasses import dataclass

from boothd.base.clock import Clock
from boothd.base.errors import TooManyLogins

FREE_TRIES = 10
LONGEST_S = 300.0
FORGET_S = 900.0
MOST = 4096  # addresses and accounts remembered


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    last_s: float = 0.0


class Throttle:
    """After `FREE_TRIES` wrong passwords each further try must wait, twice as long each time, `LONGEST_S` at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: dict[tuple[str, str], _Tries] = {}

    def charge(self, address: str, account: str) -> None:
        """Count a try before it is known to be wrong, so that many at once are many. Raises TooManyLogins."""
        now_s = self._clock.seconds()
        keys = _keys(address, account)
        wait_s = max(self._wait_s(key, now_s) for key in keys)
        if wait_s > 0:
            raise too_many(wait_s)
        for key in keys:
            tries = self._tries.pop(key, None)
            if tries is None or now_s - tries.last_s > FORGET_S:
                tries = _Tries()
            tries.wrong += 1
            tries.last_s = now_s
            self._tries[key] = tries  # at the end: the oldest are forgotten first
        while len(self._tries) > MOST:
            del self._tries[next(iter(self._tries))]

    def forgive(self, address: str, account: str) -> None:
        """The password was right."""
        for key in _keys(address, account):
            self._tries.pop(key, None)

    def _wait_s(self, key: tuple[str, str], now_s: float) -> float:
        tries = self._tries.get(key)
        if tries is None or tries.wrong < FREE_TRIES:
            return 0.0
        pause_s = min(LONGEST_S, 2.0 ** min(tries.wrong - FREE_TRIES, 20))
        return tries.last_s + pause_s - now_s


def _keys(address: str, account: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("address", address), ("account", account)


def too_many(wait_s: float) -> TooManyLogins:
    """The error, knowing when to come back."""
    error = TooManyLogins()
    error.retry_after_s = wait_s  # type: ignore[attr-defined]
    return error
