"""One job from accepted to outcome: an answer that exists, one on its way, or a flight; then the slot's chain."""

from collections.abc import Mapping
from random import Random
from typing import Literal

from twisted.internet.defer import Deferred

from boothd.base import imaging
from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadRequest, NotAPicture, WorkError
from boothd.base.threads import Threads
from boothd.engine.attempt import Attempts, Resumption
from boothd.engine.flight import Flight
from boothd.engine.order import ORIGINAL, Made, Order
from boothd.engine.services import Service, Services
from boothd.providers.interfaces import Preset
from boothd.spool import Job, Kept, ResultIndex, Spool
from boothd.spool.journal import FellBack, Result, Shared

FALLBACK_S = 6.0
"""What is kept back of the budget for each further provider of a chain."""


class LeftOut(WorkError):
    """The service is not set up, mostly for lack of a key. The status page says why."""

    code = "left-out"


class _Gone(Exception):
    """A result that was known is not on the disk any more."""


class Engine:
    """services: the providers that work, by name; looked up anew for every photo. reserve_s: of every budget, for checking,
    encoding and the reply. left_out: the providers that cannot work, with the reason."""

    def __init__(
        self,
        spool: Spool,
        index: ResultIndex,
        services: Services,
        attempts: Attempts,
        pictures: Threads,
        clock: Clock,
        random: Random,
        *,
        reserve_s: float,
        left_out: Mapping[str, str],
    ) -> None:
        self._spool, self._index, self.services, self._attempts = spool, index, services, attempts
        self._left_out = left_out
        self._pictures, self._clock, self._random = pictures, clock, random
        self.reserve_s = reserve_s
        self._background = Background()
        self._flights: dict[tuple[str, str], Flight] = {}
        self._led_by: dict[str, Flight] = {}

    async def stop(self) -> None:
        """End what is in the air. A paid call's journal stays open, and the next start takes it up."""
        await self._background.stop()

    async def run(self, order: Order) -> Made:
        """Get a picture for `order` within its budget; it lies in the job's directory, durable.

        Raises the last WorkError of the chain; DiskFull or SpoolUnhealthy when nothing can be kept. Afterwards the job may
        still lead a flight (`flight_of`): then it must not be moved before that has landed."""
        fallbacks: list[str] = []
        for place, preset in enumerate(order.presets):
            to_come = [p.provider for p in order.presets[place + 1 :]] + [ORIGINAL] * order.original
            kept_back_s = FALLBACK_S * len(order.presets[place + 1 :]) + self.reserve_s * order.original
            try:
                result, cached = await self._picture(order, preset, order.budget.less(kept_back_s))
                return Made(result, cached, tuple(fallbacks))
            except WorkError as error:
                if not to_come:
                    raise
                fallbacks.append(preset.provider)
                await self._spool.append(
                    order.job,
                    FellBack(
                        at=self._clock.now(),
                        provider=preset.provider,
                        to=to_come[0],
                        code=error.code,
                        message=error.message,
                    ),
                )
        return Made(await self._original(order), False, tuple(fallbacks))

    def flight_of(self, job: Job) -> Flight | None:
        """The last flight that this job leads, while it or an earlier one of the job is in the air."""
        flight = self._led_by.get(job.id)
        return flight if flight is not None and flight.in_the_air else None

    def resume(self, order: Order, resumption: Resumption) -> Flight:
        """Take up a call of an earlier run of boothd. Raises BadRequest when its provider is not there any more."""
        preset = order.presets[0]
        service = self._service(preset.renderer or preset)
        return self._take_off(order, preset, service, order.budget, resumption=resumption)

    async def _picture(self, order: Order, preset: Preset, budget: Budget) -> tuple[Result, bool]:
        service, director = self._service(preset), None
        if preset.renderer is not None:
            service, director = self._service(preset.renderer), service
        key = (order.photo.sha256, preset.revision)
        if not order.fresh:
            kept = self._index.find(*key)
            if kept is not None:
                result = await self._share(order, kept, "exists")
                if result is not None:
                    return result, True
                if self._index.find(*key) is kept:
                    self._index.forget(*key)
            flight = self._flights.get(key)
            if flight is not None and flight.open:
                result = await self._share(order, await flight.join(budget), "on its way")
                if result is not None:
                    return result, True
        flight = self._take_off(order, preset, service, budget, director)
        return (await flight.join(budget)).result, False

    def _service(self, preset: Preset) -> Service:
        service = self.services.get(preset.provider)
        if service is None:
            reason = self._left_out.get(preset.provider, "it is not set up")
            raise LeftOut(f"{preset.provider} is left out: {reason}.")
        if preset.effect not in {effect.name for effect in service.provider.effects}:
            raise BadRequest(f"{preset.provider} has no effect called {preset.effect!r}.")
        return service

    def _take_off(
        self,
        order: Order,
        preset: Preset,
        service: Service,
        budget: Budget,
        director: Service | None = None,
        resumption: Resumption | None = None,
    ) -> Flight:
        # What was asked for before a restart may be another preset than the slot's now.
        revision = preset.revision if resumption is None else resumption.revision
        key, job = (order.photo.sha256, revision), order.job
        flight = Flight(
            order,
            preset,
            service,
            self._attempts,
            budget,
            clock=self._clock,
            random=self._random,
            reserve_s=self.reserve_s,
            director=director,
            resumption=resumption,
            earlier=self.flight_of(job),
        )
        self._flights[key] = self._led_by[job.id] = flight

        def over(_: object) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if self.flight_of(job) is None:
                self._led_by.pop(job.id, None)

        ended: Deferred[None] = flight.take_off(self._background)
        ended.addBoth(over)
        return flight

    async def _share(self, order: Order, kept: Kept, how: Literal["exists", "on its way"]) -> Result | None:
        """Give the order's job another job's result; None when that is gone from the disk."""
        try:
            with order.tally.result_name(kept.path.suffix) as name:
                result = kept.result.model_copy(
                    update={"at": self._clock.now(), "file": name, "wait_ms": 0.0, "work_ms": 0.0, "encode_ms": 0.0}
                )
                shared = Shared(at=self._clock.now(), job=kept.job.id, provider=result.provider, how=how)
                if not await self._spool.link_file(order.job, name, kept.job, kept.result.file, shared, result):
                    raise _Gone
                return result
        except _Gone:
            return None

    async def _original(self, order: Order) -> Result:
        """The guest's own photo as the answer, in the slot's format and size. Raises WorkError when it is broken."""
        preset = order.presets[0]
        began_s = self._clock.seconds()
        with order.tally.result_name(imaging.EXTENSIONS[preset.format]) as name:
            try:
                with self._spool.guard():
                    written = await self._pictures.run(
                        imaging.copy_as, order.photo.path, order.job.directory / name, preset.format, preset.size
                    )
            except NotAPicture as error:
                raise WorkError(f"Not even the original can be sent: {error.message}") from error
            result = Result(
                at=self._clock.now(),
                file=name,
                sha256=written.sha256,
                size_bytes=written.size_bytes,
                format=preset.format,
                provider=ORIGINAL,
                model=ORIGINAL,
                revision="",
                encode_ms=round((self._clock.seconds() - began_s) * 1000, 1),
            )
            await self._spool.keep_file(order.job, name, result)
            return result
