"""The fake DeepSeek: reads text and pictures, answers text; never a picture. Source: facts/providers.md §2."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from boothd.sandbox.fakes.deepseek_replies import WORDS, make_reply
from boothd.sandbox.fakes.deepseek_request import MODELS, OLD_NAMES, Request, read_request
from boothd.sandbox.fakes.openai_errors import bearer, error_answer, model_list
from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.script import COMMON, Words
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.settings import CommonSettings
from boothd.sandbox.fakes.spoiling import LOGIN_PAGE
from boothd.sandbox.fakes.wire import Answer, Exchange
from boothd.sandbox.fakes.work import Work, masked

ERRORS: dict[int, tuple[str, str, str | None]] = {
    400: ("Invalid request.", "invalid_request_error", "invalid_request_error"),
    401: ("Authentication Fails (no such user)", "authentication_error", "invalid_request_error"),
    402: ("Insufficient Balance", "unknown_error", "invalid_request_error"),
    403: ("Forbidden", "permission_error", "invalid_request_error"),
    404: ("Not Found", "invalid_request_error", "invalid_request_error"),
    413: ("The request body is larger than 48 MiB.", "invalid_request_error", "invalid_request_error"),
    422: ("Invalid parameters.", "invalid_request_error", "invalid_request_error"),
    429: ("Too many concurrent requests for this account.", "rate_limit_error", "rate_limit_reached"),
    500: ("Internal server error.", "server_error", "internal_error"),
    503: ("The service is overloaded, please retry later.", "service_unavailable", "overloaded"),
}


class DeepSeekSettings(CommonSettings):
    """What is DeepSeek's own."""

    max_body: int = Field(48 << 20, gt=0, description="bytes of a request; above it 413")
    keep_alive_s: float = Field(1.0, gt=0, description="seconds between two blank lines while an answer is made")


class DeepSeek(Fake):
    """The server."""

    name = "deepseek"
    title = "DeepSeek"
    queues = True  # the answer's headers leave before it is made
    words: ClassVar[Mapping[str, str]] = {
        **COMMON,
        "blanks=N": "so many blank lines (streaming: `: keep-alive` comments) before the answer, at once",
        "keep-alive=SECONDS": "such lines for so long",
        **WORDS,
    }
    Settings = DeepSeekSettings

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.route("GET", "(?:/v1)?/models", self._models)
        self.route("POST", "(?:/v1)?/chat/completions", self._chat)

    def explain(self, problem: Problem) -> Answer:
        return error_answer(problem, ERRORS)

    async def _models(self, exchange: Exchange) -> Answer:
        self._check(exchange)
        return model_list([model.entry() for model in MODELS.values()])

    def _check(self, exchange: Exchange) -> str:
        key = bearer(exchange)
        try:
            self.check_key(key)
        except Problem as problem:
            if problem.status == 401 and key:
                raise Problem(401, f"Authentication Fails, Your api key: ****{key[-4:]} is invalid") from None
            raise
        return key

    # --- chat --------------------------------------------------------------------------------------------------------

    async def _chat(self, exchange: Exchange) -> Answer | None:
        key = self._check(exchange)
        request = await self.tools.pictures.run(lambda: read_request(exchange.body()))
        script = self.script(request.prompt)
        words = script.at("", self.happened, (request.digests[:1], request.prompt))
        photo = request.digests[0] if request.digests else ""
        work = Work(photo, request.prompt, request.model, masked(key), exchange.size_bytes, request.digests)
        work.detail = {"thinking": request.thinking, "json": request.json_wanted, "stream": request.stream}
        work.detail["max_tokens"] = request.max_tokens

        async def make() -> Answer:
            return await self._made(exchange, request, words)

        return await self.perform(work, words, make)

    async def _made(self, exchange: Exchange, request: Request, words: Words) -> Answer:
        """The answer, before which the headers and some blank lines may have left."""
        reply = make_reply(request, words, OLD_NAMES.get(request.model, request.model))
        kind = "text/event-stream; charset=utf-8" if request.stream else "application/json"
        if "html" in words:
            return Answer(LOGIN_PAGE)
        waits = self.latency() + words.number("keep-alive")
        blanks = words.count("blanks")
        if waits or blanks or request.stream:
            exchange.begin(200, kind)
        async for _ in self._lines(waits, blanks):
            exchange.write(b": keep-alive\n\n" if request.stream else b"\n")
        body = reply.streamed() if request.stream else reply.whole()
        return Answer(body, media_type=kind)

    async def _lines(self, waits: float, blanks: int) -> AsyncIterator[None]:
        for _ in range(blanks):
            yield
        while waits > 0:
            yield
            step = min(waits, self.settings.keep_alive_s)
            await self.clock.sleep(step)
            waits -= step
