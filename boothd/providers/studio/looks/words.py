"""Choosing a look by the words of a prompt, in English and Russian.

How a look's words are written: `pencil` is that word exactly, `акварел*` any word that begins so (which is how Russian
inflections are met), `black and white` words that follow one another, `~sketch` a vague word that counts half.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from boothd.providers.studio.looks.look import Look

_TOKEN = re.compile(r"[^\W_]+|[.,;:!?()\n]")
_NEGATIONS = frozenset(
    "not no non without never avoid dont isnt except не без ни нет кроме вместо никак никаких".split()  # noqa: SIM905
)
# What may stand between a negation and the look it denies.
_FILLERS = frozenset(
    "a an the any in of like as be make it too very use using at all style look effect filter picture "  # noqa: SIM905
    "в во на под как это эта этот то надо нужно нужен нужна нужны хочу делай делать сделай рисуй рисовать "
    "стиль стиле стиля стилем вид виде вида эффект эффекта эффектом фильтр фильтра очень слишком "
    "никакой никакого никакая".split()
)
_TURNS = frozenset(
    ("but", "only", "just", "rather", "instead", "а", "но", "лишь", "только", "зато")
)  # a denial ends here
_LINKS = frozenset(("or", "nor", "and", "и", "или", "либо", "ни"))  # a denial goes on over these
_CONTRACTIONS = (("don't", "dont"), ("don’t", "dont"), ("isn't", "isnt"), ("isn’t", "isnt"), ("b&w", "bw"))
_PROMPT_LENGTH = 4000  # characters that are read; prompts are a few hundred


def pick(prompt: str, looks: Sequence[Look], default: Look) -> Look:
    """The look of `looks` that `prompt` speaks of most; of two, the one named first.

    Denied looks ("not black and white", "без чёрно-белого") are left out. With nothing recognised it is `default`,
    or the next of `looks` if that one was denied. Never raises."""
    tokens = _tokens(prompt)
    wanted: list[tuple[int, int, int]] = []
    denied: set[str] = set()
    spans = [(look, span) for look in looks for span in _mentions(tokens, look.words)]
    starts = {start: end for _, (start, end, _) in spans}
    for number, look in enumerate(looks):
        score, first = 0, len(tokens)
        covered: set[int] = set()
        for of, (start, end, weight) in spans:
            if of is not look:
                continue
            if _is_denied(tokens, start, starts):
                denied.add(look.name)
                continue
            # Each word of the prompt counts once, however many of the look's words meet it.
            fresh = set(range(start, end)) - covered
            covered |= fresh
            score += weight * len(fresh)
            first = min(first, start)
        if score:
            wanted.append((-score, first, number))
    if wanted:
        return looks[min(wanted)[2]]
    return next((look for look in (default, *looks) if look.name not in denied), default)


def _tokens(prompt: str) -> list[str]:
    text = prompt[:_PROMPT_LENGTH].lower().replace("ё", "е")
    for long, short in _CONTRACTIONS:
        text = text.replace(long, short)
    return _TOKEN.findall(text)


@lru_cache(maxsize=1024)
def _parsed(word: str) -> tuple[tuple[str, ...], int]:
    weight = 1 if word.startswith("~") else 2
    return tuple(word.removeprefix("~").lower().replace("ё", "е").split()), weight


def _mentions(tokens: Sequence[str], words: Sequence[str]) -> list[tuple[int, int, int]]:
    """(first token, one past the last, weight per token) of each place where one of `words` stands, best first."""
    found = []
    for word in words:
        parts, weight = _parsed(word)
        for start in range(len(tokens) - len(parts) + 1):
            if all(_meets(token, part) for token, part in zip(tokens[start : start + len(parts)], parts, strict=True)):
                found.append((start, start + len(parts), weight))
    return sorted(found, key=lambda span: (-span[2], span[0] - span[1], span[0]))


def _meets(token: str, part: str) -> bool:
    return token.startswith(part[:-1]) if part.endswith("*") else token == part


def _is_denied(tokens: Sequence[str], start: int, starts: dict[int, int]) -> bool:
    """Whether a negation reaches the words at `start`: directly, over fillers, or over other looks and "or"."""
    ends = {end: begin for begin, end in starts.items()}
    at = start
    while at > 0:
        before = tokens[at - 1]
        if before in _NEGATIONS:
            return True
        if before in _TURNS:
            return False
        if before in _FILLERS or before in _LINKS:
            at -= 1
        elif at in ends and ends[at] < at:
            at = ends[at]
        else:
            return False
    return False
