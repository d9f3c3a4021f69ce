"""The fake server of OpenAI's image protocol, in the dialects met in the wild. Source: facts/providers.md §6."""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from boothd.sandbox.fakes import downloads
from boothd.sandbox.fakes.bulk import Hole, dump
from boothd.sandbox.fakes.images_request import KNOWN, Request, invalid, read_form, read_json
from boothd.sandbox.fakes.openai_errors import bearer, error_answer, model_list
from boothd.sandbox.fakes.pictures import Unreadable, Wanted, dimensions, picture_bytes
from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.script import COMMON, PICTURE, Script, Words, without_blocks
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.settings import CommonSettings
from boothd.sandbox.fakes.wire import Answer, Exchange
from boothd.sandbox.fakes.work import Work, masked

ERRORS: dict[int, tuple[str, str, str | None]] = {
    400: ("Your request is not valid.", "invalid_request_error", None),
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    402: ("There is not enough money on your balance.", "billing_error", "insufficient_balance"),
    403: ("Your organization must be verified to use this model.", "invalid_request_error", "permission_denied"),
    404: ("The requested resource does not exist.", "invalid_request_error", "model_not_found"),
    405: ("This method is not allowed here.", "invalid_request_error", None),
    410: ("The link is no longer valid.", "invalid_request_error", "gone"),
    413: ("The request is too large.", "invalid_request_error", "request_too_large"),
    429: ("Rate limit reached for images per minute.", "requests", "rate_limit_exceeded"),
    503: ("The engine is currently overloaded, please try again later.", "service_unavailable", None),
}
SIZES = ("1024x1024", "1536x1024", "1024x1536")
MAX_PICTURES = 16
MAX_PICTURE = 50 << 20
Edits = Literal["any", "multipart", "json", "none"]


class ImagesSettings(CommonSettings):
    """The dialect. The defaults are OpenAI's own."""

    max_body: int = Field(256 << 20, gt=0, description="bytes of a request; above it 413")
    strict: bool = Field(True, description="unknown fields, response_format among them, are refused (400)")
    edits: Edits = Field("any", description="what /images/edits takes: multipart, JSON, any, or it is not there")
    field: Literal["any", "image", "image[]"] = Field("any", description="the name that picture parts must have")
    references: bool = Field(False, description="generations take input_references")
    answer: Literal["b64_json", "data", "url"] = Field("b64_json", description="how a picture comes")
    models: tuple[str, ...] = Field(("gpt-image-1", "gpt-image-1-mini", "dall-e-2"), description="those there are")


