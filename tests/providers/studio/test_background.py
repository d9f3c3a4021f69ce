"""The keyer, scored on guests whose alpha is known.

The limits are a little above what the keyer reaches. For comparison: with the screen and the guest's colours both known
exactly, noise, JPEG and 4:2:2 colour leave an error of about 0.045 in the band of these composites."""

from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from boothd.providers.studio.background import cover, cut_out, find_alpha, replace_background
from boothd.providers.studio.screen import NoScreen
from tests.providers.studio.studio_composites import Composite, Picture, Plane, compose, plane, to_bytes


def go_on() -> None:
    """A job whose time is not over."""


@cache
def composed(**how: Any) -> tuple[Composite, Plane]:
    """A composite and the alpha found in it."""
    composite = compose(**how)
    return composite, find_alpha(composite.photo, go_on)


def simple_key(photo: Picture, key: int) -> Plane:
    """What a keyer does that knows one screen colour and one threshold: the comparison."""
    values = photo.astype(np.float32)
    difference = values[..., key] - np.maximum(values[..., 0], values[..., 3 - key])
    usual = float(np.median(np.concatenate([difference[:40].ravel(), difference[:, :40].ravel()])))
    return plane(np.clip((0.8 - difference / usual) / 0.5, 0, 1))


def error(found: Plane, composite: Composite, where: NDArray[np.bool_] | None = None) -> float:
    """The mean absolute error of alpha."""
    off = np.abs(found - composite.alpha)
    return float(off.mean() if where is None else off[where].mean())


CASES: list[tuple[dict[str, Any], float, float]] = [
    ({"screen": "green"}, 0.0065, 0.078),
    ({"screen": "blue"}, 0.0065, 0.078),
    ({"screen": "green", "shirt": "blue"}, 0.0065, 0.078),
    ({"screen": "blue", "shirt": "green"}, 0.0065, 0.078),
    ({"screen": "green", "shirt": "olive"}, 0.0065, 0.078),
    ({"screen": "green", "shirt": "yellow"}, 0.0065, 0.078),
    ({"screen": "blue", "shirt": "white"}, 0.0065, 0.078),
    ({"screen": "green", "hair": "black", "seed": 2}, 0.0065, 0.078),
    ({"screen": "blue", "hair": "blond", "seed": 2}, 0.008, 0.1),
    ({"screen": "green", "unevenness": 0.7}, 0.0065, 0.08),
    ({"screen": "blue", "unevenness": 0.7}, 0.007, 0.085),
    ({"screen": "green", "noise": 8.0, "quality": 80}, 0.008, 0.095),
    ({"screen": "green", "shadow": 0.5}, 0.009, 0.1),
    ({"screen": "green", "spill": 0.15}, 0.0065, 0.08),
    ({"screen": "green", "veil": True}, 0.0085, 0.06),
]


@pytest.mark.parametrize(("how", "overall", "band"), CASES, ids=str)
def test_alpha_is_near_the_truth(how: dict[str, Any], overall: float, band: float) -> None:
    composite, found = composed(**how)
    assert error(found, composite) < overall
    assert error(found, composite, composite.band()) < band


@pytest.mark.parametrize("screen", ["green", "blue"])
@pytest.mark.parametrize("unevenness", [0.45, 0.7])
def test_a_simple_key_is_clearly_worse(screen: str, unevenness: float) -> None:
    composite, found = composed(screen=screen, unevenness=unevenness)
    simple = simple_key(composite.photo, 1 if screen == "green" else 2)
    assert error(found, composite) * (3 if unevenness > 0.5 else 2) < error(simple, composite)
    assert error(found, composite, composite.band()) * 1.3 < error(simple, composite, composite.band())


