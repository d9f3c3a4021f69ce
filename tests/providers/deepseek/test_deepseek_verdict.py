"""Deepseek: a verdict is found in whatever was written around it, and is made fit for a renderer."""

import json
from decimal import Decimal
from typing import Any

import pytest

from boothd.providers.deepseek.verdict import MAX_PROMPT, Said, Verdict, read_said, read_verdict


@pytest.mark.parametrize(
    "content",
    [
        '{"prompt": "a pirate"}',
        '\n\n ```json\n{"prompt": "a pirate"}\n```\n',
        'Here you are: {"prompt": "a pirate"} I hope {that} helps.',
        'In {braces}: {"note": {}} and then {"prompt": " a pirate ", "negative": null, "refuse": false}',
        '{"prompt": "a pirate", "refuse": "No."}',
        '{"prompt": ["a pirate"]}',
    ],
)
def test_a_verdict_is_found(content: str) -> None:
    assert read_verdict(content) == Verdict("a pirate")


@pytest.mark.parametrize(
    "content", ["", "a pirate", "{", '{"prompt": "a pir', "[]", '{"prompt": ""}', "{" * 5000, "null"]
)
def test_no_verdict_is_none(content: str) -> None:
    assert read_verdict(content) is None


def test_a_refusal_needs_no_prompt() -> None:
    assert read_verdict('{"prompt": "", "refuse": "Nobody is there."}') == Verdict("", "", "Nobody is there.")
    assert read_verdict('{"refuse": true}') == Verdict("", "", "This photo does not fit.")


def test_a_negative_may_be_a_list() -> None:
    assert read_verdict('{"prompt": "x", "negative": ["text", "", "hats"]}') == Verdict("x", "text, hats")


def test_a_prompt_is_cut_and_has_no_control_characters() -> None:
    found = read_verdict(json.dumps({"prompt": "a\x00\x1b\nb" + "x" * 9000, "negative": "y" * 9000}))
    assert found is not None
    assert found.prompt.startswith("a  \nbxx")
    assert len(found.prompt) == MAX_PROMPT
    assert len(found.negative) == 1000


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"choices": []}, {"choices": [None]}, {"choices": [{"message": {"content": None}}]}]
)
def test_an_answer_of_another_shape_says_nothing(answer: Any) -> None:
    assert read_said(answer, None, None) == Said("")


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, Decimal("0.0026")),
        ({"prompt_tokens": 1000}, None),
        ({"prompt_tokens": -1, "completion_tokens": 1}, None),
        ("much", None),
    ],
)
def test_tokens_cost_what_their_prices_say(usage: Any, cost: Decimal | None) -> None:
    assert read_said({"usage": usage}, Decimal(2), Decimal(6)).cost == cost
    assert read_said({"usage": usage}, Decimal(2), None).cost is None
