"""The Files API: references are uploaded once and used again, guests' photos are deleted after their call."""

import io
from datetime import timedelta
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent

from boothd.base.errors import BadRequest, Unavailable
from boothd.providers.gemini.upload import at_base
from tests.providers.gemini.gemini_support import Booth, Make
from tests.sandbox.fakes_support import asynchronous, photo, scene

GUEST = "boothd-node-guest-job-1"


def reference_title(booth: Booth) -> str:
    return f"boothd-node-reference-{booth.reference().sha256}"


async def background(booth: Booth, **more: Any) -> None:
    await booth.edit(effect="background", references=(booth.reference(),), **more)


async def parts(booth: Booth) -> list[list[str]]:
    return [call["detail"]["parts"] for call in await booth.calls()]


@asynchronous
async def test_what_is_small_travels_inside_the_request(make: Make) -> None:
    booth = make()
    await background(booth)
    assert await parts(booth) == [["picture", "picture", "text"]]
    assert await booth.files() == []


@asynchronous
async def test_references_are_uploaded_first(make: Make) -> None:
    guest, reference = len(photo()), len(scene())
    booth = make(inline_max=(guest + reference) * 4 // 3 - 100)
    await background(booth)
    assert await parts(booth) == [["picture", "file", "text"]]
    (call,) = await booth.calls()
    assert call["photos"] == [booth.photo().sha256, booth.reference().sha256]
    assert await booth.files() == [reference_title(booth)]


@asynchronous
async def test_a_photo_that_is_too_large_is_uploaded_and_deleted_after_its_call(make: Make) -> None:
    booth = make(inline_max=0)
    await background(booth)
    assert await parts(booth) == [["file", "file", "text"]]
    await booth.files_become(reference_title(booth))


@asynchronous
async def test_a_megabyte_arrives_as_it_is(make: Make) -> None:
    booth = make(inline_max=0)
    guest = booth.photo(photo() + bytes(range(256)) * (8 << 10))
    await booth.edit(photo=guest)
    (call,) = await booth.calls()
    assert call["photo"] == guest.sha256


@asynchronous
async def test_a_reference_is_uploaded_once(make: Make) -> None:
    booth = make(inline_max=0)
    for number in range(3):
        await background(booth, job=f"job-{number}")
    await booth.files_become(reference_title(booth))


@asynchronous
async def test_two_calls_that_need_a_reference_at_once_share_its_upload(make: Make) -> None:
    booth = make(inline_max=0)
    running = [Deferred.fromCoroutine(background(booth, job=f"job-{number}")) for number in range(3)]
    for each in running:
        await each
    assert len(await booth.calls()) == 3
    await booth.files_become(reference_title(booth))


@asynchronous
async def test_one_who_leaves_does_not_take_the_upload_from_the_others(make: Make) -> None:
    booth = make(inline_max=0, fake={"script": "[[at=upload hold]]"})
    preset_photo = booth.photo()
    references = (booth.reference(),)
    running = [
        Deferred.fromCoroutine(
            booth.edit(photo=preset_photo, effect="background", references=references, job=f"job-{number}")
        )
        for number in range(2)
    ]
    await booth.fake.ask("open?held=2")  # both guests' photos
    booth.fake.running.fake.release()
    await booth.fake.ask("open?held=1")  # their common reference
    running[0].cancel()
    with pytest.raises(CancelledError):
        await running[0]
    await booth.fake.set(script="")
    assert booth.fake.running.fake.held == 1
    booth.fake.running.fake.release()
    await running[1]
    await booth.files_become(reference_title(booth))


@asynchronous
async def test_a_reference_that_ends_soon_is_uploaded_again(make: Make) -> None:
    booth = make(inline_max=0)
    await background(booth)
    booth.clock.advance(48 * 3600 - 500)
    await background(booth)
    await booth.files_become(*[reference_title(booth)] * 2)


@asynchronous
async def test_a_reference_not_seen_for_an_hour_is_looked_for(make: Make) -> None:
    booth = make(inline_max=0)
    await background(booth)
    booth.clock.advance(3700)
    await background(booth)
    await booth.files_become(reference_title(booth))
    await booth.fake.call("POST", "/__sandbox__/expire")
    booth.clock.advance(3700)
    await background(booth)
    assert len(await booth.calls()) == 3  # none of them failed for the lost file
    await booth.files_become(reference_title(booth))


@pytest.mark.parametrize("status", [403, 404])
@asynchronous
async def test_a_reference_that_is_gone_is_uploaded_again_within_the_attempt(make: Make, status: int) -> None:
    booth = make(inline_max=0, fake={"gone_status": status})
    await background(booth)
    await booth.files_become(reference_title(booth))
    await booth.fake.call("POST", "/__sandbox__/expire")
    await background(booth)
    assert [call["ended"] for call in await booth.calls()] == ["answered", f"failed {status}", "answered"]
    assert await booth.fake.charges() == 2


@asynchronous
async def test_a_file_that_is_always_gone_is_tried_only_twice(make: Make) -> None:
    booth = make(inline_max=0)
    with pytest.raises(Unavailable, match="no longer has"):
        await booth.edit("a pirate [[file-gone]]")
    assert len(await booth.calls()) == 2
    assert await booth.fake.charges() == 0
    await booth.files_become()


@asynchronous
async def test_each_keys_project_has_its_own_files(make: Make) -> None:
    booth = make(keys=("good-1", "good-2"), inline_max=0, fake={"files_per_key": True})
    await background(booth)
    with pytest.raises(Exception, match="no room"):
        await booth.edit("[[status=429]]", effect="background", references=(booth.reference(),))
    assert {call["key"] for call in await booth.calls()} == {"…od-1", "…od-2"}
    assert [call["ended"] for call in await booth.calls()] == ["answered", "failed 429", "failed 429"]
    await booth.files_become(*[reference_title(booth)] * 2)


@asynchronous
async def test_a_guests_photo_is_deleted_when_the_call_fails_or_is_cancelled(make: Make) -> None:
    booth = make(inline_max=0)
    with pytest.raises(Unavailable):
        await booth.edit("[[status=503]]")
    await booth.files_become()
    running = Deferred.fromCoroutine(booth.edit("[[hang]]"))
    await booth.fake.ask("open?working=1")
    assert await booth.files() == [GUEST]
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await booth.files_become()


@asynchronous
async def test_a_deletion_that_fails_harms_nobody_and_is_made_up_for(make: Make, events: list[LogEvent]) -> None:
    booth = make(inline_max=0)
    await booth.edit(job="job [[at=delete fail-first=1]]")
    for _ in range(2_000):
        if any("could not be deleted" in str(event.get("log_format")) for event in events):
            break
        await booth.files()
    assert await booth.files() == ["boothd-node-guest-job [[at=delete fail-first=1]]"]
    await booth.another(inline_max=0).tidy(booth.call().budget)
    assert await booth.files() == []


@asynchronous
async def test_a_file_that_is_being_processed_is_waited_for(make: Make) -> None:
    booth = make(inline_max=0)
    running = Deferred.fromCoroutine(booth.edit(job="job [[processing=2]]"))
    for _ in range(3):
        while not booth.clock.timers and not running.called:
            await booth.files()
        booth.clock.advance(1)
    await running
    assert len(await booth.calls()) == 1


@asynchronous
async def test_a_file_that_the_service_cannot_read_is_a_bad_request(make: Make) -> None:
    booth = make(inline_max=0)
    with pytest.raises(BadRequest, match="cannot read"):
        await booth.edit(job="job [[failed]]")
    await booth.files_become()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("at=start status=503", "overloaded"),
        ("at=upload status=503", "overloaded"),
        ("at=upload drop", "lost"),
        ("at=upload no-upload-status", "did not confirm"),
    ],
)
@asynchronous
async def test_an_upload_that_fails_costs_nothing(make: Make, script: str, said: str) -> None:
    booth = make(inline_max=0)
    with pytest.raises(Unavailable, match=said) as caught:
        await booth.edit(job=f"job [[{script}]]")
    assert caught.value.charged == "no"
    assert await booth.calls() == []


