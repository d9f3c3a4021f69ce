"""The statistics as a table for other programs: CSV, a row per day and model and one per day and slot."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from boothd.booth.sums import ModelSum, SlotSum, add_up

HEADER = (
    "day",
    "of",
    "provider",
    "model",
    "slot",
    "received",
    "answered",
    "failed",
    "late",
    "fell_back",
    "reused",
    "calls",
    "pictures",
    "directed",
    "rendered",
    "mean_seconds",
    "charged",
    "maybe_charged",
    "not_charged",
    "money",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def header() -> bytes:
    """The first line."""
    return _lines([{name: name for name in HEADER}])


def rows_of(day: date, numbers: Mapping[str, Any]) -> bytes:
    """One day's lines, in UTF-8. numbers: as `Stats.day` gives them."""
    sums = add_up([numbers])
    return _lines([_of_model(day, each) for each in sums.models] + [_of_slot(day, each) for each in sums.slots])


def _of_model(day: date, its: ModelSum) -> dict[str, object]:
    said = {"day": day, "of": "model", "provider": its.provider, "model": its.model, "calls": its.attempts}
    said |= {"pictures": its.pictures, "directed": its.directed, "rendered": its.rendered, "failed": its.failed}
    return said | _rest(its)


def _of_slot(day: date, its: SlotSum) -> dict[str, object]:
    said = {"day": day, "of": "slot", "slot": its.slot, "received": its.received, "answered": its.answered}
    said |= {"failed": its.failed, "late": its.late, "fell_back": its.fell_back, "reused": its.reused}
    return said | _rest(its)


def _rest(its: ModelSum | SlotSum) -> dict[str, object]:
    money = its.money
    said: dict[str, object] = {"charged": money.charged, "maybe_charged": money.maybe, "not_charged": money.free}
    return said | {"money": money.spent, "mean_seconds": "" if its.mean_s is None else f"{its.mean_s:.3f}"}


def _lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_cell(row.get(name, "")) for name in HEADER] for row in rows)
    return out.getvalue().encode()


def _cell(value: object) -> str:
    """A text that a spreadsheet would take for a formula gets a quote before it: names come from providers."""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
