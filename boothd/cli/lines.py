"""Changes single values of a YAML file's text; every other byte of it stays, comments too."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from boothd.base.strict_yaml import StrictLoader

_MODE = 0o600


class Unchangeable(ValueError):
    """A text in which the values cannot be set without touching more. The message says why."""


def with_keys(text: str, values: Mapping[str, Any], *path: Any) -> str:
    """`text` with these values in its mapping, or in the one below the keys `path`.

    The value of a key that is there is replaced; another key gets a line below its commented default (`#key: ...`), else
    at the end (below a path: as the mapping's first). Raises Unchangeable."""
    if not values:
        return text
    changed = text
    for key, value in values.items():
        changed = _with_key(changed, key, value, path)
    try:
        old, new = _read(text), _read(changed)
        _at(old, path).update(values)
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise Unchangeable(f"{', '.join(values)} cannot be set in it") from error
    if old != new:
        raise Unchangeable(f"{', '.join(values)} cannot be set in it without changing more")
    return changed


def put(file: Path, text: str) -> None:
    """Write `text` to a file: a crash leaves the old or the new one, with the old one's mode and owner. Raises OSError."""
    file = file.resolve()  # a link stays one
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        with open(fd, "wb") as out:
            if file.exists():
                old = file.stat()
                os.fchmod(fd, old.st_mode & 0o777)
                if os.geteuid() == 0:
                    os.fchown(fd, old.st_uid, old.st_gid)
            out.write(text.encode())
            out.flush()
            os.fsync(fd)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def text_of(file: Path) -> str:
    """The file as it is, with its own ends of lines; "" where there is none. Raises OSError, UnicodeDecodeError."""
    return file.read_bytes().decode() if file.exists() else ""


def _with_key(text: str, key: str, value: Any, path: tuple[Any, ...]) -> str:
    said, end = _flow(value), "\r\n" if "\r\n" in text else "\n"
    mapping = _mapping(text, path)
    found = None if mapping is None else _value(mapping, key)
    if found is not None:
        return _replaced(text, found, said)
    if mapping is not None and mapping.flow_style:
        start = mapping.start_mark.index + 1
        return f"{text[:start]}{key}: {said}{', ' if mapping.value else ''}{text[start:]}"
    if mapping is not None and path:
        first = mapping.value[0][0].start_mark
        return f"{text[: first.index]}{key}: {said}{end}{' ' * first.column}{text[first.index :]}"
    default = re.search(rf"^# ?{re.escape(key)}:[^\r\n]*(\r?\n|\Z)", text, re.MULTILINE)
    place = len(text) if default is None else default.end()
    before = text[:place]
    if before and not before.endswith("\n"):
        before += end
    return f"{before}{key}: {said}{end}{text[place:]}"


def _replaced(text: str, found: tuple[yaml.Node, yaml.Node], said: str) -> str:
    """found: key and value."""
    key, value = found
    start, stop = value.start_mark.index, value.end_mark.index
    if start < key.end_mark.index:
        raise Unchangeable(f"{key.value} repeats another value (*); write it out")
    # A block's value ends with its line, a plain one before; a key without a value has its colon only.
    last = text[start:stop]
    tail = last[len(last.rstrip()) :]
    space = "" if text[start - 1 : start].isspace() else " "
    return f"{text[:start]}{space}{said}{tail}{text[stop:]}"


def _mapping(text: str, path: tuple[Any, ...]) -> yaml.MappingNode | None:
    """None: the text holds nothing yet. Raises Unchangeable."""
    try:
        node = yaml.compose(text, StrictLoader)
    except yaml.YAMLError as error:
        raise Unchangeable("it is not YAML") from error
    if node is None and not path:
        return None
    for step in path:
        pair = _value(node, step) if isinstance(node, yaml.MappingNode) else None
        node = None if pair is None else pair[1]
    if not isinstance(node, yaml.MappingNode):
        raise Unchangeable(f"there is no {'.'.join(map(str, path))}" if path else "it does not hold keys and values")
    return node


def _value(mapping: yaml.MappingNode, wanted: Any) -> tuple[yaml.Node, yaml.Node] | None:
    return next((pair for pair in mapping.value if pair[0].value == str(wanted)), None)


def _read(text: str) -> Any:
    return yaml.load(text.removeprefix("\ufeff"), StrictLoader) or {}  # noqa: S506 (a SafeLoader)


def _at(content: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        content = content[step]
    return content


def _flow(value: Any) -> str:
    """On one line: true, 0.04, [poster.jpg]."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1_000_000)
    return text.removesuffix("...\n").strip()
