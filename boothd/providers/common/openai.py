"""What services that speak OpenAI's protocol have in common: keys, errors, the list of models.

Source: facts/providers.md §2, §6."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boothd.base.errors import BadKey, BadRequest, Charged, OutOfCredit, Refused, Unavailable, WorkError
from boothd.base.fetch import drop_body
from boothd.base.threads import Threads
from boothd.providers.common.ask import ask, is_page, read_text, retry_after_s, shortened, status_error

MAX_LIST = 512 << 10
"""Bytes of a list of models; a longer one is not read."""

_REFUSED = frozenset({"moderation_blocked", "content_policy_violation", "content_filter"})
_NO_MONEY = frozenset({"insufficient_quota", "insufficient_balance", "billing_hard_limit_reached"})
_BAD_KEY = frozenset({"invalid_api_key", "authentication_error"})


@dataclass(frozen=True, slots=True)
class Said:
    """A service's own words for an error; "" is what it does not say."""

    message: str = ""
    kind: str = ""
    code: str = ""
    param: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What the error is called: its code and its type."""
        return frozenset({self.code.lower(), self.kind.lower()})

    def misses_model(self, model: str) -> bool:
        """Whether it says that there is no such model; an address that is not there gets the same code from some."""
        message = self.message.lower()
        named = "model" in message or bool(model and model.lower() in message)
        return named and ("model_not_found" in self.names or "not exist" in message or "not found" in message)


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key; none for a server that wants none."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def said_by(value: Any, *keys: str) -> Said:
    """The words of a parsed error: `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`, or a text.

    keys: are left out of them."""

    def text(found: Any) -> str:
        said = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str) if found else ""
        for key in filter(None, keys):
            said = said.replace(key, "…")
        return said

    inner = value.get("error") if isinstance(value, dict) else value
    found = inner or value
    if not isinstance(found, dict):
        return Said(text(found))
    return Said(
        text(found.get("message") or found.get("detail")), *(text(found.get(n)) for n in ("type", "code", "param"))
    )


def error_of(status: int, said: Said, *, service: str, model: str = "", after_s: float | None = None) -> WorkError:
    """What an answer with an error means. service: its title. model: the one that was asked for. after_s: Retry-After."""
    words = f": {shortened(said.message)}" if said.message.strip() else "."
    if said.names & _REFUSED:
        return Refused(f"{service} refused the photo or the prompt{words}", charged=Charged.NO)
    if said.names & _NO_MONEY:
        return OutOfCredit(f"The account at {service} has no money left{words}", charged=Charged.NO)
    if status == 401 or said.names & _BAD_KEY:
        return BadKey(f"{service} does not accept the API key.")  # its own words often hold parts of the key
    if said.misses_model(model):
        return BadRequest(f"{service} has no model {model!r}; check `model` in the slot or in the provider's settings.")
    return status_error(status, service, said.message, after_s)


async def read_said(response: Any, key: str) -> Said:
    """The words of an answer with an error status; a key that it repeats is left out."""
    text = await read_text(response)
    try:
        return said_by(json.loads(text), key)
    except (ValueError, RecursionError):
        return said_by("" if is_page(text) else text, key)


async def list_models(
    client: Any, base_url: str, headers: Mapping[str, str], *, service: str, key: str, now: datetime, disk: Threads
) -> list[dict[str, Any]] | None:
    """What GET /models lists, each with an `id`; None where there is no such list. key: is left out of error texts.

    Raises BadKey, Unavailable and the like."""
    request = {**bearer(key), **headers}
    response = await ask(client, "GET", f"{base_url}/models", headers=request, service=service, paid=False)
    if response.code in {404, 405}:
        drop_body(response)
        return None
    if response.code != 200:
        error = error_of(
            response.code, await read_said(response, key), service=service, after_s=retry_after_s(response, now)
        )
        error.charged = Charged.NO
        raise error
    text = await read_text(response, MAX_LIST)
    if len(text.encode()) >= MAX_LIST:
        return None
    try:
        value = await disk.run(json.loads, text)
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"{service} did not answer with a list of models; check base_url and the network.") from error
    entries = value.get("data") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        return None
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
