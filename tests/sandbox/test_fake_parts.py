"""The parts of the fakes without a port: scripts, megabytes in JSON, pictures."""

import base64
import io
import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boothd.sandbox.fakes.bulk import LONG, Bulk, Hole, dump
from boothd.sandbox.fakes.figure import box_of, find_figure
from boothd.sandbox.fakes.pictures import Unreadable, Wanted, dimensions, make_picture, padded, picture_bytes
from boothd.sandbox.fakes.script import COMMON, PICTURE, NotAScript, Script, Words, others_blocks, without_blocks
from tests.sandbox.fakes_support import opened, photo, scene

KNOWN = {**COMMON, **PICTURE}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.text(min_size=3, max_size=9).map(lambda t: t * LONG),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_importing_the_fakes_installs_no_reactor() -> None:
    code = "import sys, boothd.sandbox.fakes; sys.exit('twisted.internet.reactor' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- scripts ---------------------------------------------------------------------------------------------------------


def at(text: str, place: str = "", happened: Any = None) -> dict[str, str]:
    script = Script.of(text, "gemini", KNOWN, ("link",))
    return dict(script.at(place, Counter() if happened is None else happened, "photo").said)


def test_blocks_are_found_among_prose() -> None:
    text = "a pirate [[hang]] of [[status=429\nretry-after=7]] 1700 [not this] [[ ]]"
    assert at(text) == {"hang": "", "status": "429", "retry-after": "7"}
    assert without_blocks(text) == "a pirate of 1700 [not this]"


def test_blocks_have_addressees_and_places() -> None:
    text = "[[gemini: slow=1]] [[deepseek: anything goes]] [[at=link status=404]] [[slow=2 drop]]"
    assert at(text) == {"slow": "2", "drop": ""}
    assert at(text, "link") == {"status": "404"}
    assert others_blocks(text, "gemini") == "[[deepseek: anything goes]]"


def test_a_block_holds_for_the_first_calls() -> None:
    happened: Any = Counter()
    text = "[[fail-first=2]] [[format=png]] [[fail-first=1 drop]]"
    assert [at(text, happened=happened) for _ in range(3)] == [
        {"status": "503", "format": "png", "drop": ""},
        {"status": "503", "format": "png"},
        {"format": "png"},
    ]


@pytest.mark.parametrize("word", ["nonsense", "hang=1", "status", "at=nowhere hang", "fail-first=-1"])
def test_unknown_words_are_refused(word: str) -> None:
    with pytest.raises(NotAScript):
        at(f"[[{word}]]")


def test_values_are_read() -> None:
    words = Words({"size": "8M", "picture": "3x4", "slow": "1.5", "place": "top"})
    assert (words.size("size"), words.pixels("picture"), words.number("slow")) == (8 << 20, (3, 4), 1.5)
    assert (words.size("none"), words.pixels("none"), words.one_of("none", "a", "b")) == (0, None, "a")
    for bad in (
        lambda: Words({"size": "many"}).size("size"),
        lambda: Words({"picture": "0x4"}).pixels("picture"),
        lambda: words.number("place"),
        lambda: words.one_of("place", "data"),
    ):
        with pytest.raises(NotAScript):
            bad()


# --- megabytes in JSON -----------------------------------------------------------------------------------------------


def whole(bulk: Bulk, value: Any) -> Any:
    if isinstance(value, str):
        return bulk.text(value)
    if isinstance(value, list):
        return [whole(bulk, inner) for inner in value]
    if isinstance(value, dict):
        return {bulk.text(key): whole(bulk, inner) for key, inner in value.items()}
    return value


@given(VALUES, st.booleans())
def test_lifting_loses_nothing(value: Any, escaped: bool) -> None:
    bulk = Bulk(json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
    assert whole(bulk, bulk.value) == value


@given(st.binary(max_size=50), st.integers(1, 20_000), st.booleans(), st.booleans())
def test_base64_of_every_kind_is_decoded(data: bytes, times: int, url_safe: bool, padding: bool) -> None:
    data = data * times if len(data) * times < 1_000_000 else data
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    bulk = Bulk(json.dumps({"data": text if padding else text.rstrip("=")}).encode())
    assert bulk.decoded(bulk.value["data"]) == data


@pytest.mark.parametrize("text", ["*", "AAA*" * 2000, "A", "AB=C"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    bulk = Bulk(json.dumps([text]).encode())
    with pytest.raises(ValueError):
        bulk.decoded(bulk.value[0])


def test_a_data_url_is_decoded_behind_its_head() -> None:
    bulk = Bulk(json.dumps(["data:image/png;base64," + base64.b64encode(bytes(9000)).decode()]).encode())
    assert bulk.head(bulk.value[0]).startswith("data:image/png;base64,AAA")
    assert bulk.decoded(bulk.value[0], 22) == bytes(9000)


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": "', b'"' + b"a" * 9000, b"\xff"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        Bulk(body)


@given(st.lists(st.binary(max_size=300_000), max_size=3), st.text())
def test_holes_are_filled(datas: list[bytes], text: str) -> None:
    body = dump({"text": text, "holes": [Hole(data, "data:x,") for data in datas], "end": 1})
    found = json.loads(body)
    assert found["text"] == text
    assert [base64.b64decode(hole.removeprefix("data:x,")) for hole in found["holes"]] == datas


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_one_photo_and_prompt_one_picture(form: str) -> None:
    made = [picture_bytes([photo(), scene()], Wanted(p, (320, 240), form)) for p in ("a", "a", "b")]
    assert made[0] == made[1] != made[2]
    assert (opened(made[0]).format, opened(made[0]).size) == (form, (320, 240))


@given(st.sampled_from(["JPEG", "PNG"]), st.integers(16, 200_000))
def test_filling_makes_a_picture_as_long_as_wished(form: str, more: int) -> None:
    out = io.BytesIO()
    make_picture([], Wanted("x", (32, 32))).save(out, form)
    longer = padded(out.getvalue(), len(out.getvalue()) + more)
    assert len(longer) == len(out.getvalue()) + more
    assert opened(longer).tobytes() == opened(out.getvalue()).tobytes()


def test_photos_stand_upright() -> None:
    turned = io.BytesIO()
    image = opened(photo())
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(turned, "JPEG", exif=exif)
    assert dimensions(turned.getvalue()) == (480, 640)


@pytest.mark.parametrize("data", [b"", b"no picture", photo()[:300]])
def test_what_cannot_be_read_is_said(data: bytes) -> None:
    with pytest.raises(Unreadable):
        make_picture([data], Wanted("x", (32, 32)))


def test_a_canned_picture_is_quick_and_whole() -> None:
    made = picture_bytes([b"not looked at"], Wanted("x", (64, 64)), Words({"canned": "", "size": "1M"}))
    assert len(made) == 1 << 20
    assert opened(made).size == (64, 64)


def test_a_figure_is_found_also_where_there_is_none() -> None:
    import numpy as np

    plain = np.full((200, 300, 3), 128, np.float32)
    assert 0.05 < find_figure(plain).mean() < 0.7
    assert box_of(np.zeros((10, 10), np.float32)) == (0, 0, 1000, 1000)
