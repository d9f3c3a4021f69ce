"""A booth's side of Turbotext: the real media links and callbacks on a loopback port, and the provider."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred

from boothd.base.aio import ended
from boothd.base.clock import Clock
from boothd.base.threads import Threads
from boothd.http import Callbacks, Media, Reply, Route, Signer
from boothd.providers.interfaces import Preset, Reference
from boothd.providers.turbotext import Turbotext, TurbotextOptions, TurbotextSettings
from tests.http.http_support import FakeRoom, Port
from tests.sandbox.fakes_support import Client, photo, scene
from tests.support.tools import Asked, Workbench, make_call, photo_of

JOB = "20261120T174512.439-7f3a9c"


@dataclass
class Public:
    """What others can reach of us. visits: the route and the file's name of every request. held: they wait for it."""

    media: Media
    callbacks: Callbacks
    port: Port
    visits: list[str]
    held: list[Deferred[None]]

    @classmethod
    async def open(cls, reactor: Any, clock: Clock, disk: Threads, folder: Path) -> "Public":
        where: list[str] = []
        signer = Signer(b"k" * 32)
        media = Media(folder, signer, clock, disk, lambda: where[0])
        callbacks = Callbacks(signer, lambda: where[0])
        visits: list[str] = []
        held: list[Deferred[None]] = []
        routes = [_watched(route, visits, held) for route in (*media.routes(), *callbacks.routes())]
        port = Port(reactor, FakeRoom(), routes)
        await port.listener.start()
        where.append(f"http://127.0.0.1:{port.number}")
        return cls(media, callbacks, port, visits, held)

    def hold(self) -> None:
        """Let every request wait, until `release`."""
        self.held.append(Deferred())

    def release(self) -> None:
        self.held.pop().callback(None)


def _watched(route: Route, visits: list[str], held: list[Deferred[None]]) -> Route:
    async def handler(request: Any, **params: Any) -> Reply:
        visits.append(f"{route.name} {params.get('name', '')}".strip())
        if held:
            await ended(held[0])
        return await route.handler(request, **params)

    return replace(route, handler=handler)


@dataclass
class Booth:
    """A job with a guest's photo, a fake Turbotext, and providers that know both."""

    client: Client
    public: Public
    folder: Path
    clock: Clock
    make_bench: Callable[..., Workbench]
    asked: list[Asked] = field(default_factory=list)

    def provider(self, keys: tuple[str, ...] = ("good-1",), bench: dict[str, Any] | None = None, **more: Any) -> Any:
        """A new provider object."""
        settings = {"base_url": f"{self.client.url}/api_ai", "poll_s": 0.005, "result_private": True, **more}
        tools = {"media": self.public.media, "callbacks": self.public.callbacks, **(bench or {})}
        return Turbotext(TurbotextSettings.model_validate(settings), self.make_bench(keys=keys, **tools).tools)

    def call(self, seconds: float = 30, number: int = 1) -> Asked:
        """A call on the job; what it says is kept in `asked`."""
        self.asked.append(make_call(self.clock, self.folder, seconds=seconds, job=JOB, number=number))
        return self.asked[-1]

    async def edit(self, preset: Preset, provider: Any = None, **call: Any) -> Any:
        return await (provider or self.provider()).edit(self.photo(), preset, self.call(**call).call)

    def photo(self) -> Any:
        path = self.folder / "source.jpg"
        path.write_bytes(photo())
        return photo_of(path)

    def preset(self, effect: str = "mix", prompt: str = "", references: int | None = None, **more: Any) -> Preset:
        """A slot's preset; options as a mapping."""
        wanted = (0 if effect == "prompt" else 1) if references is None else references
        options = TurbotextOptions.model_validate(more.pop("options", {}))
        return Preset("turbotext", effect, prompt, (self.reference(),) * wanted, options, **more)

    def reference(self, name: str = "scene.png", data: bytes | None = None) -> Reference:
        path = self.folder.parent.parent / name
        path.write_bytes(data or scene())
        return Reference(path, "0" * 64)

    def left_over(self) -> list[str]:
        """The job's files, without the photo's."""
        return sorted(path.name for path in self.folder.iterdir() if path.name != "source.jpg")

    async def sent(self, number: int = 0) -> dict[str, str]:
        """The fields of a call that created a queue entry."""
        return cast(dict[str, str], (await self.client.ask("calls"))[number]["detail"]["fields"])
