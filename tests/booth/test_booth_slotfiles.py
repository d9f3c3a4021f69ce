"""What the pages write into the slots' files: one slot's change, whole or not at all, and never what a reload refuses."""

import stat
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from boothd.base.errors import NotFound
from boothd.base.threads import Threads
from boothd.booth.slotfiles import NoEmptySlot, NotWritten, SlotChanged, SlotFiles
from boothd.booth.slots import Slot, load_slots
from boothd.config import ConfigError, Home
from boothd.providers.interfaces import EffectType, Options
from tests.booth.booth_support import StepThreads, picture, run

KEY, OTHER = "a" * 22, "b" * 22
MAX_PIXELS = 1_000_000
TEXT = f"""\
# Ours, for the spring ball.
#   name: for you

slots:
  2:
    name: "Пляж"
    key: {OTHER}
    effect: swap
    references: [beach.jpg]
    options: &strong {{strength: 7}}
    size: [1800, 1200]
  1: {{key: {KEY}, effect: style, prompt: "0x1", options: *strong}}
"""


class StrongOptions(Options):
    strength: int = 5


class Fake:
    name = "fake"
    effects = (EffectType("style", "Style"), EffectType("swap", "Swap", needs_reference=True))
    Options = StrongOptions


TYPES: Any = {"fake": Fake, "spare": Fake}


