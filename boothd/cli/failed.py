"""How a command ends."""

FAILED = 1
UNUSABLE_CONFIG = 78
"""EX_CONFIG of sysexits.h; the systemd unit does not restart after it."""


class Failed(Exception):
    """The command cannot do it. The message is the one line that the person reads. status: what the process exits with."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status
