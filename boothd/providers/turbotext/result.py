"""Reading what Turbotext says, by poll or by webhook: pure, and ready for all that may come.

Source: facts/providers.md §5 (what a robust client tolerates), §9 (other queues' words for states)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urljoin

from boothd.base.errors import BadAnswer, Busy, Charged, Refused, WorkError
from boothd.providers.turbotext.complaints import explained, is_unknown_number, without_links


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not ready yet."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Ready. address: of the picture, as it was said; see `absolute`."""

    address: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """There is no such queue entry, or not yet, or no longer."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no picture."""

    error: WorkError


@dataclass(frozen=True, slots=True)
class Unclear:
    """This says nothing about the queue entry."""

    text: str


Said: TypeAlias = Waiting | Finished | NotKnown | Failed | Unclear

_WAITING = {
    "created", "queued", "in_queue", "waiting", "pending", "starting", "started", "running", "progress", "in_progress",
    "processing", "generating", "reasoning",
}  # fmt: skip
_FAILED = {"failed", "failure", "error", "canceled", "cancelled", "aborted"}
_MODERATED = {"request_moderated", "content_moderated", "moderated"}
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[][{}]', re.DOTALL)
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DEEPEST = 5


def parse(text: str) -> Any:
    """The JSON of an answer; one bracket too many (as in the documentation's sample) is forgiven. Raises BadAnswer."""
    text = text.removeprefix("\ufeff")
    for attempt in (text, _without_stray_bracket(text)):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    page = text.lstrip()[:1] == "<"
    raise BadAnswer("Turbotext answered with a web page." if page else "Turbotext's answer is no JSON.")


def _without_stray_bracket(text: str) -> str:
    """The text without the first closing bracket that closes nothing."""
    opened: list[str] = []
    for token in _TOKENS.finditer(text):
        bracket = token[0]
        if bracket in {"[", "{"}:
            opened.append("]" if bracket == "[" else "}")
        elif bracket in {"]", "}"}:
            if not opened or opened[-1] != bracket:
                return text[: token.start()] + text[token.end() :]
            opened.pop()
    return text


def read(said: Any) -> Said:
    """What an answer about a queue entry says. The entry is paid for, so a failure is charged."""
    if not isinstance(said, dict):
        return Unclear("The answer is no JSON object.")
    if _word(said.get("action")) == "reconnect":  # before `success`, which may be anything then
        return Waiting()
    if any(_flag(place.get("forbidden_content")) for place in _places(said)):
        return _refused()
    return _read_outcome(said)


def _read_outcome(said: dict[str, Any]) -> Said:
    success, address, words = _flag(said.get("success")), _address(said), complaint(said)
    if address and success is not False:
        return Finished(address)
    if words:
        return _complained(words)
    if success is None:
        return _by_status(_word(said.get("status")))
    reason = "says that it is ready, but names no picture" if success else "failed without giving a reason"
    return Failed(BadAnswer(f"Turbotext {reason}.", charged=Charged.YES))


def _refused() -> Failed:
    return Failed(Refused("Turbotext refused the photo or the picture for what it shows.", charged=Charged.YES))


def _complained(words: str) -> Said:
    if is_unknown_number(words):
        return NotKnown(words)
    error = explained(words, Charged.YES)
    # To be asked too often is about the asking, not about the picture.
    return Unclear(error.message) if isinstance(error, Busy) else Failed(error)


def _by_status(status: str) -> Said:
    if status in _WAITING:
        return Waiting()
    if status == "unknown":
        return NotKnown(status)
    if status in _MODERATED:
        return _refused()
    if status in _FAILED:
        return Failed(BadAnswer(f"Turbotext failed ({status}).", charged=Charged.YES))
    return Unclear("The answer tells neither success nor failure.")


def number_of(said: Any) -> str | None:
    """The queue number, which comes as a number or as text, under one of two names."""
    for place in _places(said):
        for name in ("queueid", "asyncid"):
            value = place.get(name)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, int | str) and not isinstance(value, bool) and _NUMBER.fullmatch(str(value).strip()):
                return str(value).strip()
    return None


def created(said: Any) -> str:
    """The queue number in the answer to `create_queue`. Raises WorkError: what is not taken costs nothing."""
    number, success, words = number_of(said), None, ""
    if isinstance(said, dict):
        success, words = _flag(said.get("success")), complaint(said)
    if number is not None and success is not False:
        return number
    if words:
        raise explained(words, Charged.NO)
    if success is False:
        raise BadAnswer("Turbotext did not take the photo and gave no reason.", charged=Charged.NO)
    raise BadAnswer("Turbotext gave no queue number.", charged=Charged.MAYBE)


def complaint(said: Any) -> str:
    """What an answer says of an error, "" when it says nothing."""
    found = (_texts(place.get(name)) for place in _places(said) for name in ("error", "errors", "message"))
    return without_links(next((text for texts in found if (text := "; ".join(texts))), ""))


def credits_left(said: Any) -> int | None:
    """How many photos the account has left, where the answer tells."""
    limits = said.get("limits") if isinstance(said, dict) else None
    value = limits.get("foto_limit") if isinstance(limits, dict) else None
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None


def methods_of(said: Any) -> list[tuple[str, str]] | None:
    """The methods that `available_api` lists, as (name, description); None when there is no list."""
    data = said.get("data") if isinstance(said, dict) else None
    if isinstance(data, dict) and any(isinstance(value, list) for value in data.values()):
        data = next(value for value in data.values() if isinstance(value, list))
    elif isinstance(data, dict):
        data = [{"name": name, "description": about} for name, about in data.items()]
    if not isinstance(data, list):
        return None
    entries = [entry if isinstance(entry, dict) else {"name": entry} for entry in data]
    return [
        (entry["name"], "; ".join(_texts(entry.get("description"))))
        for entry in entries
        if isinstance(entry.get("name"), str) and entry["name"]
    ]


def absolute(address: str, base_url: str, hosts: tuple[str, ...]) -> str:
    """A picture's address made whole: it may be relative to the site, or lack its scheme. Raises BadAnswer."""
    address = address.strip()
    if address.partition("/")[0].lower() in hosts:
        address = f"//{address}"
    try:
        return urljoin(base_url, address)
    except ValueError:
        raise BadAnswer("Turbotext's link to the picture is broken.", charged=Charged.YES) from None


def _address(said: dict[str, Any]) -> str:
    """The first address of a picture that is found."""
    found = (place.get(name) for place in _places(said) for name in ("uploaded_image", "image", "result_url"))
    return next((address for value in found if (address := _first_text(value))), "")


def _first_text(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    return next((item.strip() for item in items if isinstance(item, str) and item.strip()), "")


def _places(said: Any) -> list[dict[str, Any]]:
    """Where things are looked for: at the top, then in `data`."""
    top = said if isinstance(said, dict) else {}
    data = top.get("data")
    return [top, data] if isinstance(data, dict) else [top]


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """All texts of an error, which may be one, a list, or an object of such."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool) and value:
        yield f"error {value}"


def _flag(value: Any) -> bool | None:
    """Yes, no or nothing: a boolean, a number or a word."""
    return {"true": True, "1": True, "1.0": True, "yes": True, "ok": True,
            "false": False, "0": False, "0.0": False, "no": False}.get(_word(value))  # fmt: skip


def _word(value: Any) -> str:
    return str(value).strip().lower().replace(" ", "_") if isinstance(value, str | int | float) else ""
