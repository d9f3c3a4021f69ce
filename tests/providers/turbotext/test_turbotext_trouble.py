"""Turbotext misbehaves: what is raised, what it cost, and that nothing is bought twice."""

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from boothd.base.errors import (
    BadAnswer,
    BadKey,
    BadRequest,
    Busy,
    Charged,
    OutOfCredit,
    OutOfTime,
    Refused,
    Unavailable,
    WorkError,
)
from tests.providers.turbotext.turbotext_support import Booth
from tests.sandbox.fakes_support import asynchronous, opened
from tests.support.tools import Asked

NO, YES, MAYBE = Charged.NO, Charged.YES, Charged.MAYBE


async def failure(booth: Booth, prompt: str, provider: Any = None, **call: Any) -> WorkError:
    with pytest.raises(WorkError) as caught:
        await booth.edit(booth.preset("mix", prompt), provider, **call)
    assert booth.left_over() == []
    return caught.value


@pytest.mark.parametrize(
    "script",
    [
        "[[pending=3]]",
        "[[pending=2 pending-success=false]]",
        "[[pending=2 pending-success=true position]]",
        "[[pending=0 fetch=create]]",
        "[[queueid=text]]",
        "[[unknown-first=2]]",
        "[[yes=text limits]]",
        "[[place=top address=absolute]]",
        "[[place=top address=relative]]",
        "[[place=data address=absolute]]",
        "[[place=data address=no-scheme]]",
        "[[place=list address=relative]]",
        "[[place=text address=relative]]",
        "[[picture=980x1472 format=jpeg]]",
        "[[format=webp]]",
        "[[fetch=twice]]",
        "[[fetch=head]]",
        # polls that go wrong
        "[[webhook=never]] [[at=result html fail-first=2]]",
        "[[webhook=never]] [[at=result bad-json fail-first=2]]",
        "[[webhook=never]] [[at=result empty-body fail-first=1]]",
        "[[webhook=never]] [[at=result status=500 fail-first=2]]",
        "[[webhook=never]] [[at=result status=502 fail-first=1]]",
        "[[webhook=never]] [[at=result status=429 retry-after=1 fail-first=1]]",
        "[[webhook=never]] [[at=result status=401 fail-first=1]]",
        "[[webhook=never]] [[at=result drop fail-first=2]]",
        "[[webhook=never]] [[at=result reset fail-first=1]]",
        "[[webhook=never]] [[at=result short fail-first=1]]",
        "[[webhook=never pending=0 fetch=create stray-bracket]]",
        # links that go wrong at first
        "[[at=link status=404 fail-first=2]]",
        "[[at=link status=410 fail-first=1]]",
        "[[at=link status=503 fail-first=1]]",
        "[[at=link empty-body fail-first=1]]",
        "[[at=link html fail-first=2]]",
        "[[at=link cut-file fail-first=1]]",
        "[[at=link short fail-first=1]]",
        "[[at=link reset fail-first=1]]",
        "[[at=link type=text/html]]",
        # webhooks
        "[[webhook=twice]]",
        "[[webhook=wrong-id]]",
        "[[webhook=never]]",
        "[[webhook=early]]",
        "[[webhook-after=0.02]]",
    ],
)
@asynchronous
async def test_it_is_tolerated_and_paid_once(booth: Booth, script: str) -> None:
    picture = await booth.edit(booth.preset("mix", script))
    opened(picture.path.read_bytes())
    assert await booth.client.charges() == 1
    assert booth.asked[0].numbers == [f"mix_images/{booth.asked[0].numbers[0].split('/')[1]}/1001"]


