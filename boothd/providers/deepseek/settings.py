"""What an operator can set."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from boothd.providers.interfaces import CloudSettings, DirectorOptions


class DeepseekSettings(CloudSettings):
    """`etc/providers/deepseek.yaml`. `price` is per look at a photo; what the renderer costs is the renderer's."""

    base_url: str = Field(
        "https://api.deepseek.com", description="DeepSeek's own address, or another server's of its kind"
    )
    model: str = Field("deepseek-flash", min_length=1, max_length=300, description="a model that takes pictures")
    patience_s: float = Field(12.0, gt=0, description="seconds after which the slot's own prompt is used as it is")
    max_tokens: int = Field(2000, ge=100, le=32_000, description="how long an answer may be")
    detail: Literal["auto", "low", "high"] = Field("auto", description="how closely pictures are looked at")
    price_per_million_input: Decimal | None = Field(None, ge=0, description="money per million tokens that go in")
    price_per_million_output: Decimal | None = Field(None, ge=0, description="... and that come out; both, or neither")


class DeepseekOptions(DirectorOptions):
    """A slot's own fields."""

    model: str = Field("", max_length=300, description="the model that looks at the photo; none: the provider's")
