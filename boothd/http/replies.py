"""What a handler raised becomes a reply, here only."""

import math
import re
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from boothd.base.errors import BoothdError, LoginRequired
from boothd.http.routes import Reply, json_reply

JOB_HEADER: Final = "X-Boothd-Job"
ERROR_HEADER: Final = "X-Boothd-Error"
_CHALLENGE: Final = 'Basic realm="boothd", charset="UTF-8"'
_log = Logger()


def error_reply(error: BaseException, route: str = "") -> Reply:
    """The reply to an error: its status and `{"error": code, "message": text}`, with "job" when the error carries one.

    What is none of ours is logged with its traceback and answered 500 `internal-error` without a detail."""
    known = error if isinstance(error, BoothdError) else None
    if known is None:
        failure = Failure(error)
        _log.failure("{route} failed", failure=failure, route=route)
        known = BoothdError("Something went wrong inside boothd; its log says what.")
    value = {"error": known.code, "message": known.message}
    headers: dict[str, str] = {ERROR_HEADER: known.code}
    job = getattr(error, "job", None)
    if job is not None and re.fullmatch(r"[\x21-\x7e]{1,200}", str(job)):
        value["job"] = headers[JOB_HEADER] = str(job)
    wait_s = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if isinstance(error, LoginRequired):
        headers["WWW-Authenticate"] = _CHALLENGE
    allowed = getattr(error, "allowed", None)
    if allowed:
        headers["Allow"] = ", ".join(allowed)
    return json_reply(value, known.status, headers)
