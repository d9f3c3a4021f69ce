"""Whatever Gemini answers instead of a picture becomes one exact error, and says whether it has cost."""

import json
from decimal import Decimal
from typing import Any

import pytest

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
from boothd.providers.gemini.errors import A_DAY_S, FileGone, explain
from tests.providers.gemini.gemini_support import Booth, Make
from tests.sandbox.fakes_support import asynchronous

NO, YES, MAYBE = Charged.NO, Charged.YES, Charged.MAYBE
RPC = "type.googleapis.com/google.rpc."


async def failed(booth: Booth, prompt: str) -> WorkError:
    with pytest.raises(WorkError) as caught:
        await booth.edit(prompt)
    assert booth.leftovers() == []
    return caught.value


@pytest.mark.parametrize(
    ("script", "kind", "charged", "said"),
    [
        ("status=400", BadRequest, NO, "INVALID_ARGUMENT"),
        ("status=400 reason=FAILED_PRECONDITION", BadKey, NO, "region"),
        ("status=401", BadKey, NO, "API key"),
        ("status=402", OutOfCredit, NO, "credits"),
        ("status=403", BadKey, NO, "permission"),
        ("status=404", BadRequest, NO, "gemini-3-pro-image"),
        ("status=429", Busy, NO, "quota"),
        ("status=499", Unavailable, NO, "CANCELLED"),
        ("status=500", Unavailable, NO, "INTERNAL"),
        ("status=503", Unavailable, NO, "overloaded"),
        ("status=504", Unavailable, NO, "DEADLINE_EXCEEDED"),
        ("status=502", Unavailable, MAYBE, "502"),  # the fake has no words of its own for it: a gateway's page
        ("status=302", BadRequest, NO, "redirect"),
        ("drop", Unavailable, MAYBE, "lost"),
        ("reset", Unavailable, MAYBE, "lost"),
        ("short", Unavailable, MAYBE, "broke off"),
        ("html", BadAnswer, MAYBE, "no JSON"),
        ("bad-json", BadAnswer, MAYBE, "in the middle"),
        ("empty-body", BadAnswer, MAYBE, "no JSON"),
        ("block=PROHIBITED_CONTENT", Refused, MAYBE, "PROHIBITED_CONTENT"),
        ("block=SOMETHING_NEW", Refused, MAYBE, "SOMETHING_NEW"),
        ("no-candidates", BadAnswer, YES, "no picture"),
        ("no-image", BadAnswer, YES, "NO_IMAGE.*I can describe it"),
        ("text-only", BadAnswer, YES, "I cannot make this picture"),
        ("finish=SAFETY", Refused, MAYBE, "SAFETY"),
        ("finish=IMAGE_SAFETY content=empty", Refused, MAYBE, "IMAGE_SAFETY"),
        ("finish=PROHIBITED_CONTENT content=no-parts", Refused, MAYBE, "PROHIBITED_CONTENT"),
        ("finish=IMAGE_PROHIBITED_CONTENT", Refused, MAYBE, "IMAGE_PROHIBITED_CONTENT"),
        ("finish=RECITATION", Refused, MAYBE, "RECITATION"),
        ("finish=IMAGE_RECITATION", Refused, MAYBE, "IMAGE_RECITATION"),
        ("finish=BLOCKLIST", Refused, MAYBE, "BLOCKLIST"),
        ("finish=SPII", Refused, MAYBE, "SPII"),
        ("finish=PUP_LIMITED_DISABLED", BadKey, NO, "limited"),
        ("finish=IMAGE_OTHER", BadAnswer, YES, "IMAGE_OTHER"),
        ("finish=STOP content=empty", BadAnswer, YES, "STOP"),
        ("finish=MALFORMED_RESPONSE", BadAnswer, YES, "MALFORMED_RESPONSE"),
        ("finish=MAX_TOKENS", BadAnswer, YES, "MAX_TOKENS"),
        ("finish=CONTINUATION", BadAnswer, YES, "CONTINUATION"),
        ("finish=A_REASON_OF_NEXT_YEAR", BadAnswer, YES, "A_REASON_OF_NEXT_YEAR"),
    ],
)
@asynchronous
async def test_each_failure_is_told_exactly(
    make: Make, script: str, kind: type[WorkError], charged: Charged, said: str
) -> None:
    booth = make()
    error = await failed(booth, f"a pirate [[{script}]]")
    assert type(error) is kind
    assert error.charged is charged
    with pytest.raises(kind, match=said):
        raise error
    assert "good-1" not in error.message
    assert len(await booth.calls()) == 1


