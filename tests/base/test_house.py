"""The house starts its parts in order and stops them backwards."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import LogEvent, formatEvent

from boothd.base.house import Hook, House
from tests.support.deferreds import outcome

Step = Callable[[], Awaitable[None]]


class Part:
    """Writes into a diary; waits for `starting` when it is given one; raises what it is told to."""

    def __init__(self, diary: list[str], name: str) -> None:
        self.diary, self.name = diary, name
        self.starting: Deferred[None] | None = None
        self.start_error: Exception | None = None
        self.stop_error: Exception | None = None

    async def start(self) -> None:
        self.diary.append(f"start {self.name}")
        if self.starting is not None:
            await self.starting
        if self.start_error is not None:
            raise self.start_error

    async def stop(self) -> None:
        self.diary.append(f"stop {self.name}")
        if self.stop_error is not None:
            raise self.stop_error


def build(*names: str) -> tuple[House, list[str], list[Part]]:
    house, diary = House(), list[str]()
    parts = [Part(diary, name) for name in names]
    for part in parts:
        house.add(part.name, part)
    return house, diary, parts


def test_parts_start_one_after_the_other_each_awaited() -> None:
    house, diary, parts = build("spool", "engine", "listener")
    parts[1].starting = Deferred()
    house.startService()
    assert diary == ["start spool", "start engine"]
    assert not house.opened.called
    parts[1].starting.callback(None)
    assert diary[2:] == ["start listener"]
    assert house.opened.called


def test_parts_stop_backwards() -> None:
    house, diary, _ = build("spool", "engine", "listener")
    house.startService()
    diary.clear()
    assert house.stopService().called
    assert diary == ["stop listener", "stop engine", "stop spool"]


def test_when_a_part_cannot_start_those_before_it_are_stopped_and_the_reason_is_told() -> None:
    house, diary, parts = build("spool", "engine", "listener")
    parts[1].start_error = ValueError("no engine")
    reasons = outcome(house.opened)
    house.startService()
    assert diary == ["start spool", "start engine", "stop spool"]
    assert [str(reason) for reason in reasons] == ["no engine"]
    assert house.stopService().called
    assert diary[3:] == []


def test_a_part_that_does_not_stop_cleanly_keeps_no_other(events: list[LogEvent]) -> None:
    house, diary, parts = build("spool", "engine", "listener")
    house.startService()
    diary.clear()
    parts[1].stop_error = ValueError("stuck")
    assert house.stopService().called
    assert diary == ["stop listener", "stop engine", "stop spool"]
    assert [formatEvent(e) for e in events if "log_failure" in e] == ["engine did not stop cleanly"]


def test_a_house_that_is_stopped_while_it_starts_begins_no_further_part() -> None:
    house, diary, parts = build("spool", "engine", "listener")
    parts[1].starting = Deferred()
    house.startService()
    stopped = outcome(house.stopService())
    assert stopped == []
    parts[1].starting.callback(None)
    assert stopped == [None]
    assert diary == ["start spool", "start engine", "stop engine", "stop spool"]
    assert not house.opened.called


def test_a_house_that_never_started_stops_at_once() -> None:
    house, diary, _ = build("spool")
    assert house.stopService().called
    assert diary == []


def test_a_hook_is_a_part_made_of_functions() -> None:
    said: list[str] = []

    async def start() -> None:
        said.append("start")

    house = House()
    house.add("only a start", Hook(start=start))
    house.add("nothing", Hook())
    assert ensureDeferred(house.open()).called
    assert ensureDeferred(house.close()).called
    assert said == ["start"]


def test_open_raises_the_reason() -> None:
    house, _, parts = build("spool")
    parts[0].start_error = ValueError("no spool")
    assert [str(error) for error in outcome(ensureDeferred(house.open()))] == ["no spool"]
