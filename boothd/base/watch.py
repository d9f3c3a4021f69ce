"""Files that change: watchdog's events, brought into the reactor and gathered."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from boothd.base.aio import Background
from boothd.base.clock import Clock, Timer, cancel
from boothd.base.threads import Threads

_CHANGES = {"created", "modified", "moved", "closed", "deleted"}
LONGEST_S = 2.0
"""So long at most is a change kept back while others go on."""


class Watch:
    """Calls `changed(paths)` in the reactor thread once nothing more has happened for `quiet_s` seconds, `LONGEST_S` at most.

    folders: watched without what lies below them; trees: with it, also what comes later. What does not exist is left out;
    a tree that is taken away and put back (a restored backup) is watched again, and all its files count as changed. A
    change before `start` is over may be missed."""

    log = Logger()

    def __init__(
        self,
        folders: Sequence[Path],
        changed: Callable[[frozenset[Path]], None],
        *,
        reactor: Any,
        clock: Clock,
        threads: Threads,
        quiet_s: float = 0.3,
        trees: Sequence[Path] = (),
    ) -> None:
        self._folders, self._trees, self._changed, self._quiet_s = folders, trees, changed, quiet_s
        self._reactor, self._clock, self._threads = reactor, clock, threads
        self._observer: BaseObserver | None = None
        self._paths: set[Path] = set()
        self._timer: Timer | None = None
        self._first_s = 0.0
        self._watches: dict[Path, ObservedWatch] = {}
        self._background = Background()

    async def start(self) -> None:
        """Raises OSError when the system has no watches left."""
        self._observer = observer = Observer()
        observer.daemon = True
        self._handler = _Handler(lambda path: self._reactor.callFromThread(self._happened, path))
        for recursive, folders in ((False, self._folders), (True, self._trees)):
            for folder in folders:
                if folder.is_dir():
                    self._watches[folder] = observer.schedule(self._handler, str(folder), recursive=recursive)
        for parent in {tree.parent for tree in self._trees} - {*self._folders}:
            if parent.is_dir():
                observer.schedule(_Arrivals(frozenset(self._trees), self._tree_came), str(parent), recursive=False)
        await self._threads.run(observer.start)

    async def stop(self) -> None:
        observer, self._observer = self._observer, None
        cancel(self._timer)
        await self._background.stop()
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                await self._threads.run(observer.join)

    def _tree_came(self, tree: Path) -> None:
        """In watchdog's thread."""
        self._reactor.callFromThread(lambda: self._background.start("watch a folder again", self._again(tree)))

    async def _again(self, tree: Path) -> None:
        observer = self._observer
        if observer is not None:
            for path in await self._threads.run(self._watch_anew, observer, tree):
                self._happened(path)
            self.log.info("{tree} was put back; it is watched again", tree=str(tree))

    def _watch_anew(self, observer: BaseObserver, tree: Path) -> list[Path]:
        """In a thread. The old watch sees the folder that was taken away."""
        old = self._watches.pop(tree, None)
        if old is not None:
            with suppress(KeyError):
                observer.unschedule(old)
        self._watches[tree] = observer.schedule(self._handler, str(tree), recursive=True)
        return [path for path in tree.rglob("*") if path.is_file()]

    def _happened(self, path: Path) -> None:
        if self._observer is None:
            return
        now_s = self._clock.seconds()
        if not self._paths:
            self._first_s = now_s
        self._paths.add(path)
        cancel(self._timer)
        left_s = self._first_s + LONGEST_S - now_s
        self._timer = self._clock.callLater(min(self._quiet_s, left_s), self._tell)

    def _tell(self) -> None:
        paths, self._paths = frozenset(self._paths), set()
        self._changed(paths)


class _Arrivals(FileSystemEventHandler):
    """Tells when one of `trees` is made or moved to its place."""

    def __init__(self, trees: frozenset[Path], came: Callable[[Path], None]) -> None:
        self._trees, self._came = trees, came

    def on_any_event(self, event: FileSystemEvent) -> None:
        """In watchdog's thread."""
        if event.is_directory and event.event_type in {"created", "moved"}:
            said = event.dest_path if event.event_type == "moved" else event.src_path
            path = Path(said if isinstance(said, str) else said.decode(errors="surrogateescape"))
            if path in self._trees:
                self._came(path)


class _Handler(FileSystemEventHandler):
    def __init__(self, happened: Callable[[Path], None]) -> None:
        self._happened = happened

    def on_any_event(self, event: FileSystemEvent) -> None:
        """In watchdog's thread."""
        if event.is_directory or event.event_type not in _CHANGES:
            return
        for path in (event.src_path, event.dest_path):
            if path:
                self._happened(Path(path if isinstance(path, str) else path.decode(errors="surrogateescape")))
