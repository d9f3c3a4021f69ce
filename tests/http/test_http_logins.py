"""Logins: right, wrong, remembered, throttled."""

import base64
import threading
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as FakeTime

from boothd.base.clock import Clock
from boothd.base.errors import BoothdError, LoginRequired, TooManyLogins
from boothd.base.threads import Threads
from boothd.http import Logins, hash_password, verify_password
from boothd.http.passwords import NOBODY
from boothd.http.throttle import FREE_TRIES, LONGEST_S
from tests.http.http_support import asynchronous

RIGHT = hash_password("сезам:42")


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Counting:
    """Checks passwords at once, or when it is told to, and counts them."""

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.gate: Deferred[None] | None = None

    async def run(self, call: Any, hashed: str, password: str) -> bool:
        self.hashes.append(hashed)
        if self.gate is not None:
            waiting: Deferred[None] = Deferred()
            self.gate.addCallback(lambda r: waiting.callback(None))
            await waiting
        return hashed == RIGHT and password == "сезам:42"


class Rig:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.operators = {"anna": RIGHT}
        self.threads = Counting()
        self.logins = Logins(lambda: self.operators, cast(Threads, self.threads), Clock(self.time))

    def ask(self, header: str | None, address: str = "10.0.0.1") -> "Deferred[str]":
        return Deferred.fromCoroutine(self.logins.check(header, address))

    def outcome(self, header: str | None, address: str = "10.0.0.1") -> object:
        got: list[Any] = []
        self.ask(header, address).addBoth(got.append)
        return got[0] if isinstance(got[0], str) else got[0].value


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_right_login_is_checked_once_and_then_remembered_for_a_while(rig: Rig) -> None:
    for _ in range(5):
        assert rig.outcome(basic("anna", "сезам:42")) == "anna"
    assert rig.threads.hashes == [RIGHT]
    rig.time.advance(301)
    assert rig.outcome(basic("anna", "сезам:42")) == "anna"
    assert rig.threads.hashes == [RIGHT] * 2


def test_a_changed_password_ends_what_was_remembered(rig: Rig) -> None:
    assert rig.outcome(basic("anna", "сезам:42")) == "anna"
    rig.operators["anna"] = "other"
    assert isinstance(rig.outcome(basic("anna", "сезам:42")), LoginRequired)
    rig.operators.clear()
    assert isinstance(rig.outcome(basic("anna", "сезам:42")), LoginRequired)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer x", "Basic", "Basic !!", "Basic " + base64.b64encode(b"x").decode()]
)
def test_what_is_no_login_costs_no_check(rig: Rig, header: str | None) -> None:
    assert isinstance(rig.outcome(header), LoginRequired)
    assert rig.threads.hashes == []


def test_an_unknown_name_is_checked_like_a_known_one(rig: Rig) -> None:
    assert isinstance(rig.outcome(basic("eve", "x")), LoginRequired)
    assert rig.threads.hashes == [NOBODY]


def test_wrong_tries_are_slowed_down_more_and_more_and_within_bounds(rig: Rig) -> None:
    for _ in range(FREE_TRIES):
        assert isinstance(rig.outcome(basic("anna", "x")), LoginRequired)
    waits = []
    for _ in range(12):
        error = rig.outcome(basic("anna", "x"))
        assert isinstance(error, TooManyLogins)
        waits.append(error.retry_after_s)  # type: ignore[attr-defined]
        rig.time.advance(waits[-1] + 0.01)
        assert isinstance(rig.outcome(basic("anna", "x")), LoginRequired)
    assert waits[:3] == pytest.approx([1, 2, 4], abs=0.1)
    assert max(waits) <= LONGEST_S


def test_a_remembered_login_is_not_locked_out_by_a_strangers_tries(rig: Rig) -> None:
    assert rig.outcome(basic("anna", "сезам:42")) == "anna"
    for n in range(50):
        rig.outcome(basic("anna", f"x{n}"), address="10.6.6.6")
    assert rig.outcome(basic("anna", "сезам:42")) == "anna"


def test_another_account_and_address_are_free(rig: Rig) -> None:
    rig.operators["boris"] = RIGHT
    for n in range(50):
        rig.outcome(basic("anna", f"x{n}"), address="10.6.6.6")
    assert rig.outcome(basic("boris", "сезам:42"), address="10.0.0.2") == "boris"
    assert isinstance(rig.outcome(basic("boris", "y"), address="10.6.6.6"), TooManyLogins)


def test_many_tries_at_once_are_many(rig: Rig) -> None:
    rig.threads.gate = Deferred()
    outcomes: list[Any] = []
    for n in range(30):
        rig.ask(basic("anna", f"x{n}")).addBoth(outcomes.append)
    assert len(rig.threads.hashes) == FREE_TRIES
    assert [type(f.value) for f in outcomes] == [TooManyLogins] * (30 - FREE_TRIES)
    rig.threads.gate.callback(None)
    assert {type(f.value) for f in outcomes[20:]} == {LoginRequired}


def test_the_same_login_many_times_at_once_is_one_check(rig: Rig) -> None:
    rig.threads.gate = Deferred()
    outcomes: list[Any] = []
    for _ in range(20):
        rig.ask(basic("anna", "сезам:42")).addBoth(outcomes.append)
    rig.threads.gate.callback(None)
    assert outcomes == ["anna"] * 20
    assert len(rig.threads.hashes) == 1


def test_one_of_them_leaving_does_not_hurt_the_others(rig: Rig) -> None:
    rig.threads.gate = Deferred()
    outcomes: list[Any] = []
    first = rig.ask(basic("anna", "сезам:42"))
    first.addErrback(lambda f: None)
    rig.ask(basic("anna", "сезам:42")).addBoth(outcomes.append)
    first.cancel()
    rig.threads.gate.callback(None)
    assert outcomes == ["anna"]


@asynchronous
async def test_passwords_are_checked_in_the_pool(reactor: Any) -> None:
    threads = Threads(reactor, "logins", 2)
    names: list[str] = []

    async def run(call: Any, *args: Any) -> Any:
        def here() -> Any:
            names.append(threading.current_thread().name)
            return call(*args)

        return await threads.run(here)

    try:
        logins = Logins(
            {"anna": RIGHT}.copy, cast(Threads, type("T", (), {"run": staticmethod(run)})()), Clock(reactor)
        )
        assert await logins.check(basic("anna", "сезам:42"), "::1") == "anna"
        with pytest.raises(BoothdError):
            await logins.check(basic("anna", "сезам"), "::1")
        assert all(name != threading.main_thread().name for name in names)
        assert len(names) == 2
    finally:
        threads.stop()


def test_hashes_are_argon2id_with_the_advised_cost() -> None:
    assert RIGHT.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert NOBODY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(RIGHT, "сезам:42")
    assert not verify_password(RIGHT, "сезам")
    assert not verify_password("no hash", "x")
    assert not verify_password(RIGHT, "x" * 5000)
    with pytest.raises(ValueError):
        hash_password("")
