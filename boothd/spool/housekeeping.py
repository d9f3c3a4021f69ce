"""What is done again and again: the free space is measured, old days are removed, old results forgotten."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from boothd.base.aio import Background
from boothd.base.clock import Clock
from boothd.config import SpoolConfig
from boothd.spool.index import ResultIndex
from boothd.spool.job import State
from boothd.spool.retention import remove_old_days
from boothd.spool.spool import Spool

MEASURE_EVERY_S = 5.0
CLEAN_EVERY_S = 3600.0


class Housekeeping:
    """One loop per chore; an error of one turn is logged, and the next turn comes all the same."""

    log = Logger()

    def __init__(self, spool: Spool, index: ResultIndex, clock: Clock, config: Callable[[], SpoolConfig]) -> None:
        self._spool, self._index, self._clock, self._config = spool, index, clock, config
        self._background = Background()

    async def start(self) -> None:
        self._background.start("measure", self._every(MEASURE_EVERY_S, self._spool.look_for_room))
        self._background.start("clean", self._every(CLEAN_EVERY_S, self._clean))

    async def stop(self) -> None:
        await self._background.stop()

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except CancelledError:
                raise
            except Exception:  # noqa: BLE001 (logged; a chore must not die of one bad turn)
                self.log.failure("housekeeping failed; it is tried again in {seconds} s", seconds=seconds)
            await self._clock.sleep(seconds)

    async def _clean(self) -> None:
        keep, today = self._config(), self._spool.today()
        for state, keep_s in ((State.DONE, keep.keep_done), (State.TRASH, keep.keep_trash)):
            gone = await remove_old_days(self._spool, state, today, keep_s)
            if gone:
                self.log.info("{days} old days removed from {state}", days=gone, state=state.value)
        self._index.forget_before(self._clock.now() - timedelta(seconds=keep.index))
