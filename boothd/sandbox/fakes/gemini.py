"""The fake Gemini: generateContent, models, Files API, v1 and v1beta. Source: facts/providers.md §1."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from boothd.sandbox.fakes.gemini_answers import WORDS, make_answer
from boothd.sandbox.fakes.gemini_files import NAME_WORDS, Files
from boothd.sandbox.fakes.gemini_models import MODELS, Model
from boothd.sandbox.fakes.gemini_request import Inline, Request, check, read_request
from boothd.sandbox.fakes.pages import page_of
from boothd.sandbox.fakes.pictures import Unreadable
from boothd.sandbox.fakes.problems import KeyProblem, Problem
from boothd.sandbox.fakes.script import COMMON, PICTURE, Words
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.settings import CommonSettings
from boothd.sandbox.fakes.spoiling import error_page
from boothd.sandbox.fakes.wire import Answer, Exchange
from boothd.sandbox.fakes.work import Work, masked

STATUSES = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    402: ("RESOURCE_EXHAUSTED", "Your prepayment credits are depleted. Please add credits to continue."),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    405: ("NOT_FOUND", "Method not found."),
    409: ("ALREADY_EXISTS", "Requested entity already exists"),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: (
        "INTERNAL",
        "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
    ),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request timed out. Please try again."),
}
NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form "
    "of API consumer identity to call this API."
)
UNREADABLE = "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
_RPC = "type.googleapis.com/google.rpc."


class GeminiSettings(CommonSettings):
    """What is Gemini's own."""

    max_body: int = Field(100_000_000, gt=0, description="bytes of a request; above it 400")
    gone_status: Literal[403, 404] = Field(404, description="what a file gets that is not there")
    files_per_key: bool = Field(False, description="each key is a project of its own: others' files are not there")
    models: tuple[str, ...] = Field((), description="the models there are; none: all that the sandbox knows")


class Gemini(Fake):
    """The server."""

    name = "gemini"
    title = "Gemini"
    words: ClassVar[Mapping[str, str]] = {
        **COMMON,
        **PICTURE,
        "retry-delay=17s": "with status: RetryInfo in the error's details",
        "reason=NAME": "with status: the error's `status` (FAILED_PRECONDITION, …)",
        "file-gone": "the uploaded files that the request names are gone",
        **WORDS,
        **NAME_WORDS,
    }
    places = ("start", "upload", "get", "delete")
    Settings = GeminiSettings

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.files = Files(self)
        version = "/(?P<version>v1|v1beta)"
        self.route("GET", f"{version}/models", self._list)
        self.route("GET", f"{version}/models/(?P<model>[^/:]+)", self._model)
        self.route("POST", f"{version}/models/(?P<model>[^/:]+):generateContent", self._generate)

    def check_key(self, key: str) -> None:
        """As every fake's, but a bad key is 400 here and a missing one 403."""
        try:
            super().check_key(key)
        except KeyProblem as problem:
            if problem.missing:
                raise Problem(403, NO_KEY) from None
            raise Problem(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID") from None

    def explain(self, problem: Problem) -> Answer:
        status = problem.status
        if status == 413:
            problem, status = Problem(400, f"Request payload size exceeds the limit: {self.max_body()} bytes."), 400
        if status not in STATUSES:
            return error_page(status, problem.message or "Error")
        name, message = STATUSES[status]
        error: dict[str, Any] = {"code": status, "message": problem.message or message}
        error["status"] = problem.words.text("reason", name)
        details = _details(problem)
        if details:
            error["details"] = details
        return Answer(json.dumps({"error": error}, indent=2).encode(), status, headers=problem.headers)

    # --- models ------------------------------------------------------------------------------------------------------

    def _models(self) -> dict[str, Model]:
        chosen = self.settings.models
        return {name: MODELS.get(name) or Model(name, name) for name in chosen} if chosen else MODELS

    async def _list(self, exchange: Exchange, version: str) -> Answer:
        self.check_key(_key(exchange))
        return page_of("models", [model.entry() for model in self._models().values()], exchange, 50)

    async def _model(self, exchange: Exchange, version: str, model: str) -> Answer:
        self.check_key(_key(exchange))
        return Answer(json.dumps(self._found(model, version).entry()).encode())

    def _found(self, name: str, version: str, method: str = "") -> Model:
        model = self._models().get(name)
        if model is None or (method and method not in model.methods):
            raise Problem(
                404,
                f"models/{name} is not found for API version {version}, or is not supported for "
                f"{method or 'this call'}. Call ListModels to see the list of available models and their supported methods.",
            )
        return model

    # --- generateContent ---------------------------------------------------------------------------------------------

    async def _generate(self, exchange: Exchange, version: str, model: str) -> Answer:
        key = _key(exchange)
        self.check_key(key)
        found = self._found(model, version, "generateContent")
        request = await self.tools.pictures.run(lambda: read_request(exchange.body()))
        check(request, found)
        request.draws(found)
        script = self.script(f"{request.system}\n{request.prompt}")
        digests = tuple(self._digest(picture, key) for picture in request.pictures)
        photo = digests[0] if digests else ""
        words = script.at("", self.happened, (photo, request.prompt))
        work = Work(photo, request.prompt, model, masked(key), exchange.size_bytes, digests)
        work.detail = {"parts": list(request.order), "config": request.config, "version": version}
        return await self.perform(work, words, partial(self._make, request, found, key, words))

    def _digest(self, picture: Any, key: str) -> str:
        if isinstance(picture, Inline):
            return picture.sha256
        try:
            return self.files.find(picture.name, key).sha256
        except Problem:
            return ""  # reported in its turn, by `_make`

    async def _make(self, request: Request, model: Model, key: str, words: Words) -> Answer:
        photos = [p.data if isinstance(p, Inline) else self._uploaded(p.name, key, words) for p in request.pictures]
        try:
            return await self.tools.pictures.run(make_answer, request, photos, model, words)
        except Unreadable:
            raise Problem(400, UNREADABLE) from None

    def _uploaded(self, name: str, key: str, words: Words) -> bytes:
        if "file-gone" in words:
            raise self.files.gone(name)
        file = self.files.find(name, key)
        if file.state != "ACTIVE":
            said = f"The File {file.name.removeprefix('files/')} is not in an ACTIVE state and usage is not allowed."
            raise Problem(400, said, words=Words({"reason": "FAILED_PRECONDITION"}))
        return file.data


def _key(exchange: Exchange) -> str:
    return exchange.header("x-goog-api-key") or exchange.query.get("key", "")


def _details(problem: Problem) -> list[dict[str, Any]]:
    if problem.kind == "API_KEY_INVALID":
        where = {"service": "generativelanguage.googleapis.com"}
        info = {"reason": "API_KEY_INVALID", "domain": "googleapis.com", "metadata": where}
        local = {"locale": "en-US", "message": problem.message}
        return [{"@type": f"{_RPC}ErrorInfo", **info}, {"@type": f"{_RPC}LocalizedMessage", **local}]
    if problem.status != 429:
        return []
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_requests_per_model",
        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": "sandbox"},
    }
    link = {
        "description": "Learn more about Gemini API quotas",
        "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
    }
    details: list[dict[str, Any]] = [
        {"@type": f"{_RPC}QuotaFailure", "violations": [violation]},
        {"@type": f"{_RPC}Help", "links": [link]},
    ]
    delay = problem.words.text("retry-delay")
    return [*details, {"@type": f"{_RPC}RetryInfo", "retryDelay": delay}] if delay else details
