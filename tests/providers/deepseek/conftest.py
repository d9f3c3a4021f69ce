"""What these tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boothd.base.threads import Threads
from tests.providers.openai_images.cloud_bench import Bench, bench_of
from tests.support.clock import FakeClock


@pytest.fixture
def bench(clock: FakeClock, disk_threads: Threads, picture_threads: Threads, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("deepseek", clock, disk_threads, picture_threads, tmp_path) as made:
        yield made
