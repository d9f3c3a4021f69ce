"""What the pages do to etc/slots/<provider>.yaml: whole or not at all, and never what a reload would refuse."""

import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from boothd.base.errors import BoothdError, NotFound, RequestError
from boothd.base.threads import Threads
from boothd.booth.slots import SLOTS, Slot, load_slots, new_key
from boothd.booth.slotsheet import Sheet, read_sheet
from boothd.config import ConfigError, Home, parse
from boothd.providers.interfaces import Provider

Types = Mapping[str, type[Provider]]


class SlotChanged(RequestError):
    """Somebody else changed this slot meanwhile."""

    code, status = "slot-changed", 409


class NoEmptySlot(RequestError):
    """All slots of this provider are taken. Clear one first."""

    code, status = "no-empty-slot", 409


class NotWritten(BoothdError):
    """The file of the slots cannot be written."""

    code, status = "not-written", 507


@dataclass(frozen=True, slots=True)
class Kept:
    """A slot as its file has it. slot: None = empty. revision: what a save must name."""

    slot: Slot | None
    revision: str


@dataclass(frozen=True, slots=True)
class _Draft(Home):
    """A home with one slots' file only, `draft` in the place of `provider`'s."""

    provider: str
    draft: Path

    def slots_file(self, provider: str) -> Path:
        return self.draft if provider == self.provider else self.draft.with_suffix(".absent")


class SlotFiles:
    """Reads and changes one slot at a time.

    types: the registered providers; max_pixels: of a reference picture; both asked at every change. reload: awaited with
    the file that has changed, until the change is in force or refused. Every method raises ConfigError for a file that
    cannot be understood as it is."""

    def __init__(
        self,
        home: Home,
        types: Callable[[], Types],
        max_pixels: Callable[[], int],
        threads: Threads,
        reload: Callable[[Path], Awaitable[None]],
    ) -> None:
        self._home, self._types, self._max_pixels = home, types, max_pixels
        self._threads, self._reload = threads, reload
        self._lock = Lock()  # held in a disk thread from reading to renaming, also when nobody waits any more

    async def read(self, provider: str, number: int) -> Kept:
        """A slot, or an empty one."""
        return await self._threads.run(self._read, provider, number)

    async def save(self, provider: str, number: int, slot: Slot, revision: str) -> None:
        """Put `slot` in the place of what had `revision`.

        Raises SlotChanged; NotWritten; ConfigError when the file would be refused, key and reason saying where."""
        await self._change(provider, lambda sheet: self._put(sheet, number, slot, revision))

    async def clear(self, provider: str, number: int, revision: str) -> None:
        """Empty the slot; its link ends to work. Raises as `save` does."""
        await self._change(provider, lambda sheet: self._put(sheet, number, None, revision))

    async def renew_key(self, provider: str, number: int, revision: str) -> None:
        """Give the slot another link; the old one ends to work. Raises as `save` does, and NotFound."""

        def renewed(sheet: Sheet) -> Sheet:
            slot = self._slot(provider, sheet, number)
            return self._put(sheet, number, slot.model_copy(update={"key": new_key()}), revision)

        await self._change(provider, renewed)

    async def duplicate(self, provider: str, number: int) -> int:
        """Copy the slot into the next empty one, with a link of its own; the new number.

        Raises NoEmptySlot, NotFound, and what `save` raises."""
        found: list[int] = []

        def copied(sheet: Sheet) -> Sheet:
            slot = self._slot(provider, sheet, number).model_copy(update={"key": new_key()})
            free = next((n for n in _after(number) if n not in sheet.slots), None)
            if free is None:
                raise NoEmptySlot()
            found.append(free)
            return sheet.with_slot(free, slot)

        await self._change(provider, copied)
        return found[0]

    async def _change(self, provider: str, change: Callable[[Sheet], Sheet]) -> None:
        file = self._home.slots_file(provider)
        await self._threads.run(self._rewrite, provider, file, change)
        await self._reload(file)

    # what runs in a disk thread

    def _read(self, provider: str, number: int) -> Kept:
        sheet = read_sheet(self._home.slots_file(provider))
        slot = self._slot(provider, sheet, number) if number in sheet.slots else None
        return Kept(slot, sheet.revision(number))

    def _slot(self, provider: str, sheet: Sheet, number: int) -> Slot:
        if number not in sheet.slots:
            raise NotFound("This slot is empty.")
        return parse(Slot, sheet.slots[number], self._home.slots_file(provider), f"slots.{number}")

    def _put(self, sheet: Sheet, number: int, slot: Slot | None, revision: str) -> Sheet:
        if sheet.revision(number) != revision:
            raise SlotChanged()
        return sheet.with_slot(number, slot)

    def _rewrite(self, provider: str, file: Path, change: Callable[[Sheet], Sheet]) -> None:
        with self._lock:
            sheet = change(read_sheet(file))
            try:
                self._replace(provider, Path(os.path.realpath(file)), sheet)
            except OSError as error:
                raise NotWritten(f"{file} cannot be written: {error.strerror}. Nothing has changed.") from error

    def _replace(self, provider: str, file: Path, sheet: Sheet) -> None:
        """A crash leaves the old file or the new one."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "w", encoding="utf-8", newline="\n") as out:
                _belongs_like(fd, file)
                out.write(sheet.text())
                out.flush()
                os.fsync(fd)
            self._check(provider, new, file, sheet)
            new.replace(file)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _check(self, provider: str, new: Path, file: Path, sheet: Sheet) -> None:
        """As a reload would, on what has really been written."""
        try:
            load_slots(_Draft(self._home.path, provider, new), self._types(), self._max_pixels())
            if read_sheet(new).data != sheet.data:
                raise ConfigError(file, "", "holds text that YAML cannot keep")
        except ConfigError as error:
            raise ConfigError(file, error.key, error.reason) from None


def _after(number: int) -> list[int]:
    """The other slots' numbers, the next one first."""
    return [*range(number + 1, SLOTS + 1), *range(1, number)]


def _belongs_like(fd: int, file: Path) -> None:
    """Give the new file the old one's mode, and its owner where that is ours to give."""
    try:
        old = file.stat()
    except FileNotFoundError:
        return  # 0600: the keys of the links stand in it
    os.fchmod(fd, old.st_mode & 0o777)
    if os.geteuid() == 0:
        os.fchown(fd, old.st_uid, old.st_gid)
