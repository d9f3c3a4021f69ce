"""The slots' pages: a tab per provider, and an editor per slot.

Everything goes by plain forms: each button posts the whole form, and what does not save answers the same page with what
was typed. A script does the same without loading the page anew."""

import re
from collections.abc import Callable, Iterable
from typing import cast
from urllib.parse import quote

from boothd.base.errors import NoFile, NotFound, RequestError
from boothd.booth.desk import Desk
from boothd.booth.references import References
from boothd.booth.referenceuploads import PictureSink, ReferenceGate
from boothd.booth.sloteditor import Editor, Told
from boothd.booth.slotfiles import Kept, NoEmptySlot, NotWritten, SlotChanged, SlotFiles, Types
from boothd.booth.slotform import SlotForm, Wrong, empty_form, form_of, read_form, slot_of
from boothd.booth.slotlist import readiness, rows_of
from boothd.booth.slots import SLOTS, new_key
from boothd.booth.slotwords import Problem
from boothd.booth.status import Condition
from boothd.config import ConfigError
from boothd.engine.stats import Stats
from boothd.http import Admission, Pages, Reply, Request, Route
from boothd.http.languages import N_

_SAID = {
    "saved": N_("Saved. It applies to the next photo."),
    "copied": N_("This is the copy, with a link of its own."),
    "cleared": N_("The slot is empty now, and its link is closed."),
    "key": N_("The slot has a new link. The old one is refused from now on."),
    "changed": N_("Nothing was done: somebody else changed this slot meanwhile. This is the newer version."),
    "full": N_("All slots of this provider are taken. Clear one first."),
    "empty": N_("This slot is empty."),
}
_BAD = frozenset({"changed", "full", "empty"})
_OF_SLOT = re.compile(r"slots\.(\d+)\.?([^.]*)\.?(.*)")


