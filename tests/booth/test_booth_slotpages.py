"""The slots' pages: tabs, rows, the editor, and that nothing typed is lost when a save is refused."""

import re
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from typing import Any, ClassVar, Literal, cast
from urllib.parse import quote

import pytest
import yaml
from pydantic import Field

from boothd.base.assets import assets
from boothd.base.errors import BadKey, DiskFull, NotFound, Refused
from boothd.base.threads import Threads
from boothd.booth.references import References
from boothd.booth.slotfiles import SlotFiles
from boothd.booth.slotpages import SlotPages
from boothd.booth.slots import load_slots
from boothd.booth.slotwords import label_of
from boothd.booth.status import Condition
from boothd.http import Pages, Upload
from boothd.providers import provider_names, provider_type
from boothd.providers.interfaces import DirectorOptions, EffectType, Options
from tests.booth.booth_support import KEY, Booth, FakeProvider, StepThreads, picture, rotated, run

MARK = "m" * 32
OpenBooth = Callable[..., Booth]


class PaintOptions(Options):
    strength: int | None = Field(None, ge=0, le=80, description="how far the picture may leave the photo (paint)")
    aspect: Literal["1:1", "3:2"] | None = Field(None, description="width to height")
    restore: bool | None = Field(None, description="make the face sharper afterwards (face swap)")
    cut_out: bool = Field(False, description="background only: the guests' own pixels")
    extra: dict[str, int | str] = Field(default_factory=dict, description="further fields")


class Fake(FakeProvider):
    """Has an effect of every kind."""

    effects: ClassVar[tuple[EffectType, ...]] = (
        EffectType("paint", "Paint", needs_prompt=True, max_references=0, note="Ask your <account>."),
        EffectType("face-swap", "Face swap", needs_reference=True, max_references=1, instruction="Keep <the> face."),
        EffectType("background", "Background", needs_reference=True, max_references=2),
        EffectType("style", "Style"),
    )
    Options: ClassVar[type[Options]] = PaintOptions


class Spare(FakeProvider):
    title: ClassVar[str] = "Spare"
    paid: bool = False
    effects: ClassVar[tuple[EffectType, ...]] = (
        EffectType("style", "Style", also=("paint", "background")),
        EffectType("odd", "Odd"),
    )


class Paid(Spare):
    title: ClassVar[str] = "Paid"
    paid: bool = True


class Seer(FakeProvider):
    title: ClassVar[str] = "Seer"
    effects: ClassVar[tuple[EffectType, ...]] = (EffectType("paint", "Paint"),)
    Options: ClassVar[type[Options]] = DirectorOptions


class Public(Spare):
    title: ClassVar[str] = "Public"
    needs_public_url: ClassVar[bool] = True


TYPES: Any = {"fake": Fake, "spare": Spare, "paid": Paid, "seer": Seer, "public": Public}


class Asked:
    """A request as the pages look at it."""

    def __init__(self, form: Sequence[tuple[str, str]] = (), said: str = "", **headers: str) -> None:
        self.operator = "op"
        self.upload: Upload | None = None
        self._said, self._headers = said, {"host": "booth.test:8000", **headers}
        self.args: dict[bytes, list[bytes]] = {}
        for name, value in form:
            self.args.setdefault(name.encode(), []).append(value.encode())

    def getCookie(self, name: bytes) -> bytes | None:
        return None

    def getHeader(self, name: str) -> str | None:
        return self._headers.get(name)

    def field(self, name: str) -> str:
        return self._said if name == "said" else ""


