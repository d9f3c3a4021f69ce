"""Pictures pass by Google's client library, and cancelling closes the connection."""

import asyncio
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from boothd.base.errors import OutOfTime
from boothd.providers.gemini.client import _config
from boothd.providers.gemini.request import Asked
from boothd.providers.gemini.settings import GeminiSettings
from tests.providers.gemini.gemini_support import Make, preset_of
from tests.sandbox.fakes_support import asynchronous, opened, photo

LARGE = 5 << 20


def large_photo() -> bytes:
    """A JPEG of 5 MB that decodes."""
    return photo() + bytes(LARGE)


@asynchronous
async def test_a_large_photo_and_a_large_picture_arrive_unchanged(make: Make) -> None:
    booth = make()
    guest = booth.photo(large_photo())
    picture = await booth.edit("a pirate [[size=8M]]", photo=guest)
    assert picture.path.stat().st_size == 8 << 20
    opened(picture.path.read_bytes())
    (call,) = await booth.calls()
    assert call["photo"] == guest.sha256
    assert call["size_bytes"] > LARGE * 4 / 3


@asynchronous
async def test_the_clients_text_cannot_pass_for_a_picture(make: Make) -> None:
    booth = make()
    first = await booth.edit("boothd-file-0 {} [[thoughts=1]]".format("boothd-" + "0" * 32 + "-blob-0"))
    assert opened(first.path.read_bytes())


@pytest.mark.parametrize("script", ["hang", "hang-body", "slow-body=3600"])
@asynchronous
async def test_cancelling_closes_the_connection_and_leaves_no_file(make: Make, script: str) -> None:
    booth = make()
    await booth.edit("connects")  # the connection is kept for the next call
    running = Deferred.fromCoroutine(booth.edit(f"a pirate [[{script} size=1M]]"))
    await booth.fake.ask("open?working=1" if script == "hang" else "calls?ended=2")
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await booth.fake.ask("open?working=0&connections=0")
    assert booth.leftovers() == ["answer-1"]


@asynchronous
async def test_a_budget_that_ends_is_out_of_time_and_no_asyncio_error(make: Make) -> None:
    booth = make()
    call = booth.call()
    work = booth.gemini.edit(booth.photo(), preset_of("a pirate [[hang]]"), call)
    running = Deferred.fromCoroutine(call.budget.limit(work))
    await booth.fake.ask("open?working=1")
    booth.clock.advance(31)
    with pytest.raises(OutOfTime) as caught:
        await running
    assert not isinstance(caught.value.__cause__, asyncio.CancelledError)
    await booth.fake.ask("open?working=0&connections=0")
    assert booth.clock.timers == 0


@asynchronous
async def test_twenty_calls_at_once_keep_their_pictures_apart(make: Make) -> None:
    booth = make()
    photos = [booth.photo(photo(number), number) for number in range(8)]
    running = [
        Deferred.fromCoroutine(booth.edit(f"number {number} [[picture={100 + number}x80]]", photo=photos[number % 8]))
        for number in range(20)
    ]
    for number, each in enumerate(running):
        assert opened((await each).path.read_bytes()).size == (100 + number, 80)


@asynchronous
async def test_nothing_is_asked_again_by_the_library(make: Make) -> None:
    booth = make()
    for script in ("finish=CONTINUATION", "status=503", "drop"):
        with pytest.raises(Exception, match="Gemini"):
            await booth.edit(f"a pirate [[{script}]]")
    assert len(await booth.calls()) == 3


@pytest.fixture
def aiohttp(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module `aiohttp` for the library to find; whatever is done with it fails."""
    from google.genai import _api_client

    class Session:
        def __init__(self, *args: Any, **kw: Any) -> None:
            raise AssertionError("aiohttp was used")

    module = ModuleType("aiohttp")
    vars(module).update(ClientSession=Session, TCPConnector=Session, ClientTimeout=Session)
    monkeypatch.setitem(sys.modules, "aiohttp", module)
    monkeypatch.setattr(_api_client, "aiohttp", module, raising=False)
    monkeypatch.setattr(_api_client, "has_aiohttp", True)
    return module


@asynchronous
async def test_aiohttp_is_not_used_even_where_it_is_installed(make: Make, aiohttp: ModuleType) -> None:
    booth = make()
    assert (await booth.edit()).path.stat().st_size > 0
    assert [offer.name for offer in await booth.gemini.offers(booth.call().budget)]


@asynchronous
async def test_an_environment_of_googles_changes_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "somebodys-project")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GOOGLE_API_KEY", "another-key")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v7")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    booth = make()
    await booth.edit()
    (call,) = await booth.calls()
    assert (call["key"], call["detail"]["version"]) == ("…od-1", "v1")


def test_the_library_is_imported_only_for_a_provider_with_a_key() -> None:
    program = (
        "import sys, boothd.providers.gemini as g\n"
        "assert g.Gemini.effects and g.GeminiSettings()\n"
        "assert not {'google.genai', 'httpx2', 'cv2'} & sys.modules.keys(), 'imported too early'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_safety_is_sent_only_where_it_is_set() -> None:
    assert _config(Asked("m", "t"), GeminiSettings(), {}).safety_settings is None
    chosen = _config(Asked("m", "t"), GeminiSettings(safety="BLOCK_NONE"), {}).safety_settings
    assert chosen is not None
    assert {setting.threshold.value for setting in chosen if setting.threshold} == {"BLOCK_NONE"}
    assert len(chosen) == 4


# --- what is held ----------------------------------------------------------------------------------------------------


@pytest.fixture
def fake_process() -> Iterator[str]:
    """The address of a fake in a process of its own, whose memory is not counted here."""
    command = [sys.executable, "-m", "boothd.sandbox.fakes", "gemini"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


@asynchronous
async def test_a_call_holds_a_small_part_of_what_passes(make: Make, fake_process: str) -> None:
    booth = make()
    gemini = booth.another(base_url=fake_process)
    guest = booth.photo(large_photo())
    await gemini.edit(guest, preset_of("warms up"), booth.call())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        picture = await gemini.edit(guest, preset_of("a pirate [[size=8M]]"), booth.call())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert picture.path.stat().st_size == 8 << 20
    assert most - before < 2_000_000  # of 18 MB; about 1 MB, all that Python allocates meanwhile counted in