@pytest.mark.parametrize(
    ("script", "kind", "charged"),
    [
        ("[[forbidden]]", Refused, YES),
        ("[[error=face_not_detected]]", Refused, YES),
        ("[[error=Лицо+не+найдено error-field=errors]]", Refused, YES),
        ("[[error=LIMIT error-field=message yes=text]]", OutOfCredit, MAYBE),
        ("[[error=Неверный+ключ+API]]", BadKey, MAYBE),
        ("[[error=Внутренняя+ошибка]]", BadAnswer, YES),
        ("[[error=Ошибка,+средства+не+списаны]]", BadAnswer, MAYBE),
        ("[[place=none]]", BadAnswer, YES),
        ("[[not-a-picture]]", BadAnswer, YES),
        ("[[gif]]", BadAnswer, YES),
        ("[[at=link status=404]]", BadAnswer, YES),
        ("[[at=link html]]", BadAnswer, YES),
        ("[[at=link empty-body]]", BadAnswer, YES),
    ],
)
@asynchronous
async def test_a_queued_photo_that_fails_is_paid(
    booth: Booth, script: str, kind: type[WorkError], charged: Charged
) -> None:
    error = await failure(booth, script)
    assert (type(error), error.charged) == (kind, charged)
    assert (len(booth.asked[0].numbers), await booth.client.charges()) == (1, 1)


@pytest.mark.parametrize(
    ("script", "kind", "charged"),
    [
        ("[[error=face_not_detected error-at=create]]", Refused, NO),
        ("[[error=Запрещено error-at=create]]", Refused, NO),
        ("[[error=params_error error-at=create]]", BadRequest, NO),
        ("[[error=Сбой error-at=create]]", BadAnswer, NO),
        ("[[status=400]]", BadRequest, NO),
        ("[[status=401]]", BadKey, NO),
        ("[[status=402]]", OutOfCredit, NO),
        ("[[status=403]]", BadKey, NO),
        ("[[status=429]]", Busy, NO),
        ("[[status=500]]", Unavailable, NO),
        ("[[status=502]]", Unavailable, MAYBE),
        ("[[status=503]]", Unavailable, NO),
        ("[[status=307]]", BadRequest, NO),
        ("[[html]]", BadAnswer, MAYBE),
        ("[[bad-json]]", BadAnswer, MAYBE),
        ("[[empty-body]]", BadAnswer, MAYBE),
        ("[[drop]]", Unavailable, MAYBE),
        ("[[reset charged]]", Unavailable, MAYBE),
        ("[[short]]", BadAnswer, MAYBE),
    ],
)
@asynchronous
async def test_a_photo_that_is_not_queued(booth: Booth, script: str, kind: type[WorkError], charged: Charged) -> None:
    error = await failure(booth, script)
    assert (type(error), error.charged) == (kind, charged)
    assert booth.asked[0].numbers == []
    assert "http" not in error.message


@pytest.mark.parametrize(
    ("status", "kind"), [(401, BadKey), (402, OutOfCredit), (403, BadKey), (404, BadRequest), (429, Busy)]
)
@asynchronous
async def test_errors_with_200_mean_the_same(booth: Booth, status: int, kind: type[WorkError]) -> None:
    await booth.client.set(soft_errors=True)
    error = await failure(booth, f"[[status={status}]]")
    assert (type(error), error.charged, await booth.client.charges()) == (kind, NO, 0)


@asynchronous
async def test_turbotext_says_when_to_come_back(booth: Booth) -> None:
    assert (await failure(booth, "[[status=429 retry-after=7]]")).retry_after_s == 7


@asynchronous
async def test_nobody_is_there(booth: Booth) -> None:
    error = await failure(booth, "x", booth.provider(base_url="http://127.0.0.1:1/api_ai"))
    assert (type(error), error.charged) == (Unavailable, NO)


# --- where pictures come from ----------------------------------------------------------------------------------------


@asynchronous
async def test_a_host_that_is_not_allowed_is_named_with_its_setting(booth: Booth) -> None:
    error = await failure(booth, "[[webhook=never]]", booth.provider(result_private=False))
    assert (type(error), error.charged) == (BadAnswer, YES)
    assert "127.0.0.1" in error.message
    assert "result_hosts" in error.message


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["bad-1", "poor-1", "barred-1", "busy-1"])
@asynchronous
async def test_the_next_key_creates_and_asks(booth: Booth, bad: str) -> None:
    await booth.edit(booth.preset("mix", "[[webhook=never]]"), booth.provider(keys=(bad, "good-2")))
    (charge,) = await booth.client.ask("ledger")
    assert charge["key"] == "…od-2"


# --- time and cancelling ---------------------------------------------------------------------------------------------


