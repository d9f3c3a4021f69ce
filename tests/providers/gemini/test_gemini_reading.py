"""What a model says about boxes and masks, read with patience; whatever it says, only BadAnswer comes out."""

import base64
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from boothd.base.errors import BadAnswer, Charged
from boothd.providers.gemini.polygons import MAX_POINTS
from boothd.providers.gemini.reading import MAX_ITEMS, MAX_MASK_PIXELS, parse_found, prompt_for
from boothd.providers.interfaces import Found, Question
from tests.support.pictures import encoded, png_header, with_png_chunks

WIDTH, HEIGHT = 400, 200
PERSON = {"box_2d": [100, 250, 500, 750], "label": "person"}
PIXELS = (100, 20, 300, 100)


def ramp(size: tuple[int, int] = (256, 256)) -> Image.Image:
    """A probability map: 0 on the left, 255 on the right."""
    row = np.linspace(0, 255, size[0]).astype(np.uint8)
    return Image.fromarray(np.tile(row, (size[1], 1)))


def base64_of(image: Image.Image, form: str = "PNG") -> str:
    return base64.b64encode(encoded(image, form)).decode()


RAMP = base64_of(ramp())


def parse(said: object, folder: Path) -> tuple[Found, ...]:
    return parse_found(said if isinstance(said, str) else json.dumps(said), WIDTH, HEIGHT, folder / "answer-1")


def mask_of(said: object, folder: Path) -> "np.ndarray[Any, np.dtype[np.uint8]] | None":
    """The mask of a person whose entry has this `mask`."""
    (found,) = parse([{**PERSON, "mask": said}], folder)
    if found.mask is None:
        return None
    with Image.open(found.mask) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (200, 80))
        return np.asarray(image)


# --- the question ----------------------------------------------------------------------------------------------------


def test_a_question_in_words_is_asked_as_it_is() -> None:
    assert prompt_for(Question("How many {guests}?")) == "How many {guests}?"


@pytest.mark.parametrize("kind", ["boxes", "masks"])
def test_a_question_of_place_says_what_where_and_how(kind: Any) -> None:
    asked = prompt_for(Question("every {hat} in sight", kind))
    assert "every {hat} in sight" in asked
    assert "JSON list" in asked
    assert "[ymin, xmin, ymax, xmax]" in asked
    assert "0-1000" in asked
    assert '"label"' in asked
    assert ('"mask"' in asked) is (kind == "masks")


# --- boxes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([PERSON]),
        json.dumps(PERSON),
        json.dumps({"items": [PERSON]}),
        json.dumps([[PERSON]]),
        json.dumps([{"thing": PERSON, "note": None}]),
        f"```json\n{json.dumps([PERSON])}\n```",
        f"Sure {{as you like}}, here it is:\n\n```json\n{json.dumps([PERSON], indent=2)}\n```\nAnything else?",
        f"```\n{json.dumps([PERSON])}",
        f"{json.dumps(PERSON)}\n",
        "\ufeff" + json.dumps([{**PERSON, "score": 0.5, "points": [[1, 2]]}]),
        '[{"box_2d": [100, 250, 500, 750], "label": "person", "score": NaN}]',
    ],
)
def test_a_box_is_found_whatever_is_around_it(tmp_path: Path, text: str) -> None:
    assert parse(text, tmp_path) == (Found("person", PIXELS),)


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ([500, 750, 100, 250], PIXELS),
        ([-50, 0, 2000, 1e300], (0, 0, 400, 200)),
        ([0, 0, 10**400, 1000], (0, 0, 400, 200)),
        ([100.4, 250.2, 499.8, 749.9], PIXELS),
        ([999.9, 999.9, 1000, 1000], (399, 199, 400, 200)),
        ([0, 0, 0.5, 0.5], (0, 0, 1, 1)),
    ],
)
def test_odd_boxes_are_put_right(tmp_path: Path, box: list[float], pixels: tuple[int, ...]) -> None:
    assert parse([{"box_2d": box}], tmp_path)[0].box == pixels


@pytest.mark.parametrize(
    "box",
    [
        "[100, 100, 100, 500]",
        "[100, 500, 200, 500]",
        "[1500, 0, 1600, 1000]",
        "[1, 2, 3]",
        "[1, 2, 3, 4, 5]",
        "[NaN, 1, 2, 3]",
        "[1, 2, Infinity, 3]",
        "[true, 2, 30, 40]",
        '["1", 2, 30, 40]',
        '"1 2 3 4"',
        "null",
        "{}",
        "[[1, 2, 3, 4]]",
    ],
)
def test_a_box_without_a_place_in_the_photo_is_dropped(tmp_path: Path, box: str) -> None:
    whole = json.dumps(PERSON)
    assert len(parse(f'[{{"box_2d": {box}}}, {whole}]', tmp_path)) == 1
    with pytest.raises(BadAnswer) as caught:
        parse(f'[{{"box_2d": {box}}}]', tmp_path)
    assert caught.value.charged is Charged.YES


