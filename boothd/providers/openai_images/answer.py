"""From an answer to the picture in it: base64, a `data:` URL, or a link. Source: facts/providers.md §6."""

from base64 import b64decode
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from boothd.base.errors import BadAnswer, Charged
from boothd.base.jsonanswer import Blob

Found = Blob | bytes | str
"""A file, a picture so small that it was no file, or a link."""


def find_picture(answer: Any, service: str) -> Found:
    """The first picture of an answer. Raises BadAnswer, charged, when there is none."""
    data = answer.get("data") if isinstance(answer, dict) else None
    entries = data if isinstance(data, list) else [data]
    for entry in entries:
        if isinstance(entry, dict):
            for value in (entry.get("b64_json"), entry.get("url"), entry.get("image_url")):
                found = _found(value)
                if found is not None:
                    return found
    raise BadAnswer(f"{service} answered without a picture.", charged=Charged.YES, cost=cost_of(answer))


def _found(value: Any) -> Found | None:
    if isinstance(value, dict):  # as in chats: {"image_url": {"url": …}}
        value = value.get("url")
    if isinstance(value, Blob):
        return value if value.size_bytes else None
    if not isinstance(value, str) or not value:
        return None
    if value.lower().startswith(("http://", "https://")):
        return value
    try:
        return b64decode(value.rpartition(",")[2], validate=True) or None
    except ValueError:
        return None


def cost_of(answer: Any) -> Decimal | None:
    """What a reseller says that the call cost (`usage.cost_rub`, `usage.cost`), in the account's currency."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    for name in ("cost_rub", "cost"):
        said = usage.get(name)
        if isinstance(said, int | float | str) and not isinstance(said, bool):
            try:
                cost = Decimal(str(said))
            except InvalidOperation:
                continue
            if cost.is_finite() and cost >= 0:
                return cost
    return None


def files_of(answer: Any) -> Iterator[Path]:
    """All files that an answer has left on the disk."""
    if isinstance(answer, Blob):
        yield answer.path
    elif isinstance(answer, dict | list):
        for value in answer.values() if isinstance(answer, dict) else answer:
            yield from files_of(value)
