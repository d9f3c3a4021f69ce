"""What every fake has: routes, keys, scripts, charges, and the way from a request to an answer."""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from boothd.base.aio import Background, ended
from boothd.base.clock import Clock
from boothd.base.threads import Threads
from boothd.sandbox.fakes.ledger import Ledger
from boothd.sandbox.fakes.problems import KeyProblem, Problem
from boothd.sandbox.fakes.script import COMMON, NotAScript, Script, Words
from boothd.sandbox.fakes.settings import CommonSettings
from boothd.sandbox.fakes.spoiling import spoiled
from boothd.sandbox.fakes.wire import Answer, Dropped, Exchange, forever
from boothd.sandbox.fakes.work import Work

KEPT_CALLS = 10_000

Handler = Callable[..., Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a fake may use. pictures: threads for all that takes long. agent: a `twisted.web.client.Agent`, to fetch with."""

    clock: Clock
    random: Random
    pictures: Threads
    ledger: Ledger
    agent: Any


class Fake:
    """One fake service. `words` and `places` are its script's vocabulary, `Settings` its settings.

    queues: the paid call only begins the work, so that its latency lies elsewhere."""

    log = Logger()
    name: ClassVar[str]
    title: ClassVar[str]
    words: ClassVar[Mapping[str, str]] = COMMON
    places: ClassVar[tuple[str, ...]] = ()
    queues: ClassVar[bool] = False
    Settings: ClassVar[type[CommonSettings]] = CommonSettings

    def __init__(self, tools: Tools, settings: CommonSettings | None = None) -> None:
        self.tools, self.clock, self.ledger = tools, tools.clock, tools.ledger
        self.settings: Any = settings or self.Settings()
        self.calls: deque[Work] = deque(maxlen=KEPT_CALLS)
        self.seen = self.working = 0
        self.background = Background()
        self.happened: Counter[Hashable] = Counter()
        self.connections: Callable[[], int] = lambda: 0
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._held: list[Deferred[None]] = []
        self._questions: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def route(self, verb: str, path: str, handler: Handler) -> None:
        """Let `handler(exchange, **groups)` answer what matches `path`, a pattern with named groups."""
        self._routes.append((verb, re.compile(path), handler))

    def max_body(self) -> int:
        return int(self.settings.max_body)

    # --- from a request to an answer ---------------------------------------------------------------------------------

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request, as `wire.Serves` wants it."""
        try:
            answer = await self._answer(exchange)
        except Dropped as dropped:
            exchange.drop(reset=dropped.reset)
            return
        except Problem as problem:
            answer = self.explain(problem)
        except NotAScript as error:
            answer = self.explain(Problem(400, f"sandbox: the script has a word that is not understood: {error}"))
        if answer is not None:
            await exchange.send(answer)

    async def _answer(self, exchange: Exchange) -> Answer | None:
        inside = exchange.where.startswith("/__sandbox__/")
        if not inside:
            await self._outage()
            if exchange.too_large:
                raise Problem(413, f"The request is longer than {self.max_body()} bytes.")
        wrong_verb = False
        for verb, path, handler in self._routes:
            found = path.fullmatch(exchange.where)
            if found and verb == exchange.verb:
                return await handler(exchange, **found.groupdict())
            wrong_verb = wrong_verb or found is not None
        raise Problem(405 if wrong_verb else 404, f"{exchange.verb} {exchange.where}: there is no such address.")

    def explain(self, problem: Problem) -> Answer:
        """An error in the service's own form."""
        raise NotImplementedError

    async def _outage(self) -> None:
        match self.settings.outage:
            case "error":
                raise Problem(self.settings.outage_status)
            case "hang":
                await forever()
            case "drop":
                raise Dropped(reset=True)

    # --- keys and scripts --------------------------------------------------------------------------------------------

    def check_key(self, key: str) -> None:
        """What a key begins with tells its account: bad, barred, poor and busy ones are refused; others are good."""
        good = self.settings.keys
        if not key or key.startswith("bad") or (good and key not in good):
            raise KeyProblem(missing=not key)
        for start, status in {"poor": 402, "barred": 403, "busy": 429}.items():
            if key.startswith(start):
                raise Problem(status)

    def script(self, text: str) -> Script:
        """What a prompt says to this fake, and what is said for all prompts."""
        return Script.of(f"{self.settings.script} {text}", self.name, self.words, self.places)

    # --- paid calls --------------------------------------------------------------------------------------------------

    async def perform(self, work: Work, words: Words, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """One paid call: the script's and the settings' trouble, then what `make` makes; charged before it leaves.

        Raises Problem, Dropped."""
        self.begin(work)
        try:
            await self.trouble(work, words)
            answer = await make()
            if "free" not in words:
                await self.charge(work)
            work.ended = "answered"
            return spoiled(answer, words)
        except Problem as problem:
            work.ended = f"failed {problem.status}"
            raise
        except (CancelledError, asyncio.CancelledError, GeneratorExit):
            work.ended = "abandoned"
            raise
        except BaseException:
            work.ended = "dropped"
            raise
        finally:
            self.working -= 1
            self.changed()

    def begin(self, work: Work) -> None:
        """Note that a call has come whole."""
        self.seen += 1
        work.number, work.at = self.seen, self.clock.now().isoformat()
        self.calls.append(work)
        self.working += 1
        self.changed()

    async def trouble(self, work: Work, words: Words) -> None:
        """What the script and the settings do before anything is made. Raises Problem, Dropped."""
        if "charge-first" in words or self.settings.charge_first:
            await self.charge(work)
        if not self.queues:
            await self.clock.sleep(self.latency())
        await self.hinder(words, work if "charged" in words else None)
        if self.tools.random.random() < self.settings.failure_share:
            raise Problem(self.settings.failure_status)

    def latency(self) -> float:
        """Seconds that this call takes."""
        return float(self.settings.latency(self.tools.random))

    async def hinder(self, words: Words, charged: Work | None = None) -> None:
        """What a script does to any call. charged: charged if the call fails. Raises Problem, Dropped."""
        if "slow" in words:
            await self.clock.sleep(words.number("slow"))
        if "hold" in words:
            await self._hold()
        if "hang" in words:
            await forever()
        if not {"status", "drop", "reset"} & words.said.keys():
            return
        if charged is not None:
            await self.charge(charged)
        if "status" in words:
            raise Problem(words.count("status"), words=words)
        raise Dropped(reset="reset" in words)

    async def charge(self, work: Work) -> None:
        """Put a call into the ledger, once; also when the client leaves meanwhile."""
        if work.charged:
            return
        work.charged = True
        said = {name: value for name, value in asdict(work).items() if name not in {"number", "ended", "charged"}}
        await ended(self.background.start("a charge", self._charge({**said, "call": work.number})))

    async def _charge(self, entry: dict[str, Any]) -> None:
        await self.ledger.charge(entry)
        self.changed()

    async def _hold(self) -> None:
        held: Deferred[None] = Deferred()
        self._held.append(held)
        self.changed()
        try:
            await held
        finally:
            if held in self._held:
                self._held.remove(held)

    # --- for the tests and for whoever rehearses ---------------------------------------------------------------------

    def release(self) -> int:
        """Let what is on hold go on; returns how many."""
        held, self._held = self._held, []
        for waiting in held:
            waiting.callback(None)
        return len(held)

    @property
    def held(self) -> int:
        return len(self._held)

    async def until(self, so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        while not so():
            waiting: Deferred[None] = Deferred()
            question = (so, waiting)
            self._questions.append(question)
            try:
                await waiting
            finally:
                if question in self._questions:
                    self._questions.remove(question)

    def changed(self) -> None:
        for question in [q for q in self._questions if q[0]()]:
            self._questions.remove(question)
            question[1].callback(None)

    async def stop(self) -> None:
        """End what goes on behind the answers."""
        await self.background.stop()
