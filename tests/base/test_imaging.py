"""Pictures from outside are hostile; what leaves is clean."""

import io
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, PngImagePlugin

from boothd.base import imaging
from boothd.base.errors import NotAPicture, OutOfTime, RequestError, TooManyPixels, UnlistedFormat
from boothd.base.imaging import OutputFormat
from tests.support.pictures import (
    HEIC,
    LEFT,
    RIGHT,
    encoded,
    jpeg_segment,
    orientation,
    png_header,
    two_colours,
    with_jpeg_segment,
    with_png_chunks,
)

MANY = 80_000_000
TURNS = {  # EXIF value: how an upright picture is turned to be stored with it
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
Keep = Callable[[bytes], Path]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Writes bytes to a file, always under the same misleading name."""

    def write(data: bytes) -> Path:
        path = tmp_path / "photo.jpg"
        path.write_bytes(data)
        return path

    return write


def finish(path: Path, form: OutputFormat = "JPEG", size: tuple[int, int] | None = None) -> bytes | None:
    return imaging.finish(path, form, size, MANY, lambda: None)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def near(colour: object, wanted: tuple[int, ...], by: int = 12) -> bool:
    return isinstance(colour, tuple) and all(abs(a - b) <= by for a, b in zip(colour, wanted, strict=True))


def shows_two_colours(image: Image.Image) -> bool:
    return near(image.getpixel((4, 4)), LEFT) and near(image.getpixel((image.width - 4, 4)), RIGHT)


def unused_metadata(data: bytes) -> dict[object, object]:
    """What a finished picture's file says beside its pixels; a JPEG may say that it is one."""
    image = opened(data)
    assert not getattr(image, "is_animated", False)
    found: dict[object, object] = {k: v for k, v in image.info.items() if not str(k).startswith("jfif")}
    return found | dict(image.getexif().items())


# what it is


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("JPEG", encoded(two_colours(), "JPEG")),
        ("PNG", encoded(two_colours(), "PNG")),
        ("WEBP", encoded(two_colours(), "WEBP")),
        ("HEIF", HEIC),
    ],
)
def test_a_picture_is_known_by_its_first_bytes_measured_and_read(keep: Keep, form: str, data: bytes) -> None:
    path = keep(data)
    assert imaging.sniff(data[: imaging.SNIFF_BYTES]) == form
    assert imaging.inspect(path, MANY) == imaging.Measures(form, 64, 32, 1)
    image = imaging.load_rgb(path)
    assert (image.mode, image.size) == ("RGB", (64, 32))
    assert shows_two_colours(image)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "EPS", "JPEG2000", "AVIF"])
def test_a_picture_of_another_format_is_unlisted_whatever_its_name(keep: Keep, form: str) -> None:
    path = keep(encoded(two_colours(), form))
    for read in (imaging.load_rgb, finish, lambda p: imaging.inspect(p, MANY)):
        with pytest.raises(UnlistedFormat):
            read(path)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF", b"<html>", b"\0" * 100, b"RIFF\0\0\0\0WAVEfmt "])
