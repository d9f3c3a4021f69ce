"""Photos handed out by link: who has the link gets the file, until the link or its job is over."""

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent

from boothd.base.errors import BadRequest
from boothd.http.media import Link, Media
from boothd.http.signing import Signer, signing_key
from tests.http.http_support import INLINE, Answer, asynchronous, wait_for
from tests.support.clock import FakeClock
from tests.support.pictures import encoded, two_colours

PHOTO = encoded(two_colours(), "JPEG")
KEY = b"k" * 32


class Rig:
    """A job with a photo, and a site on a loopback port that serves what is published. Time is the test's."""

    def __init__(self, spool: Path, clock: FakeClock, open_port: Any) -> None:
        self.clock, self.public_url, self._open = clock, "https://booth.example/", open_port
        self.folder = spool / "active"
        self.job = self.folder / "20261120T180000.000-7f3a9c"
        self.job.mkdir(parents=True, exist_ok=True)
        self.photo = self.job / "source.jpg"
        self.photo.write_bytes(PHOTO)

    async def start(self, key: bytes = KEY) -> None:
        """Also: again, and with what another daemon remembers, which is nothing."""
        self.media = Media(self.folder, Signer(key), self.clock, INLINE, lambda: self.public_url)
        self.port = await self._open(*self.media.routes())

    def publish(self, name: str = "source.jpg", ttl_s: float = 60) -> Link:
        (self.job / name).write_bytes(PHOTO)
        return self.media.publish(self.job / name, ttl_s)

    def path(self, link: Link) -> str:
        assert link.url.startswith("https://booth.example/media/")
        return link.url.removeprefix("https://booth.example")

    async def get(self, what: Link | str, *headers: str, verb: str = "GET") -> Answer:
        answer: Answer = await self.port.ask(verb, what if isinstance(what, str) else self.path(what), *headers)
        return answer


@pytest.fixture
def rig(tmp_path: Path, clock: FakeClock, open_port: Any) -> Rig:
    made = Rig(tmp_path / "spool", clock, open_port)
    wait_for(Deferred.fromCoroutine(made.start()))
    return made


@asynchronous
async def test_who_has_the_link_gets_the_photo_without_a_login(rig: Rig) -> None:
    answer = await rig.get(rig.publish())
    assert (answer.status, answer.body) == (200, PHOTO)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"


@asynchronous
async def test_a_link_may_be_fetched_again_and_from_a_foreign_page(rig: Rig) -> None:
    link = rig.publish("mask.png")
    for header in ("Origin: https://service.example", "Sec-Fetch-Site: cross-site", "User-Agent: Mozilla/5.0"):
        answer = await rig.get(link, header)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")


