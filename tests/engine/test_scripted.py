"""The scripted provider against its server: every behaviour becomes the right error, through the whole engine."""

from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Any, cast

import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError
from twisted.web.client import Agent, HTTPConnectionPool

from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Charged,
    OutOfCredit,
    OutOfTime,
    Refused,
    Unavailable,
    WorkError,
)
from boothd.engine.attempt import Resumption
from boothd.providers.interfaces import Edits, NotConfigured, Preset, Provider, Resumes
from boothd.providers.tools import Tools
from boothd.spool.journal import AttemptEnded, Queued, Result
from tests.support.engine import World, begin, entries_of, kinds, until
from tests.support.scripted.fixture import ScriptedServer, environment, scripted_server
from tests.support.scripted.pictures import whose
from tests.support.scripted.provider import Scripted, ScriptedOptions, ScriptedSettings


@pytest_twisted.async_yield_fixture()
async def http() -> AsyncIterator[HTTPClient]:
    from twisted.internet import reactor  # noqa: TID251

    pool = HTTPConnectionPool(reactor)
    pool.retryAutomatically = False
    agent: Any = Agent(reactor, pool=pool)
    yield HTTPClient(agent)
    await pool.closeCachedConnections()


@pytest.fixture
def tools(world: World, http: HTTPClient) -> Tools:
    disk, none = world.disk_threads, cast(Any, None)
    return Tools(
        world.clock,
        http,
        ("secret",),
        world.picture_threads,
        disk,
        lambda: 10_000_000,
        disk,
        lambda _: http,
        none,
        none,
        none,
        "node",
    )


@pytest.fixture
def provider(world: World, tools: Tools, scripted: ScriptedServer) -> Scripted:
    settings = ScriptedSettings(url=scripted.url, price=Decimal("0.04"))
    made = Scripted(settings, tools)
    world.provides(made, url=scripted.url, price=Decimal("0.04"), breaker_failures=100)
    return made


def script(prompt: str) -> Preset:
    return Preset(provider="scripted", effect="prompt", prompt=prompt, options=ScriptedOptions())


def test_it_is_a_provider_like_any_other() -> None:
    kind: type[Provider] = Scripted
    assert issubclass(kind, Edits)
    assert issubclass(kind, Resumes)