class Shown:
    """A reply that is a page, and what a browser would send from its form."""

    def __init__(self, reply: Any) -> None:
        self.status, self.headers = reply.status, reply.headers
        self.html = reply.body.decode()
        self.text = unescape(" ".join(re.sub(r"<[^>]*>", " ", self.html).split()))

    @property
    def form(self) -> list[tuple[str, str]]:
        """Fields of the slot's form as they stand, without its buttons."""
        inside = self.html.partition('<form id="slot-form"')[2].partition("</form>")[0]
        found: list[tuple[str, str]] = []
        pattern = r"<(input|select|textarea)\b([^>]*)>(?:(.*?)</\1>)?"
        for kind, said, inner in re.findall(pattern, re.sub(r"(<input[^>]*>)", r"\1</input>", inside), re.S):
            name = re.search(r'\bname="([^"]*)"', said)
            if name is None or 'type="file"' in said:
                continue
            if kind == "select":
                chosen = re.search(r'<option value="([^"]*)" selected', inner) or re.search(r'value="([^"]*)"', inner)
                found.append((name[1], unescape(chosen[1] if chosen else "")))
            elif kind == "textarea":
                found.append((name[1], unescape(inner.removeprefix("\n"))))
            elif "checkbox" not in said or " checked" in said:
                value = re.search(r'\bvalue="([^"]*)"', said)
                found.append((name[1], unescape(value[1] if value else "")))
        return found

    def filled(self, do: str = "save", **said: str | None) -> list[tuple[str, str]]:
        """The form after somebody typed: `o_` stands for `o.`; None leaves a field out."""
        typed = {name.replace("o_", "o.", 1) if name.startswith("o_") else name: v for name, v in said.items()}
        kept = [(name, value) for name, value in self.form if name not in typed]
        return [*kept, *((name, value) for name, value in typed.items() if value is not None), ("do", do)]

    @property
    def wrong(self) -> dict[str, str]:
        """What is said beside which field."""
        return {n: unescape(said) for n, said in re.findall(r'class="wrong" id="wrong-([^"]*)">([^<]*)', self.html)}

    def shows(self, name: str) -> bool:
        """Whether there is such a field to be seen."""
        return (
            re.search(rf'<(?:select|textarea|input(?![^>]*type="hidden"))[^>]*name="{re.escape(name)}"', self.html)
            is not None
        )

    def value(self, name: str) -> str:
        return dict(self.form).get(name, "")


class Office:
    """The slots' pages of a booth."""

    def __init__(self, booth: Booth) -> None:
        self.booth = booth
        self.left_out: dict[str, str] = {}
        self.problem: str | None = None
        self.folder = booth.home.library / "references"
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = cast(Threads, StepThreads())
        max_pixels = booth.config.upload.max_pixels
        files = SlotFiles(booth.home, lambda: TYPES, lambda: max_pixels, threads, self.reload)
        self.pages = SlotPages(
            booth.desk,
            booth.stats,
            Pages(assets("web")),
            files,
            References(self.folder, threads),
            types=lambda: TYPES,
            condition=lambda: Condition("secret", self.problem, (), self.left_out),
            base_url=lambda host: f"http://{host}",
            mark=MARK,
        )
        self._handlers = {route.name: route.handler for route in self.pages.routes()}

    async def reload(self, file: Path) -> None:
        self.booth.slots = load_slots(self.booth.home, TYPES, self.booth.config.upload.max_pixels)

    def ask(self, route: str, request: Any = None, **params: Any) -> Any:
        handler: Any = self._handlers[route]
        return run(handler(request or Asked(), **params))

    def tab(self, provider: str = "fake", said: str = "") -> Shown:
        return Shown(self.ask("slots.tab", Asked(said=said), provider=provider))

    def editor(self, number: int = 1, provider: str = "fake", said: str = "") -> Shown:
        return Shown(self.ask("slots.editor", Asked(said=said), provider=provider, number=number))

    def post(self, form: Sequence[tuple[str, str]], number: int = 1, provider: str = "fake") -> Any:
        return self.ask("slots.change", Asked(form), provider=provider, number=number)

    def refused(self, form: Sequence[tuple[str, str]], number: int = 1) -> Shown:
        return Shown(self.post(form, number))

    def save(self, number: int = 1, provider: str = "fake", **said: str | None) -> Any:
        return self.post(self.editor(number, provider).filled("save", **said), number, provider)

    def upload(
        self, data: bytes, name: str = "beach.jpg", form: Sequence[tuple[str, str]] = (), number: int = 1
    ) -> Shown:
        """What the browser does when a picture is added."""
        admission = self.pages.admit(f"/slots/fake/{number}/references/{MARK}", len(data))
        assert admission is not None
        sink = admission.sink()
        sink.on_drain(lambda: None)
        for begin in range(0, len(data), 4096):
            sink.write(data[begin : begin + 4096])
        run(sink.close())
        request = Asked()
        request.upload = Upload(tuple(form), "file", name, "image/jpeg", len(data), sink, "", 0.0, 0.0)
        return Shown(self.ask("slots.reference", request, provider="fake", number=number, mark=MARK))

    def data(self, provider: str = "fake") -> Any:
        return yaml.safe_load(self.booth.home.slots_file(provider).read_text(encoding="utf-8"))["slots"]


