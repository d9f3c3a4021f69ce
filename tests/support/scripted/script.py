"""The words of a prompt that tell the scripted service what to do."""

from dataclasses import dataclass

FLAGS = frozenset(
    {"ok", "hold", "hang", "charged", "drop", "charge-first", "charge-then-drop", "html", "empty", "gif", "bomb"}
    | {"huge", "truncated", "png", "short", "hang-body", "queue-hold", "queue-lost"}
)
NUMBERS = frozenset({"delay", "status", "retry-after", "fail-first", "size", "cost", "queue", "poll-after"})


class Unknown(Exception):
    """The script has a word that the server does not know."""


@dataclass(frozen=True)
class Script:
    """What a call asks for."""

    flags: frozenset[str]
    numbers: dict[str, str]

    @classmethod
    def of(cls, text: str) -> "Script":
        flags, numbers = set(), {}
        for word in text.split():
            name, equals, value = word.partition("=")
            if equals and name not in NUMBERS:
                raise Unknown(word)
            if equals:
                numbers[name] = value
            elif word in FLAGS:
                flags.add(word)
        return cls(frozenset(flags), numbers)

    def __contains__(self, word: str) -> bool:
        return word in self.flags or word in self.numbers

    def number(self, name: str, otherwise: float = 0) -> float:
        return float(self.numbers.get(name, otherwise))
