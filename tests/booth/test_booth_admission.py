"""Who is let in, by the headers alone."""

from collections.abc import Callable

import pytest

from boothd.base.errors import DiskFull, Draining, NoSuchSlot, SpoolUnhealthy, TooLarge, WrongPassword
from tests.booth.booth_support import KEY, PASSWORD, Booth, live_slot, run

OpenBooth = Callable[..., Booth]
PATH = f"/upload/fake/1/{KEY}"


@pytest.mark.parametrize(
    "path",
    [
        "/upload/fake/1/" + "x" * 22,
        "/upload/fake/1/" + KEY[:-1],
        "/upload/fake/1/" + KEY + "k",
        "/upload/fake/1/ключ",
        "/upload/fake/2/" + KEY,
        "/upload/fake/999/" + KEY,
        "/upload/other/1/" + KEY,
        "/upload/fake/1/",
        "/upload/fake/1",
        "/upload/",
        "/upload/fake/1/" + KEY + "/more",
        "/upload/FAKE/1/" + KEY,
        "/upload/fake/-1/" + KEY,
        "/upload/../1/" + KEY,
    ],
)
def test_a_wrong_link_is_no_slot_and_is_counted(open_booth: OpenBooth, path: str) -> None:
    booth = open_booth()
    with pytest.raises(NoSuchSlot) as caught:
        booth.counter.admit(path, 10)
    assert caught.value.status == 404
    assert booth.today()["uploads not accepted"] == {"no-such-slot": 1}


def test_a_disabled_slot_is_no_slot(open_booth: OpenBooth) -> None:
    booth = open_booth(slots=[live_slot(enabled=False)])
    with pytest.raises(NoSuchSlot):
        booth.counter.admit(PATH, 10)


@pytest.mark.parametrize("path", ["/", "/trash/2026-11-20/x/retry", "/uploads/fake/1/key", ""])
def test_other_paths_take_no_uploads(open_booth: OpenBooth, path: str) -> None:
    assert open_booth().counter.admit(path, 10) is None


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + "x", PASSWORD[:-1], "пароль"])
def test_a_wrong_password_is_403_and_is_counted(open_booth: OpenBooth, password: str) -> None:
    booth = open_booth()
    admission = booth.counter.admit(PATH, 10)
    assert admission is not None
    with pytest.raises(WrongPassword) as caught:
        admission.check_password(password)
    admission.lost(caught.value)
    assert caught.value.status == 403
    assert booth.today()["uploads not accepted"] == {"wrong-password": 1}


@pytest.mark.parametrize("given", ["", "anything"])
def test_without_an_upload_password_nobody_is_let_in(open_booth: OpenBooth, given: str) -> None:
    booth = open_booth()
    booth.password = ""
    admission = booth.counter.admit(PATH, 10)
    assert admission is not None
    with pytest.raises(WrongPassword):
        admission.check_password(given)


def test_the_right_password_lets_in(open_booth: OpenBooth) -> None:
    admission = open_booth().counter.admit(PATH, None)
    assert admission is not None
    admission.check_password(PASSWORD)


def test_too_large_is_413_by_its_length_alone(open_booth: OpenBooth) -> None:
    booth = open_booth(upload={"max_size": 1000})
    with pytest.raises(TooLarge) as caught:
        booth.counter.admit(PATH, 1001)
    assert caught.value.status == 413
    admission = booth.counter.admit(PATH, 1000)
    assert admission is not None
    assert admission.max_size == 1000
    assert booth.today()["uploads not accepted"] == {"too-large": 1}


def test_while_boothd_shuts_down_it_is_503(open_booth: OpenBooth) -> None:
    booth = open_booth()
    run(booth.counter.close_doors())
    with pytest.raises(Draining) as caught:
        booth.counter.admit(PATH, 10)
    assert caught.value.status == 503
    assert booth.today()["uploads not accepted"] == {"draining": 1}


def test_a_full_disk_is_507(open_booth: OpenBooth) -> None:
    booth = open_booth(spool={"floor": 1000})
    booth.spool.free_bytes = 1500
    assert booth.counter.admit(PATH, 500) is not None
    with pytest.raises(DiskFull) as caught:
        booth.counter.admit(PATH, 501)
    assert caught.value.status == 507
    assert booth.today()["uploads not accepted"] == {"disk-full": 1}


def test_an_unhealthy_disk_is_503(open_booth: OpenBooth) -> None:
    booth = open_booth()
    booth.spool.unhealthy = "Input/output error"
    with pytest.raises(SpoolUnhealthy) as caught:
        booth.counter.admit(PATH, 10)
    assert caught.value.status == 503


def test_a_client_that_leaves_in_the_middle_of_its_upload_is_counted(open_booth: OpenBooth) -> None:
    booth = open_booth()
    admission = booth.counter.admit(PATH, 10)
    assert admission is not None
    admission.lost(None)
    assert booth.today()["uploads not accepted"] == {"client-gone": 1}
