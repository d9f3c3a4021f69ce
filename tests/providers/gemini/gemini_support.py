"""What the tests of the Gemini provider share: the provider, its fake, photos and presets."""

import hashlib
from pathlib import Path
from typing import Any, Protocol

from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.providers.gemini import Gemini, GeminiOptions, GeminiSettings
from boothd.providers.interfaces import Call, Picture, Preset, Reference
from tests.sandbox.fakes_support import Client, client_of, photo, scene
from tests.support.clock import FakeClock
from tests.support.tools import Workbench, make_call, photo_of

READER = GeminiSettings().reading_model


class Booth:
    """A provider, the fake that it talks to, and a folder. More providers may be made before the same fake."""

    def __init__(
        self,
        reactor: Any,
        clock: FakeClock,
        folder: Path,
        threads: tuple[Threads, Threads, Threads],
        keys: tuple[str, ...],
        fake: dict[str, object],
        settings: dict[str, object],
    ) -> None:
        disk, pictures, blocking = threads
        self.clock, self.folder = clock, folder
        self.fake: Client = client_of(reactor, blocking, "gemini", settings=fake)
        self.bench = Workbench(reactor, clock, disk, pictures, keys=keys)
        self.gemini = self.another(**settings)
        self._number = 0

    def another(self, **settings: object) -> Gemini:
        """A provider as after a restart: it remembers nothing."""
        said = {"base_url": self.fake.url, "model": "gemini-3-pro-image", "reading_model": READER, **settings}
        return Gemini(GeminiSettings.model_validate(said), self.bench.tools)

    def call(self, job: str = "job-1") -> Call:
        """Another attempt, with an answer file of its own."""
        self._number += 1
        return make_call(self.clock, self.folder, job=job, number=self._number).call

    def photo(self, data: bytes | None = None, number: int = 1) -> Photo:
        path = self.folder / f"source-{number}.jpg"
        _write(path, photo(number) if data is None else data)
        return photo_of(path)

    def reference(self, name: str = "scene.png", data: bytes | None = None) -> Reference:
        path = self.folder / name
        _write(path, scene() if data is None else data)
        return Reference(path, hashlib.sha256(path.read_bytes()).hexdigest())

    async def edit(self, prompt: str = "a pirate", **more: Any) -> Picture:
        """One attempt with the effect *prompt*. more: fields of the preset; photo, job."""
        guest, job = more.pop("photo", None) or self.photo(), more.pop("job", "job-1")
        preset = preset_of(prompt, **more)
        return await self.gemini.edit(guest, preset, self.call(job))

    async def calls(self) -> Any:
        """The paid calls that have come to the fake."""
        return await self.fake.ask("calls")

    async def files(self) -> list[str]:
        """Display names of what lies at the fake."""
        return sorted(file.get("displayName", "") for file in await self.fake.ask("files"))

    async def files_become(self, *names: str) -> None:
        """Wait until just these lie at the fake: deletions run in the background."""
        for _ in range(2_000):
            if await self.files() == sorted(names):
                return
        assert await self.files() == sorted(names)

    def leftovers(self) -> list[str]:
        """Files beside the source pictures and the last answers."""
        return sorted(path.name for path in self.folder.iterdir() if path.suffix not in {".jpg", ".png"})

    async def stop(self) -> None:
        await self.bench.close()
        await self.fake.running.stop()


def _write(path: Path, data: bytes) -> None:
    """A file that a running call may be reading is left alone when it is the same."""
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def preset_of(prompt: str = "a pirate", **more: Any) -> Preset:
    options = GeminiOptions.model_validate(more.pop("options", {}))
    return Preset("gemini", more.pop("effect", "prompt"), prompt, options=options, **more)


class Make(Protocol):
    """See the fixture `make`."""

    def __call__(
        self, *, keys: tuple[str, ...] = ..., fake: dict[str, object] | None = ..., **settings: object
    ) -> Booth: ...
