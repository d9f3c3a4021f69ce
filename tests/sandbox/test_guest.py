"""The sample guest is what the demo shows; its true alpha makes it one more test of the keyer."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from boothd.providers.studio.background import find_alpha, replace_background
from boothd.sandbox.guest import HEIGHT, WIDTH, Guest, compose_guest, make_guest, write_guest
from boothd.sandbox.poster import compose_poster, write_poster
from boothd.sandbox.scene import compose_scene


@cache
def guest() -> Guest:
    return make_guest()


def test_one_seed_is_one_picture() -> None:
    assert (np.asarray(compose_guest()) == guest().photo).all()
    assert (make_guest(seed=2).photo != guest().photo).any()
    assert (np.asarray(compose_scene()) == np.asarray(compose_scene())).all()


def test_the_poster_shows_the_guest_whole_before_a_dark_stage(tmp_path: Path) -> None:
    write_poster(tmp_path / "poster.jpg", guest())
    with Image.open(tmp_path / "poster.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (1200, HEIGHT))
        picture = np.asarray(image).astype(np.float32)
    face, corner = picture[500:700, 520:680].mean(axis=(0, 1)), picture[400:600, 40:200].mean(axis=(0, 1))
    assert face[0] > face[1] > face[2] > 100  # skin
    assert corner.mean() < 90
    again = np.asarray(compose_poster(guest()))
    assert (again == np.asarray(compose_poster(guest()))).all()


def test_it_is_written_as_a_camera_would(tmp_path: Path) -> None:
    write_guest(tmp_path / "guest.jpg")
    with Image.open(tmp_path / "guest.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (WIDTH, HEIGHT))
    assert 200_000 < (tmp_path / "guest.jpg").stat().st_size < 2_000_000


def test_the_screen_is_green_and_unevenly_lit() -> None:
    photo = guest().photo.astype(np.float32)
    places = [photo[:80, :80], photo[:80, -80:], photo[-80:, :80], photo[-80:, -80:], photo[100:180, 1100:1180]]
    corners = [place.mean(axis=(0, 1)) for place in places]
    for red, green, blue in corners:
        assert green > 1.5 * max(red, blue)
    light = [float(green) for _, green, _ in corners]
    assert max(light) > 1.4 * min(light)


def test_the_guest_stands_in_the_picture_and_ends_at_its_lower_edge() -> None:
    alpha = guest().alpha
    assert alpha.shape == (HEIGHT, WIDTH)
    assert 0.2 < alpha.mean() < 0.5
    assert alpha[0].max() == alpha[:, 0].max() == alpha[:, -1].max() == 0
    assert alpha[-1].max() == 1


def test_the_keyer_finds_the_guest(tmp_path: Path) -> None:
    write_guest(tmp_path / "guest.jpg")
    photo = np.asarray(Image.open(tmp_path / "guest.jpg").convert("RGB"))
    truth, found = guest().alpha, find_alpha(photo, lambda: None)
    off = np.abs(found - truth)
    assert off.mean() < 0.0012
    assert off[(truth > 0.005) & (truth < 0.995)].mean() < 0.075
    assert found[truth <= 0.005].mean() < 0.001
    inside = cv2.erode((truth >= 0.995).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert found[inside].mean() > 0.998
    assert np.percentile(found[inside], 1) > 0.97


def test_no_green_is_left_around_the_guest() -> None:
    result = replace_background(guest().photo, np.full((20, 30, 3), 128, np.uint8), lambda: None).astype(np.float32)
    edge = (guest().alpha > 0.05) & (guest().alpha < 0.995)
    green = np.maximum(result[..., 1] - np.maximum(result[..., 0], result[..., 2]), 0)[edge]
    assert green.mean() < 1.5
    assert np.percentile(green, 99) < 14


def test_the_scene_fits_the_photo() -> None:
    scene = compose_scene()
    assert (scene.size, scene.mode) == ((WIDTH, HEIGHT), "RGB")


def test_the_portraits_source_and_licence_are_noted() -> None:
    text = (files("boothd.sandbox") / "portrait" / "SOURCE.txt").read_text()
    assert "public domain" in text
    assert "NASA" in text
