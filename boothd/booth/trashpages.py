"""The trash: what failed, day by day, with a way back for each photo and a way out for good."""

from datetime import date
from urllib.parse import urlencode

from boothd.base.budget import Budget
from boothd.base.errors import NoSuchSlot, NotFound, OutOfTime, RequestError
from boothd.base.imaging import EXTENSIONS, MEDIA_TYPES
from boothd.booth.desk import Desk
from boothd.booth.failures import CAUSES
from boothd.booth.slots import LiveSlot
from boothd.booth.thumbnails import SIZES, Thumbnails
from boothd.booth.trash import Trash
from boothd.http import FileBody, Pages, Reply, Request, Route
from boothd.spool.job import is_id

WAIT_S = 20.0
"""So long a page waits for a retry; it goes on without it."""
UNDER_WAY = "under-way"


class TrashPages:
    """`/trash` and what can be done there."""

    def __init__(self, desk: Desk, trash: Trash, thumbnails: Thumbnails, pages: Pages) -> None:
        self._desk, self._trash, self._thumbnails, self._pages = desk, trash, thumbnails, pages

    def routes(self) -> list[Route]:
        job = "/trash/<day>/<id>"
        return [
            Route(("GET",), "/trash", "trash", self._show),
            Route(("POST",), "/trash/<day>/empty", "trash.empty", self._empty),
            Route(("GET",), job, "trash.job", self._show_job),
            Route(("GET",), f"{job}/thumbnail/<int:size>", "trash.thumbnail", self._thumbnail),
            Route(("GET",), f"{job}/photo", "trash.photo", self._photo),
            Route(("POST",), f"{job}/again", "trash.again", self._again),
            Route(("POST",), f"{job}/delete", "trash.delete", self._delete),
        ]

    # what is shown

    async def _show(self, request: Request) -> Reply:
        days = await self._trash.days()
        asked = request.field("day")
        day = _day(asked) if asked else next(iter(days), self._desk.spool.today())
        number = request.field("page")
        sheet = await self._trash.sheet(day, int(number) if number.isdecimal() and len(number) < 9 else 1)
        if sheet.total and day not in days:
            days = dict(sorted({**days, day: sheet.total}.items(), reverse=True))  # it has failed this very moment
        return self._pages.page_reply(
            request,
            "trash.html",
            path="/trash",
            day=day,
            days=days,
            sheet=sheet,
            names=self._names(),
            causes=CAUSES,
            zone=self._desk.config().day.zone(),
            size=SIZES[0],
            said={name: request.field(name) for name in ("retried", "deleted", "gone", "slot")},
        )

    async def _show_job(self, request: Request, day: str, id: str) -> Reply:
        on = _day(day)
        try:
            item = await self._trash.find(on, id)
        except NotFound:
            if not is_id(id):
                raise
            return _back(on, gone="yes")  # an old link, or somebody else's click
        return self._pages.page_reply(
            request,
            "trash-job.html",
            path="/trash",
            item=item,
            slots=self._menu(item.slot),
            names=self._names(),
            causes=CAUSES,
            zone=self._desk.config().day.zone(),
            size=SIZES[-1],
        )

    def _names(self) -> dict[str, str]:
        return {live.id: live.slot.name for live in self._desk.book()}

    def _menu(self, own: str) -> list[LiveSlot]:
        """The slots that a photo can be tried on: its own first, then those that are switched on."""
        book = list(self._desk.book())
        return [live for live in book if live.id == own] + [
            live for live in book if live.id != own and live.slot.enabled
        ]

    async def _thumbnail(self, request: Request, day: str, id: str, size: int) -> Reply:
        if size not in SIZES:
            raise NotFound()
        photo, _ = await self._trash.photo(_day(day), id)
        file = await self._thumbnails.get(photo, size, self._desk.config().upload.max_pixels)
        headers = {"Content-Type": "image/jpeg", "Cache-Control": "private, max-age=86400", "X-Boothd-Job": id}
        return Reply(200, headers, FileBody(file))

    async def _photo(self, request: Request, day: str, id: str) -> Reply:
        photo, came = await self._trash.photo(_day(day), id)
        name = f"{id}{EXTENSIONS.get(came.format, '')}"
        headers = {
            "Content-Type": MEDIA_TYPES.get(came.format, "application/octet-stream"),
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Boothd-Job": id,
        }
        return Reply(200, headers, FileBody(photo))

    # what is done

    async def _again(self, request: Request, day: str, id: str) -> Reply:
        on, slot = _day(day), request.field("slot")
        retry = self._trash.retry(on, id, slot)
        try:
            outcome = await Budget.of(self._desk.clock, WAIT_S).limit(retry)
        except OutOfTime:
            outcome = UNDER_WAY
        except NoSuchSlot:
            return _back(on, request.field("page"), retried="no-slot", slot=slot)
        except NotFound:
            return _back(on, request.field("page"), gone="yes")
        return _back(on, request.field("page"), retried=outcome)

    async def _delete(self, request: Request, day: str, id: str) -> Reply:
        on = _day(day)
        try:
            await self._trash.delete(on, id)
        except NotFound:
            return _back(on, request.field("page"), gone="yes")
        return _back(on, request.field("page"), deleted="1")

    async def _empty(self, request: Request, day: str) -> Reply:
        newest = request.field("newest")
        if not is_id(newest):
            raise RequestError("Say up to which job the day is to be emptied, in the field newest.")
        on = _day(day)
        return _back(on, deleted=str(await self._trash.empty(on, newest)))


def _day(text: str) -> date:
    """Raises NotFound."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFound() from None


def _back(day: date, page: str = "", **said: str) -> Reply:
    """To the list, which says what became of it."""
    asked = {"day": day.isoformat()} | ({"page": page} if page.isdecimal() else {}) | said
    return Reply(303, {"Location": f"/trash?{urlencode(asked)}"})
