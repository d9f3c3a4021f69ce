"""Reads what a home says of its providers and slots; every error becomes a line, and the rest is read all the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from boothd.booth.slots import LiveSlot, load_slots
from boothd.config import ConfigError, DaemonConfig, Home, Secrets, parse, read_yaml
from boothd.providers import provider_names, provider_type
from boothd.providers.interfaces import Provider, ProviderSettings


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that could be read. types: the registered providers that can be loaded; settings: of those whose file is
    sound."""

    home: Home
    daemon: DaemonConfig
    secrets: Secrets
    types: Mapping[str, type[Provider]]
    settings: Mapping[str, ProviderSettings]
    book: Iterable[LiveSlot]


def read_setup(home: Home, daemon: DaemonConfig, secrets: Secrets, problems: list[str]) -> Setup | None:
    """Blocks. problems: where a line for each thing that is wrong is put. None: the slots cannot be read."""
    types, settings = {}, {}
    for name in provider_names():
        file = home.provider_file(name)
        try:
            types[name] = provider_type(name)
            settings[name] = parse(types[name].Settings, read_yaml(file), file)
        except ConfigError as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 (another package's code)
            problems.append(f"{file}: the provider “{name}” cannot be loaded ({error})")
    for folder in (home.etc / "providers", home.etc / "slots"):
        for file in sorted(folder.glob("*.yaml")):
            if file.stem not in types:
                problems.append(f"{file}: no provider is called “{file.stem}”; there are {', '.join(types)}")
    try:
        book = load_slots(home, types, daemon.upload.max_pixels)
    except ConfigError as error:
        problems.append(str(error))
        return None
    if not any(live.slot.enabled for live in book):
        problems.append(f"{home.etc / 'slots'}: no slot is enabled, so there is no upload link")
    return Setup(home, daemon, secrets, types, settings, book)
