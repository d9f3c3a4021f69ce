"""A picture that is paid for: the time that is left for it, and fetching it by a link that may not work at once."""

from pathlib import Path

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import BadAnswer, Charged, OutOfTime, Unavailable
from boothd.base.guard import Guard
from boothd.base.imaging import SNIFF_BYTES, sniff
from boothd.providers.tools import Tools

END_S = 0.1
"""Before the budget's end: there is just time to say ourselves that the picture is paid for."""
LEAST_S = 0.001
"""Less is no time: what is left of a float after counting, or what nothing can be done with."""

MAX_BYTES = 40_000_000
TRIES, TRIES_S = 5, 30.0
"""So many tries, each for so many seconds at most; the first that begins about so late is the last."""

_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
_TAIL = 4096


class Remaining:
    """The time that is left for a paid entry; the budget's end may still be moved."""

    def __init__(self, clock: Clock, budget: Budget) -> None:
        self._clock, self._budget = clock, budget

    def left_s(self) -> float:
        """Seconds. Raises OutOfTime when there are none."""
        left_s = self._budget.left_s() - END_S
        if left_s < LEAST_S:
            raise OutOfTime("The picture was not ready in time; it is paid for.", charged=Charged.YES)
        return left_s

    async def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end. Raises OutOfTime."""
        await self._clock.sleep(min(seconds, self.left_s()))
        self.left_s()

    def budget(self, most_s: float) -> Budget:
        """For one step of at most `most_s` seconds. Raises OutOfTime."""
        return Budget.of(self._clock, min(most_s, self.left_s()))


class Download:
    """Fetches results into files.

    guard: where from. provider: whose settings name the hosts. pause_s: before the second try; it doubles."""

    def __init__(self, tools: Tools, guard: Guard, provider: str, pause_s: float) -> None:
        self._tools, self._guard, self._provider, self._pause_s = tools, guard, provider, pause_s

    async def fetch(self, url: str, path: Path, time: Remaining, ca_bundle: Path | None = None) -> None:
        """Fetch the picture at `url` into the new file `path`.

        Raises BadAnswer (charged) when it cannot be had, OutOfTime. The last try's file is kept when it begins like a
        picture: whether it is whole is seen when it is decoded."""
        try:
            self._guard.check_url(url)
        except BadAnswer as error:
            hint = f"See result_hosts and result_private in etc/providers/{self._provider}.yaml."
            raise BadAnswer(f"{error.message} {hint}", charged=Charged.YES) from error
        began_s, tries = self._tools.clock.seconds(), 0
        while True:
            tries += 1
            pause_s = self._pause_s * 2.0 ** (tries - 1)
            last = tries == TRIES or self._tools.clock.seconds() + pause_s - began_s > TRIES_S
            try:
                await self._try(url, path, time, ca_bundle, last=last)
                return
            except (BadAnswer, Unavailable, OutOfTime) as error:
                time.left_s()
                if last:
                    reason = f"The finished picture could not be fetched: {error.message}"
                    raise BadAnswer(reason, charged=Charged.YES) from error
            await time.sleep(pause_s)

    async def _try(self, url: str, path: Path, time: Remaining, ca_bundle: Path | None, *, last: bool) -> None:
        budget = time.budget(TRIES_S)
        await self._tools.fetch(url, path, guard=self._guard, max_bytes=MAX_BYTES, budget=budget, ca_bundle=ca_bundle)
        wrong = await self._tools.disk.run(_wrong, path)
        if wrong is not None and not (last and wrong.may_be_whole):
            await self._tools.disk.run(path.unlink, missing_ok=True)
            raise wrong


class _Wrong(BadAnswer):
    """A file that is no whole picture. may_be_whole: it begins like one; only decoding it would tell."""

    def __init__(self, message: str, *, may_be_whole: bool = False) -> None:
        super().__init__(message)
        self.may_be_whole = may_be_whole


def _wrong(path: Path) -> _Wrong | None:
    """What is wrong with a picture's file, as far as its first and last bytes tell. Blocks."""
    with path.open("rb") as file:
        head = file.read(SNIFF_BYTES)
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if not head:
        return _Wrong("the file is empty.")
    found = sniff(head)
    if found in {None, "other"}:
        page = head.lstrip()[:1] == b"<"
        return _Wrong("it is a web page." if page else "it is no picture of a kind that boothd takes.")
    if _ENDS.get(found or "", b"") not in tail:
        return _Wrong("it is cut short.", may_be_whole=True)
    return None
