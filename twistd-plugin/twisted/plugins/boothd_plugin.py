"""What makes `twistd boothd` and `twist boothd` exist."""

from twisted.application.service import ServiceMaker

boothd = ServiceMaker(
    "boothd",
    "boothd.service",
    "The daemon between photo booths and AI services.",
    "boothd",
)
