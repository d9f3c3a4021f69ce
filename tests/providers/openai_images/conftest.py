"""What these tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boothd.base.threads import Threads
from tests.providers.openai_images.cloud_bench import Bench, bench_of
from tests.support.clock import SkippingClock


@pytest.fixture
def clock() -> SkippingClock:
    """Pauses between two tries of a link take no time."""
    return SkippingClock()


@pytest.fixture
def bench(clock: SkippingClock, disk_threads: Threads, picture_threads: Threads, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("openai-images", clock, disk_threads, picture_threads, tmp_path) as made:
        yield made
