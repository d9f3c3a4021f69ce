"""A provider on its fake, for tests: the fake's side (ledger, calls, control) and ours (photos, calls)."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import Site

from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.providers.interfaces import Call, Reference
from tests.sandbox.fakes_support import Client, client_of, photo, scene, wait_for
from tests.support.clock import FakeClock
from tests.support.tools import Workbench, make_call, photo_of


class Canned(Resource):
    """A server that answers every request with the same body. heads: the headers of what was asked.

    files: what else lies there, by its path."""

    isLeaf = True

    def __init__(self, reactor: Any, body: bytes, status: int) -> None:
        super().__init__()
        self.body, self._status = body, status
        self.heads: list[dict[str, str]] = []
        self.files: dict[str, bytes] = {}
        self._port = reactor.listenTCP(0, Site(self, timeout=None), interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self._port.getHost().port}"

    def render(self, request: Any) -> bytes:
        if (file := self.files.get(request.path.decode())) is not None:
            return file
        heads = request.requestHeaders.getAllRawHeaders()
        self.heads.append({name.decode().lower(): values[0].decode() for name, values in heads})
        request.setResponseCode(self._status)
        return self.body

    async def stop(self) -> None:
        await self._port.stopListening()


class Bench:
    """fake: talks to the fake as its operator does. clock: ours; the fake has its own."""

    def __init__(
        self, reactor: Any, fake: Client, clock: FakeClock, disk: Threads, pictures: Threads, job: Path
    ) -> None:
        self._reactor, self._disk, self._pictures = reactor, disk, pictures
        self._workbenches: list[Workbench] = []
        self._canned: list[Canned] = []
        self._calls = 0
        self.fake, self.clock, self.job = fake, clock, job

    def provider(self, kind: Any, *, keys: tuple[str, ...] = ("good-1",), path: str = "", **settings: Any) -> Any:
        """A provider of the fake. path: what its base_url has after the port."""
        workbench = Workbench(self._reactor, self.clock, self._disk, self._pictures, keys=keys)
        self._workbenches.append(workbench)
        made = kind.Settings.model_validate({"base_url": self.fake.url + path, **settings})
        return kind(made, workbench.tools)

    def canned(self, body: Any, status: int = 200) -> Canned:
        """A server that only ever says `body`: bytes, or what becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._canned.append(Canned(self._reactor, data, status))
        return self._canned[-1]

    def call(self, seconds: float = 30.0) -> Call:
        self._calls += 1
        return make_call(self.clock, self.job, seconds=seconds, number=self._calls).call

    def photo(self, data: bytes = b"") -> Photo:
        return photo_of(self._written("source", data or photo()))

    def reference(self, number: int = 1, data: bytes = b"") -> Reference:
        path = self._written(f"scene-{number}", data or scene())
        return Reference(path, hashlib.sha256(path.read_bytes()).hexdigest())

    def left(self) -> set[str]:
        """The names of what calls have left in the job's folder."""
        return {path.name for path in self.job.iterdir()}

    async def settled(self) -> None:
        """Wait until the picture threads have done what they were given: theirs are two."""
        both = Barrier(3)
        waiting = [Deferred.fromCoroutine(self._pictures.run(both.wait)) for _ in range(2)]
        await self._disk.run(both.wait)
        for one in waiting:
            await one

    async def last(self) -> Any:
        """What the fake noted of the last paid call."""
        return (await self.fake.ask("calls"))[-1]

    async def close(self) -> None:
        for workbench in self._workbenches:
            await workbench.close()
        for canned in self._canned:
            await canned.stop()
        await self.fake.running.stop()

    def _written(self, name: str, data: bytes) -> Path:
        path = self.job.parent / name
        path.write_bytes(data)
        return path


@contextmanager
def bench_of(name: str, clock: FakeClock, disk: Threads, pictures: Threads, home: Path) -> Iterator[Bench]:
    """A bench on the fake `name`."""
    from twisted.internet import reactor  # noqa: TID251

    job, clients = home / "job", Threads(reactor, "clients", 8)
    job.mkdir()
    bench = Bench(reactor, client_of(reactor, clients, name), clock, disk, pictures, job)
    yield bench
    wait_for(Deferred.fromCoroutine(bench.close()))
    clients.stop()
