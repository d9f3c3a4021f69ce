"""The fake Turbotext: create a queue entry, poll it or be called back. Source: facts/providers.md §5, seeds/004."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qs

from pydantic import Field

from boothd.sandbox.fakes import downloads
from boothd.sandbox.fakes.openai_errors import bearer
from boothd.sandbox.fakes.pictures import Unreadable, Wanted, dimensions, picture_bytes
from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.script import CALM, COMMON, PICTURE, NotAScript, Script, Words
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.settings import CommonSettings
from boothd.sandbox.fakes.spoiling import spoiled
from boothd.sandbox.fakes.turbotext_fetch import Fetcher, NotFetched
from boothd.sandbox.fakes.turbotext_methods import AVAILABLE, METHODS, Method, wrong_fields
from boothd.sandbox.fakes.turbotext_results import WORDS, Done, failure, forbidden, result, say
from boothd.sandbox.fakes.wire import Answer, Exchange
from boothd.sandbox.fakes.work import Work, masked

MESSAGES = {
    401: "Неверный ключ API",
    402: "LIMIT: недостаточно средств на балансе",
    403: "Доступно только на тарифе VIP",
    404: "Метод не найден",
    413: "Слишком большой запрос",
    429: "Слишком много запросов",
}


class TurbotextSettings(CommonSettings):
    """What is Turbotext's own."""

    max_body: int = Field(1 << 20, gt=0, description="bytes of a request; above it 413")
    pending: int = Field(1, ge=0, description="polls that are answered with action=reconnect unless the prompt says")
    more_methods: tuple[str, ...] = Field((), description="methods beyond the documented ones, with mix_images' fields")
    charge_lists: bool = Field(False, description="available_api is charged as every queue entry is")
    soft_errors: bool = Field(False, description="errors come with HTTP 200 and success: false")


@dataclass(slots=True)
class Task:
    """A queue entry. said: the body of get_result, once the work is done."""

    number: int
    method: Method
    fields: Mapping[str, str]
    script: Script
    words: Words
    key: str
    base: str
    created_s: float
    said: dict[str, Any] | None = None
    polls: int = 0


@dataclass(slots=True)
class Hook:
    """A call of a webhook. answered: its HTTP status, or why there was none."""

    url: str
    body: dict[str, Any]
    answered: int | str = field(default="")


