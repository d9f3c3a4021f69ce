"""/__sandbox__/…: what a fake tells of itself, and how it is changed while it runs. No part of any real service.

GET  ledger[?count=N]       every charge; with count, waits until there are so many
GET  calls[?count=N][?ended=N]   every paid call, charged or not; waits until so many have come, so many have ended
GET  open[?working=N][?connections=N][?held=N]    paid calls in work, other connections, calls on hold; waits
GET  settings               POST {"latency_s": 20, …} changes them; what fail-first counts begins anew
POST outage?mode=error      or hang, drop, off; with seconds=30 it ends by itself
POST refuse?seconds=30      the port is closed for so long: connection refused
POST release                lets everything on `hold` go on
GET  words                  what may stand in a prompt's double square brackets
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.wire import Answer, Exchange


class Control:
    """Adds the routes to a fake. refuse: closes the port for some seconds."""

    def __init__(self, fake: Fake, refuse: Callable[[float], Awaitable[None]] | None = None) -> None:
        self._fake, self._refuse = fake, refuse
        for name in ("ledger", "calls", "open", "settings", "words"):
            fake.route("GET", f"/__sandbox__/{name}", getattr(self, f"_{name}"))
        for name in ("settings", "outage", "refuse", "release"):
            fake.route("POST", f"/__sandbox__/{name}", getattr(self, f"_set_{name}"))

    async def _ledger(self, exchange: Exchange) -> Answer:
        count = _number(exchange, "count")
        await self._fake.until(lambda: len(self._fake.ledger.charges) >= count)
        return _said(self._fake.ledger.charges)

    async def _calls(self, exchange: Exchange) -> Answer:
        fake, count, ended = self._fake, _number(exchange, "count"), _number(exchange, "ended")
        await fake.until(lambda: fake.seen >= count and sum(bool(call.ended) for call in fake.calls) >= ended)
        return _said([asdict(call) for call in fake.calls])

    async def _open(self, exchange: Exchange) -> Answer:
        fake = self._fake

        def now() -> dict[str, int]:
            return {"working": fake.working, "connections": fake.connections() - 1, "held": fake.held}

        wanted = {name: _number(exchange, name) for name in exchange.query if name in now()}
        await fake.until(lambda: all(now()[name] == value for name, value in wanted.items()))
        return _said(now())

    async def _settings(self, _: Exchange) -> Answer:
        return _said(self._fake.settings.model_dump())

    async def _words(self, _: Exchange) -> Answer:
        return _said(dict(self._fake.words))

    async def _set_settings(self, exchange: Exchange) -> Answer:
        try:
            self._fake.settings = self._fake.settings.changed(json.loads(exchange.body() or b"{}"))
            self._fake.happened.clear()
        except ValueError as error:
            return _said({"error": str(error)}, 400)
        return await self._settings(exchange)

    async def _set_outage(self, exchange: Exchange) -> Answer:
        seconds = float(_number(exchange, "seconds"))
        answer = self._change(outage=exchange.query.get("mode", "error"))
        if seconds and answer.status == 200:
            self._fake.clock.callLater(seconds, lambda: self._change(outage="off"))
        return answer

    async def _set_refuse(self, exchange: Exchange) -> Answer:
        if self._refuse is None:
            raise Problem(404, "This fake does not own its port.")
        await self._refuse(float(_number(exchange, "seconds") or 1))
        return _said({})

    async def _set_release(self, _: Exchange) -> Answer:
        return _said({"released": self._fake.release()})

    def _change(self, **values: object) -> Answer:
        try:
            self._fake.settings = self._fake.settings.changed(values)
        except ValueError as error:
            return _said({"error": str(error)}, 400)
        return _said(self._fake.settings.model_dump())


def _number(exchange: Exchange, name: str) -> float:
    try:
        return float(exchange.query.get(name, 0))
    except ValueError:
        raise Problem(400, f"{name} is no number") from None


def _said(value: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(value, ensure_ascii=False).encode(), status)