class Writing:
    """The files of a home. reloaded: what the daemon was told of."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.file = home.slots_file("fake")
        self.reloaded: list[Path] = []
        threads = cast(Threads, StepThreads())
        self.files = SlotFiles(home, lambda: TYPES, lambda: MAX_PIXELS, threads, self._reload)

    async def _reload(self, file: Path) -> None:
        self.reloaded.append(file)

    def revision(self, number: int = 1) -> str:
        return run(self.files.read("fake", number)).revision

    def save(self, number: int = 1, revision: str | None = None, **said: Any) -> Slot:
        slot = Slot.model_validate({"key": KEY, "effect": "style", **said})
        run(self.files.save("fake", number, slot, self.revision(number) if revision is None else revision))
        return slot

    @property
    def data(self) -> Any:
        return yaml.safe_load(self.file.read_text(encoding="utf-8"))["slots"]

    @property
    def numbers(self) -> list[int]:
        return [live.number for live in load_slots(self.home, TYPES, MAX_PIXELS)]


@pytest.fixture
def writing(tmp_path: Path) -> Writing:
    home = Home(tmp_path)
    (home.etc / "slots").mkdir(parents=True)
    (home.library / "references").mkdir(parents=True)
    (home.library / "references" / "beach.jpg").write_bytes(picture())
    home.slots_file("fake").write_text(TEXT, encoding="utf-8")
    return Writing(home)


def test_a_save_changes_one_slot_and_leaves_the_others_data_alone(writing: Writing) -> None:
    before = writing.data
    slot = writing.save(1, prompt="oil", options={"strength": 9}, on_failure=("spare", "original"))
    assert writing.data[2] == before[2]
    assert writing.data[1] == {
        "key": KEY,
        "effect": "style",
        "prompt": "oil",
        "options": {"strength": 9},
        "on_failure": ["spare", "original"],
    }
    assert run(writing.files.read("fake", 1)).slot == slot
    assert writing.numbers == [1, 2]


def test_the_leading_comment_and_the_files_mode_are_kept(writing: Writing) -> None:
    writing.file.chmod(0o640)
    writing.save()
    assert writing.file.read_text(encoding="utf-8").startswith(
        "# Ours, for the spring ball.\n#   name: for you\n\nslots:"
    )
    assert stat.S_IMODE(writing.file.stat().st_mode) == 0o640


def test_the_first_slot_makes_a_file_that_only_its_owner_reads(writing: Writing) -> None:
    writing.file.unlink()
    writing.save(revision="")
    assert stat.S_IMODE(writing.file.stat().st_mode) == 0o600
    assert writing.numbers == [1]


def test_a_link_to_a_file_elsewhere_stays_a_link(writing: Writing, tmp_path: Path) -> None:
    elsewhere = writing.file.rename(tmp_path / "kept.yaml")
    writing.file.symlink_to(elsewhere)
    writing.save(prompt="oil")
    assert writing.file.is_symlink()
    assert "oil" in elsewhere.read_text(encoding="utf-8")


def test_the_daemon_is_told_of_the_file_and_waited_for(writing: Writing) -> None:
    writing.save()
    assert writing.reloaded == [writing.file]


def test_who_saves_over_somebody_elses_change_is_told_and_nothing_is_lost(writing: Writing) -> None:
    begun = writing.revision()
    writing.save(prompt="theirs")
    with pytest.raises(SlotChanged) as caught:
        writing.save(revision=begun, prompt="mine")
    assert caught.value.status == 409
    assert writing.data[1]["prompt"] == "theirs"
    writing.save(prompt="mine")
    assert writing.data[1]["prompt"] == "mine"


def test_a_change_of_another_slot_is_none_of_this_one(writing: Writing) -> None:
    begun = writing.revision(1)
    writing.save(2, prompt="theirs")
    writing.save(1, revision=begun, prompt="mine")
    assert (writing.data[1]["prompt"], writing.data[2]["prompt"]) == ("mine", "theirs")


def test_a_slot_that_was_set_up_meanwhile_is_not_overwritten(writing: Writing) -> None:
    writing.save(5, revision="", prompt="theirs")
    with pytest.raises(SlotChanged):
        writing.save(5, revision="", prompt="mine")


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"effect": "magic"}, "slots.1.effect"),
        ({"effect": "swap"}, "slots.1.references"),
        ({"references": ("gone.jpg",)}, "slots.1.references.0"),
        ({"options": {"strength": "high"}}, "slots.1.options.strength"),
        ({"on_failure": ("nobody",)}, "slots.1.on_failure.0"),
    ],
)
def test_what_a_reload_would_refuse_is_not_written(writing: Writing, said: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        writing.save(**said)
    assert (caught.value.file, caught.value.key) == (writing.file, key)
    assert writing.file.read_text(encoding="utf-8") == TEXT
    assert list(writing.file.parent.iterdir()) == [writing.file]
    assert writing.reloaded == []


def test_another_slot_that_a_reload_would_refuse_stops_the_save_too(writing: Writing) -> None:
    writing.file.write_text(TEXT.replace("beach.jpg", "gone.jpg"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        writing.save()
    assert caught.value.key == "slots.2.references.0"


def test_another_providers_broken_file_stops_nobody(writing: Writing) -> None:
    writing.home.slots_file("spare").write_text("slots: [", encoding="utf-8")
    writing.save(prompt="oil")
    assert writing.data[1]["prompt"] == "oil"


@pytest.mark.parametrize("text", ["slots: [", "slots: 3", "slots: {one: {}}", "", "slots:\n  1: {}\n  1: {}\n"])
def test_a_file_that_cannot_be_understood_is_left_as_it_is(writing: Writing, text: str) -> None:
    writing.file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        writing.save(revision="")
    assert writing.file.read_text(encoding="utf-8") == text


def test_a_slot_that_is_wrong_does_not_hide_the_others(writing: Writing) -> None:
    writing.file.write_text(TEXT.replace("effect: style", "effects: style"), encoding="utf-8")
    assert run(writing.files.read("fake", 2)).slot is not None
    with pytest.raises(ConfigError, match=r"slots\.1"):
        run(writing.files.read("fake", 1))


def test_a_folder_that_cannot_be_written_says_so(writing: Writing) -> None:
    writing.file.unlink()
    writing.file.symlink_to("/proc/nowhere/fake.yaml")
    with pytest.raises(NotWritten, match="Nothing has changed"):
        run(writing.files.save("fake", 1, Slot(key=KEY, effect="style"), ""))


@pytest.mark.parametrize(
    "prompt",
    [
        "Line one\nline two\n\n  indented: yes # no comment",
        "  leading\nblanks",
        "trailing blanks  \nand more",
        "yes",
        "2026-11-20",
        "0x1f",
        "'\"\\ %s {{x}} &a *b !t |- >",
        "🎉 Праздник\u2028line\x85next\ttab\x07bell",
        "one\rtwo",
        "слово " * 3000,
    ],
)
def test_a_prompt_is_read_as_it_was_typed(writing: Writing, prompt: str) -> None:
    writing.save(prompt=prompt, name="null")
    (live, _) = load_slots(writing.home, TYPES, MAX_PIXELS)
    assert (live.slot.prompt, live.slot.name) == (prompt, "null")


def test_a_long_prompt_stays_legible_in_the_file(writing: Writing) -> None:
    writing.save(prompt="One line.\nAnother.")
    assert "    prompt: |-\n      One line.\n      Another.\n" in writing.file.read_text(encoding="utf-8")


def test_a_copy_goes_into_the_next_empty_slot_with_a_key_of_its_own(writing: Writing) -> None:
    assert run(writing.files.duplicate("fake", 1)) == 3
    before, after = writing.data[1], writing.data[3]
    assert before.pop("key") != after.pop("key")
    assert after == before


def test_after_the_last_slot_the_first_is_next_until_none_is_empty(writing: Writing) -> None:
    writing.save(20, revision="")
    run(writing.files.clear("fake", 1, writing.revision(1)))
    assert run(writing.files.duplicate("fake", 20)) == 1
    for _ in range(17):
        run(writing.files.duplicate("fake", 2))
    assert len(writing.numbers) == 20
    with pytest.raises(NoEmptySlot):
        run(writing.files.duplicate("fake", 2))


def test_a_cleared_slot_is_gone_and_its_pictures_stay(writing: Writing) -> None:
    run(writing.files.clear("fake", 2, writing.revision(2)))
    assert writing.numbers == [1]
    assert (writing.home.library / "references" / "beach.jpg").exists()
    with pytest.raises(SlotChanged):
        run(writing.files.clear("fake", 1, "older"))


def test_a_new_key_is_all_that_changes(writing: Writing) -> None:
    before = writing.data[2]
    run(writing.files.renew_key("fake", 2, writing.revision(2)))
    after = writing.data[2]
    assert after.pop("key") != before.pop("key")
    assert after == before
    with pytest.raises(NotFound):
        run(writing.files.renew_key("fake", 7, ""))
