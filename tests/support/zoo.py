"""The provider zoo: a real boothd between a booth and misbehaving fakes, and the rows of a table that is checked against it.

Each row sends a photo of its own and looks at all that must agree afterwards: the reply to the booth, the job on the disk,
the attempts in its journal, and the money in the fakes' ledgers.
"""

import select
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from boothd.base.errors import Charged
from boothd.spool.journal import Attempt, AttemptEnded, Finished, Result
from tests.support.booth import Answer, post
from tests.support.daemon import Daemon, make_home, wait_until
from tests.support.jobs import Found, directories, job
from tests.support.zoo_fakes import FakeProcess
from tests.support.zoo_photos import alike, decoded, guest

CALM: Mapping[str, Any] = {"breaker_failures": 1000, "breaker_pause_s": 0.001, "price": "0.04"}
"""Of every provider here: one row's failures do not pause the next row's provider."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "openai-images": {"model": "gpt-image-1"},
    "turbotext": {"poll_s": 0.05, "result_private": True},
}
"""What a provider needs beside the address of its fake."""

PATHS = {"openai-images": "/v1", "turbotext": "/api_ai"}
"""What comes behind a fake's own address."""

SMALL = "[[picture=256x192]] "
"""What the fakes that draw are told before all else: a thousand pixels a side would only take their time."""

HELD = {"source.jpg", "journal.jsonl", "result.jpg"}
"""What a filed job may hold; nothing that a provider wrote on its way stays."""


def key_of(provider: str, number: int = 1) -> str:
    """A good key, by which the test recognises it where it must not be."""
    return f"secret-{provider}-{number:04d}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the zoo's table.

    says: the statement that it proves. script: for the provider's fake, {trap} being a port that boothd must not go to;
    also: for others' fakes. reply: status and error code, "200 ok" for a picture. attempts: what the journal says of each
    call, "outcome charged", with the provider's name before it where it is another one. charges: in the ledger of the
    provider's fake; others: in other fakes' ledgers. settings: of the provider's fake, for this row. made_by: who made the
    picture; the row's provider unless said. guest: whether the guest can be recognised in it."""

    says: str
    script: str
    reply: str
    attempts: str
    charges: int
    slot: int = 1
    also: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    made_by: str = ""
    guest: bool = True


def rows(*table: Row) -> pytest.MarkDecorator:
    """The test's parameter `row`; its statement is the test's name."""
    assert len({row.says for row in table}) == len(table), "two rows say the same"
    return pytest.mark.parametrize("row", table, ids=[row.says.replace(" ", "-") for row in table])


@dataclass(frozen=True, slots=True)
class Seen:
    """What a row brought. photo: as it was sent. job: as it lies on the disk afterwards."""

    photo: bytes
    answer: Answer
    job: Found

    def attempts(self, provider: str) -> str:
        """As in `Row.attempts`; a call without an end is "open"."""
        ended = {entry.number: entry for entry in self.job.all(AttemptEnded)}
        said = []
        for attempt in self.job.all(Attempt):
            end = ended.get(attempt.number)
            who = "" if attempt.provider == provider else f"{attempt.provider} "
            said.append(f"{who}{end.outcome} {end.charged}" if end is not None else f"{who}open")
        return ", ".join(said)

    def paid(self, provider: str) -> tuple[int, int]:
        """How many of its calls to a provider were paid for: for sure, and at most."""
        ended = [entry for entry in self.job.all(AttemptEnded) if entry.provider == provider]
        begun = sum(attempt.provider == provider for attempt in self.job.all(Attempt))
        free = sum(entry.charged is Charged.NO for entry in ended)
        return sum(entry.charged is Charged.YES for entry in ended), begun - free


class Trap:
    """A port on which somebody listens, but not for boothd."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    @property
    def sprung(self) -> bool:
        """Whether anybody has come."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        self._socket.close()


class Zoo:
    """One daemon and the fakes that it calls."""

    def __init__(self, home: Path, daemon: Daemon, fakes: Mapping[str, FakeProcess], trap: Trap) -> None:
        self.home, self.daemon, self.fakes, self._trap = home, daemon, fakes, trap
        self._photos = count(1)

    def tell(self, scripts: Mapping[str, str], settings: Mapping[str, Mapping[str, object]] | None = None) -> None:
        """What the fakes do from now on; a fake that is not named behaves well."""
        for name, fake in self.fakes.items():
            fake.reset()
            small = SMALL if fake.draws else ""
            fake.set(**{"script": f"{small}{scripts.get(name, '')}", **(settings or {}).get(name, {})})

    def send(self, provider: str, slot: int, photo: bytes) -> Seen:
        """Send a photo, and wait until its job is filed."""
        answer = post(self.daemon.port, self.daemon.path(provider, slot), photo)
        assert answer.job, answer
        return Seen(photo, answer, self.filed(answer.job))

    def filed(self, id: str) -> Found:
        """A job, once it lies under done or trash."""
        wait_until(lambda: id in {path.name for path in directories(self.home, "done", "trash")}, f"{id} is filed")
        return job(self.home, id)

    def photo(self) -> bytes:
        """A guest who has not been here before."""
        return guest(f"guest {next(self._photos)}")

    def charged(self) -> dict[str, int]:
        """How often each fake has charged so far."""
        return {name: len(fake.charges) for name, fake in self.fakes.items()}

    def check(self, provider: str, row: Row) -> Seen:
        """Play a row of the table."""
        script = row.script.replace("{trap}", str(self._trap.port))
        self.tell({provider: script, **row.also}, {provider: row.settings})
        before = self.charged()
        seen = self.send(provider, row.slot, self.photo())
        told = f"{seen.answer.status} {seen.answer.code}"
        assert (told, seen.attempts(provider)) == (row.reply, row.attempts), seen.answer.error or seen.job.entries
        check_filed(seen, row.made_by or provider, guest=row.guest)
        cost = {name: now - before[name] for name, now in self.charged().items()}
        assert cost == {**dict.fromkeys(self.fakes, 0), provider: row.charges, **row.others}
        check_money(seen, cost)
        return seen


