"""What an operator sets for Gemini: the provider's file, and a slot's own fields."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from boothd.base.units import Bytes
from boothd.providers.interfaces import CloudSettings, Options

Ratio = Literal["1:1", "1:4", "1:8", "2:3", "3:2", "3:4", "4:1", "4:3", "4:5", "5:4", "8:1", "9:16", "16:9", "21:9"]
Size = Literal["512", "1K", "2K", "4K"]
Thinking = Literal["minimal", "medium", "high"]
Safety = Literal["OFF", "BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE"]


class GeminiSettings(CloudSettings):
    """`etc/providers/gemini.yaml`. Source of the model ids: google-genai 3.4.0's own list; facts/providers.md §1.1."""

    base_url: str = Field(
        "https://generativelanguage.googleapis.com", description="where the service is; the version is added to it"
    )
    concurrency: int = Field(8, ge=1, le=10_000, description="photos worked on at the same time")
    api_version: Literal["v1", "v1beta"] = Field("v1", description="of the API; both take all that is sent here")
    model: str = Field(
        "gemini-nano-banana-2.1", min_length=1, description="makes the pictures, unless a slot names one"
    )
    reading_model: str = Field("gemini-3.8-flash", min_length=1, description="answers questions about photos, in words")
    mask_model: str = Field(
        "gemini-2.5-flash", min_length=1, description="finds people for cutting out; Gemini 3 models give no masks"
    )
    inline_max: Bytes = Field(
        15_000_000,
        ge=0,
        description="bytes of pictures, as base64, that travel inside a request; above it they are uploaded first. Base64 "
        "adds a third, and requests above 20 MB were refused until January 2026",
    )
    safety: Safety | None = Field(None, description="how much is blocked; none leaves it to the service")
    price_per_million_input: Decimal | None = Field(None, ge=0, description="money per million tokens sent")
    price_per_million_output: Decimal | None = Field(
        None, ge=0, description="money per million tokens made, pictures and thoughts; without both, `price` counts"
    )
    reading_price_per_million_input: Decimal | None = Field(None, ge=0, description="the same for reading and masks")
    reading_price_per_million_output: Decimal | None = Field(None, ge=0, description="the same for reading and masks")


class GeminiOptions(Options):
    """A slot's own fields. None leaves a thing to the model."""

    model: str | None = Field(None, min_length=1, description="makes this slot's pictures; none: the provider's model")
    aspect: Ratio | None = Field(None, description="width to height")
    image_size: Size | None = Field(None, description="about the longer side, in pixels")
    thinking: Thinking | None = Field(None, description="how long the model thinks before it draws")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="the same seed tends to the same picture")
    cut_out: bool = Field(
        False, description="background only: the guests' own pixels are cut out and kept, nothing is painted anew"
    )
