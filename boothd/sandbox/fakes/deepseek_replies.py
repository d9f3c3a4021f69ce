"""What the fake DeepSeek says: a verdict in JSON when JSON is asked for, else prose. Source: facts/providers.md §2."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from boothd.sandbox.fakes.deepseek_request import Request
from boothd.sandbox.fakes.script import Words, others_blocks, without_blocks

WORDS = {
    "empty": "an empty `content`",
    "refuse": "the verdict refuses the photo",
    "prose": "prose although JSON was asked for",
    "fence": "the JSON in ```json fences",
    "cut": "the answer breaks off (finish_reason length)",
    "wrong-verdict": "JSON without a `prompt`",
    "negative": "the verdict has a `negative`",
    "filtered": "finish_reason content_filter and an empty `content`",
}
THOUGHT = "Let me look at the photo and at what is wanted. " * 40
THOUGHT_TOKENS = 600  # what thinking takes of max_tokens


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in the shape of `chat.completion`."""

    id: str
    model: str
    content: str
    thought: str
    reason: str
    usage: dict[str, Any]

    def whole(self) -> bytes:
        message = {"role": "assistant", "content": self.content}
        if self.thought:
            message["reasoning_content"] = self.thought
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.reason}
        head = {"id": self.id, "object": "chat.completion", "created": 1763668800, "model": self.model}
        return json.dumps({**head, "choices": [choice], "usage": self.usage}, ensure_ascii=False).encode()

    def streamed(self) -> bytes:
        """The same as server-sent events."""
        head = {"id": self.id, "object": "chat.completion.chunk", "created": 1763668800, "model": self.model}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": self.thought}] if self.thought else []
        deltas += [{"content": self.content[at : at + 16]} for at in range(0, len(self.content), 16)]
        events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        last = {"index": 0, "delta": {}, "finish_reason": self.reason}
        events.append({**head, "choices": [last], "usage": self.usage})
        lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]
        return "".join([*lines, "data: [DONE]\n\n"]).encode()


def make_reply(request: Request, words: Words, model: str) -> Reply:
    """What is said to a request that is in order."""
    content, reason = _content(request, words), "stop"
    thought = THOUGHT if request.thinking else ""
    if request.thinking and request.max_tokens < THOUGHT_TOKENS:  # thinking has eaten what there was
        content, reason = "", "length"
    if "empty" in words:
        content = ""
    if "filtered" in words:
        content, reason = "", "content_filter"
    if "cut" in words:
        content, reason = content[: len(content) // 2], "length"
    tokens_in = max(1, len(request.prompt) // 4) + 600 * len(request.digests)
    tokens_out = len(content) // 4 + (THOUGHT_TOKENS if thought else 0)
    usage: dict[str, Any] = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    usage |= {
        "total_tokens": tokens_in + tokens_out,
        "prompt_cache_hit_tokens": 0,
        "prompt_cache_miss_tokens": tokens_in,
    }
    if thought:
        usage["completion_tokens_details"] = {"reasoning_tokens": THOUGHT_TOKENS}
    number = hashlib.sha256(request.prompt.encode()).hexdigest()[:32]
    return Reply(number, model, content, thought, reason, usage)


def _content(request: Request, words: Words) -> str:
    seen = f"{len(request.digests)} pictures, the first of {request.sizes[0]} pixels" if request.sizes else "no picture"
    if not request.json_wanted or "prose" in words:
        return f"A sandbox reading of {seen}: somebody smiles into the camera."
    if "wrong-verdict" in words:
        verdict: dict[str, Any] = {"idea": "something else"}
    elif "refuse" in words:
        verdict = {"prompt": "", "refuse": "Nobody can be seen on the photo."}
    else:
        wish = without_blocks(request.last)[-400:]
        kept = others_blocks(request.prompt, "deepseek")  # so that the renderer's fake gets its script
        verdict = {"prompt": f"A portrait of the guest, smiling, soft light. {wish} {kept}".strip()}
        if "negative" in words:
            verdict["negative"] = "text, watermark, extra fingers"
    said = json.dumps(verdict, ensure_ascii=False)
    return f"```json\n{said}\n```" if "fence" in words else said