class SlotPages:
    """`/slots/…`. types: the registered providers in the order of the tabs.

    condition, base_url: see `StatusPage`. mark: an unguessable text; see `ReferenceGate`."""

    def __init__(
        self,
        desk: Desk,
        stats: Stats,
        pages: Pages,
        files: SlotFiles,
        references: References,
        *,
        types: Callable[[], Types],
        condition: Callable[[], Condition],
        base_url: Callable[[str], str],
        mark: str,
    ) -> None:
        self._desk, self._stats, self._pages, self._files, self._references = desk, stats, pages, files, references
        self._types, self._condition, self._base_url = types, condition, base_url
        self._gate = ReferenceGate(desk, mark)
        self._editor = Editor(desk, stats, pages, types=types, condition=condition, base_url=base_url, mark=mark)

    def routes(self) -> list[Route]:
        slot = "/slots/<provider>/<int:number>"
        return [
            Route(("GET",), "/slots", "slots", self._first),
            Route(("GET",), "/slots/<provider>", "slots.tab", self._tab),
            Route(("GET",), slot, "slots.editor", self._edit),
            Route(("POST",), slot, "slots.change", self._post),
            Route(("POST",), f"{slot}/references/<mark>", "slots.reference", self._add_reference),
            Route(("GET",), "/slots/references/<name>", "slots.preview", self._preview),
        ]

    def admit(self, path: str, length: int | None) -> Admission | None:
        """Judge a reference's upload by its headers; see `boothd.http.Gate`."""
        return self._gate.admit(path, length)

    # --- what is shown -----------------------------------------------------------------------------------------------

    async def _first(self, request: Request) -> Reply:
        return _go(f"/slots/{quote(next(iter(self._types())))}")

    async def _tab(self, request: Request, provider: str) -> Reply:
        self._check(provider)
        types, condition = self._types(), self._condition()
        ready = readiness(self._desk, condition.left_out, types)
        base = self._base_url(request.getHeader("host") or "")
        return self._pages.page_reply(
            request,
            "slots.html",
            path=f"/slots/{provider}",
            provider=provider,
            title=types[provider].title,
            tabs=ready,
            ready=ready[provider],
            problem=condition.problem,
            said=_SAID.get(request.field("said"), ""),
            rows=rows_of(provider, self._desk, self._stats, types, ready, base),
            say=self._editor.sayer(request),
        )

    async def _edit(self, request: Request, provider: str, number: int) -> Reply:
        self._check(provider, number)
        try:
            kept = await self._files.read(provider, number)
        except ConfigError as error:
            return self._editor.unreadable(request, provider, number, error)
        said = request.field("said")
        told = Told(said=_SAID.get(said, ""), bad=said in _BAD)
        return self._editor.page(request, provider, number, self._form(provider, kept), kept, told)

    async def _preview(self, request: Request, name: str) -> Reply:
        preview = await self._references.preview(name, self._desk.config().upload.max_pixels)
        headers = {"Content-Type": "image/jpeg", "Cache-Control": "private, no-cache", "ETag": f'"{preview.version}"'}
        known = request.getHeader("if-none-match") == headers["ETag"]
        return Reply(304, headers) if known else Reply(200, headers, preview.data)

    # --- what is done ------------------------------------------------------------------------------------------------

    async def _post(self, request: Request, provider: str, number: int) -> Reply:
        self._check(provider, number)
        form = read_form(_pairs(request))
        try:
            if form.text("do") in {"clear", "key", "duplicate"}:
                return await self._act(provider, number, form)
            kept = await self._files.read(provider, number)
            if form.text("do") == "save":
                return await self._save(request, provider, number, form, kept)
        except ConfigError as error:
            return self._editor.unreadable(request, provider, number, error)
        shown = form.edited(form.text("do"))
        return self._editor.page(request, provider, number, shown, _as_begun(kept, form))

    async def _act(self, provider: str, number: int, form: SlotForm) -> Reply:
        """The buttons beside the form: what they do needs nothing of it but the revision."""
        tab, revision = f"/slots/{quote(provider)}", form.text("revision")
        here = f"{tab}/{number}"
        try:
            if form.text("do") == "clear":
                await self._files.clear(provider, number, revision)
                return _go(f"{tab}?said=cleared")
            if form.text("do") == "key":
                await self._files.renew_key(provider, number, revision)
                return _go(f"{here}?said=key")
            return _go(f"{tab}/{await self._files.duplicate(provider, number)}?said=copied")
        except SlotChanged:
            return _go(f"{here}?said=changed")
        except NoEmptySlot:
            return _go(f"{here}?said=full")
        except NotFound:
            return _go(f"{here}?said=empty")

    async def _save(self, request: Request, provider: str, number: int, form: SlotForm, kept: Kept) -> Reply:
        types = self._types()
        key = kept.slot.key if kept.slot is not None else new_key()
        try:
            slot = slot_of(form, key, types[provider], types)
            await self._files.save(provider, number, slot, form.text("revision"))
        except SlotChanged as error:
            newer = await self._files.read(provider, number)
            told = Told(conflict=True, status=error.status)
            return self._editor.page(request, provider, number, form, newer, told)
        except Wrong as wrong:
            told = Told(wrong.problems, status=400)
        except ConfigError as refused:
            told = Told(_problems_of(refused, number), status=400)
        except NotWritten as failed:
            told = Told({"": Problem(failed.message)}, status=failed.status)
        else:
            return _go(f"/slots/{quote(provider)}/{number}?said=saved")
        return self._editor.page(request, provider, number, form, _as_begun(kept, form), told)

    async def _add_reference(self, request: Request, provider: str, number: int, mark: str) -> Reply:
        """A picture came with the form: the form comes back with it. Nothing is saved yet."""
        upload, request.upload = request.upload, None
        if upload is None:
            raise NoFile("Send the picture as a multipart form.")
        sink = cast(PictureSink, upload.sink)  # what our admission gave
        try:
            self._check(provider, number)
            form, told = read_form(upload.form), Told()
            try:
                form = form.with_reference(await self._kept_reference(sink, upload.filename))
            except RequestError as error:
                told = Told({"references": Problem(error.message)}, status=error.status)
            except OSError as error:
                said = f"The picture cannot be kept: {error.strerror}."
                told = Told({"references": Problem(said)}, status=NotWritten.status)
            try:
                kept = await self._files.read(provider, number)
            except ConfigError as error:
                return self._editor.unreadable(request, provider, number, error)
            return self._editor.page(request, provider, number, form, _as_begun(kept, form), told)
        finally:
            sink.discard()

    async def _kept_reference(self, sink: PictureSink, filename: str) -> str:
        if sink.problem is not None:
            raise sink.problem
        arrived = sink.incoming.arrived
        max_pixels = self._desk.config().upload.max_pixels
        return await self._references.keep(arrived.path, arrived.sha256, filename, max_pixels)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _check(self, provider: str, number: int = 1) -> None:
        if provider not in self._types() or not 1 <= number <= SLOTS:
            raise NotFound()

    def _form(self, provider: str, kept: Kept) -> SlotForm:
        types = self._types()
        kind = types[provider]
        return empty_form(kind, types) if kept.slot is None else form_of(kept.slot, kind, types)


def _as_begun(kept: Kept, form: SlotForm) -> Kept:
    """The slot as it is, under the revision that the form was made from."""
    return Kept(kept.slot, form.text("revision"))


def _go(address: str) -> Reply:
    return Reply(303, {"Location": address})


def _pairs(request: Request) -> Iterable[tuple[str, str]]:
    """The form's fields in their order within each name."""
    for name, values in (request.args or {}).items():
        for value in values:
            yield name.decode("utf-8", "replace"), value.decode("utf-8", "replace")


def _problems_of(error: ConfigError, number: int) -> dict[str, Problem]:
    """Beside the field that the error names, if it is one of this slot."""
    found = _OF_SLOT.fullmatch(error.key)
    if found is None or int(found[1]) != number:
        return {"": Problem(str(error))}
    name, rest = found[2], found[3]
    problem = Problem(error.reason[:1].upper() + error.reason[1:])
    return {f"o.{rest}" if name == "options" else name: problem}
