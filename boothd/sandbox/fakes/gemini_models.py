"""Which models the fake Gemini has, and what each takes. Source: facts/providers.md §1.1."""

from dataclasses import dataclass
from typing import Any

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
MORE_RATIOS = (*RATIOS, "1:4", "1:8", "4:1", "8:1")


@dataclass(frozen=True, slots=True)
class Model:
    """sizes: what `imageSize` may be, () = the field is refused. draws: whether it answers pictures."""

    name: str
    title: str
    draws: bool = True
    ratios: tuple[str, ...] = RATIOS
    sizes: tuple[str, ...] = ("1K", "2K", "4K")
    max_pictures: int = 14
    methods: tuple[str, ...] = ("generateContent", "countTokens")

    def entry(self) -> dict[str, Any]:
        """As GET /v1/models lists it."""
        return {
            "name": f"models/{self.name}",
            "version": "1",
            "displayName": self.title,
            "description": f"{self.title}, played by boothd's sandbox",
            "inputTokenLimit": 65_536,
            "outputTokenLimit": 32_768,
            "supportedGenerationMethods": list(self.methods),
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
        }


MODELS = {
    model.name: model
    for model in (
        Model("gemini-nano-banana-2.1", "Nano Banana 2.1", ratios=MORE_RATIOS),
        Model("gemini-3-pro-image", "Nano Banana Pro"),
        Model("gemini-3.1-flash-image", "Nano Banana 2", sizes=("512", "1K", "2K", "4K"), ratios=MORE_RATIOS),
        Model("gemini-3.1-flash-lite-image", "Nano Banana 2 Lite", sizes=("1K",)),
        Model("gemini-2.5-flash-image", "Nano Banana", sizes=(), max_pictures=3),
        Model("gemini-3.8-flash", "Gemini 3.8 Flash", draws=False, max_pictures=900),
        Model("gemini-3-flash", "Gemini 3 Flash", draws=False, max_pictures=900),
        Model("gemini-2.5-flash", "Gemini 2.5 Flash", draws=False, max_pictures=900),
        Model("gemini-embedding-001", "Gemini Embedding 1", draws=False, methods=("embedContent",)),
    )
}
SIDES = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Square pixels' side of an image size."""
