"""The two questions of Turbotext's wire: create a queue entry, get its result. Source: facts/providers.md §5.

`POST {base_url}/{method}`, a form, `Authorization: Bearer KEY`, answers in JSON."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from boothd.base.errors import BadAnswer, Busy, Charged, Refused, WorkError
from boothd.providers.common.ask import ask, read_text, retry_after_s, status_error
from boothd.providers.turbotext import result
from boothd.providers.turbotext.complaints import explained, without_links

SERVICE = "Turbotext"


class Wire:
    """client: a `treq.client.HTTPClient`. now: the wall-clock time."""

    def __init__(self, base_url: str, client: Any, now: Callable[[], datetime]) -> None:
        self._base_url, self._client, self._now = base_url, client, now

    async def create(self, key: str, method: str, fields: Mapping[str, str]) -> str:
        """Create a queue entry; returns its number.

        It costs once it is answered, or may, when the connection breaks. Raises WorkError. Cancelling closes the
        connection."""
        response, text = await self._post(key, method, {"do": "create_queue", **fields}, paid=True)
        if response.code != 200:
            raise self._refusal(response, text)
        try:
            said = result.parse(text)
        except BadAnswer as error:
            raise BadAnswer(error.message, charged=Charged.MAYBE) from error
        return result.created(said)

    async def result(self, key: str, method: str, number: str) -> Any:
        """What Turbotext says of a queue entry, to be read by `result.read`.

        Raises WorkError when this one question failed, which tells nothing about the entry."""
        fields = {"do": "get_result", "queueid": number}
        response, text = await self._post(key, method, fields, paid=False)
        if response.code == 200:
            return result.parse(text)
        refusal = self._refusal(response, text)
        if 400 <= response.code < 500 and (said := _definite(text)) is not None:
            return said
        raise refusal

    async def _post(self, key: str, method: str, fields: Mapping[str, str], *, paid: bool) -> tuple[Any, str]:
        response = await ask(
            self._client,
            "POST",
            f"{self._base_url}/{method}",
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/x-www-form-urlencoded"},
            data=urlencode(fields).encode("ascii"),
            service=SERVICE,
            paid=paid,
        )
        return response, await read_text(response)

    def _refusal(self, response: Any, text: str) -> WorkError:
        """The error of an HTTP status; a complaint that comes with a general one may say more."""
        words = _complaint(text)
        error = status_error(response.code, SERVICE, words or without_links(text), retry_after_s(response, self._now()))
        if words and response.code in {400, 403, 404, 409, 422}:
            told = explained(words, Charged.NO)
            if not isinstance(told, BadAnswer | Busy):
                return told
        return error


def _complaint(text: str) -> str:
    try:
        return result.complaint(result.parse(text))
    except BadAnswer:
        return ""


def _definite(text: str) -> Any:
    """An answer that speaks of the queue entry although its HTTP status is an error's; None when it does not."""
    try:
        said = result.parse(text)
    except BadAnswer:
        return None
    read = result.read(said)
    refused = isinstance(read, result.Failed) and isinstance(read.error, Refused)
    return said if refused or isinstance(read, result.Waiting | result.NotKnown) else None
