"""Calls of services (webhooks): each at an unguessable address of its own, taken once."""

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from boothd.base.errors import BadRequest, NotFound, RequestError
from boothd.http.media import NO_ADDRESS
from boothd.http.routes import Reply, Route, json_reply
from boothd.http.signing import Signer


class Callbacks:
    """public_url: boothd's address from outside, or None."""

    def __init__(self, signer: Signer, public_url: Callable[[], str | None]) -> None:
        self._signer, self._public_url = signer, public_url
        self._expected: dict[str, ExpectedCall] = {}

    def routes(self) -> list[Route]:
        return [Route(("POST",), "/callback/<token>", "callback", self._take, login=False)]

    def expect(self, name: str) -> "ExpectedCall":
        """See `boothd.providers.tools.Callbacks.expect`."""
        public_url = self._public_url()
        if not public_url:
            raise BadRequest(NO_ADDRESS)
        token = self._signer.sign("callback", name)
        expected = ExpectedCall(f"{public_url.rstrip('/')}/callback/{token}", lambda: self._forget(token, expected))
        self._expected[token] = expected
        return expected

    def _forget(self, token: str, expected: "ExpectedCall") -> None:
        if self._expected.get(token) is expected:
            del self._expected[token]

    async def _take(self, request: Any, token: str) -> Reply:
        expected = self._expected.get(token)
        if expected is None:
            raise NotFound("Nothing is expected here, or it has come already.")
        try:
            said = json.loads(request.content.read())  # at most 256 KiB, as every body that is no upload
        except (ValueError, RecursionError):
            raise RequestError("The body is no JSON.") from None
        expected.close()
        expected.came.callback(said)
        return json_reply({"success": True})


class ExpectedCall:
    """One call that may come."""

    def __init__(self, url: str, forget: Callable[[], None]) -> None:
        self.url = url
        self.came: Deferred[Any] = Deferred()
        self.close = forget
