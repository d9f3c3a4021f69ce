"""The one error tree. Each class decides what the client is told; docstrings are what a person reads.

Two branches: `RequestError` (what a client sent cannot be taken) and `WorkError` (an AI service did not deliver). A
`WorkError` also decides whether boothd tries again and whether money was spent. Foreign errors never leave a provider.
"""

import enum
from decimal import Decimal
from typing import ClassVar


class Charged(enum.StrEnum):
    """Whether an attempt cost money."""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"


class BoothdError(Exception):
    """Something went wrong.

    job: the id of the job it happened to, where there is one; the client is told."""

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    job: str | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or type(self).__name__).strip().partition("\n")[0])

    @property
    def message(self) -> str:
        """One sentence for people."""
        return str(self.args[0])


# --- what a client sent cannot be taken ------------------------------------------------------------------------------


class RequestError(BoothdError):
    """The request cannot be taken."""

    code, status = "bad-request", 400


class NoSuchSlot(RequestError):
    """No slot has this link. Copy the slot's upload link again."""

    code, status = "no-such-slot", 404


class NotFound(RequestError):
    """There is nothing here."""

    code, status = "not-found", 404


class MethodNotAllowed(RequestError):
    """This address does not take that method."""

    code, status = "method-not-allowed", 405


class LoginRequired(RequestError):
    """Log in as the operator."""

    code, status = "login-required", 401


class TooManyLogins(RequestError):
    """Too many wrong passwords. Wait a little, then try again."""

    code, status = "too-many-logins", 429


class ForeignOrigin(RequestError):
    """This action can only be started from boothd's own pages."""

    code, status = "foreign-origin", 403


class WrongPassword(RequestError):
    """The upload password is wrong. It is shown on boothd's status page."""

    code, status = "wrong-password", 403


class BrokenUpload(RequestError):
    """The upload is not a complete multipart form."""

    code, status = "broken-upload", 400


class NoFile(RequestError):
    """The form holds no file. The photo goes into the field fileToUpload."""

    code, status = "no-file", 400


class TwoFiles(RequestError):
    """The form holds more than one file. Send one photo at a time."""

    code, status = "two-files", 400


class TooLarge(RequestError):
    """The upload is larger than boothd takes."""

    code, status = "too-large", 413


class NotAPicture(RequestError):
    """The file is not a picture."""

    code, status = "not-a-picture", 415


class UnlistedFormat(RequestError):
    """This picture format is not taken. Send JPEG, PNG, WebP or HEIC."""

    code, status = "unlisted-format", 415


class TooManyPixels(RequestError):
    """The picture has more pixels than boothd takes."""

    code, status = "too-many-pixels", 415


class TooSlow(RequestError):
    """The upload came too slowly and was given up."""

    code, status = "too-slow", 408


class Draining(RequestError):
    """boothd is shutting down and takes no new photos."""

    code, status = "draining", 503


class SpoolUnhealthy(RequestError):
    """boothd cannot keep photos safely on its disk. Check the disk, then restart boothd."""

    code, status = "spool-unhealthy", 503


class DiskFull(RequestError):
    """The disk is nearly full. Free some space; boothd goes on by itself."""

    code, status = "disk-full", 507


# --- an AI service did not deliver -----------------------------------------------------------------------------------


class WorkError(BoothdError):
    """The picture could not be made.

    retry: whether the same call may succeed when it is made again. charged: whether this one cost money; the class says
    what is usual, an instance what is known. retry_after_s: when the service asked us to come back. cost: what a charged
    call cost, where the service says so (None = the listed price)."""

    code, status = "failed", 502
    retry: ClassVar[bool] = False
    usually_charged: ClassVar[Charged] = Charged.NO

    def __init__(
        self,
        message: str = "",
        *,
        charged: Charged | None = None,
        retry_after_s: float | None = None,
        cost: Decimal | None = None,
    ) -> None:
        super().__init__(message)
        self.charged = self.usually_charged if charged is None else charged
        self.retry_after_s, self.cost = retry_after_s, cost


class Refused(WorkError):
    """The service refused this photo or prompt (safety, moderation). Another photo or prompt may pass."""

    code, status, usually_charged = "refused", 422, Charged.MAYBE


class BadRequest(WorkError):
    """The service cannot do what the slot asks for. Check the slot's settings."""

    code = "bad-request-to-provider"


class BadKey(WorkError):
    """The service does not accept the API key. Check it in the provider's settings."""

    code = "bad-key"


class OutOfCredit(WorkError):
    """The account at the service has no money left. Top it up."""

    code = "out-of-credit"


class Busy(WorkError):
    """The service has no room right now. boothd tries again by itself."""

    code, retry = "busy", True


class Unavailable(WorkError):
    """The service cannot be reached or is broken. boothd tries again by itself."""

    code, retry = "unavailable", True


class BadAnswer(WorkError):
    """The service answered without a usable picture."""

    code, retry, usually_charged = "bad-answer", True, Charged.MAYBE


class OutOfTime(WorkError):
    """The picture was not ready in time."""

    code, status, usually_charged = "out-of-time", 504, Charged.MAYBE


class Interrupted(WorkError):
    """boothd was stopped before this photo was answered."""

    code, status = "interrupted", 503