class Turbotext(Fake):
    """The server."""

    name = "turbotext"
    title = "Turbotext"
    queues = True
    words: ClassVar[Mapping[str, str]] = {
        **COMMON,
        **PICTURE,
        "pending=N": "so many polls are answered with action=reconnect",
        "pending-forever": "all of them",
        "pending-success=KIND": "`success` of such an answer: absent, true or false",
        "position": "such an answer tells the place in the queue",
        "done-after=SECONDS": "not done sooner after its creation",
        "queueid=text": "the number comes as a string",
        "unknown-first=N": "the first N polls say that the number is unknown",
        "lost": "all of them",
        "error=TEXT": "the result is success:false with this text (+ is a space): face_not_detected, LIMIT, …",
        "error-at=create": "with error: already the creation says so",
        "forbidden": "the result has forbidden_content: true and no picture",
        "webhook=KIND": "early (before the creation's answer), twice, wrong-id or never",
        "webhook-after=SECONDS": "the webhook is called so much later",
        "fetch=KIND": "the photos are fetched twice, after a HEAD (head), before the creation's answer (create) or never",
        "fetch-after=SECONDS": "they are fetched so much later",
        **WORDS,
        **downloads.WORDS,
    }
    places = ("result", downloads.PLACE)
    Settings = TurbotextSettings

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._fetcher = Fetcher(self.tools.agent, self.clock)
        self._tasks: dict[int, Task] = {}
        self._hooks: list[Hook] = []
        self._downloads = downloads.Downloads(self, timedelta(hours=24))
        self.route("POST", r"/api_ai/(?P<method>\w+)", self._call)
        self.route("GET", "/image/(?P<name>[^/]+)", self._downloads.serve)
        self.route("GET", "/download.php", self._download)
        self.route("GET", "/__sandbox__/webhooks", self._tell_hooks)

    def explain(self, problem: Problem) -> Answer:
        said = failure(problem.message or MESSAGES.get(problem.status, "Ошибка сервера"), problem.words)
        return say(said, problem.words, 200 if self.settings.soft_errors else problem.status, problem.headers)

    # --- the one address ---------------------------------------------------------------------------------------------

    async def _call(self, exchange: Exchange, method: str) -> Answer:
        self.check_key(bearer(exchange))
        found = METHODS.get(method) or (Method(method) if method in self.settings.more_methods else None)
        if found is None:
            raise Problem(404)
        if exchange.header("content-type").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            return say(failure("params_error: ожидается application/x-www-form-urlencoded", CALM), CALM)
        form = parse_qs(exchange.body().decode("utf-8", "replace"), keep_blank_values=True)
        fields = {name: values[-1] for name, values in form.items()}
        match fields.pop("do", ""):
            case "create_queue":
                return await self._create(exchange, found, fields)
            case "get_result":
                return await self._result(exchange, found, fields)
        return say(failure("params_error: do", CALM), CALM)

    async def _create(self, exchange: Exchange, method: Method, fields: dict[str, str]) -> Answer:
        wrong = wrong_fields(method, fields)
        if wrong:
            return say(failure(f"params_error: {wrong}", CALM), CALM)
        prompt = f"{fields.get('content', '')} {fields.get('negative_prompt', '')}".strip()
        script = self.script(prompt)
        words = script.at("", self.happened, (method.name, prompt))
        work = Work("", prompt, method.name, masked(bearer(exchange)), exchange.size_bytes)
        work.detail = {"fields": fields}
        task = Task(
            len(self._tasks) + 1001,
            method,
            fields,
            script,
            words,
            bearer(exchange),
            exchange.base,
            self.clock.seconds(),
        )
        return await self.perform(work, words, partial(self._created, task))

    async def charge(self, work: Work) -> None:
        """A list of methods costs only where the settings say so."""
        if work.model != AVAILABLE or self.settings.charge_lists:
            await super().charge(work)

    async def _created(self, task: Task) -> Answer:
        words = task.words
        if "error" in words and words.text("error-at") == "create":
            raise Problem(200, words.text("error"), words=words)
        self._tasks[task.number] = task
        if words.text("fetch") == "create":
            await self._work(task)
            if task.said is not None and not task.said["success"]:
                raise Problem(200, _text(task.said), words=words)
        elif words.text("webhook") == "early":
            await self._work(task)
            await self._call_webhook(task)
        else:
            self.background.start("a queue entry", self._go_on(task), number=task.number)
        number: int | str = str(task.number) if words.text("queueid") == "text" else task.number
        return say({"success": True, "asyncid" if "webhook" in task.fields else "queueid": number}, words)

    async def _go_on(self, task: Task) -> None:
        await self._work(task)
        await self._call_webhook(task)

    async def _result(self, exchange: Exchange, method: Method, fields: dict[str, str]) -> Answer:
        number = fields.get("queueid") or fields.get("asyncid") or ""
        task = self._tasks.get(int(number)) if number.isdigit() else None
        if task is None or task.key != bearer(exchange) or task.method != method:
            return say(failure("queueid не найден", CALM), CALM)
        at_result = task.script.at("result", self.happened, task.number)
        await self.hinder(at_result)
        words = Words({**task.words.said, **at_result.said})
        task.polls += 1
        if "lost" in words or task.polls <= words.count("unknown-first"):
            return say(failure("UNKNOWN: queueid не найден", words), words)
        if self._pending(task, words):
            return say(_reconnect(task, words), words)
        assert task.said is not None  # noqa: S101 (`_pending` says so)
        return spoiled(say(task.said, words), at_result)

    def _pending(self, task: Task, words: Words) -> bool:
        left = task.polls - words.count("unknown-first") <= words.count("pending", self.settings.pending)
        early = self.clock.seconds() < task.created_s + words.number("done-after")
        return left or early or task.said is None or "pending-forever" in words

    async def _download(self, exchange: Exchange) -> Answer:
        return await self._downloads.serve(exchange, exchange.query.get("f", ""))

    # --- behind the answers ------------------------------------------------------------------------------------------

    async def _work(self, task: Task) -> None:
        """Fetch, make, and have something to say."""
        words = task.words
        await self.clock.sleep(self.latency() + words.number("fetch-after"))
        if task.method.name == AVAILABLE:
            task.said = {"success": True, "error": "", "data": self._available()}
        elif "error" in words:
            task.said = failure(words.text("error"), words)
        else:
            task.said = await self._picture(task)

    async def _picture(self, task: Task) -> dict[str, Any]:
        words = task.words
        try:
            photos = (
                [] if words.text("fetch") == "never" else [await self._photo(task, name) for name in task.method.order]
            )
            if "forbidden" in words:
                return forbidden()
            return await self.tools.pictures.run(self._made, task, photos)
        except NotFetched as error:
            return failure(f"url_error: не удалось загрузить изображение ({error})", words)
        except Unreadable as error:
            return failure(f"url_error: это не изображение ({error})", words)
        except NotAScript as error:
            return failure(f"sandbox: the script has a word that is not understood: {error}", CALM)

    async def _photo(self, task: Task, name: str) -> bytes:
        how, url = task.words.text("fetch"), task.fields[name]
        if how == "head":
            await self._fetcher.fetch(url, "HEAD")
        if how == "twice":
            await self._fetcher.fetch(url)
        return await self._fetcher.fetch(url)

    def _made(self, task: Task, photos: list[bytes]) -> dict[str, Any]:
        """In a thread."""
        size = task.words.pixels("picture") or _size(task, photos)
        prompt = task.fields.get("content", "") or task.method.name
        picture = picture_bytes(photos, Wanted(prompt, size, "PNG"), task.words)
        name = f"{task.method.name}_id{task.number}_{downloads.name_of(picture)}"
        self._downloads.keep(picture, task.script, name)
        return result(Done(task.method.name, task.fields, name, size, task.base), task.words)

    async def _call_webhook(self, task: Task) -> None:
        url, how = task.fields.get("webhook"), task.words.text("webhook")
        if not url or how == "never" or task.said is None:
            return
        await self.clock.sleep(task.words.number("webhook-after"))
        body = {**task.said, "asyncid": task.number + (500_000 if how == "wrong-id" else 0)}
        for _ in range(2 if how == "twice" else 1):
            hook = Hook(url, body)
            try:
                hook.answered = await self._fetcher.post(url, say(body, task.words).body)
            except NotFetched as error:
                hook.answered = str(error)
            self._hooks.append(hook)
            self.changed()

    def _available(self) -> list[dict[str, str]]:
        more = [Method(name, "A method of this account") for name in self.settings.more_methods]
        return [{"name": method.name, "description": method.title} for method in (*METHODS.values(), *more)]

    async def _tell_hooks(self, exchange: Exchange) -> Answer:
        """Every call of a webhook; with count=N, waits until there are so many."""
        count = int(exchange.query.get("count", 0))
        await self.until(lambda: len(self._hooks) >= count)
        said = [{"url": hook.url, "body": hook.body, "answered": hook.answered} for hook in self._hooks]
        return Answer(json.dumps(said).encode())


def _reconnect(task: Task, words: Words) -> dict[str, Any]:
    said: dict[str, Any] = {"action": "reconnect"}
    kind = words.one_of("pending-success", "absent", "true", "false")
    if kind != "absent":
        said["success"] = kind == "true"
    if "position" in words:
        said["position"] = max(1, words.count("pending", 1) - task.polls + 1)
    return said


def _text(said: Mapping[str, Any]) -> str:
    return next(str(said[name]) for name in ("error", "errors", "message") if name in said)


def _size(task: Task, photos: list[bytes]) -> tuple[int, int]:
    """768 pixels for the longer side; face swap keeps the template's size up to 1472."""
    face = task.method.name == "deepfake_photo"
    width, height = dimensions(photos[-1 if face else 0]) if photos else (768, 768)
    factor = min((1472 if face else 768) / max(width, height), 1.0 if face else 99.0)
    return max(16, round(width * factor)), max(16, round(height * factor))