def test_another_process_finds_it_in_the_registry() -> None:
    assert not [entry for entry in entry_points(group="boothd.providers") if entry.name == "scripted"]
    said = run(
        [executable, "-c", "from boothd.providers import *; print(provider_type('scripted').__name__)"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "Scripted\n"


def test_without_a_url_it_is_not_configured(tools: Tools) -> None:
    with pytest.raises(NotConfigured):
        Scripted(ScriptedSettings(), tools)


@pytest_twisted.ensureDeferred
async def test_a_photo_goes_out_and_its_picture_comes_back(
    world: World, provider: Scripted, scripted: ScriptedServer
) -> None:
    order = await world.order(1, script("ok size=512000 cost=0.07"))
    made = await world.engine.run(order)
    picture = world.result(made, order)
    assert whose(picture) == order.photo.sha256
    assert picture.stat().st_size == pytest.approx(512_000, rel=0.05)
    assert made.result.model == "scripted-1"
    assert entries_of(order.job, AttemptEnded)[0].cost == Decimal("0.07")
    assert scripted.charges(order.photo.sha256) == 1
    (call,) = scripted.calls()
    assert call["key"] == "secret"
    assert call["size_bytes"] == order.photo.size_bytes


@pytest.mark.parametrize(
    ("prompt", "kind", "charged"),
    [
        ("status=400", BadRequest, Charged.NO),
        ("status=401", BadKey, Charged.NO),
        ("status=402", OutOfCredit, Charged.NO),
        ("status=422", Refused, Charged.NO),
        ("status=422 charged", Refused, Charged.YES),
        ("status=418 charged", BadAnswer, Charged.YES),
        ("mistyped=3", BadRequest, Charged.NO),
        ("html", BadAnswer, Charged.YES),
        ("empty", BadAnswer, Charged.YES),
        ("gif", BadAnswer, Charged.YES),
        ("bomb", BadAnswer, Charged.YES),
        ("truncated", BadAnswer, Charged.YES),
        ("huge", BadAnswer, Charged.YES),
        ("short", Unavailable, Charged.YES),
        ("charge-then-drop", Unavailable, Charged.MAYBE),
        ("drop", Unavailable, Charged.MAYBE),
        ("status=500 charged", Unavailable, Charged.YES),
        ("queue-lost", BadAnswer, Charged.YES),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_goes_wrong_is_told_exactly(
    world: World, provider: Scripted, prompt: str, kind: type[WorkError], charged: Charged
) -> None:
    order = await world.order(1, script(prompt), paid_attempts=1, budget_s=2.3)  # too short for a second attempt
    running = world.run(order)
    if prompt == "queue-lost":
        await until(lambda: world.timers and world.timers[0] < 1)
        world.time.advance(0.06)
    with pytest.raises(kind):
        await running
    (ended,) = entries_of(order.job, AttemptEnded)
    assert (ended.outcome, ended.charged) == (kind.code, charged)


@pytest_twisted.ensureDeferred
async def test_busy_says_when_to_come_back(world: World, provider: Scripted) -> None:
    running = world.run(await world.order(1, script("fail-first=1 status=429 retry-after=7")))
    await until(lambda: 7 in world.timers)
    world.time.advance(7)
    assert not (await running).cached


@pytest_twisted.ensureDeferred
async def test_a_refused_connection_costs_nothing(world: World, tools: Tools, tmp_path: Path) -> None:
    with scripted_server(tmp_path / "gone.jsonl") as server:
        url = server.url
    world.provides(Scripted(ScriptedSettings(url=url), tools), url=url)
    order = await world.order(1, script("ok"), budget_s=2.3)
    with pytest.raises(Unavailable):
        await world.engine.run(order)
    assert entries_of(order.job, AttemptEnded)[0].charged is Charged.NO


@pytest.mark.parametrize("prompt", ["hang", "hang-body"])
@pytest_twisted.ensureDeferred
async def test_the_end_of_the_time_closes_the_socket(
    world: World, provider: Scripted, scripted: ScriptedServer, prompt: str
) -> None:
    order = await world.order(1, script(prompt))
    running = world.run(order)
    ask = world.disk_threads.run
    await ask(partial(scripted.calls, at_least=1))
    assert scripted.open()["working"] == 1
    world.time.advance(48)
    with pytest.raises(OutOfTime):
        await running
    assert scripted.open()["working"] == 1  # it may still come, and it may cost
    late = world.engine.flight_of(order.job)
    assert late is not None
    landed = begin(late.landed())
    world.time.advance(60)
    with pytest.raises(OutOfTime):
        await landed
    await ask(partial(scripted.wait_until_open, working=0, connections=0))
    assert entries_of(order.job, AttemptEnded)[0].charged is Charged.MAYBE


@pytest_twisted.ensureDeferred
async def test_stopping_closes_the_socket(world: World, provider: Scripted, scripted: ScriptedServer) -> None:
    order = await world.order(1, script("hang"))
    running = world.run(order)
    await world.disk_threads.run(partial(scripted.calls, at_least=1))
    await world.engine.stop()
    with pytest.raises(CancelledError):
        await running
    await world.disk_threads.run(partial(scripted.wait_until_open, working=0))
    assert kinds(order.job) == ["received", "attempt"]


@pytest_twisted.ensureDeferred
async def test_a_late_answer_is_kept(world: World, provider: Scripted, scripted: ScriptedServer) -> None:
    order = await world.order(1, script("hold"))
    running = world.run(order)
    await world.disk_threads.run(partial(scripted.calls, at_least=1))
    world.time.advance(48)
    with pytest.raises(OutOfTime):
        await running
    flight = world.engine.flight_of(order.job)
    assert flight is not None
    scripted.release()
    kept = await flight.landed()
    assert whose(kept.path) == order.photo.sha256
    again = await world.engine.run(await world.order(1, script("hold")))
    assert again.cached
    assert scripted.charges(order.photo.sha256) == 1


@pytest_twisted.ensureDeferred
async def test_a_queued_call_is_polled_until_it_is_done(
    world: World, provider: Scripted, scripted: ScriptedServer
) -> None:
    order = await world.order(1, script("queue=2"))
    running = world.run(order)
    for _ in range(3):
        await until(lambda: world.timers and world.timers[0] < 40)
        world.time.advance(0.06)
    made = await running
    assert whose(world.result(made, order)) == order.photo.sha256
    assert kinds(order.job) == ["received", "attempt", "queued", "result", "attempt-ended"]
    assert scripted.charges(order.photo.sha256) == 1


@pytest_twisted.ensureDeferred
async def test_after_a_restart_the_queue_number_is_polled_and_nothing_is_paid_again(
    world: World, provider: Scripted, scripted: ScriptedServer
) -> None:
    order = await world.order(1, script("queue=1"))
    running = world.run(order)
    await until(lambda: "queued" in kinds(order.job))
    await world.settle()
    await world.engine.stop()
    with pytest.raises(CancelledError):
        await running
    (order.job.directory / "answer-1").write_bytes(b"half of an ans")
    (queued,) = entries_of(order.job, Queued)

    flight = world.engine.resume(order, Resumption(1, "scripted-1", order.presets[0].revision, queued.queue_number))
    landed = begin(flight.landed())
    while not landed.called:
        await world.settle()
        world.time.advance(0.06)
    kept = await landed
    assert whose(kept.path) == order.photo.sha256
    assert [entry.file for entry in entries_of(order.job, Result)] == ["result.jpg"]
    assert scripted.charges(order.photo.sha256) == 1


def test_the_ledger_outlives_the_service(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    for count in (1, 2):
        with scripted_server(ledger) as server:
            assert _post(server, "ok", b"a photo") == 200
            assert [entry["number"] for entry in server.ledger] == list(range(1, count + 1))


def test_what_is_on_hold_waits_for_the_release(scripted: ScriptedServer, threads: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_post, scripted, "hold", b"a photo")
        scripted.calls(at_least=1)
        scripted.wait_until_open(working=1)
        assert scripted.ledger == []
        scripted.release()
        assert answer.result() == 200
        scripted.wait_for_charges(1)


def _post(server: ScriptedServer, prompt: str, photo: bytes) -> int:
    from http.client import HTTPConnection
    from urllib.parse import urlencode

    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", f"/edit?{urlencode({'prompt': prompt})}", body=photo)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status
