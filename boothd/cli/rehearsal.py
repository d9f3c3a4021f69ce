"""Wires a home to the sandbox: addresses of the fakes, keys that they take, and the example slots switched on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boothd.base.endpoint import base_url, read_listen
from boothd.cli.failed import Failed
from boothd.cli.lines import Unchangeable, put, text_of, with_keys
from boothd.config import Home, read_daemon_config, read_yaml
from boothd.secrets_file import change_secrets

KEY = "sandbox-1"
"""The fakes take any key; this one says what it is."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a provider's file says for the sandbox. own: besides the address. examples: unless it says something else."""

    path: str
    own: Mapping[str, Any]
    examples: Mapping[str, Any]


WIRING: Mapping[str, Wiring] = {
    "gemini": Wiring("", {}, {"price": 0.04}),
    "turbotext": Wiring("/api_ai", {"result_private": True}, {"price": 5}),
    "deepseek": Wiring("", {}, {"price": 0.001}),
    "openai-images": Wiring("/v1", {"result_private": True}, {"model": "gpt-image-1", "price": 0.05}),
}
"""The prices are examples, so that money can be seen being counted."""


def settings_for(provider: str, url: str) -> dict[str, Any]:
    """The content of `etc/providers/<provider>.yaml`. url: where the fake listens."""
    wiring = WIRING[provider]
    return {"base_url": url + wiring.path, **wiring.own, **wiring.examples}


def wire(home: Home, urls: Mapping[str, str], *, force: bool) -> list[Path]:
    """Let a home use the fakes at `urls`; returns the files that were written. Blocks.

    Only the wiring's own keys are changed; an example (`Wiring.examples`) stands back behind a value that is there. Raises
    Failed, before anything is written, where a provider has an address or keys of a real service and `force` is not set,
    where it cannot be known how the fakes reach the daemon, and where a file cannot be changed; OSError."""
    keys = read_yaml(home.secrets_file, secret=True).get("keys") or {}
    if not force:
        _refuse(home, urls, keys)
    texts: dict[Path, str] = {}
    for provider, url in urls.items():
        file, wiring = home.provider_file(provider), WIRING[provider]
        there = read_yaml(file)
        examples = {key: value for key, value in wiring.examples.items() if not there.get(key)}
        texts[file] = _changed(file, {"base_url": url + wiring.path, **wiring.own, **examples})
        slots = home.slots_file(provider)
        numbers = _all_off(slots)
        if numbers:
            texts[slots] = _slots_changed(slots, {number: {"enabled": True} for number in numbers})
    if not read_daemon_config(home).public_url:
        texts[home.config_file] = _changed(home.config_file, {"public_url": own_address(home)})
    for file, text in texts.items():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        put(file, text)
    change_secrets(home.secrets_file, lambda content: _give_keys(content, urls))
    return [*texts, home.secrets_file]


def show_person(home: Home, providers: Iterable[str], reference: str) -> None:
    """Give the face-swap slots a reference picture that shows a person. reference: in `library/references/`. Blocks."""
    for provider in providers:
        file = home.slots_file(provider)
        slots = read_yaml(file).get("slots") or {}
        swapping = [number for number, slot in slots.items() if slot.get("effect") == "face-swap"]
        if swapping:
            put(file, _slots_changed(file, {number: {"references": [reference]} for number in swapping}))


def listen_at(home: Home, port: int) -> None:
    """Let the home's daemon listen at another port. Blocks."""
    put(home.config_file, _changed(home.config_file, {"listen": f"tcp:{port}"}))


def own_address(home: Home) -> str:
    """Where this machine reaches the home's daemon, and booths do. Raises Failed."""
    config = read_daemon_config(home)
    try:
        listen = read_listen(config.listen)
        if listen.port == 0:
            raise ValueError("that is any free port")
        return base_url(listen)
    except ValueError as error:
        raise Failed(f"set public_url in boothd.yaml: listen is {config.listen}, and {error}") from None


def _refuse(home: Home, urls: Mapping[str, str], keys: Mapping[str, Any]) -> None:
    for provider in urls:
        file = home.provider_file(provider)
        address = read_yaml(file).get("base_url")
        if address and not _is_near(str(address)):
            raise Failed(
                f"{file}: base_url: {address} is a real service; --force replaces it (or give a new DIR with --new)"
            )
        if keys.get(provider) not in (None, KEY):
            raise Failed(f"{home.secrets_file}: keys.{provider}: there is a key already; --force replaces it")


def _is_near(address: str) -> bool:
    """Whether this machine's own loopback interface is meant."""
    try:
        return ip_address(urlsplit(address).hostname or "").is_loopback
    except ValueError:
        return False


def _give_keys(content: dict[str, Any], providers: Iterable[str]) -> None:
    content["keys"] = {**(content.get("keys") or {}), **dict.fromkeys(providers, KEY)}


def _all_off(file: Path) -> list[Any]:
    """The numbers of a file's slots, if none of them is switched on."""
    slots = read_yaml(file).get("slots") or {}
    return [] if any(slot.get("enabled", True) for slot in slots.values()) else list(slots)


def _changed(file: Path, values: Mapping[str, Any]) -> str:
    return _text(file, lambda text: with_keys(text, values))


def _slots_changed(file: Path, slots: Mapping[Any, Mapping[str, Any]]) -> str:
    def change(text: str) -> str:
        for number, values in slots.items():
            text = with_keys(text, values, "slots", number)
        return text

    return _text(file, change)


def _text(file: Path, change: Callable[[str], str]) -> str:
    """Raises Failed."""
    try:
        return change(text_of(file))
    except Unchangeable as reason:
        raise Failed(f"{file}: {reason}; edit it by hand") from None
