"""What an answer of status 200 says: a picture, words, or a refusal in one of its many shapes.

Source: facts/providers.md §1.3. Whatever is absent in a refusal (candidates, content, parts) is None here."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from boothd.base.errors import BadAnswer, BadKey, Charged, Refused
from boothd.base.jsonanswer import Blob
from boothd.providers.common.ask import shortened
from boothd.providers.gemini.cost import Prices, Spent

if TYPE_CHECKING:
    from google.genai.types import GenerateContentResponse, Part

REFUSED = frozenset({
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION", "ESCALATION", "MODEL_ARMOR",
})  # fmt: skip
"""Reasons for ending that another photo or prompt may not have."""
LIMITED = "PUP_LIMITED_DISABLED"
"""The account is limited for what it has asked before; that is the key's trouble, not the photo's."""


class Answer:
    """One answer. received: turns its inline data into what they stand for. cost: of the call, None = the listed price."""

    def __init__(
        self, response: "GenerateContentResponse", received: Callable[[bytes], Blob | bytes], prices: Prices
    ) -> None:
        self._response, self._received = response, received
        self._spent = Spent.of(response.usage_metadata)
        self.cost: Decimal | None = self._spent.cost(prices)

    def picture(self) -> Blob | bytes:
        """The last picture that is not a thought: drafts come before it. Raises Refused, BadAnswer, BadKey."""
        self._check_refusal()
        pictures = [
            part.inline_data.data
            for part in self._parts()
            if part.inline_data is not None and part.inline_data.data and not part.thought
        ]
        if not pictures:
            raise BadAnswer(f"Gemini made no picture{self._why()}", charged=Charged.YES, cost=self.cost)
        return self._received(pictures[-1])

    def words(self) -> str:
        """The answer in words. Raises Refused, BadAnswer, BadKey."""
        self._check_refusal()
        words = self._words()
        if not words.strip():
            raise BadAnswer(f"Gemini said nothing{self._why()}", charged=Charged.YES, cost=self.cost)
        return words

    def _check_refusal(self) -> None:
        feedback = self._response.prompt_feedback
        if feedback is not None and feedback.block_reason is not None and not self._response.candidates:
            said = f": {shortened(feedback.block_reason_message)}" if feedback.block_reason_message else "."
            text = f"Gemini refused the photo or the prompt ({feedback.block_reason.value}){said}"
            raise Refused(text, charged=self._charged(Charged.MAYBE), cost=self.cost)
        if self._reason() in REFUSED:
            text = f"Gemini made a picture or words and held them back{self._why()}"
            raise Refused(text, charged=self._charged(Charged.MAYBE), cost=self.cost)
        if self._reason() == LIMITED:
            raise BadKey(f"Gemini has limited this account{self._why()}", charged=self._charged(Charged.NO))

    def _charged(self, otherwise: Charged) -> Charged:
        """A refusal has cost what was made for it, if the answer counts that."""
        return Charged.YES if self._spent.made else otherwise

    def _reason(self) -> str:
        candidates = self._response.candidates or []
        reason = candidates[0].finish_reason if candidates else None
        return "" if reason is None else str(reason.value)

    def _why(self) -> str:
        """The reason and the model's own words, as the end of a sentence."""
        reason, words = self._reason(), shortened(self._words())
        return (f" ({reason})" if reason else "") + (f": {words}" if words else ".")

    def _words(self) -> str:
        return "".join(part.text for part in self._parts() if part.text and not part.thought)

    def _parts(self) -> "list[Part]":
        candidates = self._response.candidates or []
        content = candidates[0].content if candidates else None
        return list(content.parts or []) if content is not None else []