@asynchronous
async def test_head_tells_the_size_and_a_range_gets_the_whole(rig: Rig) -> None:
    link = rig.publish()
    head = await rig.get(link, verb="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(PHOTO)))
    part = await rig.get(link, "Range: bytes=0-99")
    assert (part.status, part.body) == (200, PHOTO)


@asynchronous
async def test_a_link_ends_with_its_time_by_the_wall_clock(rig: Rig) -> None:
    link = rig.publish(ttl_s=60)
    rig.clock.step_wall(59)
    assert (await rig.get(link)).status == 200
    rig.clock.step_wall(1)
    answer = await rig.get(link)
    assert (answer.status, answer.error) == (404, "not-found")
    assert "expired" in answer.json["message"]


@asynchronous
async def test_a_part_of_a_second_is_not_taken_from_a_link(rig: Rig) -> None:
    rig.clock.step_wall(0.9)
    link = rig.publish(ttl_s=0.5)
    rig.clock.step_wall(0.4)
    assert (await rig.get(link)).status == 200


@asynchronous
@pytest.mark.parametrize("what", ["job", "expires", "signature", "name", "upper", "short", "long", "empty"])
async def test_a_link_is_for_one_file_of_one_job_for_one_time(rig: Rig, what: str) -> None:
    (rig.job / "result.jpg").write_bytes(PHOTO)
    other = rig.folder / "20261120T180001.000-000000"
    other.mkdir()
    (other / "source.jpg").write_bytes(PHOTO)
    _, _, job, expires, signature, name = rig.path(rig.publish()).split("/")
    forged = {
        "job": (other.name, expires, signature, name),
        "expires": (job, str(int(expires) + 1), signature, name),
        "signature": (job, expires, signature[:-1] + ("A" if signature[-1] != "A" else "B"), name),
        "name": (job, expires, signature, "result.jpg"),
        "upper": (job, expires, signature.swapcase(), name),
        "short": (job, expires, signature[:8], name),
        "long": (job, expires, signature + "A", name),
        "empty": (job, expires, "%00", name),
    }[what]
    answer = await rig.get("/media/" + "/".join(forged))
    assert (answer.status, answer.error) == (404, "not-found")
    assert answer.json["message"] == "There is nothing here."


@asynchronous
@pytest.mark.parametrize("path", ["..%2f..%2fsource.jpg", "%2e%2e", "source.jpg%00", "%ff"])
async def test_odd_names_lead_nowhere(rig: Rig, path: str) -> None:
    before, _, _ = rig.path(rig.publish()).rpartition("/")
    assert (await rig.get(f"{before}/{path}")).status == 404


@asynchronous
async def test_a_withdrawn_link_is_dead_and_no_other(rig: Rig) -> None:
    link, other = rig.publish(), rig.publish("result.jpg")
    link.withdraw()
    link.withdraw()
    assert (await rig.get(link)).status == 404
    assert (await rig.get(other)).status == 200


@asynchronous
async def test_a_file_published_again_has_a_link_of_its_own(rig: Rig) -> None:
    """An attempt that fails at once is followed by another in the same second."""
    first = rig.publish()
    first.withdraw()
    second, third = rig.publish(), rig.publish()
    third.withdraw()
    assert (await rig.get(first)).status == 404
    assert (await rig.get(second)).status == 200


@asynchronous
async def test_withdrawn_links_are_forgotten_when_their_time_is_over(rig: Rig) -> None:
    link = rig.publish(ttl_s=60)
    link.withdraw()
    rig.clock.advance(61)
    rig.publish().withdraw()
    assert len(rig.media._withdrawn) == 1
    assert (await rig.get(link)).status == 404


@asynchronous
async def test_a_link_dies_with_its_job(rig: Rig, tmp_path: Path) -> None:
    link = rig.publish()
    rig.job.rename(tmp_path / "spool" / "done")
    assert (await rig.get(link)).status == 404


@asynchronous
async def test_a_link_outlives_a_restart_with_the_same_key_only(rig: Rig) -> None:
    link = rig.publish()
    await rig.start()
    assert (await rig.get(link)).status == 200
    await rig.start(b"o" * 32)
    assert (await rig.get(link)).status == 404


def test_nothing_can_be_published_without_a_public_address(rig: Rig) -> None:
    rig.public_url = ""
    with pytest.raises(BadRequest, match="public_url"):
        rig.media.publish(rig.photo, 60)


@pytest.mark.parametrize(
    "name", ["journal.jsonl", "source", ".jpg", "../source.jpg", "ключ.jpg", "a/b.jpg", "x.jpg.exe"]
)
def test_only_pictures_of_an_active_job_are_published(rig: Rig, name: str) -> None:
    with pytest.raises(ValueError, match="no picture of an active job"):
        rig.media.publish(rig.job / name, 60)


def test_a_file_of_another_folder_is_not_published(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no picture of an active job"):
        rig.media.publish(tmp_path / "job" / "source.jpg", 60)


@asynchronous
async def test_only_getting_is_possible(rig: Rig) -> None:
    assert (await rig.get(rig.publish(), verb="DELETE")).status == 405
    assert rig.photo.exists()


@asynchronous
async def test_the_log_names_the_job_and_not_the_link(rig: Rig, events: list[LogEvent]) -> None:
    from twisted.logger import formatEvent

    link = rig.publish()
    signature = rig.path(link).split("/")[4]
    await rig.get(link)
    link.withdraw()
    await rig.get(link)
    found = [(e["route"], e["status"], e["job"]) for e in events if "size_bytes" in e]
    assert found == [("media link", 200, rig.job.name), ("media link", 404, "")]
    for event in events:
        said = f"{formatEvent(event)} {[value for key, value in event.items() if not key.startswith('log_')]}"
        assert signature not in said


# --- the key ---------------------------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "spool" / "key"
    key = signing_key(file)
    assert len(key) == 32
    assert signing_key(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("left", [b"", b"half"])
def test_a_key_that_was_half_written_is_made_anew(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "key").write_bytes(left)
    (tmp_path / "key.new").write_bytes(left)
    assert len(signing_key(tmp_path / "key")) == 32


def test_a_signature_is_for_these_words_in_this_order() -> None:
    signer = Signer(KEY)
    signature = signer.sign("a", "bc")
    assert len(signature) == 32
    assert signer.is_signed(signature, "a", "bc")
    for other in (("ab", "c"), ("bc", "a"), ("a", "bc", ""), ("a", "b", "c"), ("1:a", "bc")):
        assert not signer.is_signed(signature, *other)
    assert not Signer(b"o" * 32).is_signed(signature, "a", "bc")
    assert not signer.is_signed("\ud800ключ", "a", "bc")


def test_a_links_time_is_the_wall_clocks(rig: Rig) -> None:
    expires = int(rig.path(rig.publish(ttl_s=60)).split("/")[3])
    assert expires == (rig.clock.now() + timedelta(seconds=60)).timestamp()
