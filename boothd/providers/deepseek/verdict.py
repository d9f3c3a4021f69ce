"""What Deepseek has written, found in whatever it has written around it. Source: facts/providers.md §2, §10.2."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_PROMPT = 5000
"""Characters of a prompt; more than any renderer reads."""
MAX_NEGATIVE = 1000
_NOTHING = frozenset({"", "no", "none", "null", "false", "n/a", "-", "нет"})


@dataclass(frozen=True, slots=True)
class Said:
    """A chat's answer. finish: why it ended ("stop", "length", "content_filter"). cost: None = the listed price."""

    content: str
    finish: str = ""
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """prompt: for the renderer. refuse: why there shall be no picture; "" = there shall."""

    prompt: str
    negative: str = ""
    refuse: str = ""


def read_said(answer: Any, price_input: Decimal | None, price_output: Decimal | None) -> Said:
    """The first choice of a `chat.completion`; what it thought is left aside. Prices are per million tokens."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    text = content.strip() if isinstance(content, str) else ""
    return Said(text, str(choice.get("finish_reason") or ""), _cost(answer, price_input, price_output))


def _cost(answer: Any, price_input: Decimal | None, price_output: Decimal | None) -> Decimal | None:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict) or price_input is None or price_output is None:
        return None
    tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(tokens_in, int) or not isinstance(tokens_out, int) or min(tokens_in, tokens_out) < 0:
        return None
    return (tokens_in * price_input + tokens_out * price_output) / 1_000_000


def read_verdict(content: str) -> Verdict | None:
    """The verdict in `content`, with or without ```json fences and words around; None when there is none."""
    decoder = json.JSONDecoder(strict=False)
    at = content.find("{")
    for _ in range(20):  # words around may hold braces of their own
        if at < 0:
            break
        try:
            value, _end = decoder.raw_decode(content, at)
        except (ValueError, RecursionError):
            pass
        else:
            if isinstance(value, dict) and (found := _verdict(value)) is not None:
                return found
        at = content.find("{", at + 1)
    return None


def _verdict(value: dict[str, Any]) -> Verdict | None:
    prompt, negative, refuse = (_text(value.get(name)) for name in ("prompt", "negative", "refuse"))
    if refuse.strip(" .").lower() in _NOTHING:
        refuse = ""
    if not prompt and not refuse:
        return None
    return Verdict(prompt[:MAX_PROMPT].rstrip(), negative[:MAX_NEGATIVE].rstrip(), refuse)


def _text(value: Any) -> str:
    """A text without control characters; lists are joined."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    if value is True:
        return "This photo does not fit."
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value).strip()
