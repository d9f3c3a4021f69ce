"""What `boothd check` remarks, although it is no problem."""

from collections.abc import Iterator
from typing import Any

from boothd.cli.setup import Setup

NOTE = "note: "
"""How such a line begins."""


def budget_notes(setup: Setup) -> Iterator[str]:
    """A line for each daily budget that no price fills."""
    for name, settings in setup.settings.items():
        if (
            settings.daily_budget is not None
            and setup.types[name].paid
            and not (settings.price or _by_tokens(settings))
        ):
            file = setup.home.provider_file(name)
            yield f"{NOTE}{file}: daily_budget: price is 0, so the budget counts only what the service reports itself"


def no_list_note(setup: Setup, name: str) -> str:
    """That a service's models could not be looked up."""
    said = "the service answers but lists no models, so the model could not be verified"
    settings: Any = setup.settings[name]
    field = type(settings).model_fields.get("base_url")
    if field is not None and str(field.default).endswith("/v1") and not settings.base_url.endswith("/v1"):
        said += "; if photos fail with 404, base_url may lack its /v1"
    return f"{NOTE}{setup.home.provider_file(name)}: {said}"


def _by_tokens(settings: Any) -> bool:
    """Whether a call's cost is counted from its tokens."""
    prices = (getattr(settings, f"price_per_million_{way}", None) for way in ("input", "output"))
    return all(price is not None for price in prices)
