"""The operator's status page: is everything well, what do the links look like, what failed and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from boothd.base.errors import NotFound
from boothd.booth.desk import Desk
from boothd.booth.overview import provider_rows, wanted
from boothd.booth.slots import LiveSlot
from boothd.booth.trash import Trash
from boothd.booth.uploads import upload_path
from boothd.engine.stats import Stats
from boothd.http import Pages, Reply, Request, Route

TRASH_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Condition:
    """What the page says of the daemon besides the booth's own things. problem: an edit of the configuration that was not
    taken; left_out: providers that cannot work, with the reason."""

    upload_password: str
    problem: str | None
    restart_needed: tuple[str, ...]
    left_out: dict[str, str]


class StatusPage:
    """`/` and its one action. base_url: the beginning of upload links as the booths reach us, for a request's Host."""

    def __init__(
        self,
        desk: Desk,
        stats: Stats,
        trash: Trash,
        pages: Pages,
        *,
        condition: Callable[[], Condition],
        base_url: Callable[[str], str],
    ) -> None:
        self._desk, self._stats, self._trash, self._pages = desk, stats, trash, pages
        self._condition, self._base_url = condition, base_url

    def routes(self) -> list[Route]:
        return [
            Route(("GET",), "/", "status", self._show),
            Route(("POST",), "/trash/<day>/<id>/retry", "trash.retry", self._retry),
        ]

    async def _show(self, request: Request) -> Reply:
        spool, now = self._desk.spool, self._desk.clock.now()
        today = self._desk.config().day.day_of(now)
        numbers = self._stats.day(today)
        base = self._base_url(request.getHeader("host") or "")
        condition, services, book = self._condition(), self._desk.engine.services, self._desk.book()
        return self._pages.page_reply(
            request,
            "status.html",
            path="/",
            operator=request.operator,
            now=now.astimezone(self._desk.config().day.zone()),
            today=today,
            condition=condition,
            unhealthy=spool.unhealthy,
            free_bytes=spool.free_bytes,
            floor_bytes=self._desk.config().spool.floor,
            services=services,
            providers=provider_rows(services, condition.left_out, book),
            slots=[self._row(slot, numbers.get("slots", {}).get(slot.id, {}), base) for slot in book],
            not_accepted=numbers.get("uploads not accepted", {}),
            trash=await self._trash.newest(TRASH_SHOWN),
            zone=self._desk.config().day.zone(),
            retried=request.field("retried"),
        )

    def _row(self, slot: LiveSlot, numbers: dict[str, Any], base: str) -> dict[str, Any]:
        answered = int(numbers.get("answered", 0))
        return {
            "live": slot,
            "wanted": wanted(slot, self._desk.engine.services),
            "link": base + upload_path(slot),
            "received": int(numbers.get("received", 0)),
            "answered": answered,
            "failed": int(sum(numbers.get("failed", {}).values())),
            "mean_s": float(numbers["seconds"]) / answered if answered else None,
        }

    async def _retry(self, request: Request, day: str, id: str) -> Reply:
        try:
            on = date.fromisoformat(day)
        except ValueError:
            raise NotFound() from None
        outcome = await self._trash.retry(on, id)
        return Reply(303, {"Location": f"/?retried={outcome}#trash"})
