"""Which result exists for which photo on which preset: in memory, rebuilt at start from the recent days."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from boothd.spool.job import Job
from boothd.spool.journal import Result


@dataclass(frozen=True, slots=True)
class Kept:
    """A result that lies in the spool. job: whose it is."""

    job: Job
    result: Result

    @property
    def path(self) -> Path:
        """The picture."""
        return self.job.directory / self.result.file


class ResultIndex:
    """Results by (sha256 of the photo, preset revision), and the last one of each slot."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._last: dict[str, Kept] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, sha256: str, kept: Kept) -> None:
        """Remember a result; of two for the same photo and preset, and of all of a slot, the newer one counts."""
        key = (sha256, kept.result.revision)
        if _newer(kept, self._by_key.get(key)):
            self._by_key.pop(key, None)
            self._by_key[key] = kept
        if _newer(kept, self._last.get(kept.job.slot)):
            self._last[kept.job.slot] = kept

    def find(self, sha256: str, revision: str) -> Kept | None:
        return self._by_key.get((sha256, revision))

    def last_of(self, slot: str) -> Kept | None:
        """The newest result of a slot ("studio-1")."""
        return self._last.get(slot)

    def forget(self, sha256: str, revision: str) -> None:
        """The file is gone."""
        gone = self._by_key.pop((sha256, revision), None)
        if gone is not None and self._last.get(gone.job.slot) is gone:
            del self._last[gone.job.slot]

    def forget_before(self, moment: datetime) -> None:
        """Drop what is older; results were added nearly in the order of their time, and one too many does no harm."""
        while self._by_key and next(iter(self._by_key.values())).result.at < moment:
            self._by_key.popitem(last=False)


def _newer(kept: Kept, than: Kept | None) -> bool:
    return than is None or kept.result.at >= than.result.at