@pytest.mark.parametrize("label", [None, 7, ["person"], ...])
def test_a_label_may_be_missing(tmp_path: Path, label: object) -> None:
    thing = {"box_2d": [1, 1, 500, 500]} | ({} if label is ... else {"label": label})
    assert parse([thing], tmp_path)[0].label == ""


def test_a_label_is_one_short_printable_line(tmp_path: Path) -> None:
    (found,) = parse([{**PERSON, "label": "a\n\tman\x00\ud800 " + "x" * 1000}], tmp_path)
    assert found.label.startswith("a man x")
    assert found.label.isprintable()
    assert len(found.label) == 300


@pytest.mark.parametrize("cut", [12, 40, -1, -3])
def test_what_was_cut_off_keeps_its_whole_entries(tmp_path: Path, cut: int) -> None:
    whole = [{**PERSON, "label": f"guest {n}"} for n in range(3)]
    for around in ("[{}", '```json\n{{"found": [{}'):
        last = json.dumps({**PERSON, "mask": RAMP})[:cut]
        found = parse(around.format(json.dumps(whole)[1:-1] + ", " + last), tmp_path)
        assert [thing.label for thing in found] == ["guest 0", "guest 1", "guest 2"]


def test_no_more_than_64_things_are_taken(tmp_path: Path) -> None:
    assert len(parse([{**PERSON, "mask": base64_of(ramp((4, 4)))}] * 100, tmp_path)) == MAX_ITEMS
    assert len(list(tmp_path.iterdir())) <= MAX_ITEMS


@pytest.mark.parametrize("text", ["[]", "```json\n[ ]\n```", '{"found": []}', "There are none: []"])
def test_an_empty_list_is_an_answer(tmp_path: Path, text: str) -> None:
    if text.startswith("{"):
        with pytest.raises(BadAnswer):  # it may as well be an answer of another shape
            parse(text, tmp_path)
    else:
        assert parse(text, tmp_path) == ()


@pytest.mark.parametrize("text", ["", "I cannot help.", "[", "{", '[{"label": "a"}]', "null", "[[1, 2, 3, 4]]", '{"'])
def test_an_answer_without_a_box_is_bad_and_charged(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadAnswer, match="without a box") as caught:
        parse(text, tmp_path)
    assert caught.value.charged is Charged.YES
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ['{"a":' * 40_000, '{"a":[' * 30_000 + "1," * 30_000, '[{"' * 80_000, "[" * 200_000])
def test_a_text_made_to_keep_a_parser_busy_is_given_up(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadAnswer):
        parse(text, tmp_path)


# --- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        f"data:image/png;base64,{RAMP}",
        RAMP,
        RAMP.rstrip("="),
        RAMP.translate(str.maketrans("+/", "-_")),
        f" data:image/png;charset=x;base64,{RAMP[:70]}\n{RAMP[70:]}\n",
    ],
)
def test_a_mask_is_scaled_to_its_box_and_keeps_its_probabilities(tmp_path: Path, written: str) -> None:
    mask = mask_of(written, tmp_path)
    assert mask is not None
    assert abs(mask[40].astype(int) - np.linspace(0, 255, 200)).max() < 4


def test_masks_lie_beside_the_answer(tmp_path: Path) -> None:
    found = parse([{**PERSON, "mask": RAMP}, PERSON, {**PERSON, "mask": RAMP}], tmp_path)
    masks = [thing.mask for thing in found]
    assert masks == [tmp_path / "answer-1-mask-0.png", None, tmp_path / "answer-1-mask-2.png"]


def transparent() -> Image.Image:
    """White all over; how likely is said by how opaque it is."""
    image = Image.new("RGBA", (256, 256), "white")
    image.putalpha(ramp())
    return image


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(ramp()).astype(np.uint16) * 257)


@pytest.mark.parametrize(
    "image", [ramp().convert("RGB"), ramp().convert("P"), transparent(), sixteen_bits()], ids=["RGB", "P", "RGBA", "16"]
)
def test_masks_of_other_kinds_of_png_are_made_grey(tmp_path: Path, image: Image.Image) -> None:
    mask = mask_of(base64_of(image), tmp_path)
    assert mask is not None
    assert abs(mask[40].astype(int) - np.linspace(0, 255, 200)).max() < 4


