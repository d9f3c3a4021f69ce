"""What a fake is told to do by words in the prompt, in double square brackets: `a pirate [[thoughts=2 slow=3]]`.

A block that begins with a fake's name (`[[gemini: no-image]]`) is for that fake alone. `at=PLACE` in a block moves it from
the paid call to another one. With `fail-first=N` a block holds for the first N calls of the same photo and prompt only,
and means 503 if it says nothing else. What stands outside the brackets is an ordinary prompt.
"""

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

COMMON: Mapping[str, str] = {
    "slow=SECONDS": "answers so much later",
    "hold": "answers after POST /__sandbox__/release",
    "hang": "never answers",
    "status=CODE": "answers with this error, in the service's own form; not charged",
    "retry-after=SECONDS": "with a Retry-After header",
    "fail-first=N": "the block holds for the first N calls of this photo and prompt; alone it means status=503",
    "at=PLACE": "the block is for another call than the paid one",
    "charged": "charged although it fails",
    "charge-first": "charged when the request has come, whether or not the client waits for the answer",
    "free": "not charged although it succeeds",
    "drop": "closes the connection instead of answering",
    "reset": "the same by TCP RST",
    "short": "closes the connection in the middle of the body; charged",
    "hang-body": "stops in the middle of the body; charged",
    "slow-body=SECONDS": "the body takes so long",
    "html": "200 with the page of a WLAN's login; charged",
    "bad-json": "200 with JSON that breaks off; charged",
    "empty-body": "200 without a body; charged",
}
"""Every fake knows these."""

PICTURE: Mapping[str, str] = {
    "size=8M": "a picture of so many bytes",
    "picture=WIDTHxHEIGHT": "a picture of so many pixels",
    "format=FORMAT": "jpeg, png or webp",
    "canned": "a ready picture instead of one made of the photo: for measuring",
    "truncated": "a picture cut in half",
    "gif": "a GIF",
    "bomb": "a PNG that claims 60000x60000 pixels",
    "not-a-picture": "text where the picture should be",
}
"""Every fake that makes pictures knows these."""

_BLOCK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_SCOPE = re.compile(r"\s*([a-z][a-z-]*):\s")
_SIZE = {"K": 1 << 10, "M": 1 << 20, "": 1}


class NotAScript(Exception):
    """The script has a word that the fake does not know, or one whose value makes no sense."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that hold for one call."""

    said: Mapping[str, str]

    def __contains__(self, word: str) -> bool:
        return word in self.said

    def text(self, word: str, otherwise: str = "") -> str:
        return self.said.get(word, otherwise)

    def number(self, word: str, otherwise: float = 0) -> float:
        try:
            return float(self.said.get(word, otherwise))
        except ValueError:
            raise NotAScript(f"{word}={self.said[word]}") from None

    def count(self, word: str, otherwise: int = 0) -> int:
        return int(self.number(word, otherwise))

    def size(self, word: str) -> int:
        """Bytes: 512000, 500K, 8M; 0 when not said."""
        found = re.fullmatch(r"(\d+)([KM]?)", self.said.get(word, "0"))
        if found is None:
            raise NotAScript(f"{word}={self.said[word]}")
        return int(found[1]) * _SIZE[found[2]]

    def pixels(self, word: str) -> tuple[int, int] | None:
        """Width and height: 768x576; None when not said."""
        if word not in self.said:
            return None
        found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", self.said[word])
        if found is None or "0" in found.groups():
            raise NotAScript(f"{word}={self.said[word]}")
        return int(found[1]), int(found[2])

    def one_of(self, word: str, *choices: str) -> str:
        """The word's value, one of `choices`; the first when not said."""
        value = self.said.get(word, choices[0])
        if value not in choices:
            raise NotAScript(f"{word}={value}")
        return value


CALM = Words({})
"""Nothing was said."""


@dataclass(frozen=True, slots=True)
class Block:
    """One pair of brackets. place: the call it is for, "" = the paid one."""

    words: Mapping[str, str]
    place: str
    first: int | None


@dataclass(frozen=True, slots=True)
class Script:
    """All that a text says to one fake."""

    blocks: tuple[Block, ...] = ()

    @classmethod
    def of(cls, text: str, fake: str, known: Mapping[str, str], places: tuple[str, ...] = ()) -> "Script":
        """Read the blocks of `text` that are for `fake`. Raises NotAScript.

        known: what the fake knows, as in `COMMON`. places: what `at` may name."""
        allowed = {word.partition("=")[::2] for word in known}
        flags = {name for name, value in allowed if not value}
        values = {name for name, value in allowed if value}
        blocks = []
        for inner in _BLOCK.findall(text):
            scope = _SCOPE.match(inner)
            if scope and scope[1] != fake:
                continue
            words = {}
            for word in inner[scope.end() if scope else 0 :].split():
                name, equals, value = word.partition("=")
                if name not in (values if equals else flags):
                    raise NotAScript(word)
                words[name] = value
            blocks.append(_block(words, places))
        return cls(tuple(blocks))

    def at(self, place: str, happened: "Counter[Hashable]", whose: Hashable) -> Words:
        """The words for a call at `place`; counts the call. happened: the fake's memory. whose: what counts as the same."""
        said: dict[str, str] = {}
        for number, block in enumerate(self.blocks):
            if block.place != place:
                continue
            if block.first is not None:
                happened[whose, place, number] += 1
                if happened[whose, place, number] > block.first:
                    continue
            said.update(block.words)
        return Words(said)


def others_blocks(text: str, fake: str) -> str:
    """The blocks of `text` that name another fake, as they stand."""
    found = (match for match in _BLOCK.finditer(text) if (scope := _SCOPE.match(match[1])) and scope[1] != fake)
    return " ".join(match[0] for match in found)


def without_blocks(text: str) -> str:
    """What is left of a prompt for a reader of prose."""
    return " ".join(_BLOCK.sub(" ", text).split())


def _block(words: dict[str, str], places: tuple[str, ...]) -> Block:
    place, first = words.pop("at", ""), words.pop("fail-first", None)
    if place and place not in places:
        raise NotAScript(f"at={place}")
    if first is not None and not first.isdigit():
        raise NotAScript(f"fail-first={first}")
    if first is not None and not words:
        words["status"] = "503"
    return Block(words, place, None if first is None else int(first))
