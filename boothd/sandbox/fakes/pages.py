"""Lists that come page by page, Google's way."""

import json
from typing import Any

from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.wire import Answer, Exchange


def page_of(name: str, entries: list[dict[str, Any]], exchange: Exchange, size: int) -> Answer:
    """The page that the query asks for. size: of a page when the query says nothing. Raises Problem."""
    try:
        size = int(exchange.query.get("pageSize") or size)
        start = int(exchange.query.get("pageToken") or 0)
    except ValueError:
        raise Problem(400, "Invalid page token.") from None
    page: dict[str, Any] = {name: entries[start : start + size]} if entries else {}
    if start + size < len(entries):
        page["nextPageToken"] = str(start + size)
    return Answer(json.dumps(page).encode())
