"""What became of a Deferred, and what will become of the world."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


def outcome(running: Deferred[Any]) -> list[Any]:
    """Its result or its exception, once there is one; empty while it goes on."""
    found: list[Any] = []

    def keep(result: object) -> None:
        found.append(result.value if isinstance(result, Failure) else result)

    running.addBoth(keep)
    return found


async def until(true: Callable[[], bool], limit_s: float = 30) -> None:
    """Let the real reactor turn until `true()`; fails after `limit_s`."""
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    end_s = monotonic() + limit_s
    while not true():
        assert monotonic() < end_s, "it never came to it"
        turn: Deferred[None] = Deferred()
        reactor.callLater(0.001, turn.callback, None)
        await turn
