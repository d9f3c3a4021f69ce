"""The composition root: a home goes in, a house comes out. Only this module knows every part. Read it first.

Nothing at the top of this file imports the reactor: `twistd` builds `Options` before anybody has, and that is the moment
to choose the asyncio one.
"""

import atexit
import gc
import os
import sys
import time
from datetime import date, datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet import asyncioreactor
from twisted.python import usage
from twisted.python.failure import Failure

from boothd.base import logs
from boothd.base.house import Hook, House
from boothd.config import ConfigError, Home, read_daemon_config
from boothd.process import (
    CANNOT_BE_USED,
    CANNOT_START,
    end_well_on_sigterm,
    exit_with,
    open_log_file,
    reason_of,
    stop_because,
)

if TYPE_CHECKING:
    from boothd.live import Configured
    from boothd.spool import Disk


class Options(usage.Options):
    """What `twistd boothd` and `boothd up` take."""

    optParameters = [  # noqa: RUF012 (Twisted's own shape)
        ["home", "H", None, "the directory made by `boothd init`; else $BOOTHD_HOME, else the current one"],
        ["listen", "l", None, "a Twisted endpoint to listen on instead of boothd.yaml's, for example tcp:8000"],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # twistd builds this for the subcommand `boothd` only, and before anything has imported the reactor.
        if "twisted.internet.reactor" not in sys.modules:
            asyncioreactor.install()


class WrongReactor(Exception):
    """twistd was told to use another reactor than asyncio's."""


SWITCH_S = 0.0005
"""A tenth of Python's own; with 20 calls that carry 5 MB out and 8 MiB in, it about halves the reactor's longest stall."""


def makeService(options: Options) -> Service:
    """What `twistd` and `twist` call. Ends the process with one line when home or configuration cannot be used."""
    home = Home(Path(options["home"] or os.environ.get("BOOTHD_HOME") or ".").resolve())
    try:
        house = make_house(home, options["listen"])
        logging = read_daemon_config(home).log
    except (ConfigError, WrongReactor) as error:
        print(f"boothd cannot start: {error}", file=sys.stderr)
        raise SystemExit(CANNOT_BE_USED) from None
    if logging.file is not None:
        logs.also(open_log_file(home, logging), logging.level)
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    reactor.callWhenRunning(end_well_on_sigterm, reactor)

    def give_up(failure: Failure) -> None:
        atexit.register(exit_with, CANNOT_START)  # twistd itself would say 0
        stop_because(failure, reactor)

    house.opened.addErrback(give_up)
    return house


def run(home: Path, listen: str | None) -> int:
    """What `boothd up` does: the same service, until SIGTERM or SIGINT. Returns the process's exit status.

    Raises ConfigError, WrongReactor before anything runs."""
    options = Options()  # installs the reactor
    options["home"], options["listen"] = str(home), listen
    house = make_house(Home(home.resolve()), listen)
    logging = read_daemon_config(Home(home.resolve())).log
    logs.begin(sys.stderr if logging.file is None else open_log_file(Home(home.resolve()), logging), logging.level)
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    failed: list[Failure] = []

    def give_up(failure: Failure) -> None:
        failed.append(failure)
        stop_because(failure, reactor)

    house.opened.addErrback(give_up)
    reactor.addSystemEventTrigger("before", "shutdown", house.stopService)
    reactor.callWhenRunning(house.startService)
    reactor.run()
    if failed and logging.file is not None:
        print(f"boothd cannot start: {reason_of(failed[0])}", file=sys.stderr)
    return CANNOT_START if failed else 0


def make_house(home: Home, listen: str | None = None, disk: "Disk | None" = None) -> House:
    """Build every part of the daemon for one home. listen: instead of the configured endpoint. disk: the spool's.

    Raises ConfigError; WrongReactor."""
    from twisted.internet import reactor  # noqa: TID251 (here and in cli.py only)

    if not isinstance(reactor, asyncioreactor.AsyncioSelectorReactor):
        raise WrongReactor("boothd runs on the asyncio reactor; leave out --reactor, or give --reactor=asyncio")
    # reactor.seconds is wall-clock time; a step of it must neither fire nor delay a deadline.
    reactor.seconds = time.monotonic  # type: ignore[method-assign,misc]
    # Every socket call gives the interpreter away, and the reactor gets it back from a busy thread only after this long.
    sys.setswitchinterval(SWITCH_S)
    from boothd.live import read_all

    if not home.config_file.is_file():
        raise ConfigError(home.config_file, "", f"is not there; make a home with: boothd init --home {home.path}")
    return _build(home, read_all(home), listen, disk, reactor)


def _build(home: Home, configured: "Configured", listen: str | None, disk: "Disk | None", reactor: Any) -> House:  # noqa: PLR0915
    """Every part, made in the order in which it needs the others."""
    from prometheus_client import CollectorRegistry

    from boothd.base.address import lan_address, listen_port
    from boothd.base.assets import assets
    from boothd.base.clients import Clients
    from boothd.base.clock import Clock
    from boothd.base.stall import StallGauge
    from boothd.base.threads import Threads
    from boothd.base.watch import Watch
    from boothd.booth.desk import Desk
    from boothd.booth.hot import ROOM as HOT
    from boothd.booth.hot import HotFolders
    from boothd.booth.pages import BoothPages
    from boothd.booth.recovery import Recovery
    from boothd.booth.status import Condition
    from boothd.booth.trash import Trash
    from boothd.booth.uploads import Counter
    from boothd.engine.attempt import Attempts
    from boothd.engine.engine import Engine
    from boothd.engine.joblog import JobLog
    from boothd.engine.metrics import Metrics
    from boothd.engine.stats import Stats
    from boothd.http import (
        Callbacks,
        Listener,
        Logins,
        Media,
        Pages,
        Signer,
        health_routes,
        make_site,
        raise_file_limit,
        signing_key,
    )
    from boothd.live import Live
    from boothd.providers.tools import Tools
    from boothd.spool import Disk, ResultIndex, Spool
    from boothd.spool.housekeeping import Housekeeping

    raise_file_limit()
    clock, random = Clock(reactor), SystemRandom()
    daemon = configured.daemon
    disk_threads = Threads(reactor, "disk", daemon.threads.disk)
    pictures = Threads(reactor, "pictures", daemon.threads.pictures or os.cpu_count() or 2)
    login_threads = Threads(reactor, "logins", 1)
    # One thread: two that fight for the interpreter keep the reactor waiting longer than one.
    codec = Threads(reactor, "codec", 1)
    clients = Clients(reactor, disk_threads)
    try:
        signer = Signer(signing_key(home.spool / "signing-key"))
    except OSError as error:
        raise ConfigError(home.spool, "", f"cannot be used ({error.strerror})") from error
    media = Media(home.spool / "active", signer, clock, disk_threads, lambda: live.now.daemon.public_url)
    callbacks = Callbacks(signer, lambda: live.now.daemon.public_url)

    def tools(keys: tuple[str, ...]) -> Tools:
        return Tools(
            clock=clock,
            http=clients.get(),
            keys=keys,
            pictures=pictures,
            disk=disk_threads,
            max_pixels=lambda: live.now.daemon.upload.max_pixels,
            codec=codec,
            client=clients.get,
            fetch=clients.fetch,
            media=media,
            callbacks=callbacks,
            node=signer.sign("node")[:12],
        )

    def day_of(when: datetime) -> date:
        return live.now.daemon.day.day_of(when)

    spool = Spool(
        home.spool,
        home.trash,
        disk=disk or Disk(),
        threads=disk_threads,
        clock=clock,
        random=random,
        day_of=day_of,
        floor_bytes=lambda: live.now.daemon.spool.floor,
    )
    stats = Stats(home.spool / "stats.yaml", spool, disk_threads, clock, day_of)
    live = Live(home, configured, clock, disk_threads, tools, stats.spent_today)
    index = ResultIndex()
    attempts = Attempts(spool, index, pictures, clock, lambda: live.now.daemon.upload.max_pixels)
    engine = Engine(
        spool,
        index,
        live.services,
        attempts,
        pictures,
        clock,
        random,
        reserve_s=daemon.budget.reserve,
        left_out=live.left_out,
    )
    desk = Desk(spool, engine, pictures, clock, lambda: live.now.daemon, lambda: live.now.book)
    counter = Counter(desk, stats, lambda: live.now.secrets.upload_password)
    hot = HotFolders(home.spool / "hot", desk, reactor=reactor, clock=clock, threads=disk_threads)
    live.applied += [hot.refresh, lambda: setattr(engine, "reserve_s", live.now.daemon.budget.reserve)]
    recovery = Recovery(desk, index, disk_threads, {HOT: hot})

    registry, stall = CollectorRegistry(), StallGauge(clock)
    Metrics(registry, spool, live.services, stall.longest_s)
    spool.journaled.append(JobLog().count)
    pages, trash = Pages(assets("web")), Trash(desk, disk_threads)

    def ready() -> str | None:
        if counter.draining:
            return "boothd is shutting down"
        return f"the spool is unhealthy: {spool.unhealthy}" if spool.unhealthy else None

    def condition() -> Condition:
        return Condition(live.now.secrets.upload_password, live.problem, live.restart_needed, live.left_out)

    def base_url(host: str) -> str:
        endpoint = listen or daemon.listen
        port, scheme = listen_port(endpoint), "https" if endpoint.startswith("ssl:") else "http"
        own = f"{lan_address()}:{port}" if port else lan_address()
        return (live.now.daemon.public_url or f"{scheme}://{host or own}").rstrip("/")

    booth_pages = BoothPages(
        home,
        desk,
        stats,
        trash,
        pages,
        types=lambda: live.now.types,
        reload=live.reload,
        condition=condition,
        base_url=base_url,
        mark=signer.sign("references"),
        disk=disk_threads,
        pictures=pictures,
    )
    site = make_site(
        [
            *counter.routes(),
            *booth_pages.routes(),
            *pages.routes(),
            *media.routes(),
            *callbacks.routes(),
            *health_routes(ready, registry),
        ],
        gate=lambda path, length: counter.admit(path, length) or booth_pages.admit(path, length),
        limits=lambda: live.now.daemon.upload,
        logins=Logins(lambda: live.now.secrets.operators, login_threads, clock),
        clock=clock,
        disk=disk_threads,
        registry=registry,
    )
    listener = Listener(listen or daemon.listen, site, reactor=reactor, clock=clock, drain_s=daemon.budget.total + 10)
    watch = Watch(
        [home.library / "references"],
        live.changed,
        reactor=reactor,
        clock=clock,
        threads=disk_threads,
        trees=[home.etc],
    )

    async def let_go() -> None:
        await clients.close()
        clock.stop()
        for threads in (login_threads, codec, pictures, disk_threads):
            threads.stop()

    async def recover() -> None:
        await recovery.run(spool.today(), live.now.daemon.spool.index)

    async def settle() -> None:
        gc.collect()
        gc.freeze()  # what is here now stays for good: later collections need not walk through it

    house = House()
    house.add("threads and timers", Hook(stop=let_go))
    house.add("spool", spool)
    house.add("statistics", stats)
    house.add("failures", booth_pages.failures)
    house.add("engine", Hook(stop=engine.stop))
    house.add("desk", Hook(stop=desk.stop))
    house.add("recovery", Hook(start=recover))
    house.add("configuration", Hook(start=live.start, stop=live.stop))
    house.add("its watch", watch)
    house.add("housekeeping", Housekeeping(spool, index, clock, lambda: live.now.daemon.spool))
    house.add("hot folders", hot)
    house.add("trash", Hook(stop=trash.stop))
    house.add("stall gauge", stall)
    house.add("visits", Hook(stop=counter.wait_until_empty))
    house.add("memory", Hook(start=settle))
    house.add("main listener", listener)
    house.add("doors", Hook(stop=counter.close_doors))
    return house
