"""Days that are older than they need to be kept are removed, oldest first; each photo is removed for good."""

from datetime import date, timedelta

from boothd.spool.job import State
from boothd.spool.spool import Spool


def too_old(days: list[date], today: date, keep_s: float) -> list[date]:
    """Those of `days` that ended more than `keep_s` seconds before `today` began, oldest first."""
    last_kept = today - timedelta(seconds=keep_s)
    return sorted(day for day in days if day < last_kept)


async def remove_old_days(spool: Spool, state: State, today: date, keep_s: float) -> int:
    """Remove the old days of done/ or trash/, one job at a time. Returns how many days went."""
    old = too_old(await spool.days(state), today, keep_s)
    for day in old:
        for job in await spool.jobs_of(state, day):
            await spool.remove(job.directory)
        await spool.remove(spool.place(state) / day.isoformat())
    return len(old)
