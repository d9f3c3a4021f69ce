"""The text of etc/slots/<provider>.yaml: taken apart, and put together again with one slot changed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from boothd.booth.slots import Slot
from boothd.config import ConfigError, read_yaml

EMPTY = ""
"""The revision of a slot that is not there."""
_NEW_HEAD = "# One provider's slots, up to twenty, each with its own upload link. The pages write this file.\n"
_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Sheet:
    """A slots' file. head: its leading comment. rest: what stands beside `slots`. slots: by number, as the file has them."""

    head: str
    rest: Mapping[str, Any]
    slots: Mapping[int, Any]

    def revision(self, number: int) -> str:
        """Changes whenever the slot's data change; EMPTY when there is none."""
        data = self.slots.get(number)
        return EMPTY if data is None else hashlib.sha256(repr(data).encode()).hexdigest()[:16]

    def with_slot(self, number: int, slot: Slot | None) -> "Sheet":
        """The same with one slot changed; None removes it. What equals its default is left out."""
        slots = {each: data for each, data in self.slots.items() if each != number}
        if slot is not None:
            slots[number] = slot.model_dump(mode="json", exclude_defaults=True)
        return replace(self, slots=dict(sorted(slots.items())))

    @property
    def data(self) -> dict[str, Any]:
        """What a reader of the text gets."""
        return {**self.rest, "slots": dict(self.slots)}

    def text(self) -> str:
        """As it is written: long prompts as blocks of lines, lists in one line."""
        return self.head + yaml.dump(self.data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)


def read_sheet(file: Path) -> Sheet:
    """Blocks. An absent file is an empty one. Raises ConfigError."""
    data = read_yaml(file, may_be_empty=False)
    slots = data.get("slots") or {}
    if not isinstance(slots, dict):
        raise ConfigError(file, "slots", "must hold keys and values")
    numbered: dict[int, Any] = {}
    for number, slot in slots.items():
        if isinstance(number, bool) or not str(number).isdecimal():
            raise ConfigError(file, f"slots.{number}", "is not a slot's number")
        numbered[int(number)] = slot
    return Sheet(_head(file), {key: value for key, value in data.items() if key != "slots"}, numbered)


def _head(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return _NEW_HEAD
    head: list[str] = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            break
        head.append(line)
    return "".join(f"{line}\n" for line in head)


class _Dumper(yaml.SafeDumper):
    """Writes as a person would."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
