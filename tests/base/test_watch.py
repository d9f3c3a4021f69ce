"""Files that change are told of, also after their folder was taken away and put back."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from boothd.base.clock import Clock
from boothd.base.threads import Threads
from boothd.base.watch import Watch
from tests.support.deferreds import until


class Told:
    """A watch on `home/etc`, with all below it, and what it has told."""

    def __init__(self, home: Path, threads: Threads) -> None:
        from twisted.internet import reactor as _reactor  # noqa: TID251

        reactor: Any = _reactor
        self.etc = home / "etc"
        (self.etc / "slots").mkdir(parents=True)
        self.write("boothd.yaml", "one")
        self.paths: set[Path] = set()
        self.watch = Watch(
            [], self.paths.update, reactor=reactor, clock=Clock(reactor), threads=threads, quiet_s=0, trees=[self.etc]
        )

    def write(self, name: str, text: str) -> Path:
        path = self.etc / name
        path.write_text(text)
        return path

    async def of(self, *paths: Path) -> None:
        """Wait until it has told of these."""
        await until(lambda: self.paths >= set(paths))
        self.paths.clear()


@pytest.fixture
def told(tmp_path: Path, disk_threads: Threads) -> Iterator[Told]:
    told = Told(tmp_path, disk_threads)
    pytest_twisted.blockon(Deferred.fromCoroutine(told.watch.start()))
    yield told
    pytest_twisted.blockon(Deferred.fromCoroutine(told.watch.stop()))


@pytest_twisted.ensureDeferred
async def test_a_change_is_told_of_also_in_a_folder_that_came_later(told: Told) -> None:
    await told.of(told.write("boothd.yaml", "two"))
    await told.of(told.write("slots/studio.yaml", "three"))
    (told.etc / "providers").mkdir()
    await told.of(told.write("providers/gemini.yaml", "four"))


@pytest_twisted.ensureDeferred
async def test_a_folder_that_was_put_back_is_watched_again(told: Told) -> None:
    for _ in range(3):
        shutil.copytree(told.etc, told.etc.with_name("backup"), dirs_exist_ok=True)
        shutil.rmtree(told.etc)
        shutil.copytree(told.etc.with_name("backup"), told.etc)
        await told.of(told.etc / "boothd.yaml")
        await told.of(told.write("boothd.yaml", "an edit after that"))


@pytest_twisted.ensureDeferred
async def test_a_folder_that_was_exchanged_by_renaming_is_watched_again(told: Told) -> None:
    shutil.copytree(told.etc, told.etc.with_name("new"))
    told.etc.rename(told.etc.with_name("old"))
    told.etc.with_name("new").rename(told.etc)
    await told.of(told.etc / "boothd.yaml")
    await told.of(told.write("boothd.yaml", "an edit after that"))
