"""Several keys: which is taken, which rests, and for how long."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, formatEvent

from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    Refused,
    Unavailable,
    WorkError,
)
from boothd.providers.common.keys import BUSY_S, REFUSED_S, KeyRing, tag
from boothd.providers.interfaces import NotConfigured
from tests.http.http_support import asynchronous
from tests.support.clock import FakeClock
from tests.support.deferreds import outcome


class Service:
    """Refuses the keys in `errors`; notes which came."""

    def __init__(self) -> None:
        self.errors: dict[str, BaseException] = {}
        self.asked: list[str] = []

    async def call(self, key: str) -> str:
        self.asked.append(key)
        if key in self.errors:
            raise self.errors[key]
        return f"by {key}"

    def since(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def ring(clock: FakeClock) -> KeyRing:
    return KeyRing("open-ai", ("a", "b", "c"), clock)


@asynchronous
async def test_a_key_that_works_is_kept(ring: KeyRing, service: Service) -> None:
    for _ in range(3):
        assert await ring.use(service.call) == "by a"
    assert service.asked == ["a", "a", "a"]


@asynchronous
@pytest.mark.parametrize("kind", [BadKey, OutOfCredit, Busy])
async def test_a_key_that_is_refused_gives_way_to_the_next_and_that_is_kept(
    ring: KeyRing, service: Service, kind: type[WorkError]
) -> None:
    service.errors["a"] = kind()
    assert await ring.use(service.call) == "by b"
    assert await ring.use(service.call) == "by b"
    assert service.asked == ["a", "b", "b"]


@asynchronous
@pytest.mark.parametrize("kind", [Refused, BadRequest, Unavailable, BadAnswer])
async def test_what_is_not_the_keys_fault_tries_no_other_key(
    ring: KeyRing, service: Service, kind: type[WorkError]
) -> None:
    service.errors["a"] = kind()
    for _ in range(2):
        with pytest.raises(kind):
            await ring.use(service.call)
    assert service.asked == ["a", "a"]


@asynchronous
@pytest.mark.parametrize("charged", [Charged.YES, Charged.MAYBE])
async def test_a_call_that_may_have_cost_is_not_made_again(ring: KeyRing, service: Service, charged: Charged) -> None:
    service.errors["a"] = Busy(charged=charged)
    with pytest.raises(Busy):
        await ring.use(service.call)
    assert service.asked == ["a"]


@asynchronous
async def test_each_key_is_tried_once_and_the_last_ones_error_is_told(ring: KeyRing, service: Service) -> None:
    service.errors = {"a": BadKey("a"), "b": OutOfCredit("b"), "c": Busy("c")}
    with pytest.raises(Busy, match="c"):
        await ring.use(service.call)
    assert service.asked == ["a", "b", "c"]


@asynchronous
async def test_when_all_rest_the_one_is_tried_that_is_soonest_back(
    ring: KeyRing, service: Service, clock: FakeClock
) -> None:
    service.errors = {"a": Busy(retry_after_s=50), "b": Busy(retry_after_s=20), "c": BadKey()}
    with pytest.raises(BadKey):
        await ring.use(service.call)
    service.since()
    clock.advance(1)
    with pytest.raises(Busy):
        await ring.use(service.call)
    assert service.since() == ["b"]


@asynchronous
@pytest.mark.parametrize(
    ("error", "rests_s"),
    [
        (Busy(), BUSY_S),
        (Busy(retry_after_s=7), 7),
        (BadKey(), REFUSED_S),
        (OutOfCredit(), REFUSED_S),
        (BadKey(retry_after_s=60), 60),
    ],
)
async def test_a_key_rests_for_as_long_as_it_must(
    ring: KeyRing, service: Service, clock: FakeClock, error: WorkError, rests_s: float
) -> None:
    service.errors["a"] = error
    await ring.use(service.call)
    service.errors = {"b": Busy(), "c": Busy()}
    clock.advance(rests_s - 0.5)
    with pytest.raises(Busy):
        await ring.use(service.call)
    assert service.since() == ["a", "b", "b", "c"]
    clock.advance(1)
    assert await ring.use(service.call) == "by a"


@asynchronous
async def test_a_key_that_may_come_back_at_once_does_not_rest(ring: KeyRing, service: Service) -> None:
    service.errors["a"] = Busy(retry_after_s=0)
    await ring.use(service.call)
    service.since()
    service.errors = {"b": Busy(), "c": Busy()}
    assert await ring.use(service.call) == "by a"


@asynchronous
async def test_time_is_monotonic(ring: KeyRing, service: Service, clock: FakeClock) -> None:
    service.errors["a"] = Busy()
    await ring.use(service.call)
    service.since()
    clock.step_wall(1e6)
    service.errors = {"b": Busy()}
    assert await ring.use(service.call) == "by c"
    assert service.asked == ["b", "c"]


@asynchronous
async def test_a_single_key_is_always_tried(service: Service, clock: FakeClock) -> None:
    ring = KeyRing("gemini", ["a"], clock)
    service.errors["a"] = BadKey()
    for _ in range(3):
        with pytest.raises(BadKey):
            await ring.use(service.call)
    assert service.asked == ["a", "a", "a"]


def test_a_key_written_twice_is_one(clock: FakeClock) -> None:
    assert list(KeyRing("gemini", ["b", "a", "b"], clock)) == ["b", "a"]


def test_cancelling_cancels_the_call_and_tries_no_other(ring: KeyRing) -> None:
    asked: list[str] = []

    async def call(key: str) -> None:
        asked.append(key)
        await Deferred()

    running = Deferred.fromCoroutine(ring.use(call))
    found = outcome(running)
    running.cancel()
    assert isinstance(found[0], CancelledError)
    assert asked == ["a"]


def test_without_a_key_it_is_said_where_one_goes(clock: FakeClock) -> None:
    with pytest.raises(NotConfigured, match=r"keys\.open-ai.*BOOTHD_KEY_OPEN_AI"):
        KeyRing("open-ai", (), clock)


def test_a_key_is_found_by_its_tag_as_long_as_it_is_there(clock: FakeClock) -> None:
    ring = KeyRing("gemini", ["secret-1", "secret-2"], clock)
    assert ring.find(tag("secret-2")) == "secret-2"
    assert ring.find(tag("secret-3")) is None
    assert tag("secret-2") not in {"secret-2", tag("secret-1")}
    assert len(tag("secret-2")) == 8


@asynchronous
async def test_the_log_names_the_key_by_its_tag_only(clock: FakeClock, events: list[LogEvent]) -> None:
    service = Service()
    service.errors["secret-1"] = BadKey()
    await KeyRing("gemini", ["secret-1", "secret-2"], clock).use(service.call)
    (said,) = [str(formatEvent(event)) for event in events]
    assert f"gemini: key {tag('secret-1')} failed (bad-key)" in said
    assert not any("secret" in str(value) for value in events[0].values())
