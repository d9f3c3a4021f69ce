"""Commands that run in the tests' own process leave its reactor as it was."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def the_reactors_time_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """`boothd check` sets it to monotonic seconds; what the tests after it have scheduled goes by the other one."""
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