class OpenAIImages(Fake):
    """The server."""

    name = "openai-images"
    title = "OpenAI-compatible images"
    words: ClassVar[Mapping[str, str]] = {
        **COMMON,
        **PICTURE,
        "code=CODE": "with status: the error's `code` (insufficient_quota, moderation_blocked, …)",
        "param=NAME": "with status: the error's `param`",
        "answer=KIND": "the picture comes as b64_json, data (a data URL) or url",
        "no-data": "200 with `created` alone",
        "empty-data": "200 with an empty `data`",
        "revised": "with `revised_prompt`",
        "cost=AMOUNT": "with usage.cost_rub and usage.balance",
        "no-usage": "without `usage`",
        **downloads.WORDS,
    }
    places = (downloads.PLACE,)
    Settings = ImagesSettings

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._downloads = downloads.Downloads(self, timedelta(minutes=60))
        self.route("GET", "/v1/models", self._models)
        self.route("GET", "/v1/models/(?P<model>.+)", self._model)
        self.route("POST", "/v1/images/generations", self._generations)
        self.route("POST", "/v1/images/edits", self._edits)
        self.route("GET", "/files/(?P<name>[^/]+)", self._downloads.serve)

    def explain(self, problem: Problem) -> Answer:
        limits: tuple[tuple[str, str], ...] = ()
        if problem.status == 429:
            after = problem.words.text("retry-after") or "1"
            reset = (("x-ratelimit-reset-requests", f"{after}s"),)
            limits = (("x-ratelimit-limit-requests", "5"), ("x-ratelimit-remaining-requests", "0"), *reset)
        return error_answer(problem, ERRORS, limits)

    # --- models ------------------------------------------------------------------------------------------------------

    async def _models(self, exchange: Exchange) -> Answer:
        self.check_key(bearer(exchange))
        return model_list([_entry(name) for name in self.settings.models])

    async def _model(self, exchange: Exchange, model: str) -> Answer:
        self.check_key(bearer(exchange))
        return Answer(json.dumps(_entry(self._found(model))).encode())

    def _found(self, model: str) -> str:
        if model not in self.settings.models:
            raise Problem(404, f"The model '{model}' does not exist or you do not have access to it.")
        return model

    # --- pictures ----------------------------------------------------------------------------------------------------

    async def _generations(self, exchange: Exchange) -> Answer:
        self.check_key(bearer(exchange))
        request = await self.tools.pictures.run(lambda: read_json(exchange.body()))
        if request.style != "none" and not (self.settings.references and request.style == "input_references"):
            raise invalid("Unknown parameter: the pictures.", request.names[0], "unknown_parameter")
        return await self._picture(exchange, request)

    async def _edits(self, exchange: Exchange) -> Answer:
        self.check_key(bearer(exchange))
        kind = exchange.header("content-type")
        form = kind.startswith("multipart/")
        taken = self.settings.edits
        if taken == "none":
            raise Problem(404, "Invalid URL (POST /v1/images/edits)")
        if taken != "any" and form != (taken == "multipart"):
            raise invalid(f"Unsupported content type: '{kind.partition(';')[0]}'.", code="unsupported_content_type")
        pool = self.tools.pictures
        request = await pool.run(lambda: read_form(exchange.body(), kind) if form else read_json(exchange.body()))
        if not request.pictures:
            raise invalid("Missing required parameter: 'image'.", "image", "missing_required_parameter")
        wanted = self.settings.field
        wrong = [name for name in request.names if name.startswith("image") and name != wanted]
        if form and wanted != "any" and wrong:
            raise invalid(f"Unknown parameter: '{wrong[0]}'.", wrong[0], "unknown_parameter")
        return await self._picture(exchange, request)

    async def _picture(self, exchange: Exchange, request: Request) -> Answer:
        self._check(request)
        digests = await self.tools.pictures.run(request.digests)
        script, photo = self.script(request.prompt), digests[0] if digests else ""
        words = script.at("", self.happened, (photo, request.prompt))
        key = masked(bearer(exchange))
        work = Work(photo, request.prompt, request.model, key, exchange.size_bytes, digests)
        work.detail = {"style": request.style, "names": request.names, "fields": request.fields}
        work.detail["path"] = exchange.where
        make = partial(self.tools.pictures.run, self._made, request, script, words, exchange.base)
        return await self.perform(work, words, make)

    def _check(self, request: Request) -> None:
        if not request.prompt:
            raise invalid("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
        self._found(request.model)
        gpt = not request.model.startswith("dall-e")
        unknown = [name for name in request.fields if name not in KNOWN and not (name == "response_format" and not gpt)]
        if self.settings.strict and unknown:
            raise invalid(f"Unknown parameter: '{unknown[0]}'.", unknown[0], "unknown_parameter")
        if not 1 <= _count(request) <= 10:
            raise invalid("'n' must be 1 to 10.", "n", "invalid_value")
        if str(request.fields.get("stream")).lower() == "true":
            raise invalid("The sandbox does not stream.", "stream", "invalid_value")
        if len(request.pictures) > MAX_PICTURES:
            raise invalid(f"At most {MAX_PICTURES} images are taken.", "image", "too_many_images")
        if max(map(len, request.pictures), default=0) > MAX_PICTURE:
            raise Problem(413, "An image is larger than 50 MB.")
        _size(request, request.pictures[:0])

    def _made(self, request: Request, script: Script, words: Words, base: str) -> Answer:
        """The body; in a thread."""
        try:
            size = _size(request, request.pictures)
            form = str(request.fields.get("output_format") or "png")
            prompt = without_blocks(request.prompt)
            made = []
            for number in range(_count(request)):
                wanted = Wanted(f"{prompt}{' ' * number}", size, form)
                made.append(picture_bytes(request.pictures, wanted, words))
        except Unreadable as error:
            raise invalid(f"Invalid image file or mode: {error}", "image", "invalid_image_file") from None
        body: dict[str, Any] = {"created": int(self.clock.now().timestamp())}
        if "no-data" in words:
            return Answer(dump(body))
        where = downloads.base_of(base, words)
        kind = words.text("answer") or str(request.fields.get("response_format") or self.settings.answer)
        body["data"] = [] if "empty-data" in words else [self._datum(picture, kind, script, where) for picture in made]
        if "revised" in words:
            for entry in body["data"]:
                entry["revised_prompt"] = f"{prompt}, in the sandbox"
        body |= {"background": "opaque", "output_format": form, "quality": "high", "size": f"{size[0]}x{size[1]}"}
        if "no-usage" not in words:
            body["usage"] = _usage(request, len(made), words)
        return Answer(dump(body))

    def _datum(self, picture: bytes, kind: str, script: Script, base: str) -> dict[str, Any]:
        if kind == "url":
            name = downloads.name_of(picture)
            self._downloads.keep(picture, script, name)
            return {"url": f"{base}/files/{name}"}
        if kind == "data":
            return {"url": Hole(picture, f"data:{downloads.media_type(picture)};base64,")}
        return {"b64_json": Hole(picture)}


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1745517030, "owned_by": "sandbox"}


def _count(request: Request) -> int:
    try:
        return int(request.fields.get("n") or 1)
    except (TypeError, ValueError):
        raise invalid("Invalid type for 'n'.", "n", "invalid_type") from None


def _size(request: Request, photos: list[bytes]) -> tuple[int, int]:
    """Width and height: `size`, or the one of the usual sizes that is nearest to the first photo's shape."""
    said = str(request.fields.get("size") or "auto")
    if said == "auto":
        width, height = dimensions(photos[0]) if photos else (1, 1)
        said = SIZES[1] if width > 1.2 * height else SIZES[2] if height > 1.2 * width else SIZES[0]
    wide, _, high = said.partition("x")
    if not (wide.isdigit() and high.isdigit() and 64 <= int(wide) <= 4096 and 64 <= int(high) <= 4096):
        raise invalid(
            f"Invalid size '{said}'. Supported sizes are {', '.join(SIZES)} and auto.", "size", "invalid_value"
        )
    return int(wide), int(high)


def _usage(request: Request, made: int, words: Words) -> dict[str, Any]:
    text, pictures = max(1, len(request.prompt) // 4), 323 * len(request.pictures)
    usage: dict[str, Any] = {"input_tokens": text + pictures, "output_tokens": 4160 * made}
    usage |= {"total_tokens": text + pictures + 4160 * made}
    usage["input_tokens_details"] = {"text_tokens": text, "image_tokens": pictures}
    return {**usage, "cost_rub": words.number("cost"), "balance": 1000.0} if "cost" in words else usage
