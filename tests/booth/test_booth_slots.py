"""The slots' file: what it may say, and what is said about what it may not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from boothd.base.errors import NoSuchSlot
from boothd.booth.slots import SlotBook, load_slots, new_key
from boothd.config import ConfigError, Home
from boothd.providers.interfaces import DirectorOptions, EffectType, Options
from tests.booth.booth_support import picture

KEY = "a" * 22


class StrongOptions(Options):
    strength: int = 5


class Fake:
    name = "fake"
    effects = (
        EffectType("style", "Style"),
        EffectType("background", "Background", needs_reference=True),
        EffectType("prompt", "Prompt", needs_prompt=True),
    )
    Options = StrongOptions


class Other:
    name = "other"
    effects = (EffectType("style", "Style"),)
    Options = Options


class Cloud:
    name = "cloud"
    effects = (
        EffectType("repaint", "Repaint", needs_prompt=True, also=("style", "prompt")),
        EffectType("swap", "Swap", needs_reference=True, max_references=1),
        EffectType("plain", "Plain", max_references=0),
    )
    Options = StrongOptions


class Seer:
    name = "seer"
    effects = (EffectType("style", "Style", also=("prompt",)), EffectType("swap", "Swap"), EffectType("odd", "Odd"))
    Options = DirectorOptions


PROVIDERS: Any = {"fake": Fake, "other": Other, "cloud": Cloud, "seer": Seer}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    (home.etc / "slots").mkdir(parents=True)
    (home.library / "references").mkdir(parents=True)
    (home.library / "references" / "beach.jpg").write_bytes(picture())
    (home.library / "references" / "text.jpg").write_bytes(b"no picture")
    (home.library / "references" / "huge.png").write_bytes(picture("PNG", (2000, 1000)))
    return home


def load(home: Home, text: str, provider: str = "fake") -> SlotBook:
    home.slots_file(provider).write_text(text, encoding="utf-8")
    return load_slots(home, PROVIDERS, max_pixels=1_000_000)


def slot(**said: Any) -> str:
    return yaml.safe_dump({"slots": {1: {"key": KEY, "effect": "style", **said}}}, allow_unicode=True)


def test_a_slot_says_what_becomes_of_a_photo(home: Home) -> None:
    book = load(
        home,
        slot(
            name="Пляж",
            prompt="  on the beach ",
            references=["beach.jpg"],
            options={"strength": 7},
            format="png",
            size=[1800, 1200],
            on_failure=["other", "original"],
        ),
    )
    (live,) = book
    assert live.id == "fake-1"
    assert live.slot.name == "Пляж"
    first, _ = live.presets
    assert (first.provider, first.effect, first.prompt, first.format, first.size) == (
        "fake",
        "style",
        "on the beach",
        "PNG",
        (1800, 1200),
    )
    assert first.options == StrongOptions(strength=7)
    assert [r.path.name for r in first.references] == ["beach.jpg"]
    assert live.original


def test_the_chain_asks_for_the_same_with_each_providers_own_options(home: Home) -> None:
    (live,) = load(home, slot(prompt="oil", options={"strength": 7}, on_failure=["other"], size=[100, 100]))
    first, second = live.presets
    assert (second.provider, second.effect, second.prompt, second.size) == ("other", "style", "oil", (100, 100))
    assert type(second.options) is Options
    assert first.revision != second.revision
    assert not live.original


def test_the_revision_changes_with_the_references_bytes(home: Home) -> None:
    text = slot(effect="background", references=["beach.jpg"])
    (before,) = load(home, text)
    (home.library / "references" / "beach.jpg").write_bytes(picture(colour="red"))
    (after,) = load(home, text)
    assert before.presets[0].revision != after.presets[0].revision


def test_no_slots_are_no_error(home: Home) -> None:
    assert not list(load(home, "slots: {}"))


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file_is_an_accident_and_takes_no_slot_away(home: Home, text: str) -> None:
    with pytest.raises(ConfigError, match="is empty; remove the file if nothing is meant"):
        load(home, text)


def test_no_file_is_no_error(home: Home) -> None:
    assert not list(load_slots(home, PROVIDERS, 1000))


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("slots: [", "", "line 1: is not YAML"),
        ("- 1\n- 2\n", "", "must hold keys and values"),
        ("slot: {}\n", "slot", "is not a known key"),
        ("slots: {0: {}}\n", "slots.0", ""),
        (slot().replace("1:", "21:"), "slots", "there are slots 1 to 20, not 21"),
        (slot().replace("1:", "first:"), "slots.first", "integer"),
        ("slots: {1: {effect: style}}\n", "slots.1.key", "required"),
        ("slots: {1: {key: " + KEY + "}}\n", "slots.1.effect", "required"),
        (slot(key="short"), "slots.1.key", "16"),
        (slot(key="a/b" * 10), "slots.1.key", "pattern"),
        (slot(keyy="x"), "slots.1.keyy", "is not a known key"),
        (slot(effect="magic"), "slots.1.effect", "fake has no effect “magic”; it has style, background, prompt"),
        (slot(effect="background"), "slots.1.references", "needs a reference picture"),
        (slot(effect="prompt"), "slots.1.prompt", "needs a prompt"),
        (slot(effect="prompt", prompt="   "), "slots.1.prompt", "needs a prompt"),
        (slot(references=["none.jpg"]), "slots.1.references.0", "none.jpg cannot be read (No such file or directory)"),
        (slot(references=["beach.jpg", "text.jpg"]), "slots.1.references.1", "text.jpg: The file is not a picture."),
        (slot(references=["huge.png"]), "slots.1.references.0", "2000×1000 pixels; boothd takes at most 1 megapixels"),
        (slot(references=["../../etc/secrets.yaml"]), "slots.1.references.0", "without folders"),
        (slot(references=[".."]), "slots.1.references.0", "without folders"),
        (slot(references=[""]), "slots.1.references.0", "without folders"),
        (slot(references=["."]), "slots.1.references.0", "without folders"),
        (slot(options={"strenght": 7}), "slots.1.options.strenght", "not permitted"),
        (slot(options={"strength": "much"}), "slots.1.options.strength", "integer"),
        (slot(on_failure=["nobody"]), "slots.1.on_failure.0", "no provider is called “nobody”; there are fake, other"),
        (slot(on_failure=["original", "other"]), "slots.1.on_failure", "“original” can only come last"),
        (
            slot(effect="background", references=["beach.jpg"], on_failure=["other"]),
            "slots.1.on_failure.0",
            "other has no effect “background”; it has style",
        ),
        (slot(size=[0, 100]), "slots.1.size", "width and height are 16 to 16384 pixels"),
        (slot(size=[20_000, 100]), "slots.1.size", "width and height are 16 to 16384 pixels"),
        (slot(size=100), "slots.1.size", "tuple"),
        (slot(format="gif"), "slots.1.format", "'jpeg' or 'png'"),
        (slot(paid_attempts=0), "slots.1.paid_attempts", "greater than or equal to 1"),
        (slot(enabled="perhaps"), "slots.1.enabled", "boolean"),
    ],
)
def test_every_error_names_file_key_and_reason(home: Home, text: str, key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, text)
    assert caught.value.file == home.slots_file("fake")
    assert caught.value.key.startswith(key)
    assert reason in caught.value.reason
    assert str(home.slots_file("fake")) in str(caught.value)


# --- other providers' names for the same -----------------------------------------------------------------------------


def test_a_chain_finds_an_effect_by_another_providers_name_for_it(home: Home) -> None:
    (live,) = load(home, slot(effect="prompt", prompt="oil", on_failure=["cloud"]))
    assert [(p.provider, p.effect) for p in live.presets] == [("fake", "prompt"), ("cloud", "repaint")]


def test_a_slot_names_its_own_providers_effect_as_that_does(home: Home) -> None:
    with pytest.raises(ConfigError, match=r"slots.1.effect: cloud has no effect “prompt”; it has repaint, swap"):
        load(home, slot(effect="prompt", prompt="oil"), "cloud")


def test_the_studio_takes_over_from_a_prompt(home: Home) -> None:
    from boothd.providers.studio import Studio

    home.slots_file("fake").write_text(slot(effect="prompt", prompt="comic", on_failure=["studio"]))
    (live,) = load_slots(home, {**PROVIDERS, "studio": Studio}, 1_000_000)
    assert (live.presets[1].provider, live.presets[1].effect) == ("studio", "style")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (slot(effect="swap", references=["beach.jpg"] * 2), "the effect “swap” takes at most 1; the slot has 2"),
        (slot(effect="plain", references=["beach.jpg"]), "the effect “plain” takes no reference picture"),
    ],
)
def test_more_references_than_the_provider_takes_are_an_error(home: Home, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, text, "cloud")
    assert caught.value.key == "slots.1.references"
    assert said in caught.value.reason


# --- one directs, another one renders --------------------------------------------------------------------------------


def directs(**options: Any) -> str:
    return slot(prompt="oil", references=["beach.jpg"], format="png", size=[600, 400], options=options)


def test_a_directing_slot_has_the_same_preset_for_its_renderer(home: Home) -> None:
    (live,) = load(home, directs(renderer="cloud", renderer_options={"strength": 7}), "seer")
    (preset,) = live.presets
    assert (preset.provider, preset.effect) == ("seer", "style")
    renderer = preset.renderer
    assert renderer is not None
    assert (renderer.provider, renderer.effect, renderer.options) == ("cloud", "repaint", StrongOptions(strength=7))
    for same in ("prompt", "references", "format", "size"):
        assert getattr(renderer, same) == getattr(preset, same)


def test_the_renderers_effect_may_be_another(home: Home) -> None:
    (live,) = load(home, directs(renderer="cloud", renderer_effect="swap"), "seer")
    renderer = live.presets[0].renderer
    assert renderer is not None
    assert renderer.effect == "swap"


def test_the_renderers_options_change_the_revision(home: Home) -> None:
    revisions = set()
    for strength in (1, 2):
        (live,) = load(home, directs(renderer="cloud", renderer_options={"strength": strength}), "seer")
        revisions.add(live.presets[0].revision)
    assert len(revisions) == 2


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (directs(renderer="nobody"), "options.renderer", "no provider is called “nobody”"),
        (directs(renderer="seer"), "options.renderer", "seer makes no pictures itself"),
        (slot(effect="odd", options={"renderer": "cloud"}), "options.renderer", "cloud has no effect “odd”"),
        (
            directs(renderer="cloud", renderer_effect="magic"),
            "options.renderer_effect",
            "cloud has no effect “magic”",
        ),
        (
            directs(renderer="cloud", renderer_options={"strength": "very"}),
            "options.renderer_options.strength",
            "valid integer",
        ),
        (directs(renderer="cloud", colour="red"), "options.colour", "Extra inputs"),
        (slot(options={"renderer": "cloud"}), "prompt", "cloud's effect “repaint” needs a prompt"),
        (
            slot(effect="swap", options={"renderer": "cloud"}),
            "references",
            "cloud's effect “swap” needs a reference picture",
        ),
    ],
)
def test_an_error_of_the_renderer_names_its_key(home: Home, text: str, key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, text, "seer")
    assert (caught.value.file, caught.value.key) == (home.slots_file("seer"), f"slots.1.{key}")
    assert reason in caught.value.reason


def test_a_chain_that_ends_with_a_director_needs_its_usual_renderer(home: Home) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, slot(on_failure=["seer"]))
    assert caught.value.key == "slots.1.on_failure.0"
    assert "no provider is called “studio”" in caught.value.reason


def test_no_error_quotes_a_key(home: Home) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, slot(key="secret/secret/secret/secret"))
    assert "secret" not in caught.value.reason


def test_a_link_finds_its_slot_and_no_other(home: Home) -> None:
    book = load(home, yaml.safe_dump({"slots": {n: {"key": chr(96 + n) * 20, "effect": "style"} for n in range(1, 4)}}))
    assert book.find("fake", 2, "b" * 20).number == 2
    for number, key in ((2, "a" * 20), (2, ""), (2, "b" * 19), (4, "b" * 20), (0, "b" * 20), (2, "ключ")):
        with pytest.raises(NoSuchSlot):
            book.find("fake", number, key)
    with pytest.raises(NoSuchSlot):
        book.find("other", 2, "b" * 20)


def test_a_disabled_slot_is_there_but_is_not_found(home: Home) -> None:
    book = load(home, slot(enabled=False))
    assert book.get("fake-1") is not None
    with pytest.raises(NoSuchSlot):
        book.find("fake", 1, KEY)


def test_what_is_compared_does_not_depend_on_the_answer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong key, disabled and unknown slot all compare once, against something of a key's length."""
    import hmac

    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(one: Any, two: Any) -> bool:
        compared.append((one, two))
        return real(one, two)

    book = load(home, slot())
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for number, key in ((1, KEY), (1, "b" * 22), (7, KEY)):
        try:
            book.find("fake", number, key)
        except NoSuchSlot:
            pass
    assert [len(one) for one, _ in compared] == [22, 22, 22]


def test_new_keys_are_long_random_and_fit_a_link(home: Home) -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert load(home, slot(key=key))