@asynchronous
async def test_cancelling_an_upload_closes_its_connection(make: Make) -> None:
    booth = make(inline_max=0)
    running = Deferred.fromCoroutine(booth.edit(job="job [[at=upload hang]]"))
    await booth.fake.ask("open?connections=1")
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await booth.fake.ask("open?connections=0")


# --- tidying ---------------------------------------------------------------------------------------------------------


async def upload(booth: Booth, title: str) -> None:
    """Leave a file at the fake."""
    from google import genai
    from google.genai import types

    def work() -> None:
        options = types.HttpOptions(base_url=booth.fake.url)
        with genai.Client(api_key="good-1", http_options=options) as client:
            config = types.UploadFileConfig(mime_type="image/png", display_name=title)
            client.files.upload(file=io.BytesIO(scene()), config=config)

    await booth.fake.run(work)


@asynchronous
async def test_tidying_removes_leftovers_and_leaves_the_rest(make: Make) -> None:
    booth = make(inline_max=0)
    theirs = ["boothd-other-guest-new", "boothd-other-reference-1", "holiday-guest-list.png"]
    for title in ("boothd-node-guest-1", "boothd-node-guest-2", reference_title(booth), *theirs):
        await upload(booth, title)
    await booth.gemini.tidy(booth.call().budget)
    assert await booth.files() == sorted([reference_title(booth), *theirs])
    booth.clock.step_wall(timedelta(hours=2).total_seconds())
    await booth.gemini.tidy(booth.call().budget)
    assert await booth.files() == sorted([reference_title(booth), *theirs[1:]])


