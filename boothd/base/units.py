"""Sizes and times as people write them: 500M, 48s, 30d."""

import math
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Strict

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SPANS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MOST = 1e15


def _unit(value: object, units: Mapping[str, float], what: str, sample: str) -> float:
    wrong = ValueError(f"{value!r} is not {what}; write it like {sample}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value) if abs(value) <= _MOST else math.inf
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value) if isinstance(value, str) else None
        if match is None or match[2].lower() not in units:
            raise wrong
        found = float(match[1]) * units[match[2].lower()]
    if not abs(found) <= _MOST:  # infinite, not a number, or beyond what the calendar and a disk can hold
        raise wrong
    return found


Bytes = Annotated[int, BeforeValidator(lambda v: int(_unit(v, _SIZES, "a size", "500M or 2G")))]
Seconds = Annotated[float, BeforeValidator(lambda v: _unit(v, _SPANS, "a time", "48s, 10m or 30d"))]
Count = Annotated[int, Strict()]
"""A whole number; neither yes and no nor a text is one."""


def size_text(size_bytes: int) -> str:
    """A size as people read it: "30.0 MiB", "49 KiB"."""
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 1 << 20 else f"{size_bytes / 1024:.0f} KiB"
