"""What is configured at this moment, and how it changes: read everything anew, check, compare, then apply.

Nothing changes unless all of it can be used; the last good configuration stays, and the reason is on the status page and
in the log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from twisted.logger import Logger

from boothd.base.aio import Background
from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import WorkError
from boothd.base.threads import Threads
from boothd.booth.slots import SlotBook, load_slots
from boothd.config import ConfigError, DaemonConfig, Home, Secrets, parse, read_daemon_config, read_secrets, read_yaml
from boothd.engine.services import Service
from boothd.engine.spending import Till
from boothd.providers import provider_names, provider_type
from boothd.providers.interfaces import NotConfigured, Provider, ProviderSettings, Tidies
from boothd.providers.tools import Tools

TIDY_S = 60.0
"""How long a provider may take to remove what an earlier run left at its service."""

ONLY_AT_START = ("listen", "log", "threads")
"""Keys of boothd.yaml that a running daemon cannot change."""


@dataclass(frozen=True, slots=True)
class Configured:
    """One consistent reading of a home."""

    daemon: DaemonConfig
    secrets: Secrets
    types: dict[str, type[Provider]]
    settings: dict[str, ProviderSettings]
    book: SlotBook


def read_all(home: Home) -> Configured:
    """Read and check everything below etc/. Blocks. Raises ConfigError."""
    daemon = read_daemon_config(home)
    secrets = read_secrets(home)
    types = {name: _type(home, name) for name in provider_names()}
    settings: dict[str, ProviderSettings] = {}
    for name, kind in types.items():
        file = home.provider_file(name)
        settings[name] = parse(kind.Settings, read_yaml(file), file)
    return Configured(daemon, secrets, types, settings, load_slots(home, types, daemon.upload.max_pixels))


def _type(home: Home, name: str) -> type[Provider]:
    try:
        return provider_type(name)
    except Exception as error:
        raise ConfigError(home.provider_file(name), "", f"the provider “{name}” cannot be loaded ({error})") from error


MakeTools = Callable[[tuple[str, ...]], Tools]
"""The tools for a provider with these API keys."""


class Live:
    """The configuration in force.

    services: the providers that work, for the engine; left_out: those that cannot, with the reason. problem: why the last
    change was not taken. applied: called after each change that was. spent_today: a provider's money of today, by name."""

    log = Logger()

    def __init__(
        self,
        home: Home,
        configured: Configured,
        clock: Clock,
        threads: Threads,
        tools: MakeTools,
        spent_today: Callable[[str], Decimal],
    ) -> None:
        self.home, self.now = home, configured
        self.services: dict[str, Service] = {}
        self.left_out: dict[str, str] = {}
        self.problem: str | None = None
        self.restart_needed: tuple[str, ...] = ()
        self.applied: list[Callable[[], None]] = []
        self._clock, self._threads, self._tools = clock, threads, tools
        self._till = Till(spent_today, lambda: self.now.daemon.day.starts)
        self._background, self._tidying = Background(), Background()
        self._again = False
        self._started = configured.daemon
        self._running = False
        self._apply_providers(configured, None)

    def changed(self, paths: frozenset[Path]) -> None:
        """Files changed: read again. One reload at a time; a change during it brings another."""
        if not any(path.suffix == ".yaml" or path.parent.name == "references" for path in paths):
            return
        if self._background.names:
            self._again = True
        else:
            self._background.start("reload the configuration", self._reload())

    async def start(self) -> None:
        """Have what an earlier run left at the services removed; nobody waits for it."""
        self._running = True
        for name, service in self.services.items():
            self._tidy(name, service.provider)

    async def reload(self, path: Path) -> None:
        """`path` has changed: come back once that is in force, or refused."""
        self.changed(frozenset({path}))
        await self._background.idle()

    async def stop(self) -> None:
        self._running = False
        await self._background.stop()
        await self._tidying.stop()

    async def _reload(self) -> None:
        while True:
            self._again = False
            await self._reload_once()
            if not self._again:
                return

    async def _reload_once(self) -> None:
        try:
            new = await self._threads.run(read_all, self.home)
        except ConfigError as error:
            self.problem = str(error)
            self.log.error("configuration not taken: {problem}", problem=self.problem)
            return
        except Exception as error:  # noqa: BLE001 (logged and shown; another package's checks, a disk that fails)
            self.problem = f"{self.home.etc}: cannot be read ({error})"
            self.log.failure("configuration not taken: {problem}", problem=self.problem)
            return
        old, self.now, self.problem = self.now, new, None
        self._apply_providers(new, old)
        self.restart_needed = tuple(
            key for key in ONLY_AT_START if getattr(new.daemon, key) != getattr(self._started, key)
        )
        if self.restart_needed:
            self.log.warn("takes effect at the next start: {keys}", keys=", ".join(self.restart_needed))
        self.log.info("configuration read; it applies to the next photo")
        for tell in self.applied:
            tell()

    def _apply_providers(self, new: Configured, old: Configured | None) -> None:
        for name, kind in new.types.items():
            keys = new.secrets.keys.get(name, ())
            if old is not None and _same(old, new, name):
                continue
            try:
                provider = kind(new.settings[name], self._tools(keys))
            except NotConfigured as reason:
                self.left_out[name] = str(reason)
                self.services.pop(name, None)
                continue
            except Exception as error:  # noqa: BLE001 (logged and shown; the other providers work)
                self.log.failure("{provider} cannot be set up", provider=name)
                self.left_out[name] = f"it cannot be set up ({error}); the log has more"
                self.services.pop(name, None)
                continue
            self.left_out.pop(name, None)
            if name in self.services:
                self.services[name].reconfigure(provider, new.settings[name])
            else:
                self.services[name] = Service(name, provider, new.settings[name], self._clock, self._till)
            self._tidy(name, provider)

    def _tidy(self, name: str, provider: Provider) -> None:
        if self._running and isinstance(provider, Tidies):
            self._tidying.start(f"tidying up at {name}", self._tidied(name, provider))

    async def _tidied(self, name: str, provider: Tidies) -> None:
        budget = Budget.of(self._clock, TIDY_S)

        async def tidied() -> None:
            await provider.tidy(budget)

        try:
            await budget.limit(tidied())
        except WorkError as error:
            self.log.warn(
                "{provider}: what an earlier run left there is not removed ({reason})",
                provider=name,
                reason=error.message,
            )


def _same(old: Configured, new: Configured, name: str) -> bool:
    """Whether a provider need not be set up anew: links and webhooks are made with the public address."""
    return (
        old.settings.get(name) == new.settings[name]
        and old.secrets.keys.get(name, ()) == new.secrets.keys.get(name, ())
        and old.daemon.public_url == new.daemon.public_url
    )
