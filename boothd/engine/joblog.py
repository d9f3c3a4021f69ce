"""What became of each photo, one log line a job: its slot, its end, what it cost and why it failed."""

from collections.abc import Sequence

from twisted.logger import Logger

from boothd.base.errors import Charged
from boothd.spool import Job
from boothd.spool.journal import Entry, FellBack, Finished, Undirected

_CHARGED = {Charged.NO: "not charged", Charged.YES: "charged", Charged.MAYBE: "may have been charged"}


class JobLog:
    """A listener of the spool's journals."""

    log = Logger()

    def count(self, job: Job, entries: Sequence[Entry]) -> None:
        """Log what a job's new entries say of its end."""
        for entry in entries:
            if isinstance(entry, FellBack):
                self.log.warn(
                    "{job} {slot}: {provider} failed ({code}: {reason}); {to} is next",
                    job=job.id,
                    slot=job.slot,
                    provider=entry.provider,
                    code=entry.code,
                    reason=entry.message,
                    to=entry.to,
                )
            elif isinstance(entry, Undirected):
                self.log.info(
                    "{job} {slot}: {provider} wrote no prompt ({code}: {reason}); the slot's own is used",
                    job=job.id,
                    slot=job.slot,
                    provider=entry.provider,
                    code=entry.code,
                    reason=entry.message,
                )
            elif isinstance(entry, Finished) and entry.code == "ok":
                self.log.info(
                    "{job} {slot}: done{late}", job=job.id, slot=job.slot, late=", late" if entry.late else ""
                )
            elif isinstance(entry, Finished):
                self.log.warn(
                    "{job} {slot}: {code}, {charged}: {reason}",
                    job=job.id,
                    slot=job.slot,
                    code=entry.code,
                    charged=_CHARGED[entry.charged],
                    reason=entry.reason,
                )