@asynchronous
async def test_a_refused_connection_costs_nothing(make: Make) -> None:
    booth = make()
    await booth.fake.running.refuse(600)
    error = await failed(booth, "a pirate")
    assert (type(error), error.charged) == (Unavailable, NO)


@pytest.mark.parametrize(("delay", "seconds"), [("17s", 17), ("1.5s", 1.5), ("", None), ("soon", None)])
@asynchronous
async def test_a_busy_service_says_when_to_come_back(make: Make, delay: str, seconds: float | None) -> None:
    booth = make()
    error = await failed(booth, f"a pirate [[status=429{f' retry-delay={delay}' if delay else ''}]]")
    assert isinstance(error, Busy)
    assert error.retry_after_s == seconds


@asynchronous
async def test_a_gateway_says_it_by_a_header(make: Make) -> None:
    booth = make()
    assert (await failed(booth, "a pirate [[status=429 retry-after=9]]")).retry_after_s == 9


@asynchronous
async def test_a_refusal_tells_what_was_spent(make: Make) -> None:
    booth = make(price_per_million_input="2", price_per_million_output="100")
    error = await failed(booth, "a pirate [[no-image]]")
    assert error.cost is not None
    assert error.cost > 40 * Decimal(100) / 1_000_000


@asynchronous
async def test_a_model_that_is_not_there_is_named(make: Make) -> None:
    booth = make(model="gemini-no-such")
    error = await failed(booth, "a pirate")
    assert type(error) is BadRequest
    assert "gemini-no-such" in error.message


# --- what the fake does not say --------------------------------------------------------------------------------------


def body(status: str, message: str = "", *details: dict[str, Any]) -> Any:
    return {"error": {"code": 0, "status": status, "message": message, "details": list(details)}}


def test_a_quota_of_the_day_is_not_worth_a_short_wait() -> None:
    quota = {"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}
    retry = {"@type": f"{RPC}RetryInfo", "retryDelay": "17s"}
    error = explain(429, body("RESOURCE_EXHAUSTED", "", quota, retry), key="k")
    assert isinstance(error, Busy)
    assert error.retry_after_s == A_DAY_S
    assert "today" in error.message


def test_a_key_in_the_services_words_is_not_repeated() -> None:
    said = "Permission denied: Consumer 'api_key:AIzaSecret' has been suspended."
    error = explain(403, body("PERMISSION_DENIED", said), key="AIzaSecret")
    assert type(error) is BadKey
    assert "AIzaSecret" not in error.message
    assert "suspended" in error.message


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "You do not have permission to access the File abc or it may not exist.", FileGone),
        (404, "File files/abc not found.", FileGone),
        (400, "The File abc is not in an ACTIVE state and usage is not allowed.", FileGone),
        (404, "models/gemini-x is not found for API version v1.", BadRequest),
        (403, "The caller does not have permission", BadKey),
        (400, "Unsupported file type.", BadRequest),
        (400, "Request payload size exceeds the limit: 20971520 bytes.", BadRequest),
    ],
)
def test_a_missing_file_is_told_from_other_refusals(status: int, message: str, kind: type[WorkError]) -> None:
    assert type(explain(status, body("", message), key="k", files=True)) is kind


def test_a_request_that_is_too_large_names_the_setting() -> None:
    error = explain(400, body("INVALID_ARGUMENT", "Request payload size exceeds the limit: 9 bytes."), key="k")
    assert "inline_max" in error.message


@pytest.mark.parametrize("odd", [None, [], "text", {"error": "text"}, {"error": {}}, {"error": {"details": 1}}])
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502])
def test_an_error_of_any_shape_is_an_error(status: int, odd: Any) -> None:
    error = explain(status, json.loads(json.dumps(odd)), key="k")
    assert isinstance(error, WorkError)
    assert error.charged in {NO, MAYBE}
