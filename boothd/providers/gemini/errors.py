"""What Gemini's HTTP errors mean. Source: facts/providers.md §1.4; that errors are free: ai.google.dev, Gemini API billing."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from boothd.base.errors import BadKey, BadRequest, Busy, Charged, OutOfCredit, Unavailable, WorkError
from boothd.providers.common.ask import shortened, status_error

SERVICE = "Gemini"
A_DAY_S = 3600.0
"""A key whose requests for today are used up is asked again after an hour: nobody says when its day ends."""

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_NAMES_A_FILE = re.compile(r"\bfile\b|\bfiles/", re.IGNORECASE)
_NOT_ACTIVE = re.compile(r"not in an ACTIVE state", re.IGNORECASE)
_TOO_LARGE = re.compile(r"payload size|too large|exceeds the (?:size )?limit", re.IGNORECASE)


class FileGone(Unavailable):
    """An uploaded file is no longer there. It is uploaded again; nothing was charged."""


def explain(
    status: int, body: object, *, key: str, model: str = "", files: bool = False, retry_after: str | None = None
) -> WorkError:
    """The error for an answer that is not 200.

    body: its parsed JSON; anything else is not from Gemini itself but from what stands before it. model: that was asked
    for. files: whether the request named uploaded files. retry_after: the header, in seconds (gateways send it)."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return status_error(status, SERVICE, "", _number(retry_after))
    details = [detail for detail in _list(error.get("details")) if isinstance(detail, Mapping)]
    words = shortened(str(error.get("message") or "").replace(key, "(the key)"))
    said = f": {words}" if words else "."
    kind, text = _meaning(status, str(error.get("status") or ""), words, details, model, files=files)
    retry_after_s = None
    if kind is Busy:
        retry_after_s = A_DAY_S if _used_up(details) else _retry_delay(details)
        retry_after_s = _number(retry_after) if retry_after_s is None else retry_after_s
    return kind(text + said, charged=Charged.NO, retry_after_s=retry_after_s)


def _meaning(  # noqa: PLR0911 (a table)
    status: int, name: str, words: str, details: list[Mapping[str, Any]], model: str, *, files: bool
) -> tuple[type[WorkError], str]:
    reasons = {str(detail.get("reason")) for detail in details}
    if files and _is_about_a_file(status, words):
        return FileGone, "Gemini no longer has an uploaded picture"
    if status == 401 or any(reason.startswith("API_KEY") for reason in reasons):
        return BadKey, "Gemini does not accept the API key"
    if status == 400 and name == "FAILED_PRECONDITION":
        # The key's project may not be used from here or without billing: another key may well be.
        return BadKey, "Gemini does not serve the API key's project from here (region, or billing not enabled)"
    if status == 402:
        return OutOfCredit, "The Gemini account has no money left"
    if status == 403:
        return BadKey, "The API key has no permission for this at Gemini"
    if status == 404:
        return BadRequest, f"Gemini has no model {model!r} for this" if model else "Gemini has no such thing"
    if status == 413 or (status == 400 and _TOO_LARGE.search(words)):
        return BadRequest, "The request is too large for Gemini; set a smaller inline_max"
    if status == 429:
        return Busy, "The key's requests for today are used up" if _used_up(details) else "Gemini has no room right now"
    if status == 499 or status >= 500:
        return Unavailable, f"Gemini failed ({status}{f' {name}' if name else ''})"
    return BadRequest, f"Gemini does not take the request ({status}{f' {name}' if name else ''})"


def _is_about_a_file(status: int, words: str) -> bool:
    if status in {403, 404}:
        return _NAMES_A_FILE.search(words) is not None and "models/" not in words
    return status == 400 and _NOT_ACTIVE.search(words) is not None


def _used_up(details: list[Mapping[str, Any]]) -> bool:
    """Whether a quota per day is what has been exceeded: waiting a little does not help."""
    return any("PerDay" in str(violation.get("quotaId")) for violation in _violations(details))


def _violations(details: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for detail in details:
        yield from (one for one in _list(detail.get("violations")) if isinstance(one, Mapping))


def _retry_delay(details: list[Mapping[str, Any]]) -> float | None:
    """RetryInfo's seconds: "17s", "1.5s"."""
    for detail in details:
        found = _DURATION.fullmatch(str(detail.get("retryDelay")))
        if found is not None:
            return float(found[1])
    return None


def _number(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
