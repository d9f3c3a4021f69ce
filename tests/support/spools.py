"""Spools for tests, and what goes into them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from boothd.base.clock import Clock
from boothd.base.errors import Charged
from boothd.base.threads import Threads
from boothd.spool import Disk, Incoming, Job, Spool
from boothd.spool.journal import Answered, Attempt, AttemptEnded, Finished, Received, Result

AT = datetime(2026, 11, 20, 18, 0, 1, tzinfo=UTC)
PHOTO = b"\xff\xd8\xff\xe0" + Random(7).randbytes(100_000)
PICTURE = b"\xff\xd8\xff\xe0" + Random(8).randbytes(50_000)


def make_spool(home: Path, disk: Disk, threads: Threads, clock: Clock, seed: int = 1) -> Spool:
    return Spool(
        home / "spool",
        home / "trash",
        disk=disk,
        threads=threads,
        clock=clock,
        random=Random(seed),
        day_of=lambda when: when.date(),
        floor_bytes=lambda: 0,
    )


def received_for(incoming: Incoming) -> Received:
    arrived = incoming.arrived
    return Received(
        at=AT,
        room="booth",
        slot="studio-1",
        provider="studio",
        file=arrived.file,
        sha256=arrived.sha256,
        size_bytes=arrived.size_bytes,
        width=40,
        height=30,
        format=arrived.format,
        form=(("user_id", "Acer"),),
    )


async def accept(spool: Spool, photo: bytes = PHOTO) -> Job:
    """Bring a photo all the way into active/."""
    incoming = spool.receive()
    incoming.write(photo)
    await incoming.close()
    return await spool.accept(incoming, received_for(incoming))


def write_result(job: Job, name: str = "result.jpg", picture: bytes = PICTURE) -> Result:
    """A result as the picture threads leave it: written, not durable."""
    (job.directory / name).write_bytes(picture)
    return result(name, picture)


def result(name: str = "result.jpg", picture: bytes = PICTURE, at: datetime = AT, revision: str = "r1") -> Result:
    return Result(
        at=at,
        file=name,
        sha256=hashlib.sha256(picture).hexdigest(),
        size_bytes=len(picture),
        format="JPEG",
        provider="studio",
        model="pencil",
        revision=revision,
    )


def attempt(number: int = 1, paid: bool = True) -> Attempt:
    return Attempt(at=AT, number=number, provider="gemini", model="m", revision="r1", price=Decimal("0.039"), paid=paid)


def ended(number: int = 1, charged: Charged = Charged.YES, outcome: str = "ok") -> AttemptEnded:
    return AttemptEnded(at=AT, number=number, provider="gemini", model="m", outcome=outcome, charged=charged)


def answered(status: int = 200, code: str = "ok") -> Answered:
    return Answered(at=AT, status=status, code=code)


def finished(code: str = "ok") -> Finished:
    return Finished(at=AT, code=code)


def below(home: Path, *places: str) -> list[str]:
    """Every file and folder in these folders of a home, as texts."""
    found: list[str] = []
    for place in places:
        found += sorted(str(p.relative_to(home)) for p in (home / place).rglob("*"))
    return found


def all_jobs(home: Path) -> Sequence[Path]:
    """The directories of all jobs, wherever they lie."""
    return [
        p for p in [*home.glob("spool/active/*"), *home.glob("spool/done/*/*"), *home.glob("trash/*/*")] if p.is_dir()
    ]
