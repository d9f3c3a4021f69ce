"""Keys, errors and models of services that speak OpenAI's protocol. Source: facts/providers.md §2, §6."""

import json
from collections.abc import Mapping
from typing import Any

from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.wire import Answer, Exchange


def bearer(exchange: Exchange) -> str:
    """The key of an Authorization header, "" when there is none."""
    kind, _, key = exchange.header("authorization").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def error_answer(
    problem: Problem,
    known: Mapping[int, tuple[str, str, str | None]],
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """known: by status, the message, type and code where the problem itself names none."""
    message, kind, code = known.get(problem.status, ("The server had an error.", "server_error", None))
    error: dict[str, Any] = {
        "message": problem.message or message,
        "type": kind,
        "param": problem.words.text("param") or None,
        "code": problem.words.text("code") or problem.kind or code,
    }
    return Answer(json.dumps({"error": error}).encode(), problem.status, headers=(*problem.headers, *headers))


def model_list(entries: list[dict[str, Any]]) -> Answer:
    return Answer(json.dumps({"object": "list", "data": entries}).encode())
