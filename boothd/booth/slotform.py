"""A slot as it stands in the fields of its page: text, valid or not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from boothd.booth.slotfields import Texts, Types, effect_named, is_director, options_of, texts_of
from boothd.booth.slots import Slot
from boothd.booth.slotwords import (
    BOTH_SIDES,
    NEEDS_PROMPT,
    NEEDS_REFERENCE,
    NO_SUCH_EFFECT,
    Problem,
    problem_of,
    too_many,
)
from boothd.engine.order import ORIGINAL
from boothd.providers.interfaces import EffectType, Provider

_MANY = frozenset({"reference", "on_failure"})
_ON = "on"


class Wrong(Exception):
    """The form cannot become a slot. problems: by field."""

    def __init__(self, problems: Mapping[str, Problem]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class SlotForm:
    """texts: of fields that there is one of. references: names. chain: what a failure asks, in order."""

    texts: Texts
    references: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """What stands in a field; "" when it is not there."""
        return self.texts.get(name, "")

    def edited(self, action: str) -> "SlotForm":
        """The same after one of the buttons beside a reference: "up:1", "down:1", "remove:1" (places from 0)."""
        what, _, said = action.partition(":")
        place, names = int(said) if said.isdecimal() else -1, list(self.references)
        if 0 <= place < len(names):
            name = names.pop(place)
            if what in {"up", "down"}:
                names.insert(max(0, place + (1 if what == "down" else -1)), name)
        return SlotForm(self.texts, tuple(names), self.chain)

    def with_reference(self, name: str) -> "SlotForm":
        """The same with one more, unless it has it already."""
        return SlotForm(self.texts, tuple(dict.fromkeys((*self.references, name))), self.chain)


def read_form(pairs: Iterable[tuple[str, str]]) -> SlotForm:
    """What a browser sends."""
    texts: dict[str, str] = {}
    many: dict[str, list[str]] = {name: [] for name in _MANY}
    for name, value in pairs:
        if name in _MANY:
            many[name].append(value)
        else:
            texts[name] = value.replace("\r\n", "\n")
    chain = many["on_failure"]
    end = chain.index("") if "" in chain else len(chain)
    return SlotForm(texts, tuple(many["reference"]), tuple(chain[:end]))


def empty_form(kind: type[Provider], types: Types) -> SlotForm:
    """Of a slot that is not there yet."""
    texts = {
        "enabled": _ON,
        "effect": kind.effects[0].name,
        "format": "jpeg",
        "keep_failures": _ON,
        "paid_attempts": "2",
    }
    return SlotForm(texts | texts_of(kind, {}, types))


def form_of(slot: Slot, kind: type[Provider], types: Types) -> SlotForm:
    """Of a slot as it is kept."""
    width, height = slot.size or ("", "")
    texts = {
        "name": slot.name,
        "enabled": _ON if slot.enabled else "",
        "effect": slot.effect,
        "prompt": slot.prompt,
        "format": slot.format,
        "width": str(width),
        "height": str(height),
        "keep_failures": _ON if slot.keep_failures else "",
        "paid_attempts": str(slot.paid_attempts),
    }
    return SlotForm(texts | texts_of(kind, slot.options, types), slot.references, slot.on_failure)


def slot_of(form: SlotForm, key: str, kind: type[Provider], types: Types) -> Slot:
    """The slot that the form means. Raises Wrong with everything that is wrong."""
    effect = next((each for each in kind.effects if each.name == form.text("effect")), None)
    options, problems = options_of(kind, effect, form.texts, types)
    references = form.references if effect is None or effect.max_references != 0 else ()
    problems |= _effect_problems(effect, form, len(references))
    data: dict[str, Any] = {
        "name": form.text("name").strip(),
        "key": key,
        "enabled": bool(form.text("enabled")),
        "effect": form.text("effect"),
        "prompt": form.text("prompt").strip(),
        "references": references,
        "options": options,
        "format": form.text("format") or "jpeg",
        "on_failure": form.chain,
        "keep_failures": bool(form.text("keep_failures")),
    }
    if form.text("paid_attempts").strip():
        data["paid_attempts"] = form.text("paid_attempts").strip()
    width, height = form.text("width").strip(), form.text("height").strip()
    if bool(width) != bool(height):
        problems["size"] = BOTH_SIDES
    elif width:
        data["size"] = (width, height)
    try:
        slot = Slot.model_validate(data)
    except ValidationError as error:
        problems = {str(each["loc"][0]): problem_of(each) for each in error.errors(include_url=False)} | problems
    if problems:
        raise Wrong(problems)
    return slot


def chain_choices(form: SlotForm, provider: str, types: Types) -> list[list[tuple[str, str]]]:
    """For each menu of the chain, and one more: value and title of what may be chosen there; titles of ours are "".

    Offered are those that have the effect, or what they call the same."""
    menus: list[list[tuple[str, str]]] = []
    for place in range(len(form.chain) + 1):
        before = {provider, *form.chain[:place]}
        if ORIGINAL in before:
            break
        chosen = form.chain[place] if place < len(form.chain) else ""
        others = [
            (name, kind.title)
            for name, kind in types.items()
            if name == chosen or (name not in before and effect_named(kind, form.text("effect")) is not None)
        ]
        menus.append([("", ""), *others, (ORIGINAL, "")])
    return menus


def may_cost(form: SlotForm, kind: type[Provider], types: Types) -> bool:
    """Whether a photo of this slot may cost money."""
    asked = [types[name] for name in form.chain if name in types]
    if is_director(kind) and form.text("o.renderer") in types:
        asked.append(types[form.text("o.renderer")])
    return any(each.paid for each in (kind, *asked))


def differences(one: SlotForm, other: SlotForm) -> list[str]:
    """The fields in which two forms differ."""
    names = {*one.texts, *other.texts} - {"revision", "do"}
    found = [name for name in sorted(names) if one.text(name).strip() != other.text(name).strip()]
    return found + ["reference"] * (one.references != other.references) + ["on_failure"] * (one.chain != other.chain)


def _effect_problems(effect: EffectType | None, form: SlotForm, references: int) -> dict[str, Problem]:
    if effect is None:
        return {"effect": NO_SUCH_EFFECT}
    problems: dict[str, Problem] = {}
    if effect.needs_reference and not references:
        problems["references"] = NEEDS_REFERENCE
    elif effect.max_references is not None and references > effect.max_references:
        problems["references"] = too_many(effect.max_references)
    if effect.needs_prompt and not form.text("prompt").strip():
        problems["prompt"] = NEEDS_PROMPT
    return problems
