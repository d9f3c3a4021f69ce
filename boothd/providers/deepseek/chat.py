"""One chat request: pictures and words go out, words come back. Source: facts/providers.md §2."""

import json
from typing import Any

from boothd.base.errors import BadAnswer, Charged
from boothd.base.jsonbody import Tree, json_body
from boothd.providers.common.ask import ask, read_text, retry_after_s
from boothd.providers.common.openai import bearer, error_of, read_said, said_by
from boothd.providers.tools import Tools

MAX_ANSWER = 256 << 10
"""Bytes of an answer; `max_tokens` keeps it far below that."""


async def chat(client: Any, base_url: str, tree: Tree, key: str, *, model: str, service: str, tools: Tools) -> Any:
    """The parsed answer of one POST to /chat/completions.

    Its headers come at once and blank lines follow for as long as it takes, so neither says anything of progress; gateways
    put server-sent comments (`: keep-alive`) in their place. Cancelling closes the connection. Raises what an error means."""
    body = await json_body(tree, tools.disk)
    headers = {**bearer(key), "Content-Type": "application/json"}
    response = await ask(client, "POST", f"{base_url}/chat/completions", headers=headers, data=body, service=service)
    after_s = retry_after_s(response, tools.clock.now())
    if not 200 <= response.code < 300:
        said = await read_said(response, key)
        raise error_of(response.code, said, service=service, model=model, after_s=after_s)
    text = await read_text(response, MAX_ANSWER)
    try:
        answer = await tools.disk.run(_parsed, text)
    except (ValueError, RecursionError) as error:
        reason = "nothing, or broke off" if not text.strip() else "something that is no JSON, or broke off"
        raise BadAnswer(f"{service} answered {reason}.", charged=Charged.MAYBE) from error
    if isinstance(answer, dict) and answer.get("error") and not answer.get("choices"):
        known = error_of(400, said_by(answer, key), service=service, model=model, after_s=after_s)
        known.charged = Charged.MAYBE
        raise known
    return answer


def _parsed(text: str) -> Any:
    """The document after blank lines and comments."""
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith(":")), len(lines))
    return json.loads("".join(lines[first:]), strict=False)
