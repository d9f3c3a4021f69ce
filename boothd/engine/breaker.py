"""A circuit breaker: a provider that fails again and again is left alone for a while, then tried with one photo."""

import enum
from collections.abc import Iterator
from contextlib import contextmanager

from boothd.base.clock import Clock
from boothd.base.errors import BadAnswer, BadKey, BadRequest, Charged, OutOfCredit, Refused, Unavailable, WorkError

_HOPELESS = (BadKey, OutOfCredit)  # no second try will change it


class BreakerState(enum.Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Paused(Unavailable):
    """The service failed again and again and is left alone for a while."""

    code, retry = "paused", False  # waiting here would cost the booth its answer; the slot's chain goes on at once


def _says_nothing(error: WorkError) -> bool:
    """Whether an error tells of the photo or the slot, not of the provider. A service that charges for an answer without a
    picture was there and has worked."""
    worked = isinstance(error, BadAnswer) and error.charged is Charged.YES
    return worked or isinstance(error, Refused | BadRequest)


class Breaker:
    """failures: how many in a row open it. pause_s: how long it stays open before one photo may pass."""

    def __init__(self, clock: Clock, failures: int, pause_s: float) -> None:
        self._clock = clock
        self.failures, self.pause_s = failures, pause_s
        self._in_a_row = 0
        self._open_until: float | None = None
        self._probing = False
        self.reason = ""

    @property
    def state(self) -> BreakerState:
        if self._open_until is None:
            return BreakerState.CLOSED
        if self._probing or self._clock.seconds() >= self._open_until:
            return BreakerState.HALF_OPEN
        return BreakerState.OPEN

    def check(self) -> None:
        """Raise Paused while no photo may pass."""
        if self.state is BreakerState.OPEN or self._probing:
            left = max(0.0, (self._open_until or 0.0) - self._clock.seconds())
            raise Paused(f"Paused after {self.reason}; tried again in {left:.0f} s.", retry_after_s=left)

    @contextmanager
    def watch(self, *, again: bool = False) -> Iterator[None]:
        """Learn from the call in the block. Raises Paused instead when no photo may pass.

        again: it is a further try for the same photo, whose failure has been counted: photos count, not calls."""
        self.check()
        probe = self.state is BreakerState.HALF_OPEN
        self._probing = self._probing or probe
        try:
            yield
        except WorkError as error:
            if not _says_nothing(error):
                self._failed(error, probe, again)
            elif probe:
                self._close()  # it answered, so it is there
            raise
        else:
            self._close()
        finally:
            if probe:
                self._probing = False

    def forgive(self) -> None:
        """Let photos pass: what stood in the way (a key, an address) has been changed."""
        self._close()

    def _failed(self, error: WorkError, probe: bool, again: bool) -> None:
        self._in_a_row += not again
        if probe or isinstance(error, _HOPELESS) or self._in_a_row >= self.failures:
            self.reason = f"“{error.message}”"
            self._open_until = self._clock.seconds() + self.pause_s

    def _close(self) -> None:
        self._in_a_row = 0
        self._open_until = None
        self.reason = ""