@asynchronous
async def test_what_is_not_ready_in_time_is_paid_and_not_delivered(booth: Booth) -> None:
    error = await failure(booth, "[[pending-forever webhook=never]]", seconds=0.4)
    assert (type(error), error.charged) == (OutOfTime, YES)
    assert await booth.client.charges() == 1


async def cancelled(booth: Booth, script: str, **provider: Any) -> Asked:
    """Cancel a call when something of it is on hold; returns it when the service has seen its connection close."""
    call = booth.call()
    running = Deferred.fromCoroutine(
        booth.provider(**provider).edit(booth.photo(), booth.preset("mix", script), call.call)
    )
    await booth.client.ask("open?held=1")
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await booth.client.ask("open?held=0")
    return call


@asynchronous
async def test_cancelling_the_creation_closes_its_connection_and_withdraws_the_links(booth: Booth) -> None:
    call = await cancelled(booth, "[[hold]]")
    assert (call.numbers, booth.left_over()) == ([], [])
    assert len(booth.public.media._withdrawn) == 2


@pytest.mark.parametrize("script", ["[[webhook=never]] [[at=result hold]]", "[[at=link hold]]"])
@asynchronous
async def test_cancelling_the_waiting_closes_its_connection_and_leaves_the_links(booth: Booth, script: str) -> None:
    call = await cancelled(booth, script)
    assert (len(call.numbers), booth.left_over()) == (1, ["answer-1-reference.png"])
    assert booth.public.media._withdrawn == {}


# --- after a restart -------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_restart_goes_on_with_the_same_queue_number(booth: Booth) -> None:
    number = await queued_and_interrupted(booth, "[[done-after=0.05]]", keys=("bad-1", "good-2"))
    resumed = booth.call()
    after = booth.provider(keys=("other", "good-2"))
    picture = await after.resume(number, booth.preset("mix"), resumed.call)
    assert opened(picture.path.read_bytes()).size == (768, 576)
    assert (picture.model, resumed.numbers, await booth.client.charges()) == ("mix_images", [], 1)
    assert booth.left_over() == ["answer-1"]


@asynchronous
async def test_after_a_restart_the_links_of_before_lead_to_the_pictures_again(booth: Booth) -> None:
    booth.public.hold()
    number = await queued_and_interrupted(booth, "[[webhook=never]] [[at=result hold fail-first=1]]")
    (booth.folder / "answer-1-reference.png").unlink()  # as whoever resumes does
    resumed = await resumed_until_it_polls(booth, number)
    booth.public.release()
    booth.client.fake.release()
    opened((await resumed).path.read_bytes())
    assert "media link answer-1-reference.png" in booth.public.visits


@asynchronous
async def test_after_a_restart_the_webhook_of_before_is_heard(booth: Booth) -> None:
    booth.public.hold()
    number = await queued_and_interrupted(booth, "[[at=result hold]]")
    resumed = await resumed_until_it_polls(booth, number)
    booth.public.release()
    opened((await resumed).path.read_bytes())
    assert "callback" in booth.public.visits


async def resumed_until_it_polls(booth: Booth, number: str) -> Deferred[Any]:
    resumed = Deferred.fromCoroutine(booth.provider().resume(number, booth.preset("mix"), booth.call().call))
    await booth.client.ask("open?held=1")
    return resumed


@pytest.mark.parametrize("number", ["mix_images/00000000/1001", "nonsense", ""])
@asynchronous
async def test_a_number_without_its_key_cannot_be_asked_for(booth: Booth, number: str) -> None:
    with pytest.raises(WorkError) as caught:
        await booth.provider().resume(number, booth.preset("mix"), booth.call().call)
    assert caught.value.charged is not NO
    assert not caught.value.retry
    assert ("secrets.yaml" in caught.value.message) is (number.count("/") == 2)


async def queued_and_interrupted(booth: Booth, script: str, **provider: Any) -> str:
    """Queue a photo, then stop like a daemon that is stopped; returns what stands in the journal."""
    call = booth.call()
    running = Deferred.fromCoroutine(
        booth.provider(**provider, poll_s=60).edit(booth.photo(), booth.preset("mix", script), call.call)
    )
    await booth.client.ask("ledger?count=1")
    while not call.numbers:
        await booth.client.ask("open")
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    return call.numbers[0]
