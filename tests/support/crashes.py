"""Does one thing with a spool in a process that ends at a given moment of its disk; run as a script by test_crashes.

For every moment of a scenario a child is forked: it works in a home of its own, under a real reactor, on a `CrashingDisk`.
What the child was promised it notes in the home's `promised`, which a real booth would be the place for. Prints how many
moments the scenario has.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred

from boothd.base.threads import Threads
from boothd.spool import Job, Spool, State
from boothd.spool.journal import Retried
from tests.support.clock import FakeClock
from tests.support.disk import CRASHED, CrashingDisk
from tests.support.spools import (
    AT,
    accept,
    answered,
    attempt,
    ended,
    finished,
    make_spool,
    result,
    write_result,
)

Promise = Callable[[str], None]
Scenario = Callable[[Spool, CrashingDisk, Promise], Awaitable[None]]


async def arrive(spool: Spool, disk: CrashingDisk, promise: Promise) -> None:
    """A photo is accepted."""
    disk.armed = True
    await accept(spool)
    promise("accepted")


async def _accepted(spool: Spool, disk: CrashingDisk, promise: Promise) -> Job:
    job = await accept(spool)
    promise("accepted")
    disk.armed = True
    return job


async def finish(spool: Spool, disk: CrashingDisk, promise: Promise) -> None:
    """A photo is worked on, its result kept, the job filed under done."""
    job = await _accepted(spool, disk, promise)
    await spool.append(job, attempt())
    promise("attempt")
    made = write_result(job)
    await spool.keep_file(job, "result.jpg", ended(), made)
    promise("result")
    await spool.move(job, State.DONE, answered(), finished())
    promise("done")


async def fail(spool: Spool, disk: CrashingDisk, promise: Promise) -> None:
    """A photo fails and is filed under trash."""
    job = await _accepted(spool, disk, promise)
    (job.directory / "answer-1").write_bytes(b"half an answer")
    await spool.move(job, State.TRASH, answered(422, "refused"), finished("refused"))
    promise("trash")


async def retry(spool: Spool, disk: CrashingDisk, promise: Promise) -> None:
    """A photo comes back from the trash and is finished."""
    job = await accept(spool)
    promise("accepted")
    await spool.move(job, State.TRASH, finished("refused"))
    disk.armed = True
    await spool.move(job, State.ACTIVE, Retried(at=AT))
    made = write_result(job)
    await spool.keep_file(job, "result.jpg", made)
    promise("result")
    await spool.move(job, State.DONE, finished())
    promise("done")


async def share(spool: Spool, disk: CrashingDisk, promise: Promise) -> None:
    """A photo gets another one's result."""
    other = await accept(spool)
    write_result(other)
    await spool.keep_file(other, "result.jpg", result())
    await spool.move(other, State.DONE, finished())
    job = await _accepted(spool, disk, promise)
    await spool.link_file(job, "result.jpg", other, "result.jpg", result())
    promise("result")


async def throw_away(spool: Spool, disk: CrashingDisk, promise: Promise) -> None:
    """An upload is discarded."""
    disk.armed = True
    incoming = spool.receive()
    incoming.write(b"\xff\xd8\xff\xe0" + bytes(100_000))
    await incoming.close()
    incoming.discard()
    await spool.stop()


SCENARIOS: dict[str, Scenario] = {s.__name__: s for s in (arrive, finish, fail, retry, share, throw_away)}


def work(home: Path, scenario: Scenario, moment: int) -> int:
    """In the child: 0 when the scenario was over before the moment came; 1 when it failed."""
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    disk, threads = CrashingDisk(moment), Threads(reactor, "disk", 2)
    spool = make_spool(home, disk, threads, FakeClock())
    failed = []

    def promise(what: str) -> None:
        with (home / "promised").open("a") as file:
            file.write(f"{what}\n")

    async def run() -> None:
        try:
            await spool.start()
            await scenario(spool, disk, promise)
            await spool.stop()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            reactor.callLater(0, reactor.stop)

    reactor.callWhenRunning(lambda: ensureDeferred(run()))
    reactor.run(installSignalHandlers=False)
    threads.stop()
    return 1 if failed else 0


def main(root: Path, name: str) -> None:
    moment = 0
    while True:
        home = root / str(moment)
        home.mkdir()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = work(home, SCENARIOS[name], moment)
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status not in {0, CRASHED}:
            sys.exit(f"{name} failed at moment {moment}")
        if status == 0:
            break
        moment += 1
    sys.stdout.write(str(moment))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
