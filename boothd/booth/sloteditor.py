"""What the editor of one slot shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from boothd.booth.desk import Desk
from boothd.booth.slotfields import Field, effect_named, fields_of
from boothd.booth.slotfiles import Kept, Types
from boothd.booth.slotform import SlotForm, chain_choices, differences, form_of, may_cost
from boothd.booth.slotlist import readiness, row_of
from boothd.booth.slots import SLOTS
from boothd.booth.slotwords import Problem, label_of
from boothd.booth.status import Condition
from boothd.config import ConfigError
from boothd.engine.stats import Stats
from boothd.http import Pages, Reply, Request
from boothd.http.languages import N_

_FIELDS = {
    "name": N_("Name"),
    "enabled": N_("On"),
    "effect": N_("Type"),
    "prompt": N_("Prompt"),
    "reference": N_("Reference pictures"),
    "format": N_("Format"),
    "width": N_("Width"),
    "height": N_("Height"),
    "on_failure": N_("On a failure"),
    "keep_failures": N_("Keep failed photos in the trash"),
    "paid_attempts": N_("Paid attempts"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is said above and beside the form. problems: by field, "" = of the whole. conflict: somebody else saved first.

    said: what was done."""

    problems: Mapping[str, Problem] = field(default_factory=dict)
    conflict: bool = False
    said: str = ""
    bad: bool = False
    status: int = 200


NOTHING = Told()


class Editor:
    """Makes the page. mark: see `ReferenceGate`."""

    def __init__(
        self,
        desk: Desk,
        stats: Stats,
        pages: Pages,
        *,
        types: Callable[[], Types],
        condition: Callable[[], Condition],
        base_url: Callable[[str], str],
        mark: str,
    ) -> None:
        self._desk, self._stats, self._pages, self._types = desk, stats, pages, types
        self._condition, self._base_url, self._mark = condition, base_url, mark

    def page(
        self, request: Request, provider: str, number: int, form: SlotForm, kept: Kept, told: Told = NOTHING
    ) -> Reply:
        """form: what stands in the fields. kept: what the file has now; its revision goes into the form."""
        types, condition = self._types(), self._condition()
        kind = types[provider]
        effect = effect_named(kind, form.text("effect"))
        ready = readiness(self._desk, condition.left_out, types)
        base = self._base_url(request.getHeader("host") or "")
        say = self.sayer(request)
        shown = fields_of(kind, effect, form.texts, types)
        newer = form_of(kept.slot, kind, types) if told.conflict and kept.slot is not None else None
        return self._pages.page_reply(
            request,
            "slots_edit.html",
            status=told.status,
            path=_path(provider, number),
            provider=provider,
            number=number,
            title=kind.title,
            effects=kind.effects,
            effect=effect,
            tabs=ready,
            ready=ready[provider],
            problem=condition.problem,
            row=row_of(provider, number, self._desk, self._stats, types, ready, base),
            form=form,
            kept=kept,
            link=base + upload_path_of(provider, number, kept) if kept.slot is not None else "",
            problems={name: _in_words(problem, say) for name, problem in told.problems.items()},
            told=told,
            differs=self._names(differences(newer, form), say) if newer is not None else [],
            options=shown,
            hidden=_hidden(form, shown),
            chain=chain_choices(form, provider, types),
            may_cost=may_cost(form, kind, types),
            neighbours=(number - 1 if number > 1 else None, number + 1 if number < SLOTS else None),
            mark=self._mark,
            max_size=self._desk.config().upload.max_size,
            say=say,
        )

    def unreadable(self, request: Request, provider: str, number: int, error: ConfigError) -> Reply:
        """Instead of the editor, while somebody has broken the file."""
        return self._pages.page_reply(
            request,
            "slots_unreadable.html",
            status=409,
            path=_path(provider, number),
            provider=provider,
            number=number,
            title=self._types()[provider].title,
            tabs=readiness(self._desk, self._condition().left_out, self._types()),
            reason=str(error),
        )

    def sayer(self, request: Request) -> Callable[[str], str]:
        """Puts a text that providers or modules have into the reader's language."""
        return lambda text: self._pages.text(request, text) if text else ""

    def _names(self, fields: Sequence[str], say: Callable[[str], str]) -> list[str]:
        return [say(_FIELDS.get(name) or label_of(name.rpartition(".")[2])) for name in fields]


def upload_path_of(provider: str, number: int, kept: Kept) -> str:
    """The path of the link of a slot as it is kept."""
    return f"/upload/{provider}/{number}/{kept.slot.key}" if kept.slot is not None else ""


def _path(provider: str, number: int) -> str:
    return f"/slots/{quote(provider)}/{number}"


def _hidden(form: SlotForm, shown: Sequence[Field]) -> list[tuple[str, str]]:
    """Options that do not apply now: they come back when the type changes back."""
    names = {each.name for each in shown}
    return [(name, text) for name, text in form.texts.items() if name.startswith("o.") and name not in names and text]


def _in_words(problem: Problem, say: Callable[[str], str]) -> str:
    text = say(problem.text)
    return text % problem.values if problem.values else text