@pytest.fixture
def office(open_booth: OpenBooth) -> Office:
    office = Office(open_booth(Fake(), Spare("spare"), Paid("paid"), Seer("seer"), Public("public")))
    run(office.reload(Path()))
    return office


# --- the tabs ------------------------------------------------------------------------------------------------------------


def test_each_provider_has_a_tab_at_an_address_of_its_own(office: Office) -> None:
    assert office.ask("slots").headers["Location"] == "/slots/fake"
    tabs = re.findall(r'<a href="/slots/([a-z]+)"( aria-current="page")?>', office.tab("spare").html)
    assert [name for name, _ in tabs] == list(TYPES)
    assert [name for name, current in tabs if current] == ["spare"]


@pytest.mark.parametrize(("provider", "number"), [("nobody", 1), ("fake", 0), ("fake", 21)])
def test_what_there_is_not_is_not_found(office: Office, provider: str, number: int) -> None:
    for ask in (lambda: office.editor(number, provider), lambda: office.post([], number, provider)):
        with pytest.raises(NotFound):
            ask()


def test_an_empty_tab_says_what_a_slot_is_and_offers_all_twenty(office: Office) -> None:
    seen = office.tab()
    assert "No slot of Fake is set up yet" in seen.text
    assert len(re.findall(r'class="slot empty"', seen.html)) == 20


def test_a_row_tells_a_slots_evening(office: Office) -> None:
    office.save(name="Pencil & ink", effect="style", prompt="pencil")
    (live,) = office.booth.slots
    office.booth.send(slot=live, key=live.slot.key)
    office.booth.provider.fails = [Refused()]
    office.booth.send(picture(colour="blue"), slot=live, key=live.slot.key)
    seen = office.tab()
    assert "1 Pencil & ink Style on 1 today 1 failed 0.2 seconds" in seen.text
    assert f'value="http://booth.test:8000/upload/fake/1/{live.slot.key}"' in seen.html
    assert seen.html.count("data-copy=") == 1
    assert 'href="/slots/fake/1"' in seen.html


def test_twenty_full_slots_leave_none_to_set_up(office: Office) -> None:
    office.save(effect="style")
    for _ in range(19):
        office.post([("do", "duplicate")])
    seen = office.tab()
    assert seen.html.count('class="slot on"') == 20
    assert 'class="slot empty"' not in seen.html
    assert office.post([("do", "duplicate")]).headers["Location"] == "/slots/fake/1?said=full"


def test_a_slot_that_is_switched_off_shows_no_link(office: Office) -> None:
    office.save(effect="style", enabled=None)
    seen = office.tab()
    assert "switched off" in seen.text
    assert "/upload/" not in seen.html


def test_a_provider_that_is_left_out_says_why_and_is_red_only_where_it_is_needed(office: Office) -> None:
    office.left_out = {"fake": "no API key; put one into etc/secrets.yaml"}
    office.booth.services.pop("fake")
    office.save(effect="style", enabled=None)
    assert 'class="notice bad"' not in office.tab().html
    office.save(enabled="on")
    seen = office.tab()
    assert "Fake is not ready: no API key; put one into etc/secrets.yaml" in seen.text
    assert '<span class="dot stopped">no key</span>' in seen.html
    assert 'class="notice bad"' in seen.html


def test_a_provider_that_is_paused_is_waiting(office: Office) -> None:
    office.save(effect="style")
    (live,) = office.booth.slots
    office.booth.provider.fails = [BadKey("The key is wrong.")]
    office.booth.send(slot=live, key=live.slot.key)
    assert '<span class="dot waiting">paused</span>' in office.tab().html


