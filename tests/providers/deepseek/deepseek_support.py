"""What the tests of Deepseek share."""

from dataclasses import replace
from typing import Any

import pytest

from boothd.base.errors import WorkError
from boothd.providers.deepseek import Deepseek, DeepseekOptions
from boothd.providers.interfaces import Direction, Preset
from tests.providers.openai_images.cloud_bench import Bench


def deepseek(bench: Bench, **settings: Any) -> Deepseek:
    """The provider on its fake, or at another `base_url`."""
    made: Deepseek = bench.provider(Deepseek, **settings)
    return made


def preset(prompt: str = "a pirate", effect: str = "prompt", **more: Any) -> Preset:
    """A slot whose renderer is the studio."""
    own = Preset("deepseek", effect, prompt=prompt, options=DeepseekOptions(), **more)
    return replace(own, renderer=replace(own, provider="studio"))


async def directed(bench: Bench, prompt: str = "a pirate", **settings: Any) -> Direction:
    """One direction; nothing may be left of it on the disk."""
    direction = await deepseek(bench, **settings).direct(bench.photo(), preset(prompt), bench.call())
    assert bench.left() == set()
    return direction


async def failed(bench: Bench, prompt: str, **settings: Any) -> WorkError:
    """What a direction raises; nothing may be left of it."""
    with pytest.raises(WorkError) as caught:
        await deepseek(bench, **settings).direct(bench.photo(), preset(prompt), bench.call())
    assert bench.left() == set()
    assert "good-1" not in caught.value.message
    return caught.value
