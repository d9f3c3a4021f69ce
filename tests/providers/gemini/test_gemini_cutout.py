"""Cut out, don't repaint: scored on guests whose alpha is known, along maps as coarse and noisy as a model's."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from boothd.base.errors import BadAnswer, Charged, OutOfTime
from boothd.providers.gemini.cutout import GUESTS, compose
from boothd.providers.gemini.reading import prompt_for
from boothd.providers.interfaces import Found, Question
from boothd.providers.studio.compose import Cutter, find_alpha, grid_of
from boothd.sandbox.guest import make_guest
from boothd.sandbox.scene import compose_scene

Plane = NDArray[np.float32]
Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]
REACH = 4.0
ROOMS = ("screen", "sea", "room", "white")


def go_on() -> None:
    """A job whose time is not over."""


@cache
def guest(room: str) -> tuple[Picture, Plane]:
    """The sample guest before something: the photo and the true alpha, half the size."""
    made = make_guest()
    alpha = made.alpha[..., None]
    height, width = made.alpha.shape
    random = np.random.default_rng(7)
    if room == "screen":
        photo: Plane = made.photo.astype(np.float32)
    else:
        behind: Plane = np.full((height, width, 3), 225, np.float32)
        if room == "sea":
            behind = np.asarray(compose_scene(), np.float32)
        elif room == "room":
            for _ in range(60):
                left, top = int(random.integers(0, width)), int(random.integers(0, height))
                corner = (left + int(random.integers(30, 600)), top + int(random.integers(30, 500)))
                cv2.rectangle(behind, (left, top), corner, random.uniform(20, 240, 3).tolist(), -1)
            behind = np.asarray(cv2.GaussianBlur(behind, (0, 0), 2.5), np.float32)
        mixed = made.colour * alpha + behind * (1 - alpha)
        photo = mixed + random.normal(0, 2, behind.shape).astype(np.float32)
    size = (width // 2, height // 2)
    small = cv2.resize(np.clip(photo + 0.5, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), np.asarray(cv2.resize(made.alpha, size, interpolation=cv2.INTER_AREA))


def model_map(alpha: Plane) -> tuple[Box, Picture]:
    """What a model makes of an alpha: a box, and in it 256x256 probabilities without hair, off by a pixel, noisy."""
    rows, columns = np.nonzero(alpha > 0.3)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    small = cv2.resize(alpha[box[1] : box[3], box[0] : box[2]], (256, 256), interpolation=cv2.INTER_AREA)
    sure = 1 / (1 + np.exp(-14 * (cv2.GaussianBlur(small, (0, 0), 3) - 0.5)))
    random = np.random.default_rng(3)
    shift: Plane = np.asarray(cv2.GaussianBlur(random.standard_normal((256, 256, 2)).astype(np.float32), (0, 0), 8))
    y, x = np.mgrid[0:256, 0:256].astype(np.float32)
    shift /= shift.std()
    off = cv2.remap(
        sure.astype(np.float32), x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    noisy = cv2.GaussianBlur(off, (0, 0), 1) * 255 + random.normal(0, 8, off.shape)
    return box, np.clip(noisy, 0, 255).astype(np.uint8)


def scaled(alpha: Plane) -> Plane:
    """The map scaled up, and no more: the comparison."""
    (left, top, right, bottom), said = model_map(alpha)
    whole = np.zeros(alpha.shape, np.float32)
    whole[top:bottom, left:right] = cv2.resize(said, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)
    return np.asarray(whole / 255, np.float32)


def likely(alpha: Plane, photo: Picture) -> Plane:
    rows, columns = grid_of(photo).shape
    return np.asarray(cv2.resize(scaled(alpha), (columns, rows), interpolation=cv2.INTER_AREA))


def error(found: Plane, alpha: Plane) -> tuple[float, float]:
    """The mean absolute error of alpha: everywhere, and where it is neither 0 nor 1."""
    band = (alpha > 0.005) & (alpha < 0.995)
    off = np.abs(found - alpha)
    return float(off.mean()), float(off[band].mean())


# --- alpha -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
def test_alpha_is_much_nearer_to_the_truth_than_the_map(room: str) -> None:
    photo, alpha = guest(room)
    found = find_alpha(photo, likely(alpha, photo), REACH, go_on)
    everywhere, band = error(found, alpha)
    by_map, by_map_band = error(scaled(alpha), alpha)
    assert everywhere * 3 < by_map
    assert band * 2 < by_map_band


@pytest.mark.parametrize("room", ROOMS)
def test_the_guest_is_solid_inside_and_nothing_is_left_far_outside(room: str) -> None:
    photo, alpha = guest(room)
    found = find_alpha(photo, likely(alpha, photo), REACH, go_on)
    far = cv2.erode((alpha < 0.001).astype(np.uint8), np.ones((121, 121))) > 0
    deep = cv2.erode((alpha > 0.999).astype(np.uint8), np.ones((121, 121)), borderValue=1) > 0
    assert deep.any()
    assert (found[deep] == 1).all()
    assert (found[far] == 0).all()


def test_hair_comes_out_soft() -> None:
    photo, alpha = guest("white")
    found = find_alpha(photo, likely(alpha, photo), REACH, go_on)
    hair = (alpha > 0.1) & (alpha < 0.9)
    hair[300:] = False
    soft = (found > 0.05) & (found < 0.95)
    assert soft[hair].mean() > 0.5


def test_the_background_is_taken_out_of_the_edge() -> None:
    photo, alpha = guest("screen")
    cutter = Cutter(photo, likely(alpha, photo), REACH, go_on)
    premultiplied = np.zeros((*alpha.shape, 3), np.float32)
    for tile in cutter.tiles():
        premultiplied[tile.top : tile.bottom, tile.left : tile.right], _ = cutter.guest(tile)
    band = (alpha > 0.2) & (alpha < 0.8)

    def green(colour: NDArray[np.float32]) -> float:
        return float(np.maximum(colour[..., 1] - np.maximum(colour[..., 0], colour[..., 2]), 0)[band].mean())

    assert green(premultiplied) * 3 < green(photo * alpha[..., None])


# --- the finished picture --------------------------------------------------------------------------------------------


class Desk:
    """A photo, a reference and masks on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.answer = folder, folder / "answer"
        self.photo, self.reference = folder / "photo.png", folder / "reference.png"
        Image.new("RGB", (30, 20), "navy").save(self.reference)

    def mask(self, box: Box, said: Picture) -> Found:
        path = self.folder / f"mask-{len(list(self.folder.iterdir()))}.png"
        Image.fromarray(said).resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BICUBIC).save(path)
        return Found("guest", box, path)

    def compose(self, found: Sequence[Found], size: tuple[int, int] | None = None, form: str = "PNG") -> Picture:
        compose(self.photo, found, self.reference, size, form, self.answer, go_on)  # type: ignore[arg-type]
        with Image.open(self.answer) as image:
            assert image.format == form
            return np.asarray(image.convert("RGB"))

    def plain(self, width: int = 300, height: int = 200) -> Picture:
        """A photo of a grey wall with a speckled red square, (60..180, 40..160); returned as pixels."""
        random = np.random.default_rng(1)
        photo = np.full((height, width, 3), 120, np.uint8)
        photo[40:160, 60:180] = (200, 40, 30)
        photo += random.integers(0, 20, photo.shape, np.uint8)
        Image.fromarray(photo).save(self.photo)
        return photo


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


