"""A provider's own fields of a slot, from its pydantic `Options` to what a page shows, and back.

Which options belong to one effect only, their descriptions say: they end with “(prompt)” or begin with “background only:”,
naming the effect by its name or title."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from boothd.base.strict_yaml import StrictLoader
from boothd.booth.slotwords import NOT_YAML, Problem, label_of, problem_of
from boothd.providers.interfaces import DirectorOptions, EffectType, Options, Provider

Types = Mapping[str, type[Provider]]
Widget = Literal["check", "yes-no", "choice", "number", "text", "yaml"]
Texts = Mapping[str, str]
"""What stands in the fields, by name; a field that is not there is as good as empty."""

PREFIX = "o."
_RENDERER = ("renderer", "renderer_effect", "renderer_options")
_AFTER = re.compile(r"\s*\(([^()]+)\)$")
_BEFORE = re.compile(r"^([\w -]+) only: ")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form. choices: value and text. low, high: of a number. decides: other fields depend on it."""

    name: str
    label: str
    hint: str
    widget: Widget
    choices: tuple[tuple[str, str], ...] = ()
    low: float | None = None
    high: float | None = None
    whole: bool = False
    longest: int | None = None
    decides: bool = False


def effect_named(kind: type[Provider], name: str) -> EffectType | None:
    """By the provider's own name for it, else by another's, as in chains."""
    own = [effect for effect in kind.effects if effect.name == name]
    return next(iter(own + [effect for effect in kind.effects if name in effect.also]), None)


def is_director(kind: type[Provider]) -> bool:
    """Whether it makes no pictures itself."""
    return issubclass(kind.Options, DirectorOptions)


def fields_of(kind: type[Provider], effect: EffectType | None, texts: Texts, types: Types) -> list[Field]:
    """The fields that apply to the effect, the renderer's among them where the provider only directs."""
    found: list[Field] = []
    if is_director(kind):
        found += _director_fields(kind, effect, texts, types)
    return found + [
        _field(PREFIX, name, info, kind.effects)
        for name, info in _own_options(kind)
        if applies(info, effect, kind.effects)
    ]


def texts_of(kind: type[Provider], options: Mapping[str, Any], types: Types, prefix: str = PREFIX) -> dict[str, str]:
    """What a slot's options are in the form."""
    texts: dict[str, str] = {}
    for name, info in _own_options(kind):
        texts[prefix + name] = _text(_widget(info)[0], options.get(name, info.get_default(call_default_factory=True)))
    if is_director(kind):
        model = kind.Options.model_fields
        texts |= {f"{prefix}{name}": str(options.get(name, model[name].default)) for name in _RENDERER[:2]}
        renderer = types.get(texts[prefix + "renderer"])
        if renderer is not None and not is_director(renderer):
            texts |= texts_of(renderer, options.get("renderer_options", {}), types, _renderers(prefix))
    return texts


def options_of(
    kind: type[Provider], effect: EffectType | None, texts: Texts, types: Types, prefix: str = PREFIX
) -> tuple[dict[str, Any], dict[str, Problem]]:
    """What goes into the slot's file, and what is wrong, by field. Options that do not apply are left out."""
    raw: dict[str, Any] = {}
    problems: dict[str, Problem] = {}
    for name, info in _own_options(kind):
        text = texts.get(prefix + name, "").strip()
        if not applies(info, effect, kind.effects):
            continue
        try:
            value = _value(_widget(info)[0], text)
        except (yaml.YAMLError, ValueError, RecursionError):
            problems[prefix + name] = NOT_YAML
            continue
        if value is not None:
            raw[name] = value
    nested: dict[str, Any] = {}
    if is_director(kind):
        raw |= {name: texts[prefix + name] for name in _RENDERER[:2] if texts.get(prefix + name)}
        drawing = _renderer(kind, effect, texts, types, prefix)
        if drawing is not None:
            nested, wrong = options_of(*drawing, texts, types, _renderers(prefix))
            problems |= wrong
    options = _validated(kind.Options, raw, prefix, problems)
    return ({**options, "renderer_options": nested} if nested else options), problems


def applies(info: FieldInfo, effect: EffectType | None, effects: tuple[EffectType, ...]) -> bool:
    """Whether an option says anything for the effect."""
    only = _scope(info, effects)[0]
    return only is None or effect is None or effect.name == only


def _validated(
    model: type[Options], raw: Mapping[str, Any], prefix: str, problems: dict[str, Problem]
) -> dict[str, Any]:
    try:
        made: dict[str, Any] = model.model_validate(raw).model_dump(mode="json", exclude_defaults=True)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            problems.setdefault(prefix + str(each["loc"][0] if each["loc"] else ""), problem_of(each))
        return {}
    return made


