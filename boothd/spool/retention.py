"""Days that are older than they need to be kept are removed, oldest first; each photo is removed for good."""

from datetime import date

from boothd.spool.job import State
from boothd.spool.spool import Spool


def too_old(days: list[date], today: date, keep_s: float) -> list[date]:
    """Those of `days` that ended at least `keep_s` seconds before `today` began, oldest first."""
    return sorted(day for day in days if ((today - day).days - 1) * 86_400 >= keep_s)


async def remove_old_days(spool: Spool, state: State, today: date, keep_s: float) -> int:
    """Remove the old days of done/ or trash/, one job at a time. Returns how many days went."""
    old = too_old(await spool.days(state), today, keep_s)
    for day in old:
        for job in await spool.jobs_of(state, day):
            await spool.remove(job.directory)
        await spool.remove(spool.place(state) / day.isoformat())
    return len(old)
