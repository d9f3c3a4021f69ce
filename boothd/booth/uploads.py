"""The booth's upload route: DSLR Remote Pro posts a guest's photo and gets the picture back in the same reply.

Protocol: a multipart POST with text fields, `password` and one file (`fileToUpload`); the reply is the bare picture with
status 200. Source: the customer's recorded request of DSLR Remote Pro 3.30.2 for Windows.
"""

import hmac
import re
from collections.abc import Callable, Coroutine
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from boothd.base import imaging
from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.errors import (
    BoothdError,
    Draining,
    NoFile,
    NoSuchSlot,
    OutOfTime,
    RequestError,
    TooLarge,
    WrongPassword,
)
from boothd.base.units import size_text
from boothd.booth.desk import Arrival, ClientGone, Desk
from boothd.booth.slots import LiveSlot
from boothd.engine.order import Made, Tally
from boothd.engine.stats import Stats
from boothd.http import FileBody, Reply, Route, Upload
from boothd.spool import Incoming, Job, State
from boothd.spool.journal import Answered, Received, ReplyLost

_LINK = re.compile(r"/upload/([a-z0-9-]+)/(\d{1,2})/([^/]+)")


def upload_path(slot: LiveSlot) -> str:
    """The path of a slot's upload link."""
    return f"/upload/{slot.provider}/{slot.number}/{slot.slot.key}"


class Counter:
    """The front of the booth: lets uploads in and answers them.

    password: the upload password at this moment; while it is empty nothing is let in."""

    log = Logger()

    def __init__(self, desk: Desk, stats: Stats, password: Callable[[], str]) -> None:
        self._desk, self._stats, self._password = desk, stats, password
        self._background = Background()
        self.draining = False

    def routes(self) -> list[Route]:
        path = "/upload/<provider>/<int:number>/<key>"
        return [Route(("POST",), path, "booth.upload", self._answer, login=False)]

    async def close_doors(self) -> None:
        """From now on new uploads are told that boothd is shutting down."""
        self.log.info("shutting down; uploads being answered: {count}", count=len(self._background.names))
        self.draining = True

    async def wait_until_empty(self) -> None:
        """Wait until every visit has been filed."""
        await self._background.idle()

    def admit(self, path: str, length: int | None) -> "UploadAdmission | None":
        """Judge an upload by its headers; see `boothd.http.Gate`."""
        if not path.startswith("/upload/"):
            return None
        try:
            return self._admit(path, length)
        except RequestError as error:
            self._stats.count_upload(error.code)
            raise

    def _admit(self, path: str, length: int | None) -> "UploadAdmission":
        match = _LINK.fullmatch(path)
        if match is None:
            raise NoSuchSlot()
        self._desk.book().find(match[1], int(match[2]), match[3])
        if self.draining:
            raise Draining()
        limit = self._desk.config().upload.max_size
        if length is not None and length > limit:
            raise TooLarge(f"The upload has {size_text(length)}; boothd takes at most {size_text(limit)}.")
        self._desk.spool.check_room(length or 0)
        return UploadAdmission(self._desk, self._stats, self._password(), limit)

    async def _answer(self, request: Any, provider: str, number: int, key: str) -> Reply:
        upload, request.upload = request.upload, None  # hundreds wait at the same time: hold nothing twice
        if upload is None:
            raise NoFile("Send the photo as a multipart form, in the field fileToUpload.")
        incoming = cast(Incoming, upload.sink)  # what our admission gave
        try:
            slot = self._desk.book().find(provider, number, key)
        except NoSuchSlot as error:  # the slot was changed while the photo came
            incoming.discard()
            self._stats.count_upload(error.code)
            raise
        visit = Visit(self._desk, self._stats, upload.started_s, slot)
        arriving = visit.accept(upload, incoming)
        del upload, incoming
        reply: Deferred[Reply] = Deferred()

        def over(outcome: object) -> None:
            self._background.start("end a visit", visit.reply_over(lost=isinstance(outcome, Failure)))

        request.notifyFinish().addBoth(over)
        self._background.start("answer an upload", visit.run(arriving, reply))
        try:
            return await visit.budget.limit(reply)
        except OutOfTime as error:
            visit.leave(OutOfTime())
            error.job = visit.job
            raise
        except CancelledError:
            visit.leave(ClientGone())
            raise


class UploadAdmission:
    """What the booth says to an upload at its headers."""

    def __init__(self, desk: Desk, stats: Stats, password: str, max_size: int) -> None:
        self._desk, self._stats, self._password = desk, stats, password
        self.max_size = max_size

    def check_password(self, value: str) -> None:
        if self._password and not value:
            raise WrongPassword("No password came. It goes into the form's field “password”.")
        if not self._password or not hmac.compare_digest(self._password.encode(), value.encode()):
            raise WrongPassword()

    def sink(self) -> Incoming:
        return self._desk.spool.receive()

    def lost(self, error: RequestError | None) -> None:
        self._stats.count_upload(ClientGone.code if error is None else error.code)


