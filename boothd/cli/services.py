"""What would not work with the providers' services: keys, accounts, models, addresses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boothd.base.errors import BadKey, Busy, OutOfCredit, OutOfTime
from boothd.cli.asking import LIMIT_S, Question, Told, ask_all, questions
from boothd.cli.notes import budget_notes, no_list_note
from boothd.cli.reactor import Workshop, run
from boothd.cli.setup import Setup
from boothd.cli.uses import Use, place_of_keys, slot_names, uses, variable
from boothd.providers.interfaces import NotConfigured, Provider

_BLIND = "cannot see photos"
"""In an offer's note: a model that takes no pictures."""
_ABOUT_THE_KEY = {
    BadKey: "is refused by the service",
    OutOfCredit: "has no money left at the service",
    Busy: "has no room at the service now",
}


def service_problems(setup: Setup, *, offline: bool) -> Iterator[str]:
    """One line for each, and for each note. Without `offline`, the services are asked, which takes at most 10 s and runs
    the reactor."""
    yield from budget_notes(setup)
    used = uses(setup.book)
    for name in sorted(setup.secrets.keys.keys() - setup.types.keys()):
        place = place_of_keys(setup.home, name)
        yield f"{place}: no provider is called “{name}”; there are {', '.join(setup.types)}"
    wanted = [name for name in setup.settings if used.get(name) or setup.secrets.keys.get(name)]
    if not wanted:
        return
    workshop = Workshop(setup.daemon.upload.max_pixels)
    asked: list[Question] = []
    for name in wanted:
        yield from _Provider(setup, name, used.get(name, []), workshop).problems(asked)
    told = [] if offline else _told(workshop, asked)
    for name in wanted:
        yield from _Answers(setup, name, used.get(name, []), [t for t in told if t.question.name == name]).problems()


def _told(workshop: Workshop, asked: Sequence[Question]) -> Sequence[Told]:
    async def ask() -> Sequence[Told]:
        try:
            return await ask_all(asked, workshop.clock)
        finally:
            await workshop.close()

    return run(workshop.reactor, ask) if asked else []


@dataclass(frozen=True, slots=True)
class _Provider:
    """One provider before anything is asked."""

    setup: Setup
    name: str
    used: Sequence[Use]
    workshop: Workshop

    def problems(self, asked: list[Question]) -> Iterator[str]:
        """asked: where its questions are put."""
        setup, name = self.setup, self.name
        keys = setup.secrets.keys.get(name, ())
        file = setup.home.provider_file(name)
        try:
            self._make(keys)
            asked += questions(name, keys, self._make)
        except NotConfigured as reason:
            if keys:
                yield f"{file}: {reason}"
            else:
                yield f"{setup.home.secrets_file}: keys.{name}: {self._no_key(str(reason))}"
        except Exception as error:  # noqa: BLE001 (another package's code)
            yield f"{file}: the provider cannot be set up ({error})"
        if self.used and getattr(setup.types[name], "needs_public_url", False):
            yield from _address_problem(setup, name, self.used)

    def _make(self, keys: tuple[str, ...]) -> Provider:
        return self.setup.types[self.name](self.setup.settings[self.name], self.workshop.tools(keys))

    def _no_key(self, reason: str) -> str:
        if not reason.startswith("no API key"):  # as `KeyRing` says it; another package has other needs
            return f"{slot_names(self.used)} cannot work: {reason}"
        return f"there is no API key, but {slot_names(self.used)} need one; put it there or into ${variable(self.name)}"


def _address_problem(setup: Setup, name: str, used: Sequence[Use]) -> Iterator[str]:
    url = setup.daemon.public_url
    place = f"{setup.home.config_file}: public_url:"
    if not url:
        yield f"{place} is not set, but {name} fetches the photos of {slot_names(used)} from there"
        return
    if _is_near(urlsplit(url).hostname) and not _is_near(urlsplit(_base_url(setup.settings[name])).hostname):
        yield f"{place} {url} leads into this network only; {name} must reach it to fetch the photos"


def _is_near(host: str | None) -> bool:
    """Whether only this machine or its network knows this host."""
    try:
        return not ip_address(host or "").is_global
    except ValueError:
        return host is not None and ("." not in host or host.endswith((".local", ".lan", ".localhost", ".internal")))


def _base_url(settings: Any) -> str:
    return str(getattr(settings, "base_url", ""))


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a provider's service said."""

    setup: Setup
    name: str
    used: Sequence[Use]
    told: Sequence[Told]

    @property
    def file(self) -> Path:
        return self.setup.home.provider_file(self.name)

    def problems(self) -> Iterator[str]:
        yield from dict.fromkeys(self._failure(told) for told in self.told if told.error is not None)
        lists = [told.offers for told in self.told if told.error is None]
        if any(offers is None for offers in lists):
            yield no_list_note(self.setup, self.name)
        elif lists and len(lists) == len(self.told):
            yield from self._unfit({offer.name: offer.note for offers in lists for offer in offers or ()})

    def _failure(self, told: Told) -> str:
        about = next((text for kind, text in _ABOUT_THE_KEY.items() if isinstance(told.error, kind)), None)
        if about is not None and told.question.number:
            keys = self.setup.secrets.keys[self.name]
            which = f"key {told.question.number} of {len(keys)} " if len(keys) > 1 else ""
            return f"{place_of_keys(self.setup.home, self.name)}: {which}{about} ({told.said})"
        title = self.setup.types[self.name].title
        if isinstance(told.error, OutOfTime):
            return f"{self.file}: {title} did not answer within {LIMIT_S:.0f} s"
        return f"{self.file}: {title} cannot be used ({told.said})"

    def _unfit(self, known: Mapping[str, str]) -> Iterator[str]:
        """known: the account's models, each with its note."""
        settings = self.setup.settings[self.name]
        provider = self.told[0].question.provider
        models = [(use, str(provider.model(use.preset))) for use in self.used]
        own = {key: str(getattr(settings, key)) for key in type(settings).model_fields if _is_model(key)}
        for key, model in own.items():
            needed = key in settings.model_fields_set or any(model == used for _, used in models)
            why = self._why(model, known)
            if model and needed and why:
                yield f"{self.file}: {key}: {model}: {why}"
        for use, model in models:
            why = self._why(model, known)
            if why and model not in own.values():
                yield f"{self.setup.home.slots_file(use.live.provider)}: slots.{use.live.number}: {model}: {why}"

    def _why(self, model: str, known: Mapping[str, str]) -> str:
        """What is wrong with a model; "": nothing."""
        see = f"see: boothd models {self.name}"
        if model not in known:
            return f"the account does not have it; {see}"
        return f"it {_BLIND}; {see}" if _BLIND in known[model] else ""


def _is_model(key: str) -> bool:
    return key == "model" or key.endswith("_model")