SQUARE = (60, 40, 180, 160)


def full(value: int = 255) -> Picture:
    return np.full((256, 256), value, np.uint8)


def test_the_guests_own_pixels_are_kept_and_the_reference_is_behind(desk: Desk) -> None:
    photo, alpha = guest("room")
    Image.fromarray(photo).save(desk.photo)
    made = desk.compose([desk.mask(*model_map(alpha))])
    deep = cv2.erode((alpha > 0.999).astype(np.uint8), np.ones((121, 121)), borderValue=1) > 0
    assert made.shape == photo.shape
    assert (made[deep] == photo[deep]).all()
    assert (made[:20] == (0, 0, 128)).all()


def test_several_masks_are_one_group(desk: Desk) -> None:
    photo = desk.plain()
    left = desk.mask((60, 40, 120, 160), full())
    right = desk.mask((120, 40, 180, 160), full())
    made = desk.compose([left, Found("no mask", (0, 0, 300, 200)), right])
    assert (made[60:140, 80:160] == photo[60:140, 80:160]).all()
    assert (made[:15] == (0, 0, 128)).all()


def test_specks_that_stand_alone_are_left_out(desk: Desk) -> None:
    desk.plain()
    made = desk.compose([desk.mask(SQUARE, full()), desk.mask((270, 20, 276, 26), full())])
    assert (made[10:40, 255:] == (0, 0, 128)).all()


