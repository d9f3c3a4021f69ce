"""Run as a program: how much does the peak memory of a daemon rise while it receives a photo of 20 MB?

Prints kilobytes. Warm-up uploads first; curl sends, so that the client's memory is not ours."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from twisted.internet import asyncioreactor

SIZE = 20 << 20
HIGH_WATER = 256 << 10


def status_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise KeyError(name)


class DiskSink:
    """Writes in a disk thread, one slice after the other; wants a pause while more than HIGH_WATER waits."""

    def __init__(self, threads: Any, file: IO[bytes]) -> None:
        self._threads, self._file = threads, file
        self._waiting: list[bytes] = []
        self._size = 0
        self._writing = False
        self._resume: Callable[[], None] = lambda: None
        self._idle: Any = None
        self.paused = 0

    def write(self, data: bytes) -> bool:
        from twisted.internet.defer import Deferred

        self._waiting.append(data)
        self._size += len(data)
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._drain())
        self.paused += self._size >= HIGH_WATER
        return self._size < HIGH_WATER

    def on_drain(self, resume: Callable[[], None]) -> None:
        self._resume = resume

    async def _drain(self) -> None:
        while self._waiting:
            pieces, self._waiting, self._size = self._waiting, [], 0
            await self._threads.run(self._file.writelines, pieces)
            del pieces
            self._resume()
        self._writing = False
        if self._idle is not None:
            self._idle.callback(None)

    async def close(self) -> None:
        from twisted.internet.defer import Deferred

        if self._writing:
            self._idle = Deferred()
            await self._idle
        self._file.close()

    def discard(self) -> None:
        self._file.close()


def main(folder: Path) -> None:
    asyncioreactor.install()
    from twisted.internet import reactor as given  # noqa: TID251
    from twisted.internet.task import react
    from twisted.internet.utils import getProcessOutputAndValue

    from boothd.base.threads import Threads
    from tests.http.http_support import FakeRoom, Port

    reactor: Any = given
    run: Any = getProcessOutputAndValue
    photo = folder / "photo.jpg"
    photo.write_bytes(bytes(range(256)) * (SIZE // 256))
    disk = Threads(reactor, "disk", 2)
    sinks: list[DiskSink] = []

    room = FakeRoom()

    class Admission:
        max_size = 30 << 20

        def check_password(self, value: str) -> None: ...

        def sink(self) -> DiskSink:
            sinks.append(DiskSink(disk, open(folder / f"{len(sinks)}.jpg", "wb")))  # noqa: SIM115
            return sinks[-1]

        def lost(self, error: object) -> None:
            raise AssertionError(error)

    room.gate = lambda path, length: Admission()  # type: ignore[method-assign,assignment,return-value]

    async def measure() -> None:
        port = Port(reactor, room, [])
        await port.listener.start()

        async def upload() -> None:
            url = f"http://127.0.0.1:{port.number}/upload/1"
            args = ["-sSf", "-F", "password=123456", "-F", f"fileToUpload=@{photo}", url]
            _, err, code = await run("/usr/bin/curl", args, reactor=reactor)
            if code:
                raise RuntimeError(err)

        for _ in range(3):
            await upload()
        Path("/proc/self/clear_refs").write_text("5")
        before = status_kb("VmHWM")
        await upload()
        after = status_kb("VmHWM")
        whole = all((folder / f"{n}.jpg").read_bytes() == photo.read_bytes() for n in range(4))
        print(after - before, int(whole), sum(sink.paused for sink in sinks))
        await port.stop()
        disk.stop()

    from twisted.internet.defer import Deferred

    react(lambda _: Deferred.fromCoroutine(measure()), [], reactor)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
