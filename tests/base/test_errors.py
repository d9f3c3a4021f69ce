"""Every error says something, under a code and a status of its own."""

from collections.abc import Iterator

import pytest

from boothd.base import errors
from boothd.base.errors import BoothdError, Busy, Charged, OutOfTime, Refused, RequestError, WorkError


def below(kind: type[BoothdError]) -> Iterator[type[BoothdError]]:
    for one in kind.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from below(one)


ALL = sorted(below(BoothdError), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL)
def test_its_docstring_is_what_a_person_reads(kind: type[BoothdError]) -> None:
    error = kind()
    assert error.message == str(error)
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert kind("Said otherwise.").message == "Said otherwise."


@pytest.mark.parametrize("kind", ALL)
def test_it_decides_what_the_client_is_told(kind: type[BoothdError]) -> None:
    assert kind.code == kind.code.lower()
    assert 400 <= kind.status < 600


def test_no_two_share_a_code_but_for_the_roots() -> None:
    codes = [kind.code for kind in ALL if kind not in {RequestError, WorkError}]
    assert len(codes) == len(set(codes))


def test_an_error_of_another_package_needs_no_docstring() -> None:
    class Odd(WorkError):
        pass

    assert Odd().message == "Odd"


def test_work_errors_say_whether_to_retry_and_whether_it_cost() -> None:
    assert (Busy.retry, Busy().charged) == (True, Charged.NO)
    assert (Refused.retry, Refused().charged) == (False, Charged.MAYBE)
    assert Busy(retry_after_s=7).retry_after_s == 7
    assert OutOfTime(charged=Charged.NO).charged is Charged.NO
