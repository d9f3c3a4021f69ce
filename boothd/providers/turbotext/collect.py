"""Waiting for a queue entry's result: polling and the webhook race each other.

The entry is paid for, so nothing but a definite answer, or the end of the time, ends the waiting."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadAnswer, Charged, WorkError
from boothd.providers.common.paid import Remaining
from boothd.providers.turbotext import result
from boothd.providers.turbotext.webhook import Webhook

UNKNOWN_S = 20.0
"""A new queue number may be unknown for so long."""

POLL_S = 15.0
"""A poll that takes longer is given up; the next one is asked on a new connection."""

LONGEST_PAUSE_S = 10.0
"""Between polls that fail."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A queue entry. number: under which Turbotext knows it. job: for the log."""

    number: str
    job: str


class Collector:
    """Waits for one entry's result and has it fetched.

    poll: asks once. fetch: fetches the picture at an address; raises BadAnswer when it cannot be had."""

    log = Logger()

    def __init__(
        self,
        entry: Entry,
        clock: Clock,
        budget: Budget,
        poll: Callable[[], Awaitable[Any]],
        webhook: Webhook,
        fetch: Callable[[str], Awaitable[None]],
        poll_s: float,
    ) -> None:
        self._entry, self._clock, self._webhook, self._poll, self._fetch = entry, clock, webhook, poll, fetch
        self._time = Remaining(clock, budget)
        self._poll_s = poll_s
        self._failures, self._known = 0, False
        self._unknown_until_s = clock.seconds() + UNKNOWN_S

    async def collect(self, first_pause_s: float) -> None:
        """Return when the picture has been fetched. Raises WorkError."""
        pause_s = first_pause_s
        while True:
            said, by_webhook = await self._hear(pause_s)
            pause_s = self._pause_s
            match said:
                case result.Finished(address):
                    if await self._fetched(address, by_webhook):
                        return
                case result.Failed(error):
                    raise error
                case result.NotKnown(text) if not by_webhook and self._is_lost:
                    raise BadAnswer(f"Turbotext does not know its own queue number: {text}", charged=Charged.YES)

    async def _hear(self, pause_s: float) -> tuple[result.Said, bool]:
        """The next answer, and whether the webhook brought it."""
        await self._webhook.race(self._time.sleep(pause_s))
        said = await self._webhook.race(self._ask())
        if said is None:
            return self._called_back(self._webhook.take()), True
        return said, False

    async def _ask(self) -> result.Said:
        """Poll once; a poll that fails says nothing."""
        try:
            said = await self._time.budget(POLL_S).limit(self._polled())
        except WorkError as error:
            self._time.left_s()
            self._failures += 1
            if self._failures == 1:
                self._warn(error)
            return result.Unclear(error.message)
        self._failures = 0
        read = self._read(said)
        self._known = self._known or isinstance(read, result.Waiting)
        return read

    async def _polled(self) -> Any:
        return await self._poll()

    def _called_back(self, said: Any) -> result.Said:
        number = result.number_of(said)
        if number != self._entry.number:
            self.log.warn(
                "{job}: a webhook for queue number {wrong} came instead of {number}; it is ignored",
                job=self._entry.job,
                wrong=number or "(none)",
                number=self._entry.number,
            )
            return result.Unclear("a wrong number")
        return self._read(said)

    def _read(self, said: Any) -> result.Said:
        left = result.credits_left(said)
        if left is not None:
            self.log.info("Turbotext: {credits} photos left on the account", credits=left)
        return result.read(said)

    @property
    def _is_lost(self) -> bool:
        """Whether an entry that polls do not know (any more) is gone.

        It is not known that an entry with a webhook can be polled at all: while its call may come, it is waited for."""
        late = self._clock.seconds() >= self._unknown_until_s
        return late and (self._known or not self._webhook.pending)

    async def _fetched(self, address: str, by_webhook: bool) -> bool:
        """Whether the picture could be had. Raises BadAnswer when there is no other way left to hear of one."""
        try:
            await self._fetch(address)
        except BadAnswer as error:
            if not by_webhook and not self._webhook.came:
                raise
            self._warn(error)
            return False
        return True

    def _warn(self, error: WorkError) -> None:
        self.log.warn(
            "{job}: Turbotext's queue entry {number}: {reason} It is asked again",
            job=self._entry.job,
            number=self._entry.number,
            reason=error.message,
        )

    @property
    def _pause_s(self) -> float:
        longest_s = max(LONGEST_PAUSE_S, self._poll_s)
        return min(self._poll_s * 2.0 ** min(self._failures, 10), longest_s)
