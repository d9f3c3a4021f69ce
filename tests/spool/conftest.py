"""What the tests of the spool share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted

from boothd.base.threads import Threads
from boothd.spool import Spool
from tests.support.clock import FakeClock
from tests.support.disk import FailingDisk
from tests.support.spools import make_spool


@pytest.fixture
def disk() -> FailingDisk:
    """The spool's disk: it takes notes, and fails when told to."""
    return FailingDisk()


@pytest_twisted.async_yield_fixture()
async def spool(tmp_path: Path, disk: FailingDisk, disk_threads: Threads, clock: FakeClock) -> AsyncIterator[Spool]:
    made = make_spool(tmp_path, disk, disk_threads, clock)
    await made.start()
    disk.steps.clear()
    yield made
    disk.let_go()
    await made.stop()