@pytest.mark.parametrize("how", [case[0] for case in CASES], ids=str)
def test_the_guest_has_no_holes(how: dict[str, Any]) -> None:
    composite, found = composed(**how)
    inside = cv2.erode((composite.alpha >= 0.995).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert found[inside].mean() >= 0.998
    assert np.percentile(found[inside], 1) >= 0.98


@pytest.mark.parametrize("how", [case[0] for case in CASES], ids=str)
def test_nothing_of_the_screen_stays(how: dict[str, Any]) -> None:
    composite, found = composed(**how)
    bare = composite.alpha <= 0.005
    assert found[bare].mean() <= 0.002
    assert np.percentile(found[bare], 99) <= (0.02 if how.get("noise", 0) < 5 else 0.03)


def test_a_single_hair_stays() -> None:
    height, width = 600, 900
    drawn = np.zeros((height, width), np.uint8)
    cv2.circle(drawn, (450, 560), 160, 255, -1, cv2.LINE_AA)
    cv2.line(drawn, (450, 420), (610, 120), 255, 1, cv2.LINE_AA)
    alpha = plane(drawn / 255)
    photo = alpha[..., None] * plane(60) + (1 - alpha[..., None]) * plane([50, 170, 80])
    found = find_alpha(to_bytes(photo), go_on)
    hair = (drawn > 128) & (np.arange(height) < 400)[:, None]
    assert found[hair].mean() > 0.9 * alpha[hair].mean()


@pytest.mark.parametrize(("screen", "key"), [("green", 1), ("blue", 2)])
def test_no_fringe_of_the_screens_colour(screen: str, key: int) -> None:
    composite, _ = composed(screen=screen, spill=0.15, hair="black")
    grey = np.full((20, 30, 3), 128, np.uint8)
    result = replace_background(composite.photo, grey, go_on).astype(np.float32)
    first, second = (channel for channel in range(3) if channel != key)

    def tint(picture: Plane) -> Plane:
        return plane(np.maximum(picture[..., key] - np.maximum(picture[..., first], picture[..., second]), 0))

    edge = (composite.alpha > 0.05) & (composite.alpha < 0.995)
    assert tint(composite.photo.astype(np.float32))[edge].mean() > 25
    assert tint(result)[edge].mean() < 1.5
    assert np.percentile(tint(result)[edge], 99) < 16


def test_the_colours_of_the_guest_stay() -> None:
    composite, _ = composed(screen="green")
    inside = cv2.erode((composite.alpha >= 0.995).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    result = replace_background(composite.photo, np.zeros((9, 9, 3), np.uint8), go_on)
    off = np.abs(result.astype(np.float32) - composite.photo.astype(np.float32))[inside]
    assert off.mean() < 3


def test_the_cut_out_has_the_guest_without_the_screen() -> None:
    composite, found = composed(screen="green")
    cut = cut_out(composite.photo, go_on)
    assert cut.shape == (*composite.alpha.shape, 4)
    assert np.abs(cut[..., 3] / 255 - found).max() < 0.003
    some = (found > 0.3) & (found < 0.95)
    off = np.abs(cut[..., :3].astype(np.float32) - composite.guest)[some]
    assert off.mean() < 32


def test_a_badge_of_the_screens_tint_is_no_hole() -> None:
    composite = compose(screen="green")
    photo = composite.photo.copy()
    cv2.circle(photo, (600, 760), 30, (96, 150, 100), -1, cv2.LINE_AA)
    assert find_alpha(photo, go_on)[740:780, 580:620].min() > 0.98


def test_where_the_screen_alone_is_the_reference_shows_unchanged() -> None:
    composite, _ = composed(screen="green")
    scene = np.random.default_rng(3).integers(0, 255, composite.photo.shape).astype(np.uint8)
    result = replace_background(composite.photo, scene, go_on)
    assert (result[:60, :60] == scene[:60, :60]).all()


@pytest.mark.parametrize(("width", "height"), [(1201, 907), (601, 1003), (160, 120), (37, 21)])
def test_any_size_goes(width: int, height: int) -> None:
    photo = np.asarray(cv2.resize(compose().photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    result = replace_background(photo, np.full((50, 40, 3), 200, np.uint8), go_on)
    assert result.shape == photo.shape
    assert result.dtype == np.uint8
    assert (replace_background(photo[:, ::-1], np.full((50, 40, 3), 200, np.uint8), go_on)).shape == photo.shape


def test_the_photo_and_the_reference_are_left_alone() -> None:
    composite, _ = composed(screen="green")
    photo, scene = composite.photo.copy(), np.full(composite.photo.shape, 90, np.uint8)
    photo.setflags(write=False)
    scene.setflags(write=False)
    replace_background(photo, scene, go_on)


def ordinary(kind: str) -> Picture:
    """Photos that were not taken before a screen."""
    random = np.random.default_rng(4)
    high = np.linspace(0, 1, 300, dtype=np.float32)[:, None, None]
    pictures: dict[str, Callable[[], Any]] = {
        "grey": lambda: np.full((300, 400, 3), 128),
        "black": lambda: np.zeros((300, 400, 3)),
        "noise": lambda: random.integers(0, 255, (300, 400, 3)),
        "sky": lambda: np.array([90, 140, 215]) * (1 - high) + np.array([190, 210, 235]) * high + np.zeros((1, 400, 1)),
        "lawn": lambda: np.array([95, 125, 55]) * (1 + 0.3 * random.normal(size=(300, 400, 1))),
    }
    return to_bytes(plane(pictures[kind]()))


@pytest.mark.parametrize("kind", ["grey", "black", "noise", "sky", "lawn"])
@pytest.mark.parametrize("work", [find_alpha, cut_out, lambda photo, check: replace_background(photo, photo, check)])
def test_a_photo_without_a_screen_is_refused(kind: str, work: Callable[[Picture, Callable[[], None]], Any]) -> None:
    with pytest.raises(NoScreen, match="no green or blue screen") as caught:
        work(ordinary(kind), go_on)
    assert str(caught.value) == NoScreen.__doc__


def test_the_clock_is_asked_all_the_way_and_heard() -> None:
    class OverError(Exception):
        pass

    asked: list[None] = []

    def end() -> None:
        asked.append(None)
        if len(asked) == limit:
            raise OverError

    composite, _ = composed(screen="green")
    limit = 0
    replace_background(composite.photo, composite.photo, end)
    total = len(asked)
    assert total > 15
    for limit in (1, total // 2, total):
        asked.clear()
        with pytest.raises(OverError):
            replace_background(composite.photo, composite.photo, end)
        assert len(asked) == limit


def test_the_reference_fills_the_picture_around_its_centre() -> None:
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[:, 150:250] = 255
    assert (cover(wide, 50, 50) == 255).all()
    tall = np.ascontiguousarray(wide.transpose(1, 0, 2))
    assert (cover(tall, 300, 300)[20:280] == 255).all()
    assert cover(wide, 33, 77).shape == (77, 33, 3)
    assert (cover(wide, 400, 100) == wide).all()
