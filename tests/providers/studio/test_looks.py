"""The looks keep their promises on pictures drawn here: two faces, light and dark, over a coloured gradient."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from boothd.providers.studio.looks import LOOKS, Image, Look

STRUCTURAL = {"pencil", "charcoal", "watercolour", "oil", "pointillism", "comic", "popart", "riso", "newsprint"} | {
    "engraving",
    "linocut",
    "glass",
    "stitch",
}
each_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)


def no_check() -> None:
    """A budget without an end."""


@cache
def portrait(width: int = 480) -> Image:
    """A group photo of 4:3: gradients, edges, skin tones, a little sensor noise."""
    height = width * 3 // 4
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) * np.float32(640 / width)
    picture = np.dstack([80 + 120 * x / 640, 110 + 80 * y / 480, 190 - 90 * x / 640])

    def disc(at: tuple[float, float], size: tuple[float, float], colour: tuple[int, int, int]) -> None:
        across, down = (x - at[0]) / size[0], (y - at[1]) / size[1]
        inside = across**2 + down**2 < 1
        light = 1.12 - 0.25 * (across + down)
        picture[inside] = light[inside, None] * np.array(colour)

    faces = ((190, 200, 80, (226, 178, 150), (170, 40, 50)), (430, 250, 90, (110, 72, 52), (40, 80, 150)))
    for cx, cy, size, skin, shirt in faces:
        disc((cx, cy + 1.9 * size), (1.5 * size, size), shirt)
        disc((cx, cy), (size, 1.25 * size), skin)
        disc((cx, cy - 0.9 * size), (size, 0.45 * size), (60, 40, 30))
        disc((cx, cy + 0.55 * size), (0.4 * size, 0.12 * size), (170, 60, 60))
        for eye in (-0.38, 0.38):
            disc((cx + eye * size, cy - 0.15 * size), (0.14 * size, 0.14 * size), (245, 245, 245))
            disc((cx + eye * size, cy - 0.15 * size), (0.07 * size, 0.07 * size), (30, 25, 25))
    noise = np.random.default_rng(5).normal(0, 3, (height, width, 3))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@cache
def portrait_as(name: str) -> Image:
    """The group photo in this look."""
    return named(name).apply(portrait(), no_check)


def named(name: str) -> Look:
    return next(look for look in LOOKS if look.name == name)


def not_explained(before: Image, after: Image) -> float:
    """What the best mapping of colours from `before` leaves unexplained in `after`: root mean square, 0..255.

    About 2 for any curve or colour matrix, however wild; a different structure leaves more."""
    level = before.astype(np.int64) // 8
    colour = ((level[..., 0] * 32 + level[..., 1]) * 32 + level[..., 2]).ravel()
    count = np.maximum(np.bincount(colour), 1)
    square = 0.0
    for channel in range(3):
        values = after[..., channel].ravel().astype(np.float64)
        mean = np.bincount(colour, values) / count
        square += float(np.square(values - mean[colour]).mean())
    return float(np.sqrt(square / 3))


def test_there_are_enough_looks_and_their_names_are_unique() -> None:
    names = [look.name for look in LOOKS]
    assert len(names) == len(set(names)) >= 8
    assert len(STRUCTURAL & set(names)) >= 6
    assert len({look.title_en for look in LOOKS}) == len({look.title_ru for look in LOOKS}) == len(names)
    assert all(look.words for look in LOOKS)


@each_look
def test_a_look_is_a_picture_of_the_same_size_and_leaves_its_input_alone(look: Look) -> None:
    photo = portrait()
    before = photo.copy()
    picture = portrait_as(look.name)
    assert picture.shape == photo.shape
    assert picture.dtype == np.uint8
    assert np.array_equal(photo, before)
    assert np.abs(picture.astype(int) - photo).mean() > 4


@each_look
def test_a_look_is_deterministic(look: Look) -> None:
    small = np.ascontiguousarray(portrait(160))
    assert np.array_equal(look.apply(small, no_check), look.apply(small.copy(), no_check))


@each_look
def test_a_look_is_more_than_a_colour_table(look: Look) -> None:
    least = 10.0 if look.name in STRUCTURAL else 3.5
    assert not_explained(portrait(), portrait_as(look.name)) > least


def test_the_measure_is_blind_to_curves_and_colour_matrices() -> None:
    curve = np.round(255 * (np.arange(256) / 255) ** 0.6).astype(np.uint8)
    sepia = cv2.transform(portrait(), np.array([[0.4, 0.7, 0.2], [0.3, 0.6, 0.2], [0.2, 0.5, 0.1]]))
    assert not_explained(portrait(), cv2.LUT(portrait(), curve).astype(np.uint8)) < 2.5
    assert not_explained(portrait(), sepia.astype(np.uint8)) < 2.5


@each_look
def test_no_look_is_another_one_with_other_colours(look: Look) -> None:
    others = {other.name for other in LOOKS} - {look.name}
    alike = {name: not_explained(portrait_as(look.name), portrait_as(name)) for name in others}
    assert min(alike.values()) > 5, alike


@pytest.mark.parametrize("look", [look for look in LOOKS if look.name != "popart"], ids=lambda look: look.name)
def test_a_face_stays_where_it_was(look: Look) -> None:  # pop art shows the picture four times
    lightness = [coarse(picture, 24, 18).mean(axis=2).ravel() for picture in (portrait(), portrait_as(look.name))]
    assert np.corrcoef(*lightness)[0, 1] > 0.6


@each_look
def test_a_look_does_not_depend_on_the_pixel_count(look: Look) -> None:
    large = cv2.resize(portrait(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    of_large = look.apply(large, no_check)
    # Averaged over areas larger than any stroke, both sizes are the same picture.
    difference = np.abs(coarse(of_large, 20, 15) - coarse(portrait_as(look.name), 20, 15))
    assert difference.mean() < 7


def coarse(picture: Image, width: int, height: int) -> NDArray[np.float64]:
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64)


@each_look
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (16, 16), (3, 2000), (2000, 3), (37, 61)], ids=str)
def test_tiny_and_long_pictures_come_through(look: Look, shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(7).integers(0, 256, (*shape, 3), np.uint8)
    picture = look.apply(photo, no_check)
    assert picture.shape == photo.shape
    assert picture.dtype == np.uint8


@each_look
@pytest.mark.parametrize("tone", [0, 127, 255])
def test_blank_pictures_come_through(look: Look, tone: int) -> None:
    photo = np.full((60, 80, 3), tone, np.uint8)
    picture = look.apply(photo, no_check)
    assert picture.shape == photo.shape
    if tone == 255 and look.name not in {"popart", "vintage", "stitch"}:
        assert picture.mean() > 120, "white must not turn dark"


@each_look
def test_a_look_takes_a_view_and_a_read_only_picture(look: Look) -> None:
    photo = portrait(160)[:, ::-1]
    photo.flags.writeable = False
    assert look.apply(photo, no_check).shape == photo.shape


class BudgetOverError(Exception):
    """The job's time is over."""


def ends_after(calls: int) -> Callable[[], None]:
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise BudgetOverError

    return check


@each_look
def test_a_look_stops_wherever_its_budget_ends(look: Look) -> None:
    small = portrait(120)
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    look.apply(small, count)
    assert calls >= 3
    for survived in sorted({0, 1, calls // 2, calls - 1}):
        with pytest.raises(BudgetOverError):
            look.apply(small, ends_after(survived))


@each_look
def test_the_bands_of_a_large_picture_each_ask_for_the_budget(look: Look) -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    look.apply(np.full((900, 1200, 3), 90, np.uint8), count)
    assert calls >= 9