def _director_fields(kind: type[Provider], effect: EffectType | None, texts: Texts, types: Types) -> Iterator[Field]:
    makers = tuple((name, each.title) for name, each in types.items() if not is_director(each))
    yield Field(PREFIX + "renderer", label_of("renderer"), "", "choice", makers, decides=True)
    drawing = _renderer(kind, effect, texts, types, PREFIX)
    if drawing is None:
        return
    renderer, draws = drawing
    same = effect_named(renderer, effect.name) if effect is not None else None
    choices = tuple((each.name, each.title) for each in renderer.effects)
    if same is not None or not texts.get(PREFIX + "renderer_effect"):
        choices = (
            ("", same.title if same is not None else ""),
            *((n, t) for n, t in choices if same is None or n != same.name),
        )
    yield Field(PREFIX + "renderer_effect", label_of("renderer_effect"), "", "choice", choices, decides=True)
    for name, info in _own_options(renderer):
        if applies(info, draws, renderer.effects):
            yield _field(_renderers(PREFIX), name, info, renderer.effects)


def _renderer(
    kind: type[Provider], effect: EffectType | None, texts: Texts, types: Types, prefix: str
) -> tuple[type[Provider], EffectType | None] | None:
    """Who makes the picture, and by which of its effects."""
    chosen = texts.get(prefix + "renderer") or str(kind.Options.model_fields["renderer"].default)
    renderer = types.get(chosen)
    if renderer is None or is_director(renderer):
        return None
    named = texts.get(prefix + "renderer_effect") or (effect.name if effect is not None else "")
    return renderer, effect_named(renderer, named)


def _renderers(prefix: str) -> str:
    return f"{prefix}renderer_options."


def _own_options(kind: type[Provider]) -> Iterator[tuple[str, FieldInfo]]:
    director = is_director(kind)
    return ((n, info) for n, info in kind.Options.model_fields.items() if not (director and n in _RENDERER))


def _scope(info: FieldInfo, effects: tuple[EffectType, ...]) -> tuple[str | None, str]:
    """The only effect that an option belongs to, and the rest of its description."""
    said = info.description or ""
    for pattern in (_AFTER, _BEFORE):
        match = pattern.search(said)
        for effect in effects if match is not None else ():
            if match is not None and match[1].lower() in {effect.name, effect.title.lower()}:
                return effect.name, said[: match.start()] + said[match.end() :]
    return None, said


def _field(prefix: str, name: str, info: FieldInfo, effects: tuple[EffectType, ...]) -> Field:
    widget, inner, optional = _widget(info)
    choices: tuple[tuple[str, str], ...] = ()
    if widget == "choice":
        values = [str(value) for value in get_args(inner)]
        choices = tuple((value, value) for value in ([""] if optional and "" not in values else []) + values)
    return Field(
        name=prefix + name,
        label=label_of(name),
        hint=_scope(info, effects)[1],
        widget=widget,
        choices=choices,
        low=_limit(info, "ge"),
        high=_limit(info, "le"),
        whole=inner is int,
        longest=_longest(info),
    )


def _widget(info: FieldInfo) -> tuple[Widget, Any, bool]:
    """How an option is shown, its type without None, and whether it may be None."""
    inner, optional = info.annotation, False
    if get_origin(inner) in {Union, UnionType}:
        others = [each for each in get_args(inner) if each is not type(None)]
        optional = len(others) < len(get_args(inner))
        inner = others[0] if len(others) == 1 else inner
    if inner is bool:
        return ("yes-no" if optional else "check"), inner, optional
    if get_origin(inner) is Literal:
        return "choice", inner, optional
    if inner is int or inner is float:
        return "number", inner, optional
    return ("text" if inner is str else "yaml"), inner, optional


def _limit(info: FieldInfo, name: str) -> float | None:
    return next((getattr(each, name) for each in info.metadata if getattr(each, name, None) is not None), None)


def _longest(info: FieldInfo) -> int | None:
    return next((int(each.max_length) for each in info.metadata if hasattr(each, "max_length")), None)


def _text(widget: Widget, value: Any) -> str:
    if value is None or value == {}:
        return ""
    if widget == "check":
        return "on" if value is True else ""
    if widget == "yes-no":
        return "yes" if value is True else "no"
    if widget == "yaml":
        return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).rstrip("\n").removesuffix("\n...")
    return str(value)


def _value(widget: Widget, text: str) -> Any:
    """None: not given. Raises YAMLError, ValueError."""
    if widget == "check":
        return bool(text)
    if not text:
        return None
    if widget == "yes-no":
        return text == "yes"
    return yaml.load(text, StrictLoader) if widget == "yaml" else text  # noqa: S506 (a SafeLoader)
