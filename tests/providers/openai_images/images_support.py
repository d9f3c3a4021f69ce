"""What the tests of OpenAI images share."""

from typing import Any

import pytest

from boothd.base.errors import WorkError
from boothd.providers.interfaces import Preset
from boothd.providers.openai_images import OpenAIImages, OpenAIImagesOptions
from tests.providers.openai_images.cloud_bench import Bench

PIRATE = Preset("openai-images", "prompt", prompt="a pirate")


def images(bench: Bench, **settings: Any) -> OpenAIImages:
    """The provider on its fake, or at another `base_url`."""
    made: OpenAIImages = bench.provider(OpenAIImages, path="/v1", **{"model": "gpt-image-1", **settings})
    return made


def preset(script: str, **options: Any) -> Preset:
    """A pirate, by this script; options: the slot's own fields."""
    fields = OpenAIImagesOptions.model_validate(options)
    return Preset("openai-images", "prompt", prompt=f"a pirate [[{script}]]", options=fields)


async def failed(bench: Bench, script: str, **settings: Any) -> WorkError:
    """What an edit by this script raises; nothing may be left of it."""
    with pytest.raises(WorkError) as caught:
        await images(bench, **settings).edit(bench.photo(), preset(script), bench.call())
    assert bench.left() == set()
    assert "good-1" not in caught.value.message
    return caught.value