def test_a_directing_slot_is_as_ready_as_its_renderer(office: Office) -> None:
    office.left_out = {"spare": "no API key"}
    office.booth.services.pop("spare")
    office.save(provider="seer", effect="paint", o_renderer="spare", o_renderer_effect="style")
    assert '<span class="dot stopped">no key</span>' in office.tab("seer").html


def test_a_provider_that_fetches_photos_needs_a_public_address(office: Office) -> None:
    assert "set public_url in etc/boothd.yaml" in office.tab("public").text
    office.booth.config = office.booth.config.model_copy(update={"public_url": "https://booth.example"})
    assert "public_url" not in office.tab("public").text


# --- the editor ----------------------------------------------------------------------------------------------------------


def test_what_must_be_known_of_an_effect_stands_above_its_prompt(office: Office) -> None:
    assert "Ask your &lt;account&gt;." in office.editor(7).html


def test_a_slot_is_set_up_from_nothing(office: Office) -> None:
    fresh = office.editor(7)
    assert "made when the slot is saved for the first time" in fresh.text
    form = fresh.filled(name=" Зима ", prompt="Snow\r\neverywhere ", o_strength="40", width="1800", height="1200")
    assert office.post(form, 7).headers["Location"] == "/slots/fake/7?said=saved"
    made = office.data()[7]
    assert len(made.pop("key")) == 22
    assert made == {
        "name": "Зима",
        "effect": "paint",
        "prompt": "Snow\neverywhere",
        "options": {"strength": 40},
        "size": [1800, 1200],
    }
    seen = office.editor(7, said="saved")
    assert "applies to the next photo" in seen.text
    assert f"/upload/fake/7/{office.data()[7]['key']}" in seen.html
    assert "50 seconds" in seen.text


def test_the_form_of_a_slot_saves_it_as_it_is(office: Office) -> None:
    office.upload(picture())
    name = next(office.folder.iterdir()).name
    saved = {
        "key": KEY,
        "name": "<b>",
        "enabled": False,
        "effect": "background",
        "prompt": "\n two </textarea> lines\n",
        "references": [name],
        "options": {"aspect": "3:2", "cut_out": True, "extra": {"seed": 7}},
        "format": "png",
        "size": [100, 90],
        "on_failure": ["spare", "original"],
        "keep_failures": False,
        "paid_attempts": 3,
    }
    office.booth.home.slots_file("fake").parent.mkdir(parents=True, exist_ok=True)
    office.booth.home.slots_file("fake").write_text(yaml.safe_dump({"slots": {1: saved}}), encoding="utf-8")
    assert office.save().status == 303
    assert office.data()[1] == {**saved, "prompt": "two </textarea> lines"}


def test_a_prompt_of_twenty_thousand_characters_is_taken(office: Office) -> None:
    assert office.save(prompt="Ю" * 20_000).status == 303
    seen = office.refused(office.editor().filled(prompt="Ю" * 20_001))
    assert seen.wrong == {"prompt": "At most 20000 characters."}


def test_everything_that_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(office: Office) -> None:
    form = office.editor().filled(
        name="Mine", prompt=" ", o_strength="99", o_extra="- a\n- b", width="1800", paid_attempts="11"
    )
    seen = office.refused(form)
    assert seen.status == 400
    assert seen.wrong.keys() == {"prompt", "o.strength", "o.extra", "size"}
    assert seen.wrong["o.strength"] == "At most 80."
    assert (seen.value("name"), seen.value("o.strength"), seen.value("o.extra")) == ("Mine", "99", "- a\n- b")
    assert not office.booth.home.slots_file("fake").exists()


@pytest.mark.parametrize("text", ["a: [", "{a: 1", "a: 1\na: 2", "just words"])
def test_further_fields_that_are_no_pairs_are_refused(office: Office, text: str) -> None:
    assert "o.extra" in office.refused(office.editor().filled(prompt="x", o_extra=text)).wrong


