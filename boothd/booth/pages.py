"""The operator's pages of the booth, put together: what the composition root mounts as one."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from boothd.base.threads import Threads
from boothd.booth.desk import Desk
from boothd.booth.failures import Failures
from boothd.booth.references import References
from boothd.booth.slotfiles import SlotFiles
from boothd.booth.slotpages import SlotPages
from boothd.booth.statspages import StatsPages
from boothd.booth.status import Condition, StatusPage
from boothd.booth.thumbnails import Thumbnails
from boothd.booth.trash import Trash
from boothd.booth.trashpages import TrashPages
from boothd.config import Home
from boothd.engine.stats import Stats
from boothd.http import Admission, Pages, Route
from boothd.http.languages import N_
from boothd.providers.interfaces import Provider


class BoothPages:
    """Overview, slots, statistics and trash, with their entries of the menu.

    types: the registered providers. reload: awaited with a file of etc/ that a page has written. condition, base_url: see
    `StatusPage`. mark: what upload addresses of reference pictures hold. failures: a part of the house, to be started after
    the statistics."""

    def __init__(
        self,
        home: Home,
        desk: Desk,
        stats: Stats,
        trash: Trash,
        pages: Pages,
        *,
        types: Callable[[], Mapping[str, type[Provider]]],
        reload: Callable[[Path], Awaitable[None]],
        condition: Callable[[], Condition],
        base_url: Callable[[str], str],
        mark: str,
        disk: Threads,
        pictures: Threads,
    ) -> None:
        self.failures = Failures(desk.spool, disk, desk.clock)
        self._slots = SlotPages(
            desk,
            stats,
            pages,
            SlotFiles(home, types, lambda: desk.config().upload.max_pixels, disk, reload),
            References(home.library / "references", pictures),
            types=types,
            condition=condition,
            base_url=base_url,
            mark=mark,
        )
        statistics = StatsPages(
            desk,
            stats,
            self.failures,
            pages,
            disk,
            secrets_file=home.secrets_file,
            password=lambda: condition().upload_password,
        )
        self._routes = [
            *StatusPage(desk, stats, trash, pages, condition=condition, base_url=base_url).routes(),
            *self._slots.routes(),
            *statistics.routes(),
            *TrashPages(desk, trash, Thumbnails(pictures, disk), pages).routes(),
        ]
        pages.navigation += [
            ("/", N_("Overview")),
            ("/slots", N_("Slots")),
            ("/statistics", N_("Statistics")),
            ("/trash", N_("Trash")),
        ]

    def routes(self) -> list[Route]:
        return self._routes

    def admit(self, path: str, length: int | None) -> Admission | None:
        """What the pages say to an upload at its headers; see `boothd.http.Gate`."""
        return self._slots.admit(path, length)
