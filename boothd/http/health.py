"""What a supervisor and a monitoring system ask. No login: the answers hold nothing secret."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from boothd.http.routes import Reply, Route, json_reply, text_reply

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(ready: Callable[[], str | None], registry: CollectorRegistry) -> tuple[Route, ...]:
    """`/livez`, `/readyz`, `/metrics`. ready: why no photos can be taken now; None: they can."""

    async def livez(request: Any) -> Reply:
        return text_reply("alive\n")

    async def readyz(request: Any) -> Reply:
        reason = ready()
        if reason is None:
            return text_reply("ready\n")
        return json_reply({"error": "not-ready", "message": reason}, 503, {"Retry-After": "5"})

    async def metrics(request: Any) -> Reply:
        return Reply(200, {"Content-Type": _METRICS_TYPE}, generate_latest(registry))

    return (
        Route(("GET",), "/livez", "health.live", livez, login=False),
        Route(("GET",), "/readyz", "health.ready", readyz, login=False),
        Route(("GET",), "/metrics", "health.metrics", metrics, login=False),
    )