def test_what_only_the_whole_file_tells_is_said_beside_its_field(office: Office) -> None:
    seen = office.refused(office.editor().filled(effect="face-swap", reference="gone.jpg"))
    assert "cannot be read" in seen.wrong["references"]


def test_only_fields_that_apply_to_the_type_are_shown_and_the_others_come_back(office: Office) -> None:
    paint = office.editor()
    assert paint.shows("o.strength")
    assert not paint.shows("o.restore")
    assert not paint.shows("file")
    swap = office.refused(paint.filled("look", effect="face-swap", o_strength="33", name="Mine"))
    assert swap.status == 200
    assert not swap.shows("o.strength")
    assert swap.shows("o.restore")
    assert swap.shows("file")
    assert "Keep <the> face." in swap.text
    assert "0 of at most 1" in swap.text
    assert swap.value("name") == "Mine"
    assert office.refused(swap.filled("look", effect="paint")).value("o.strength") == "33"


def test_options_that_do_not_apply_are_not_saved(office: Office) -> None:
    office.upload(picture())
    (kept,) = office.folder.iterdir()
    form = office.editor().filled(effect="face-swap", o_strength="33", o_restore="yes", reference=kept.name)
    assert office.post(form).status == 303
    assert office.data()[1]["options"] == {"restore": True}


def test_a_directing_slot_shows_its_renderers_fields(office: Office) -> None:
    fresh = office.editor(provider="seer")
    spare = Shown(office.post(fresh.filled("look", o_renderer="spare"), 1, "seer"))
    assert re.findall(
        r'<option value="(\w*)"', spare.html.partition('id="o.renderer_effect"')[2].partition("</select>")[0]
    ) == ["", "odd"]
    fake = Shown(office.post(fresh.filled("look", o_renderer="fake"), 1, "seer"))
    assert fake.shows("o.renderer_options.strength")
    assert "seer" not in re.findall(
        r'<option value="(\w*)"', fake.html.partition('id="o.renderer"')[2].partition("</select>")[0]
    )
    form = [*fake.filled(prompt="p"), ("o.renderer_options.strength", "12")]
    assert office.post(form, 1, "seer").status == 303
    assert office.data("seer")[1]["options"] == {"renderer": "fake", "renderer_options": {"strength": 12}}
    again = office.editor(provider="seer")
    assert again.value("o.renderer_options.strength") == "12"


def test_a_renderers_field_that_is_wrong_is_marked(office: Office) -> None:
    form = [*office.editor(provider="seer").filled(prompt="p", o_renderer="fake"), ("o.renderer_options.strength", "x")]
    seen = Shown(office.post(form, 1, "seer"))
    assert seen.wrong == {"o.renderer_options.strength": "Write a whole number."}


def test_the_chain_grows_by_one_menu_at_a_time_and_offers_nobody_twice(office: Office) -> None:
    def menus(seen: Shown) -> list[list[str]]:
        selects = re.findall(r'name="on_failure".*?</select>', seen.html, re.S)
        return [re.findall(r'<option value="(\w*)"', each) for each in selects]

    fresh = office.editor()
    assert menus(fresh) == [["", "spare", "paid", "seer", "public", "original"]]
    assert not fresh.shows("paid_attempts")
    longer = office.refused(fresh.filled("look", on_failure="paid"))
    assert menus(longer)[1:] == [["", "spare", "seer", "public", "original"]]
    assert longer.shows("paid_attempts")
    ended = office.refused([*fresh.filled("look", on_failure="paid"), ("on_failure", "original")])
    assert len(menus(ended)) == 2


def test_only_providers_that_can_do_the_same_are_offered_for_the_chain(office: Office) -> None:
    office.save(effect="style")
    menu = office.refused(office.editor().filled("look", effect="face-swap")).html.partition('name="on_failure"')[2]
    assert re.findall(r'<option value="(\w*)"', menu.partition("</select>")[0]) == ["", "original"]


