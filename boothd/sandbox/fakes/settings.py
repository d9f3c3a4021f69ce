"""How a fake behaves as a whole: slowness, failures and outages that no prompt asks for."""

from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outage = Literal["off", "error", "hang", "drop"]


class CommonSettings(BaseModel):
    """Read at GET, changed at POST /__sandbox__/settings. A fake adds its own by subclassing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_s: float = Field(0, ge=0, description="seconds that a paid call takes, on the average")
    spread_s: float = Field(0, ge=0, description="standard deviation of the same")
    failure_share: float = Field(0, ge=0, le=1, description="share of paid calls that fail")
    failure_status: int = Field(503, ge=400, le=599, description="how they fail")
    outage: Outage = Field("off", description="what every call gets: an error, no answer, a closed connection")
    outage_status: int = Field(503, ge=400, le=599, description="the outage's error")
    charge_first: bool = Field(False, description="charge when a request has come, as if each said charge-first")
    keys: tuple[str, ...] = Field((), description="the keys that are good; none: all are, but see `check_key`")
    script: str = Field("", description="words in [[ ]] that hold as if they stood in every prompt")
    max_body: int = Field(128 << 20, gt=0, description="bytes of a request; above it 413")

    def latency(self, random: Random) -> float:
        """Seconds that one call takes."""
        if self.spread_s == 0:
            return self.latency_s
        return max(self.latency_s / 4, random.gauss(self.latency_s, self.spread_s))

    def changed(self, values: dict[str, Any]) -> "CommonSettings":
        """The same with other values. Raises ValueError (pydantic's)."""
        return type(self).model_validate({**self.model_dump(), **values})
