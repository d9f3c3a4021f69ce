"""What the tests of the engine share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.support.engine import CountedThreads, FaultyDisk, World
from tests.support.scripted.fixture import scripted, scripted_process

__all__ = ["scripted", "scripted_process"]


@pytest.fixture(scope="session")
def threads() -> Iterator[tuple[CountedThreads, CountedThreads]]:
    """For the disk and for pictures."""
    from twisted.internet import reactor  # noqa: TID251

    pools = CountedThreads(reactor, "disk", 4), CountedThreads(reactor, "pictures", 2)
    yield pools
    for pool in pools:
        pool.stop()


@pytest.fixture
def faulty() -> FaultyDisk:
    """The world's disk."""
    return FaultyDisk()


@pytest_twisted.async_yield_fixture()
async def world(
    tmp_path: Path, threads: tuple[CountedThreads, CountedThreads], faulty: FaultyDisk
) -> AsyncIterator[World]:
    made = await World.make(tmp_path, *threads, faulty)
    yield made
    await made.close()