def test_what_is_no_picture_is_refused(keep: Keep, data: bytes) -> None:
    with pytest.raises(NotAPicture):
        imaging.inspect(keep(data), MANY)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
        b"\xff\xd8\xff\xd9",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        png_header(0, 0),
        b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 20,
        HEIC[:200],
    ],
)
def test_what_only_begins_like_a_picture_is_refused(keep: Keep, data: bytes) -> None:
    with pytest.raises(NotAPicture):
        imaging.inspect(keep(data), MANY)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("JPEG", encoded(two_colours((400, 300)), "JPEG")),
        ("PNG", encoded(Image.effect_noise((200, 150), 50).convert("RGB"), "PNG")),
        ("WEBP", encoded(Image.effect_noise((200, 150), 50).convert("RGB"), "WEBP")),
        ("HEIF", HEIC),
    ],
)
def test_a_picture_that_is_cut_short_is_refused_when_it_is_read(keep: Keep, form: str, data: bytes) -> None:
    path = keep(data[: len(data) - len(data) // 10])
    with pytest.raises(NotAPicture):
        imaging.load_rgb(path)
    with pytest.raises(NotAPicture):
        finish(path, "PNG" if form == "PNG" else "JPEG")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_bytes_make_a_picture_or_a_request_error_and_nothing_else(keep: Keep, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([encoded(two_colours(), f) for f in ("JPEG", "PNG", "WEBP")] + [HEIC])))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = keep(bytes(whole))
    for read in (imaging.load_rgb, finish):
        try:
            read(path)
        except RequestError:
            pass


@pytest.mark.parametrize("byte", [0x80, 0xC3, 0xFF])
def test_heic_with_an_item_type_that_is_no_text_does_not_end_the_process(keep: Keep, byte: int) -> None:
    """pi_heif 1.4.0 dies of it."""
    place = HEIC.index(b"Exif")
    for number in range(4):
        path = keep(HEIC[: place + number] + bytes((byte,)) + HEIC[place + number + 1 :])
        for read in (imaging.load_rgb, finish, lambda p: imaging.inspect(p, MANY)):
            with pytest.raises(NotAPicture):
                read(path)


def test_a_fault_of_the_disk_is_not_the_pictures(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        imaging.inspect(tmp_path / "gone.jpg", MANY)


# how large it is


@pytest.mark.parametrize("size", [(40_000, 40_000), (2_147_483_647, 2_147_483_647)])
def test_a_pixel_bomb_is_refused_by_its_header_in_no_memory(keep: Keep, size: tuple[int, int]) -> None:
    path = keep(png_header(*size))
    tracemalloc.start()
    for read in (finish, lambda p: imaging.inspect(p, MANY)):
        with pytest.raises(RequestError) as caught:
            read(path)
        assert isinstance(caught.value, TooManyPixels | NotAPicture)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_too_many_pixels_says_how_many_and_how_many_are_taken(keep: Keep) -> None:
    path = keep(png_header(40_000, 40_000))
    with pytest.raises(TooManyPixels, match="40000×40000 pixels; boothd takes at most 80 megapixels"):
        imaging.inspect(path, MANY)


def test_as_many_pixels_as_are_taken_are_taken(keep: Keep) -> None:
    path = keep(encoded(two_colours((100, 50)), "JPEG"))
    assert imaging.inspect(path, 5000).width == 100
    with pytest.raises(TooManyPixels):
        imaging.inspect(path, 4999)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_that_is_cut_short_is_none(keep: Keep, form: str) -> None:
    whole = encoded(Image.effect_noise((300, 200), 50).convert("RGB"), form)
    with pytest.raises(NotAPicture, match="cut short"):
        imaging.inspect(keep(whole[: len(whole) // 2]), MANY)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("more", [0, 1000, 3 << 20])
def test_whatever_a_camera_writes_behind_a_picture_does_no_harm(keep: Keep, form: str, more: int) -> None:
    whole = encoded(Image.effect_noise((300, 200), 50).convert("RGB"), form)
    assert imaging.inspect(keep(whole + bytes(more)), MANY) == imaging.Measures(form, 300, 200, 1)


def test_a_picture_whose_end_is_there_is_not_decoded(keep: Keep) -> None:
    whole = encoded(Image.effect_noise((300, 200), 50).convert("RGB"), "JPEG")
    broken = whole[: len(whole) // 2] + b"\xff\xc0\x00\x02" + b"\xff\xd9"
    assert imaging.inspect(keep(broken), MANY) == imaging.Measures("JPEG", 300, 200, 1)
    with pytest.raises(NotAPicture):
        imaging.load_rgb(keep(broken))


@pytest.mark.parametrize("at_the_end", [False, True])
def test_twenty_thousand_text_chunks_are_only_text(keep: Keep, at_the_end: bool) -> None:
    texts = [(b"tEXt", b"prompt%d\0a cat" % number) for number in range(20_000)]
    path = keep(with_png_chunks(encoded(two_colours(), "PNG"), texts, at_the_end=at_the_end))
    made = finish(path, "PNG")
    assert made is not None
    assert unused_metadata(made) == {}
    assert shows_two_colours(opened(made))


def test_a_text_that_unpacks_into_gigabytes_is_refused(keep: Keep) -> None:
    bomb = b"Comment\0\0" + zlib.compress(b"\0" * (50 << 20))
    path = keep(with_png_chunks(encoded(two_colours(), "PNG"), [(b"zTXt", bomb)] * 3))
    with pytest.raises(NotAPicture):
        imaging.inspect(path, MANY)


# its colours


def test_transparency_goes_onto_white(keep: Keep) -> None:
    image = two_colours(mode="RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    assert imaging.load_rgb(keep(encoded(image, "PNG"))).getpixel((0, 0)) == (255, 255, 255)


def test_a_palette_with_transparency_goes_onto_white(keep: Keep) -> None:
    image = two_colours().quantize(4)
    path = keep(encoded(image, "PNG", transparency=image.getpixel((0, 0))))
    read = imaging.load_rgb(path)
    assert read.getpixel((0, 0)) == (255, 255, 255)
    assert near(read.getpixel((60, 0)), RIGHT)


def test_a_transparent_colour_goes_onto_white(keep: Keep) -> None:
    read = imaging.load_rgb(keep(encoded(two_colours(), "PNG", transparency=LEFT)))
    assert read.getpixel((0, 0)) == (255, 255, 255)
    assert near(read.getpixel((60, 0)), RIGHT)


def test_grey_with_alpha_goes_onto_white(keep: Keep) -> None:
    read = imaging.load_rgb(keep(encoded(Image.new("LA", (8, 8), (10, 0)), "PNG")))
    assert read.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("value", "grey"), [(0, 0), (0x2040, 0x20), (0x80FF, 0x80), (0xFFFF, 0xFF)])
def test_sixteen_bits_of_grey_keep_their_tone(keep: Keep, value: int, grey: int) -> None:
    path = keep(encoded(Image.new("I;16", (8, 8), value), "PNG"))
    assert imaging.load_rgb(path).getpixel((0, 0)) == (grey, grey, grey)


def test_sixteen_bits_of_grey_with_a_transparent_tone(keep: Keep) -> None:
    image = Image.new("I;16", (8, 8), 0x2040)
    image.putpixel((0, 0), 0x1000)
    read = imaging.load_rgb(keep(encoded(image, "PNG", transparency=0x1000)))
    assert read.getpixel((0, 0)) == (255, 255, 255)
    assert read.getpixel((1, 1)) == (0x20, 0x20, 0x20)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_colours_become_rgb(keep: Keep, mode: str) -> None:
    read = imaging.load_rgb(keep(encoded(two_colours(mode=mode), "PNG")))
    assert (read.mode, read.size) == ("RGB", (64, 32))


def test_cmyk_becomes_rgb(keep: Keep) -> None:
    read = imaging.load_rgb(keep(encoded(two_colours(mode="CMYK"), "JPEG")))
    assert read.mode == "RGB"
    assert shows_two_colours(read)


def profile(swap: bool = False) -> bytes:
    """A colour profile: sRGB, or one whose red and blue primaries are exchanged."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ") if swap else data


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P")])
def test_a_colour_profile_is_worked_in(keep: Keep, mode: str, form: str) -> None:
    path = keep(encoded(two_colours(mode=mode), form, icc_profile=profile(swap=True)))
    read = imaging.load_rgb(path)
    left = read.getpixel((4, 4))
    assert isinstance(left, tuple)
    assert left[2] > left[0] + 100  # red has become blue
    assert "icc_profile" not in read.info


def test_a_broken_profile_does_not_lose_the_photo(keep: Keep) -> None:
    path = keep(encoded(two_colours(), "JPEG", icc_profile=b"no profile at all"))
    assert shows_two_colours(imaging.load_rgb(path))


def test_a_profile_of_another_colour_space_does_not_lose_the_photo(keep: Keep) -> None:
    path = keep(encoded(two_colours(mode="L"), "JPEG", icc_profile=profile()))
    assert imaging.load_rgb(path).mode == "RGB"


# its orientation


@pytest.mark.parametrize("value", TURNS)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_turned_upright(keep: Keep, form: str, value: int) -> None:
    upright = two_colours()
    upright.paste((0, 200, 0), (0, 0, 20, 10))
    turn = TURNS[value]
    stored = upright if turn is None else upright.transpose(turn)
    path = keep(encoded(stored, form, exif=orientation(value)))
    assert imaging.inspect(path, MANY) == imaging.Measures(form, *stored.size, value)
    read = imaging.load_rgb(path)
    assert read.size == upright.size
    for place in ((10, 5), (26, 16), (60, 16)):
        wanted = upright.getpixel(place)
        assert isinstance(wanted, tuple)
        assert near(read.getpixel(place), wanted, 40)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0" + b"\xff" * 40, b"Exif\0\0nonsense", b""])
def test_broken_exif_does_not_lose_the_photo(keep: Keep, exif: bytes) -> None:
    path = keep(with_jpeg_segment(encoded(two_colours(), "JPEG"), 0xE1, exif))
    assert imaging.inspect(path, MANY).orientation == 1
    assert shows_two_colours(imaging.load_rgb(path))


def test_an_orientation_that_does_not_exist_is_none(keep: Keep) -> None:
    assert imaging.inspect(keep(encoded(two_colours(), "JPEG", exif=orientation(9))), MANY).orientation == 1


# of many frames the first


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_of_an_animation_the_first_picture_counts(keep: Keep, form: str) -> None:
    other = Image.new("RGB", (64, 32), "white")
    path = keep(encoded(two_colours(), form, save_all=True, append_images=[other], duration=100))
    assert shows_two_colours(imaging.load_rgb(path))
    made = finish(path, "PNG")
    assert made is not None
    assert unused_metadata(made) == {}


# what leaves


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [None, (64, 32), (1000, 1000)])
def test_an_answer_that_is_as_wanted_is_used_as_it_is(
    keep: Keep, form: OutputFormat, size: tuple[int, int] | None
) -> None:
    assert finish(keep(encoded(two_colours(), form)), form, size) is None


def test_a_png_with_transparency_is_used_as_it_is(keep: Keep) -> None:
    assert finish(keep(encoded(two_colours(mode="RGBA"), "PNG")), "PNG") is None


def test_a_progressive_jpeg_is_used_as_it_is(keep: Keep) -> None:
    noise = Image.effect_noise((300, 200), 60).convert("RGB")
    assert finish(keep(encoded(noise, "JPEG", progressive=True))) is None


def _text(png: bytes) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a secret prompt")
    return encoded(opened(png), "PNG", pnginfo=texts)


JPEG, PNG = encoded(two_colours(), "JPEG"), encoded(two_colours(), "PNG")


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("JPEG", PNG),
        ("PNG", JPEG),
        ("JPEG", encoded(two_colours(), "WEBP")),
        ("JPEG", HEIC),
        ("JPEG", encoded(two_colours(), "JPEG", exif=orientation(1))),
        ("JPEG", encoded(two_colours(), "JPEG", comment=b"a secret prompt")),
        ("JPEG", encoded(two_colours(), "JPEG", icc_profile=profile())),
        ("JPEG", encoded(two_colours(), "JPEG", xmp=b"<x:xmpmeta>secret</x:xmpmeta>")),
        ("JPEG", with_jpeg_segment(JPEG, 0xEB, b"JUMBF, who made it and how")),
        ("JPEG", with_jpeg_segment(JPEG, 0xED, b"Photoshop 3.0\0")),
        ("JPEG", JPEG + b"a second picture behind the first"),
        ("JPEG", JPEG + JPEG),
        ("JPEG", JPEG[:-2] + jpeg_segment(0xFE, b"late comment") + JPEG[-2:]),
        ("JPEG", encoded(two_colours(mode="L"), "JPEG")),
        ("JPEG", encoded(two_colours(mode="CMYK"), "JPEG")),
        ("PNG", _text(PNG)),
        ("PNG", with_png_chunks(PNG, [(b"tEXt", b"late\0text")], at_the_end=True)),
        ("PNG", with_png_chunks(PNG, [(b"caBX", b"content credentials")])),
        ("PNG", with_png_chunks(PNG, [(b"tIME", b"\x07\xea\x0b\x14\x12\0\0")])),
        ("PNG", encoded(two_colours(), "PNG", exif=orientation(1))),
        ("PNG", encoded(two_colours(), "PNG", icc_profile=profile())),
        ("PNG", encoded(two_colours(mode="RGBA"), "PNG", icc_profile=profile())),
        ("PNG", PNG + b"behind the end"),
        ("PNG", encoded(two_colours(mode="P"), "PNG")),
    ],
)
def test_an_answer_with_anything_else_is_made_anew_without_it(keep: Keep, form: OutputFormat, data: bytes) -> None:
    made = finish(keep(data), form)
    assert made is not None
    assert opened(made).format == form
    assert unused_metadata(made) == {}
    assert finish(keep(made), form) is None  # nothing is left to be done


def test_a_finished_png_keeps_its_transparency(keep: Keep) -> None:
    image = two_colours((200, 100), mode="RGBA")
    image.putalpha(100)
    made = finish(keep(encoded(image, "PNG", icc_profile=profile())), "PNG", (100, 100))
    assert made is not None
    assert opened(made).getpixel((0, 0))[3] == 100  # type: ignore[index]


@pytest.mark.parametrize(
    ("stored", "size", "wanted"),
    [
        ((400, 200), (100, 100), (100, 50)),
        ((200, 400), (100, 100), (50, 100)),
        ((400, 200), (399, 1000), (399, 200)),
        ((400, 200), (400, 200), (400, 200)),
        ((40, 20), (100, 100), (40, 20)),
        ((3000, 2), (100, 100), (100, 1)),
    ],
)
def test_a_picture_is_shrunk_to_fit_and_never_enlarged(
    keep: Keep, stored: tuple[int, int], size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    made = finish(keep(encoded(two_colours(stored), "PNG")), "JPEG", size)
    assert made is not None
    assert opened(made).size == wanted


def test_the_size_is_that_of_the_upright_picture(keep: Keep) -> None:
    made = finish(keep(encoded(two_colours((400, 200)), "JPEG", exif=orientation(6))), "JPEG", (100, 400))
    assert made is not None
    assert opened(made).size == (100, 200)


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.tuples(st.integers(1, 300), st.integers(1, 300)))
def test_whatever_is_fitted_fits(stored: tuple[int, int], size: tuple[int, int]) -> None:
    made = imaging.fit(Image.new("RGB", stored), size)
    assert made.width <= min(stored[0], size[0])
    assert made.height <= min(stored[1], size[1])


def test_the_budget_is_asked_between_the_steps(keep: Keep) -> None:
    def over() -> None:
        raise OutOfTime

    with pytest.raises(OutOfTime):
        imaging.finish(keep(JPEG), "JPEG", None, MANY, over)


def test_an_answer_that_is_as_wanted_moves_to_its_place(keep: Keep, tmp_path: Path) -> None:
    answer, target = keep(JPEG), tmp_path / "result.jpg"
    written = imaging.finish_into(answer, target, "JPEG", None, MANY, lambda: None)
    assert (target.read_bytes(), answer.exists()) == (JPEG, False)
    assert written == imaging.measure(target)
    assert written.size_bytes == len(JPEG)


def test_an_answer_that_must_change_is_used_up(keep: Keep, tmp_path: Path) -> None:
    answer, target = keep(PNG), tmp_path / "result.jpg"
    written = imaging.finish_into(answer, target, "JPEG", None, MANY, lambda: None)
    assert (opened(target.read_bytes()).format, answer.exists()) == ("JPEG", False)
    assert written == imaging.measure(target)


def test_a_broken_answer_leaves_nothing_at_its_place(keep: Keep, tmp_path: Path) -> None:
    with pytest.raises(NotAPicture):
        imaging.finish_into(keep(JPEG[:-100]), tmp_path / "result.jpg", "PNG", None, MANY, lambda: None)
    assert not (tmp_path / "result.jpg").exists()


def test_a_copy_is_upright_and_clean_and_leaves_the_source(keep: Keep, tmp_path: Path) -> None:
    source, target = keep(encoded(two_colours((64, 32)), "JPEG", exif=orientation(6))), tmp_path / "upright.jpg"
    before = source.read_bytes()
    written = imaging.copy_as(source, target, "JPEG", None)
    assert opened(target.read_bytes()).size == (32, 64)
    assert unused_metadata(target.read_bytes()) == {}
    assert source.read_bytes() == before
    assert written == imaging.measure(target)
    assert opened(imaging.upright_jpeg(source)).size == (32, 64)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16", "1", "LA"])
def test_any_picture_can_be_encoded_without_its_metadata(form: OutputFormat, mode: str) -> None:
    image = Image.new("I;16", (64, 32), 0x8000) if mode == "I;16" else two_colours(mode=mode)
    image.info |= {"comment": b"secret", "icc_profile": profile(), "parameters": "secret", "dpi": (300, 300)}
    assert unused_metadata(imaging.encode(image, form)) == {}


def test_png_loses_nothing(keep: Keep) -> None:
    noise = Image.effect_noise((64, 32), 60).convert("RGB")
    again = opened(imaging.encode(noise, "PNG"))
    assert ImageChops.difference(noise, again).getbbox() is None
