"""`boothd link`: a slot's upload link."""

import argparse

from boothd.base.endpoint import base_url, read_listen
from boothd.cli.failed import Failed
from boothd.cli.homes import find_home
from boothd.config import DaemonConfig, Home, read_daemon_config


def run(args: argparse.Namespace) -> int:
    print(upload_link(find_home(args.home), args.provider, args.slot, args.listen))
    return 0


def upload_link(home: Home, provider: str, number: int, listen: str | None = None) -> str:
    """The link of an enabled slot. listen: instead of the configured endpoint. Raises Failed, ConfigError."""
    path = upload_path_of(home, provider, number)
    return _base(read_daemon_config(home), listen) + path


def upload_path_of(home: Home, provider: str, number: int) -> str:
    """The link's path. Raises Failed, ConfigError."""
    from boothd.booth.slots import SLOTS, load_slots
    from boothd.booth.uploads import upload_path
    from boothd.providers import provider_names, provider_type

    names = provider_names()
    if provider not in names:
        raise Failed(f"no provider is called {provider}; there are {', '.join(names)}")
    if not 1 <= number <= SLOTS:
        raise Failed(f"there are slots 1 to {SLOTS}, not {number}")
    max_pixels = read_daemon_config(home).upload.max_pixels
    slot = load_slots(home, {name: provider_type(name) for name in names}, max_pixels).get(f"{provider}-{number}")
    if slot is None:
        raise Failed(f"slot {number} of {provider} is empty; {home.slots_file(provider)} holds the slots")
    if not slot.slot.enabled:
        raise Failed(f"slot {number} of {provider} is disabled; its link would be refused")
    return upload_path(slot)


def _base(config: DaemonConfig, listen: str | None) -> str:
    if config.public_url:
        return config.public_url.rstrip("/")
    try:
        return base_url(read_listen(listen or config.listen))
    except ValueError as error:
        raise Failed(f"set public_url in boothd.yaml: listen is {listen or config.listen}, and {error}") from None