class Visit:
    """One upload from its last byte to its reply.

    It runs on even when its client leaves: an accepted job always ends under done or trash."""

    log = Logger()

    def __init__(self, desk: Desk, stats: Stats, started_s: float, slot: LiveSlot) -> None:
        self._desk, self._stats, self._started_s, self._slot = desk, stats, started_s, slot
        config, clock = desk.config().budget, desk.clock
        starts_s = started_s if config.starts == "first-byte" else clock.seconds()
        self.budget = Budget(clock, starts_s + config.total)
        self._working: Deferred[Made] | None = None
        self._left: BoothdError | None = None
        self._job: Job | None = None
        self._received: Received | None = None
        self._tally = Tally(slot.slot.paid_attempts)
        self._answered_ok = False
        self._over: Deferred[None] = Deferred()  # nothing more is done for the reply
        self._delivered: Deferred[None] = Deferred()  # the connection is done with the reply

    @property
    def job(self) -> str | None:
        """The job's id, once there is one."""
        return None if self._job is None else self._job.id

    def leave(self, why: BoothdError) -> None:
        """The client is gone, or has been told that time is over."""
        self._left = self._left or why
        if self._working is not None:
            self._working.cancel()

    async def reply_over(self, *, lost: bool) -> None:
        """The connection is done with the reply. lost: it broke; worth a line if a picture was on it."""
        try:
            await self._over  # the job's directory does not move any more while the line is written
            if lost and self._job is not None and self._answered_ok:
                await self._desk.spool.append(self._job, ReplyLost(at=self._desk.clock.now()))
        finally:
            self._delivered.callback(None)

    async def run(self, arriving: "Coroutine[Any, Any, tuple[Job, Received]]", reply: "Deferred[Reply]") -> None:
        """Answer the upload that `arriving` (`accept`) brings."""
        try:
            answer = await self._run(*await arriving)
        except BoothdError as error:
            error.job = self.job
            _fail(reply, error)
        except Exception:  # noqa: BLE001 (a defect of ours: logged with the job's id, and the booth gets its answer)
            self.log.failure("{job}: answering an upload failed", job=self.job or "no job yet")
            failed = BoothdError("Something went wrong inside boothd; its log says what.")
            failed.job = self.job
            _fail(reply, failed)
            await self._file_after(failed)
        else:
            if not reply.called:
                reply.callback(answer)
        finally:
            self._over.callback(None)

    async def _file_after(self, failed: BoothdError) -> None:
        if self._job is not None and self._received is not None and self._job.state is State.ACTIVE:
            await self._close_failed(self._job, self._received, failed)

    async def _close_failed(self, job: Job, received: Received, error: BoothdError) -> None:
        told = self._told(error.status, error)
        await self._desk.close_failed(job, error, self._tally.charged, answered=told, received=received)

    async def _run(self, job: Job, received: Received) -> Reply:
        self._job, self._received = job, received
        try:
            made = await self._make(job, received, self._tally)
        except BoothdError as error:
            await self._close_failed(job, received, error)
            raise
        self._answered_ok = True
        await self._desk.close_ok(job, self._told(200, None), self._delivered)
        return self._picture(job, received, made)

    async def accept(self, upload: Upload, incoming: Incoming) -> tuple[Job, Received]:
        """Make a job of the upload. Raises RequestError, counted."""
        now_s = self._desk.clock.seconds()
        arrival = Arrival(
            room="booth",
            name=upload.filename,
            form=upload.form,
            query=upload.query,
            receive_ms=round((now_s - upload.started_s) * 1000, 1),
        )
        try:
            return await self._desk.accept(incoming, self._slot, arrival)
        except RequestError as error:
            self._stats.count_upload(error.code)
            raise

    async def _make(self, job: Job, received: Received, tally: Tally) -> Made:
        if self._left is not None:
            raise self._left
        self._working = Deferred.fromCoroutine(self._desk.make(job, received, self._slot, self.budget, tally=tally))
        try:
            return await self._working
        except CancelledError:
            raise (self._left or ClientGone()) from None
        finally:
            self._working = None

    def _told(self, status: int, error: BoothdError | None) -> Answered:
        took_s = self._desk.clock.seconds() - self._started_s
        return Answered(
            at=self._desk.clock.now(),
            status=status,
            code="ok" if error is None else error.code,
            message="" if error is None else error.message,
            seconds=round(took_s, 3),
        )

    def _picture(self, job: Job, received: Received, made: Made) -> Reply:
        result = made.result
        headers = {
            "Content-Type": imaging.MEDIA_TYPES[result.format],
            "X-Boothd-Job": job.id,
            "X-Boothd-Made-By": result.provider,
            "Server-Timing": f"receive;dur={received.receive_ms:.1f}, wait;dur={result.wait_ms:.1f}, "
            f"work;dur={result.work_ms:.1f}, encode;dur={result.encode_ms:.1f}",
        }
        if made.fallbacks:
            headers["X-Boothd-Fell-Back"] = ", ".join(made.fallbacks)
        if made.cached:
            headers["X-Boothd-Cached"] = "yes"
        return Reply(200, headers, FileBody(job.directory / result.file))


def _fail(reply: "Deferred[Reply]", error: Exception) -> None:
    if not reply.called:  # else the client has left, or has been told that time is over
        reply.errback(error)
