"""The heights of the statistics' bars: photos by hour of one day, and by day."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import Path

from boothd.spool.job import is_id

HOURS = 24
TOP = 100
"""The height of a chart."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What one hour or day had. made_y, made_height, failed_y, failed_height: from the chart's upper edge."""

    at: date | time
    made: int
    failed: int
    made_y: float
    made_height: float
    failed_y: float
    failed_height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """most: what the chart's upper edge stands for; 0 = there is nothing to show."""

    bars: Sequence[Bar]
    most: int


def chart(rows: Iterable[tuple[date | time, int, int]]) -> Chart:
    """rows: when, how many were made, how many failed."""
    rows = list(rows)
    highest = max((made + failed for _, made, failed in rows), default=0)
    most = _round_up(highest)
    return Chart([_bar(*row, most or 1) for row in rows], most)


def _bar(at: date | time, made: int, failed: int, most: int) -> Bar:
    made_height, failed_height = round(TOP * made / most, 2), round(TOP * failed / most, 2)
    made_y = round(TOP - made_height, 2)
    return Bar(at, made, failed, made_y, made_height, round(made_y - failed_height, 2), failed_height)


def _round_up(count: int) -> int:
    """To 1, 2, 4, 5 or 8 times a power of ten, so that half of it can be named as well."""
    power = 1
    while count > 10 * power:
        power *= 10
    return next((step * power for step in (2, 4, 6, 8, 10) if step * power >= count), 0) if count else 0


def by_hour(
    made: Sequence[Path], failed: Sequence[Path], day: date, day_of: Callable[[datetime], date], zone: tzinfo | None
) -> dict[int, tuple[int, int]] | None:
    """How many of the jobs in these folders came in each hour of `day` (0 to 23, on the operator's clock), as (made, failed).

    The ids tell when a job came, so nothing but the folders is read. None: there is no such folder any more. Blocks."""
    if not any(folder.is_dir() for folder in (*made, *failed)):
        return None
    counts = [_minutes(made), _minutes(failed)]
    found: dict[int, tuple[int, int]] = {}
    for minute in counts[0].keys() | counts[1].keys():
        came = datetime.strptime(minute, "%Y%m%dT%H%M").replace(tzinfo=UTC)
        if day_of(came) == day:
            hour = came.astimezone(zone).hour
            before = found.get(hour, (0, 0))
            found[hour] = (before[0] + counts[0][minute], before[1] + counts[1][minute])
    return found


def _minutes(folders: Iterable[Path]) -> Counter[str]:
    """How many jobs came in each minute: an id begins with 20261120T1745."""
    found: Counter[str] = Counter()
    for folder in folders:
        with suppress(FileNotFoundError):
            found.update(name[:13] for name in os.listdir(folder) if is_id(name))
    return found


def hours_from(begins: time) -> list[time]:
    """The hours of a day that begins at `begins`."""
    return [time((begins.hour + number) % HOURS) for number in range(HOURS)]
