"""What a call cost, by the tokens that the answer counts. Source: facts/providers.md §1.3 (usageMetadata)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.genai.types import GenerateContentResponseUsageMetadata

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Money per million tokens; None where nobody has set it."""

    input: Decimal | None = None
    output: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of one call, 0 where the answer does not say. sent: text and pictures. made: text, pictures and thoughts."""

    sent: int = 0
    made: int = 0

    @classmethod
    def of(cls, usage: "GenerateContentResponseUsageMetadata | None") -> "Spent":
        if usage is None:
            return cls()
        made = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return cls(max(0, usage.prompt_token_count or 0), max(0, made))

    def cost(self, prices: Prices) -> Decimal | None:
        """None when the answer counts no tokens or a price is missing: then the listed price of a picture holds."""
        if prices.input is None or prices.output is None or not (self.sent or self.made):
            return None
        return (self.sent * prices.input + self.made * prices.output) / MILLION
