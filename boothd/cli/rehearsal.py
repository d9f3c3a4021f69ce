"""Wires a home to the sandbox: addresses of the fakes, keys that they take, and the example slots switched on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from boothd.base.endpoint import base_url, read_listen
from boothd.cli.failed import Failed
from boothd.cli.secretsfile import write_secrets
from boothd.config import Home, read_daemon_config, read_yaml

KEY = "sandbox-1"
"""The fakes take any key; this one says what it is."""
_MARK = "# Of the sandbox (boothd sandbox): a fake service of this machine."


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a provider's file says for the sandbox. own: besides the address."""

    path: str
    own: Mapping[str, Any]


WIRING: Mapping[str, Wiring] = {
    "gemini": Wiring("", {"price": 0.04}),
    "turbotext": Wiring("/api_ai", {"price": 5, "result_private": True}),
    "deepseek": Wiring("", {"price": 0.001}),
    "openai-images": Wiring("/v1", {"model": "gpt-image-1", "price": 0.05, "result_private": True}),
}
"""The prices are examples, so that money can be seen being counted."""


def settings_for(provider: str, url: str) -> dict[str, Any]:
    """The content of `etc/providers/<provider>.yaml`. url: where the fake listens."""
    wiring = WIRING[provider]
    return {"base_url": url + wiring.path, **wiring.own}


def wire(home: Home, urls: Mapping[str, str], *, force: bool) -> list[Path]:
    """Let a home use the fakes at `urls`; returns the files that were written. Blocks.

    Raises Failed, before anything is written, where a provider has settings or keys of its own and `force` is not set, and
    where it cannot be known how the fakes reach the daemon."""
    secrets = read_yaml(home.secrets_file, secret=True)
    if not force:
        _refuse(home, urls, secrets.get("keys") or {})
    public_url = None if read_daemon_config(home).public_url else own_address(home)
    written = []
    for provider, url in urls.items():
        file = home.provider_file(provider)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        _put(file, f"{_MARK}\n{_yaml(settings_for(provider, url))}", keep=not read_yaml(file))
        written.append(file)
        if _switch_on(home.slots_file(provider)):
            written.append(home.slots_file(provider))
    secrets["keys"] = {**(secrets.get("keys") or {}), **dict.fromkeys(urls, KEY)}
    write_secrets(home.secrets_file, secrets)
    written.append(home.secrets_file)
    if public_url is not None:
        text = f"{_MARK}\n# It fetches the photos from here.\npublic_url: {public_url}\n"
        _put(home.config_file, text, keep=True)
        written.append(home.config_file)
    return written


def show_person(home: Home, providers: Iterable[str], reference: str) -> None:
    """Give the face-swap slots a reference picture that shows a person. reference: in `library/references/`. Blocks."""
    for provider in providers:
        file = home.slots_file(provider)
        content = read_yaml(file)
        swapping = [slot for slot in (content.get("slots") or {}).values() if slot.get("effect") == "face-swap"]
        for slot in swapping:
            slot["references"] = [reference]
        if swapping:
            _put(file, f"{_MARK}\n{_yaml(content)}", keep=False)


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
        content = read_yaml(file)
        if content and not _is_sandbox(content):
            raise Failed(f"{file} has settings of its own; --force replaces them (or give an empty DIR with --new)")
        if keys.get(provider) not in {None, KEY}:
            raise Failed(f"{home.secrets_file}: keys.{provider}: there is a key already; --force replaces it")


def _is_sandbox(content: Mapping[str, Any]) -> bool:
    try:
        return ip_address(urlsplit(str(content.get("base_url"))).hostname or "").is_loopback
    except ValueError:
        return False


def _switch_on(file: Path) -> bool:
    """Switch the slots of a file on, if none is; whether it did."""
    content = read_yaml(file)
    slots = content.get("slots") or {}
    if not slots or any(slot.get("enabled", True) for slot in slots.values()):
        return False
    for slot in slots.values():
        slot["enabled"] = True
    _put(file, f"{_MARK}\n{_yaml(content)}", keep=False)
    return True


def _put(file: Path, text: str, *, keep: bool) -> None:
    """Write `text` to a file, below what stands there already or instead of it."""
    before = file.read_text("utf-8") if keep and file.exists() else ""
    new = file.with_name(f".{file.name}.new")
    new.touch(mode=0o600)
    new.write_text(f"{before.rstrip()}\n\n{text}" if before else text, encoding="utf-8")
    new.replace(file)


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
