"""Several keys: the next is taken when one is refused, has no room or no money."""

import pytest

from boothd.base.errors import BadKey, Refused
from tests.providers.gemini.gemini_support import Make
from tests.sandbox.fakes_support import asynchronous


@pytest.mark.parametrize("first", ["bad-1", "poor-1", "barred-1", "busy-1"])
@asynchronous
async def test_the_next_key_is_taken(make: Make, first: str) -> None:
    booth = make(keys=(first, "good-2"))
    await booth.edit()
    (call,) = await booth.calls()
    assert call["key"] == "…od-2"


@asynchronous
async def test_when_no_key_is_good_the_last_ones_error_is_told(make: Make) -> None:
    booth = make(keys=("busy-1", "bad-2"))
    with pytest.raises(BadKey, match="does not accept the API key"):
        await booth.edit()


@asynchronous
async def test_a_refused_photo_is_not_tried_with_another_key(make: Make) -> None:
    booth = make(keys=("good-1", "good-2"))
    with pytest.raises(Refused):
        await booth.edit("[[finish=SAFETY]]")
    assert len(await booth.calls()) == 1


@asynchronous
async def test_an_upload_with_a_bad_key_leads_to_the_next(make: Make) -> None:
    booth = make(keys=("bad-1", "good-2"), inline_max=0)
    await booth.edit()
    await booth.files_become()