def test_a_mask_of_one_bit_is_all_or_nothing(tmp_path: Path) -> None:
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    mask = mask_of(base64_of(image), tmp_path)
    assert mask is not None
    assert (mask[0, 0], mask[0, -1]) == (0, 255)


def bomb() -> str:
    side = int(MAX_MASK_PIXELS**0.5) + 1
    return base64_of(Image.new("1", (side, side)))


def text_bomb() -> str:
    import zlib

    chunk = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 << 20)))
    return base64.b64encode(with_png_chunks(encoded(ramp(), "PNG"), [chunk])).decode()


@pytest.mark.parametrize(
    "written",
    [
        lambda: "no picture",
        lambda: "",
        lambda: "data:image/png;base64,",
        lambda: "====",
        lambda: "пиксели",
        lambda: RAMP[: len(RAMP) // 2],
        lambda: base64_of(ramp(), "GIF"),
        lambda: base64_of(ramp(), "JPEG"),
        lambda: "data:image/png;base64," + base64_of(ramp(), "BMP"),
        lambda: base64.b64encode(png_header(50_000, 50_000)).decode(),
        lambda: base64.b64encode(png_header(0, 7)).decode(),
        bomb,
        text_bomb,
        lambda: "A" * (1 << 20),
        lambda: None,
        lambda: 7,
        lambda: ["x"],
    ],
)
def test_a_mask_that_cannot_be_used_is_left_out_of_its_thing(tmp_path: Path, written: Any) -> None:
    assert mask_of(written(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


# the right triangle below the diagonal of the person's box, whose corners are (250, 100) and (750, 500)
TRIANGLE = [[100, 250], [500, 250], [500, 750]]


@pytest.mark.parametrize(
    "said",
    [
        {"mask": TRIANGLE},
        {"polygon": TRIANGLE},
        {"contour": TRIANGLE},
        {"mask": "no picture", "polygon": TRIANGLE},
        {"mask": [{"x": x, "y": y} for y, x in TRIANGLE]},
        {"mask": [{"y": float(y), "x": float(x), "order": 1} for y, x in TRIANGLE]},
        {"mask": [value for point in TRIANGLE for value in point]},
        {"mask": [TRIANGLE]},
        {"mask": [[value for point in TRIANGLE for value in point]]},
        {"mask": [TRIANGLE, [[400, 250], [500, 250], [500, 300]]]},
    ],
)
def test_a_polygon_is_drawn_into_the_box(tmp_path: Path, said: dict[str, Any]) -> None:
    (found,) = parse([{**PERSON, **said}], tmp_path)
    assert found.mask is not None
    with Image.open(found.mask) as image:
        mask = np.asarray(image).astype(float)
    rows, columns = np.mgrid[0:80, 0:200]
    off = (rows + 0.5) / 80 - (columns + 0.5) / 200
    assert (mask.shape, mask[off > 0.03].min(), mask[off < -0.03].max()) == ((80, 200), 255, 0)
    assert len(np.unique(mask[abs(off) < 0.01])) > 10  # a soft edge
    assert abs(mask.mean() / 255 - 0.5) < 0.01


def test_what_a_polygon_has_outside_of_its_box_is_cut_off(tmp_path: Path) -> None:
    mask = mask_of([[-100, 0], [-100, 5000], [300, 1000], [300, 0]], tmp_path)
    assert mask is not None
    assert (mask[:38].min(), mask[42:].max()) == (255, 0)


def test_a_polygon_in_a_large_photo_is_drawn_small_and_scaled_up(tmp_path: Path) -> None:
    whole = {"box_2d": [0, 0, 1000, 1000], "mask": [[0, 0], [1000, 0], [1000, 1000]]}
    (found,) = parse_found(json.dumps([whole]), 3000, 2000, tmp_path / "answer-1")
    assert found.mask is not None
    with Image.open(found.mask) as image:
        assert image.size == (3000, 2000)
        assert abs(np.asarray(image).mean() / 255 - 0.5) < 0.01


@pytest.mark.parametrize(
    "said",
    [
        [],
        [1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6, 7],
        [[1, 2], [3, 4]],
        [[1, 2], [3, 4], [5]],
        [[1, 2], [3, 4], [5, 6, 7]],
        [[1, 2], [3, 4], [5, "6"]],
        [[1, 2], [3, 4], [5, True]],
        [[1, 2], [3, 4], None],
        [[1, 2], [3, 4], {"x": 1}],
        [TRIANGLE, [[1, 2]]],
        [TRIANGLE, 7],
        [[TRIANGLE]],
        {"points": TRIANGLE},
        [[0, 0], [0, 50], [50, 50]],  # nothing of it is in the box
        TRIANGLE * (MAX_POINTS // 3 + 1),
    ],
)
def test_a_polygon_that_is_none_is_left_out_of_its_thing(tmp_path: Path, said: object) -> None:
    assert mask_of(said, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "said",
    [
        json.dumps([{**PERSON, "mask": "<start_of_mask><seg_3><seg_81><end_of_mask>"}]),
        '[{"box_2d": [1, 2, 3, 4], "mask": <start_of_mask><seg_3>',
        "<start_of_mask><seg_3><seg_81>",
    ],
)
def test_masks_as_tokens_are_a_bad_answer_that_names_the_setting(tmp_path: Path, said: str) -> None:
    with pytest.raises(BadAnswer, match=r"does not give masks in a form that boothd knows.*mask_model") as caught:
        parse(said, tmp_path)
    assert caught.value.charged is Charged.YES
    assert list(tmp_path.iterdir()) == []


def test_masks_together_are_bounded_by_the_photo(tmp_path: Path) -> None:
    whole = {"box_2d": [0, 0, 1000, 1000], "mask": base64_of(ramp((4, 4)))}
    found = parse([whole] * 20, tmp_path)
    assert [thing.mask is not None for thing in found] == [True] * 8 + [False] * 12


def test_a_full_disk_is_no_bad_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        parse([{**PERSON, "mask": RAMP}], tmp_path / "gone")


# --- whatever comes --------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(-100, 1100), st.floats(-10, 1010), st.booleans(), st.none())
BOXES = st.one_of(st.lists(NUMBERS, min_size=4, max_size=4), st.lists(NUMBERS, max_size=6), st.text(max_size=9))
POINTS = st.one_of(
    st.lists(st.floats(-100, 1100), min_size=2, max_size=2),
    st.lists(NUMBERS, max_size=3),
    st.fixed_dictionaries({"x": NUMBERS, "y": NUMBERS}),
)
POLYGONS = st.one_of(
    st.lists(POINTS, max_size=6), st.lists(NUMBERS, max_size=9), st.lists(st.lists(POINTS), max_size=3)
)
MASKS = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.just(RAMP),
    st.integers(0, len(RAMP)).map(lambda n: RAMP[:n]),
    st.just("<start_of_mask><seg_1>"),
    POLYGONS,
)
THINGS = st.fixed_dictionaries(
    {"box_2d": BOXES},
    optional={"label": st.one_of(st.text(), NUMBERS), "mask": MASKS, "polygon": MASKS, "more": BOXES},
)
TREES = st.recursive(st.one_of(THINGS, NUMBERS, st.text(max_size=5)), lambda inner: st.lists(inner, max_size=5))


def check(text: str, width: int, height: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = parse_found(text, width, height, Path(folder) / "answer")
        except BadAnswer as error:
            assert error.charged is Charged.YES  # noqa: PT017
            assert list(Path(folder).iterdir()) == []
            return
        assert len(found) <= MAX_ITEMS
        for thing in found:
            left, top, right, bottom = thing.box
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            assert all(type(value) is int for value in thing.box)
            assert thing.label.isprintable()
            if thing.mask is not None:
                with Image.open(io.BytesIO(thing.mask.read_bytes())) as mask:
                    assert (mask.mode, mask.size) == ("L", (right - left, bottom - top))


@settings(max_examples=300, deadline=None)
@given(
    TREES, st.integers(1, 300), st.integers(1, 300), st.floats(0, 1), st.sampled_from(["", "```json\n", 'so {"a": '])
)
def test_every_answer_gives_boxes_in_the_photo_or_is_bad(
    tree: object, width: int, height: int, kept: float, before: str
) -> None:
    text = before + json.dumps(tree)
    check(text, width, height)
    check(text[: int(len(text) * kept)], width, height)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from('{}[]",:0123.-eENnutrl\\ box_2d'), st.characters())))
@example('{"box_2d":[1e999,0,0,0]}')
@example('{"box_2d":[' + "9" * 5000 + ",0,0,0]}")
def test_every_text_gives_boxes_in_the_photo_or_is_bad(text: str) -> None:
    check(text, 40, 30)