def check_filed(seen: Seen, made_by: str, *, guest: bool = True) -> None:
    """The reply and the job on the disk say the same."""
    answer, job, finished = seen.answer, seen.job, seen.job.last(Finished)
    assert finished is not None
    assert finished.code == answer.code
    assert job.source_sha256 == job.received.sha256
    assert {path.name for path in job.directory.iterdir()} <= HELD
    if answer.status != 200:
        assert job.state == "trash"
        assert job.last(Result) is None
        assert finished.reason == answer.error["message"] != ""
        assert answer.error["job"] == job.id
        return
    assert job.state == "done"
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-boothd-made-by"] == made_by
    assert decoded(answer.body).format == "JPEG"
    assert (job.directory / "result.jpg").read_bytes() == answer.body
    if guest:
        assert alike(answer.body, seen.photo), "it is somebody else's picture"


def check_money(seen: Seen, cost: Mapping[str, int]) -> None:
    """Every charge is known to the journal, and none is made up."""
    for provider, charges in cost.items():
        sure, at_most = seen.paid(provider)
        assert sure <= charges <= at_most, f"{provider} charged {charges}, the journal knows of {sure} to {at_most}"
    finished = seen.job.last(Finished)
    if seen.job.state == "trash" and any(cost.values()):
        assert finished is not None
        assert finished.charged is not Charged.NO


@contextmanager
def zoo(
    folder: Path,
    fakes: Mapping[str, FakeProcess],
    slots: Mapping[str, Mapping[int, Mapping[str, Any]]],
    *,
    providers: Mapping[str, Mapping[str, Any]] | None = None,
    keys: Mapping[str, Sequence[str]] | None = None,
    **daemon: Any,
) -> Iterator[Zoo]:
    """Run a daemon between a booth and `fakes`. slots, daemon: as for `make_home`.

    providers: what their files say beside the address of their fake. keys: instead of one good key each. The daemon's
    public address is its own on the loopback. References of the slots: "scene.png". In the end nothing may be left: no
    job in work, no call, no traceback and no key in the log, no key and no link in a journal."""
    settings = {
        name: {
            **CALM,
            **SETTINGS.get(name, {}),
            "base_url": fake.url + PATHS.get(name, ""),
            **(providers or {}).get(name, {}),
        }
        for name, fake in fakes.items()
    }
    home = make_home(folder / "home", slots, settings, **daemon)
    _add_keys(home, {name: [key_of(name)] for name in fakes} | dict(keys or {}))
    _add_scene(home)
    with Daemon(home) as process, closing(Trap()) as trap:
        process.start()
        _make_public(process, daemon)
        place = Zoo(home, process, fakes, trap)
        place.tell({})
        yield place
        assert not trap.sprung, "boothd went where a service sent it"
        for fake in fakes.values():
            fake.reset()
        wait_until(lambda: not directories(home, "active"), "no job is left in work")
        for fake in fakes.values():
            fake.wait_until_open(working=0, held=0)
        assert process.stop() == 0
        assert "Traceback" not in process.log
        assert "secret-" not in process.log
        for directory in directories(home):
            said = (directory / "journal.jsonl").read_text("utf-8")
            assert not any(word in said for word in ("secret-", "/media/", "/callback/")), directory


def _make_public(process: Daemon, config: Mapping[str, Any]) -> None:
    """Only now its port is known; it keeps it when it is started again."""
    public = {"listen": f"tcp:{process.port}:interface=127.0.0.1", "public_url": f"http://127.0.0.1:{process.port}"}
    replace_yaml(process.home / "etc/boothd.yaml", {"spool": {"floor": 0}, **config, **public})
    process.wait_for_log("applies to the next photo")


def _add_keys(home: Path, keys: Mapping[str, Sequence[str]]) -> None:
    file = home / "etc/secrets.yaml"
    secrets = yaml.safe_load(file.read_text("utf-8"))
    replace_yaml(file, {**secrets, "keys": {name: list(each) for name, each in keys.items()}})


def _add_scene(home: Path) -> None:
    folder = home / "library/references"
    folder.mkdir(parents=True)
    Image.linear_gradient("L").convert("RGB").resize((128, 96)).save(folder / "scene.png")


def replace_yaml(file: Path, data: object) -> None:
    """Write a file whole, so that nobody reads half of it."""
    new = file.with_suffix(".new")
    new.write_text(yaml.safe_dump(data), encoding="utf-8")
    new.chmod(0o600)
    new.rename(file)