@asynchronous
async def test_tidying_goes_through_all_pages(make: Make) -> None:
    booth = make()
    for number in range(12):  # the fake's pages have ten
        await upload(booth, f"boothd-node-guest-{number}")
    await booth.gemini.tidy(booth.call().budget)
    assert await booth.files() == []


@asynchronous
async def test_references_of_an_earlier_run_are_used_again(make: Make) -> None:
    booth = make(inline_max=0)
    await background(booth)
    booth.gemini = booth.another(inline_max=0)
    await booth.gemini.tidy(booth.call().budget)
    await background(booth)
    await booth.files_become(reference_title(booth))


@asynchronous
async def test_tidying_spares_the_photo_of_a_running_call(make: Make) -> None:
    booth = make(inline_max=0)
    running = Deferred.fromCoroutine(booth.edit("[[hold]]"))
    await booth.fake.ask("open?held=1")
    await booth.gemini.tidy(booth.call().budget)
    assert await booth.files() == [GUEST]
    booth.fake.running.fake.release()
    await running


@asynchronous
async def test_tidying_does_not_fail(make: Make) -> None:
    booth = make(keys=("bad-1", "good-2"))
    await upload(booth, "boothd-node-guest-1")
    await booth.gemini.tidy(booth.call().budget)
    assert await booth.files() == []
    await booth.fake.call("POST", "/__sandbox__/outage?mode=drop")
    await booth.gemini.tidy(booth.call().budget)


# --- where an upload goes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "base", "goes_to"),
    [
        ("https://g.test/upload/v1/files?upload_id=1", "https://g.test", "https://g.test/upload/v1/files?upload_id=1"),
        ("https://evil.test/upload?id=1", "https://proxy.test:8443/gemini", "https://proxy.test:8443/upload?id=1"),
        ("http://g.test/upload?id=1", "https://g.test", "https://g.test/upload?id=1"),
    ],
)
def test_an_upload_goes_only_to_the_configured_service(address: str, base: str, goes_to: str) -> None:
    assert at_base(address, base) == goes_to
