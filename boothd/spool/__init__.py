"""The file queue: accepted is kept."""

from boothd.spool.disk import Disk, FsyncError
from boothd.spool.incoming import Arrived, Incoming
from boothd.spool.index import Kept, ResultIndex
from boothd.spool.job import Job, State
from boothd.spool.spool import Spool, SpoolInUse

__all__ = [
    "Arrived",
    "Disk",
    "FsyncError",
    "Incoming",
    "Job",
    "Kept",
    "ResultIndex",
    "Spool",
    "SpoolInUse",
    "State",
]
