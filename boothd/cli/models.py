"""`boothd models`: what a provider's account offers."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from boothd.base.budget import Budget
from boothd.base.errors import WorkError
from boothd.cli.asking import LIMIT_S, on_one_line
from boothd.cli.failed import Failed
from boothd.cli.homes import find_home
from boothd.cli.reactor import Workshop
from boothd.cli.reactor import run as run_reactor
from boothd.cli.uses import Use, slot_names, uses
from boothd.live import read_all
from boothd.providers.interfaces import NotConfigured, Offer, Offers


def run(args: argparse.Namespace) -> int:
    configured, name = read_all(find_home(args.home)), args.provider
    if name not in configured.types:
        raise Failed(f"no provider is called {name}; there are {', '.join(configured.types)}")
    workshop = Workshop(configured.daemon.upload.max_pixels)
    keys = configured.secrets.keys.get(name, ())
    try:
        provider: Any = configured.types[name](configured.settings[name], workshop.tools(keys))
    except NotConfigured as reason:
        raise Failed(f"{name}: {reason}") from None
    if not isinstance(provider, Offers):
        raise Failed(f"{name} has no service that could be asked")
    try:
        offers = _offers(provider, workshop)
    except WorkError as error:
        raise Failed(f"{name}: {on_one_line(error.message, keys)}") from None
    for line in listing(provider, offers, uses(configured.book).get(name, [])):
        print(line)
    return 0


def _offers(provider: Any, workshop: Workshop) -> Sequence[Offer] | None:
    """Raises WorkError."""

    async def ask() -> Sequence[Offer] | None:
        try:
            budget = Budget.of(workshop.clock, LIMIT_S)
            offers: Sequence[Offer] | None = await budget.limit(provider.offers(budget))
            return offers
        finally:
            await workshop.close()

    return run_reactor(workshop.reactor, ask)


def listing(provider: Any, offers: Sequence[Offer] | None, used: Sequence[Use]) -> list[str]:
    """The lines: one for each offer, with a * where slots use it. used: the enabled slots' presets for the provider."""
    if offers is None:
        return [f"{provider.title} takes the key, but does not tell what the account has."]
    if not offers:
        return [f"The account at {provider.title} has nothing."]
    slots = _by_model(provider, used)
    wide = max(len(name) for name in [*slots, *(offer.name for offer in offers)])
    lines = []
    for offer in sorted(offers, key=lambda offer: offer.name):
        note = " ".join(offer.note.split())
        said = "; ".join(filter(None, [slots.get(offer.name, ""), note]))
        lines.append(f"{'*' if offer.name in slots else ' '} {offer.name:<{wide}}  {said}".rstrip())
    missing = sorted(slots.keys() - {offer.name for offer in offers})
    return lines + [f"! {model:<{wide}}  {slots[model]}; the account does not have it" for model in missing]


def _by_model(provider: Any, used: Sequence[Use]) -> Mapping[str, str]:
    found: dict[str, list[Use]] = {}
    for use in used:
        found.setdefault(provider.model(use.preset), []).append(use)
    return {model: slot_names(all_of_it) for model, all_of_it in found.items()}
