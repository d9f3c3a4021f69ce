"""Files that change: watchdog's events, brought into the reactor and gathered."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from boothd.base.clock import Clock, Timer, cancel
from boothd.base.threads import Threads

_CHANGES = {"created", "modified", "moved", "closed", "deleted"}
LONGEST_S = 2.0
"""So long at most is a change kept back while others go on."""


class Watch:
    """Calls `changed(paths)` in the reactor thread once nothing more has happened for `quiet_s` seconds, `LONGEST_S` at most.

    folders: watched without what lies below them; trees: with it, also what comes later. What does not exist is left out.
    A change before `start` is over may be missed."""

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

    async def start(self) -> None:
        """Raises OSError when the system has no watches left."""
        self._observer = observer = Observer()
        observer.daemon = True
        handler = _Handler(lambda path: self._reactor.callFromThread(self._happened, path))
        for recursive, folders in ((False, self._folders), (True, self._trees)):
            for folder in folders:
                if folder.is_dir():
                    observer.schedule(handler, str(folder), recursive=recursive)
        await self._threads.run(observer.start)

    async def stop(self) -> None:
        observer, self._observer = self._observer, None
        cancel(self._timer)
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                await self._threads.run(observer.join)

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