def test_two_operators_do_not_overwrite_each_other_unseen(office: Office) -> None:
    office.save(prompt="first")
    mine = office.editor().filled(prompt="mine")
    office.save(prompt="theirs", name="Theirs")
    seen = office.refused(mine)
    assert seen.status == 409
    assert "Somebody else changed this slot" in seen.text
    assert "Name, Prompt" in seen.text
    assert seen.value("prompt") == "mine"
    assert 'href="/slots/fake/1">Take the newer version' in seen.html
    assert office.data()[1]["prompt"] == "theirs"
    assert office.post(seen.filled()).status == 303
    assert office.data()[1]["prompt"] == "mine"


def test_a_slot_that_was_emptied_meanwhile_says_so(office: Office) -> None:
    office.save(prompt="first")
    mine = office.editor().filled()
    office.post(office.editor().filled("clear"))
    assert "It has been emptied." in office.refused(mine).text


def test_clearing_renewing_and_copying(office: Office) -> None:
    office.save(prompt="first")
    before = office.data()[1]
    assert office.post(office.editor().filled("key")).headers["Location"] == "/slots/fake/1?said=key"
    assert office.data()[1] != before
    assert office.post([("do", "duplicate")]).headers["Location"] == "/slots/fake/2?said=copied"
    assert office.post([("do", "clear"), ("revision", "old")]).headers["Location"] == "/slots/fake/1?said=changed"
    assert office.post(office.editor().filled("clear")).headers["Location"] == "/slots/fake?said=cleared"
    assert list(office.data()) == [2]
    assert office.post([("do", "key"), ("revision", "")]).headers["Location"] == "/slots/fake/1?said=empty"


def test_a_save_keeps_the_link(office: Office) -> None:
    office.save(prompt="first")
    key = office.data()[1]["key"]
    office.save(prompt="second")
    assert office.data()[1]["key"] == key


def test_a_file_that_somebody_broke_is_shown_and_not_touched(office: Office) -> None:
    office.save(prompt="first")
    file = office.booth.home.slots_file("fake")
    form = office.editor().filled(prompt="second")
    file.write_text("slots: [", encoding="utf-8")
    for seen in (office.editor(), office.refused(form)):
        assert seen.status == 409
        assert "cannot be understood" in seen.text
        assert "is not YAML" in seen.text
    assert file.read_text(encoding="utf-8") == "slots: ["


def test_what_the_address_says_is_not_shown(office: Office) -> None:
    assert "alert" not in office.tab(said="<script>alert(1)</script>").html.replace('role="alert"', "")


# --- reference pictures ----------------------------------------------------------------------------------------------------


def test_a_picture_comes_back_in_the_form_and_is_saved_with_it(office: Office) -> None:
    form = office.editor().filled("look", effect="face-swap", name="Mine")
    seen = office.upload(picture(), "C:\\Фото\\..\\Beach Party (1).JPG", form)
    name = seen.value("reference")
    assert re.fullmatch(r"beach-party-1-[0-9a-f]{12}\.jpg", name)
    assert (office.folder / name).read_bytes() == picture()
    assert seen.value("name") == "Mine"
    assert f'src="/slots/references/{name}"' in seen.html
    assert not office.booth.home.slots_file("fake").exists()
    assert office.post(seen.filled()).status == 303
    assert office.data()[1]["references"] == [name]


def test_the_same_picture_is_kept_once(office: Office) -> None:
    first = office.upload(picture(), "a.jpg")
    second = office.upload(picture(), "b.jpg", first.filled("look"))
    assert len(list(office.folder.iterdir())) == 1
    assert [value for name, value in second.form if name == "reference"] == [first.value("reference")]