def test_a_pinhole_in_the_map_is_no_hole_but_a_gap_stays_one(desk: Desk) -> None:
    photo = desk.plain()
    said = full()
    said[30:34, 30:34] = 0
    made = desk.compose([desk.mask(SQUARE, said)])
    assert (made[45:75, 65:95] == photo[45:75, 65:95]).mean() > 0.98
    photo[70:130, 90:150] = 120
    Image.fromarray(photo).save(desk.photo)
    said[64:192, 64:192] = 0
    made = desk.compose([desk.mask(SQUARE, said)])
    assert (made[95:105, 115:125] == (0, 0, 128)).all()


@pytest.mark.parametrize("size", [(150, 150), (150, 1000), (90, 60)])
def test_the_picture_is_no_larger_than_it_may_be(desk: Desk, size: tuple[int, int]) -> None:
    desk.plain()
    made = desk.compose([desk.mask(SQUARE, full())], size, "JPEG")
    height, width = made.shape[:2]
    assert (width, height) == ((150, 100) if size[0] == 150 else (90, 60))
    middle = made[height // 2, round(width * 0.4)].astype(int)
    assert middle[0] > 180
    assert np.abs(made[2, 2].astype(int) - (0, 0, 128)).max() < 12


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 2), (641, 640), (1282, 7)])
def test_photos_of_odd_shapes_go_through(desk: Desk, shape: tuple[int, int]) -> None:
    height, width = shape
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(desk.photo)
    top = desk.mask((0, 0, width, max(1, height // 2)), full())
    if height > 1:
        assert desk.compose([top]).shape == (height, width, 3)
    else:
        with pytest.raises(BadAnswer):
            desk.compose([top])


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([], "found nobody"),
        ([None], "no usable masks"),
        ([(SQUARE, 0)], "cover nothing"),
        ([(SQUARE, 100)], "cover nothing"),
        ([((0, 0, 300, 200), 255)], "nearly everything"),
    ],
)
def test_masks_of_no_use_are_a_bad_answer_that_is_charged(
    desk: Desk, masks: list[tuple[Box, int] | None], said: str
) -> None:
    desk.plain()
    found = [Found("guest", SQUARE) if mask is None else desk.mask(mask[0], full(mask[1])) for mask in masks]
    with pytest.raises(BadAnswer, match=said) as caught:
        desk.compose(found)
    assert caught.value.charged is Charged.YES
    assert not desk.answer.exists()


def test_whoever_gives_up_is_heard_at_every_step(desk: Desk) -> None:
    desk.plain()
    found = [desk.mask(SQUARE, full())]
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls > last:
            raise OutOfTime()

    last = 1000
    compose(desk.photo, found, desk.reference, None, "PNG", desk.answer, count)
    desk.answer.unlink()
    for last in range(calls):  # noqa: B007 (read by `count`)
        calls = 0
        with pytest.raises(OutOfTime):
            compose(desk.photo, found, desk.reference, None, "PNG", desk.answer, count)
        assert not desk.answer.exists()
    assert last > 8


def test_the_question_is_about_the_guests_and_their_things() -> None:
    asked = prompt_for(Question(GUESTS, "masks"))
    for word in ("people", "wear", "hold", "sit on", "foreground"):
        assert word in asked
