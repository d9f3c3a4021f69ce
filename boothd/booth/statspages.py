"""The statistics: the upload password, what was made and what it cost, what failed and why; on a page and as CSV."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from boothd.base.errors import RequestError
from boothd.base.threads import Threads
from boothd.booth import sheetfile
from boothd.booth.charts import Chart, by_hour, chart, hours_from
from boothd.booth.desk import Desk
from boothd.booth.failures import CAUSES, HOURS, Failures
from boothd.booth.sums import Period, WrongPeriod, add_up, answers, numbers_of
from boothd.config import ConfigError
from boothd.engine.stats import Stats
from boothd.http import Pages, Reply, Request, Route
from boothd.http.languages import N_
from boothd.providers import provider_names, provider_type
from boothd.secrets_file import change_secrets, new_password, source_of
from boothd.spool import State

FAILURES_SHOWN = 20
DAYS_SHOWN = 30
LONGEST_PASSWORD = 200
IN_FORCE_S = 3.0
"""So long is waited for a new password to be read from its file."""
ASK_S = 0.1


@dataclass(frozen=True, slots=True)
class Typed:
    """What a form brought that cannot be taken. wrong: the field; reason: a text to be translated; detail: the system's."""

    first: str = ""
    last: str = ""
    wrong: str = ""
    password: str = ""
    reason: str = ""
    detail: str = ""


class StatsPages:
    """`/statistics`, its CSV, and the change of the upload password. password: the one in force."""

    def __init__(
        self,
        desk: Desk,
        stats: Stats,
        failures: Failures,
        pages: Pages,
        threads: Threads,
        *,
        secrets_file: Path,
        password: Callable[[], str],
    ) -> None:
        self._desk, self._stats, self._failures, self._pages = desk, stats, failures, pages
        self._threads, self._secrets_file, self._password = threads, secrets_file, password

    def routes(self) -> list[Route]:
        return [
            Route(("GET",), "/statistics", "statistics", self._show),
            Route(("POST",), "/statistics/password", "statistics.password", self._change_password),
            Route(("GET",), "/statistics.csv", "statistics.csv", self._csv),
        ]

    # the page

    async def _show(self, request: Request) -> Reply:
        first, last = request.field("from"), request.field("to")
        try:
            period = Period.of(first, last, self._desk.spool.today())
        except WrongPeriod as wrong:
            typed = Typed(first=first, last=last, wrong=wrong.field, reason=str(wrong))
            return await self._page(request, Period.until(self._desk.spool.today(), 1), typed, 400)
        return await self._page(request, period, Typed())

    async def _page(self, request: Request, period: Period, typed: Typed, status: int = 200) -> Reply:
        today, zone = self._desk.spool.today(), self._desk.config().day.zone()
        clock = self._desk.clock
        days = [numbers async for _, numbers in numbers_of(self._stats, clock, period)]
        month = Period.until(today, DAYS_SHOWN)
        totals = [(day, *answers(numbers)) async for day, numbers in numbers_of(self._stats, clock, month)]
        sums = add_up(days)
        return self._pages.page_reply(
            request,
            "statistics.html",
            status=status,
            path="/statistics",
            today=today,
            yesterday=today - timedelta(days=1),
            period=period,
            week=Period.until(today, 7),
            month=month,
            typed=typed,
            sums=sums,
            titles={row.provider: self._title(row.provider) for row in sums.models},
            names={slot.id: slot.slot.name for slot in self._desk.book()},
            hours=await self._hours(period.first) if len(period) == 1 else None,
            days=chart(totals),
            by_cause=self._failures.by_cause(),
            failures=self._failures.newest(FAILURES_SHOWN),
            spans=HOURS,
            causes=CAUSES,
            zone=zone,
            password=self._password(),
            source=await self._threads.run(source_of, "upload_password"),
            changed=request.field("changed"),
        )

    def _title(self, provider: str) -> str:
        service = self._desk.engine.services.get(provider)
        if service is not None:
            return service.provider.title
        return provider_type(provider).title if provider in provider_names() else provider  # left out; not installed

    async def _hours(self, day: date) -> Chart | None:
        """None: the photos of that day are not kept any more. A photo that was tried again lies with the day of that."""
        config, spool = self._desk.config().day, self._desk.spool
        done, trash = ([self._folder(state, day + timedelta(days=n)) for n in (0, 1)] for state in _KEPT)
        counts = await self._threads.run(by_hour, done, trash, day, config.day_of, config.zone())
        if counts is None:
            return chart([]) if day == spool.today() else None
        begins = time.fromisoformat(config.starts)
        return chart([(hour, *counts.get(hour.hour, (0, 0))) for hour in hours_from(begins)])

    def _folder(self, state: State, day: date) -> Path:
        return self._desk.spool.place(state) / day.isoformat()

    # the other two

    async def _csv(self, request: Request) -> Reply:
        try:
            period = Period.of(request.field("from"), request.field("to"), self._desk.spool.today())
        except WrongPeriod as wrong:
            raise RequestError(f"{wrong.field}: {wrong}") from None
        parts = [sheetfile.header()]
        async for day, numbers in numbers_of(self._stats, self._desk.clock, period):
            parts.append(sheetfile.rows_of(day, numbers))
        name = f"boothd-{period.first}-{period.last}.csv"
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
        return Reply(200, headers, b"".join(parts))

    async def _change_password(self, request: Request) -> Reply:
        password = new_password() if request.field("make") else request.field("password")
        reason, detail = _wrong_with(password), ""
        if not reason:
            reason, detail = await self._written(password)
        if reason:
            typed = Typed(wrong="password", password=request.field("password"), reason=reason, detail=detail)
            return await self._page(request, Period.until(self._desk.spool.today(), 1), typed, 400)
        began_s, clock = self._desk.clock.seconds(), self._desk.clock
        while self._password() != password and clock.seconds() < began_s + IN_FORCE_S:
            await clock.sleep(ASK_S)
        changed = "yes" if self._password() == password else "not-yet"
        return Reply(303, {"Location": f"/statistics?changed={changed}#password"})

    async def _written(self, password: str) -> tuple[str, str]:
        """Why the password could not be written, and what the system says; two empty texts when it was."""

        def change(content: dict[str, Any]) -> None:
            content["upload_password"] = password

        if await self._threads.run(source_of, "upload_password") != "file":
            return N_("The password does not come from the file; it can only be changed where it comes from."), ""
        try:
            await self._threads.run(change_secrets, self._secrets_file, change)
        except ConfigError as error:
            return N_("The file of the secrets must be put right first."), str(error)
        except OSError as error:
            return N_("The file of the secrets cannot be written."), error.strerror or str(error)
        return "", ""


_KEPT = (State.DONE, State.TRASH)


def _wrong_with(password: str) -> str:
    if not password.strip():
        return N_("Without a password nobody could send a photo.")
    if password != password.strip() or not password.isprintable():
        return N_("A password neither begins nor ends with a blank, and has no line breaks.")
    if len(password) > LONGEST_PASSWORD:
        return N_("A password has at most 200 characters.")
    return ""