@pytest.mark.parametrize(
    ("data", "suffix"), [(rotated(6), ".jpg"), (picture("WEBP"), ".jpg"), (picture("PNG"), ".png")]
)
def test_what_providers_may_not_take_is_made_an_upright_jpeg(office: Office, data: bytes, suffix: str) -> None:
    name = office.upload(data, "..").value("reference")
    assert name.startswith("picture-")
    assert name.endswith(suffix)
    assert ((office.folder / name).read_bytes() == data) is (suffix == ".png")


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"no picture at all, " * 40, 415, "not a picture"),
        (b"GIF89a" + bytes(100), 415, "not taken"),
        (b"", 415, "not a picture"),
        (picture(size=(900, 900))[:3000], 415, "cut short"),
        (picture("PNG", (3000, 1000)), 415, "megapixels"),
        (picture("BMP", (600, 600)), 415, "not taken"),
        (b"\xff\xd8\xff" + bytes(2 << 20), 413, "larger than 1.0 MiB"),
    ],
)
def test_what_is_no_usable_picture_is_said_beside_the_form(
    open_booth: OpenBooth, data: bytes, status: int, said: str
) -> None:
    office = Office(open_booth(Fake(), upload={"max_size": "1M", "max_pixels": 2_000_000}))
    seen = office.upload(data, form=[("effect", "background"), ("name", "Mine"), ("revision", "")])
    assert seen.status == status
    assert said in seen.wrong["references"]
    assert seen.value("name") == "Mine"
    assert list(office.folder.iterdir()) == []
    assert list((office.booth.home.spool / "incoming").iterdir()) == []


def test_nothing_of_an_upload_is_left_in_the_spool(office: Office) -> None:
    office.upload(picture())
    assert list((office.booth.home.spool / "incoming").iterdir()) == []


def test_only_who_has_seen_the_page_can_send_a_byte(office: Office) -> None:
    assert office.pages.admit("/upload/fake/1/key", 10) is None
    assert office.pages.admit("/slots/fake/1", 10) is None
    for mark in ("x", "m" * 31, quote("м")):
        with pytest.raises(NotFound):
            office.pages.admit(f"/slots/fake/1/references/{mark}", 10)


def test_a_full_disk_takes_no_pictures(open_booth: OpenBooth) -> None:
    office = Office(open_booth(Fake(), spool={"floor": "1G"}))
    office.booth.spool.free_bytes = 1 << 29
    with pytest.raises(DiskFull):
        office.pages.admit(f"/slots/fake/1/references/{MARK}", 10)


@pytest.mark.parametrize(
    ("do", "order"), [("up:1", "bac"), ("down:1", "acb"), ("remove:0", "bc"), ("up:0", "abc"), ("down:9", "abc")]
)
def test_references_are_ordered_and_removed_in_the_form(office: Office, do: str, order: str) -> None:
    form = [("effect", "background"), *(("reference", f"{name}.jpg") for name in "abc"), ("do", do)]
    seen = office.refused(form)
    assert "".join(value[0] for name, value in seen.form if name == "reference") == order
    assert f"{len(order)} of at most 2" in seen.text


def test_a_removed_picture_stays_in_the_library(office: Office) -> None:
    seen = office.upload(picture(), form=office.editor().filled("look", effect="background"))
    office.post(seen.filled())
    office.post(office.refused(office.editor().filled("remove:0")).filled(effect="style"))
    assert "references" not in office.data()[1]
    assert len(list(office.folder.iterdir())) == 1


def test_a_preview_is_small_and_known_again(office: Office) -> None:
    (office.folder / "wide.png").write_bytes(picture("PNG", (2000, 1000)))
    reply = office.ask("slots.preview", name="wide.png")
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert len(reply.body) < 20_000
    again = Asked(**{"if-none-match": reply.headers["ETag"]})
    assert office.ask("slots.preview", again, name="wide.png").status == 304
    (office.folder / "wide.png").write_bytes(picture("PNG", (1000, 1000)))
    assert office.ask("slots.preview", again, name="wide.png").status == 200


@pytest.mark.parametrize("name", ["gone.jpg", "..", ".hidden", "../secrets.yaml", "a\0b"])
def test_a_preview_of_nothing_is_not_found(office: Office, name: str) -> None:
    with pytest.raises(NotFound):
        office.ask("slots.preview", name=name)


# --- words ----------------------------------------------------------------------------------------------------------------


def test_what_our_own_providers_offer_is_named_in_the_readers_language() -> None:
    pages = Pages(assets("web"))
    russian = pages.languages.get("ru")
    assert russian is not None
    for kind in map(provider_type, provider_names()):
        said = [effect.title for effect in kind.effects]
        said += [label_of(name) for name in kind.Options.model_fields if name != "renderer_options"]
        for text in said:
            assert text == "Seed" or russian.texts.gettext(text) != text, f"{kind.name}: {text}"
