"""What Turbotext's answers mean, whatever shape they have."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boothd.base.errors import BadAnswer, BadKey, BadRequest, Busy, Charged, OutOfCredit, Refused, WorkError
from boothd.providers.turbotext import result
from boothd.providers.turbotext.complaints import explained

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(
    ["action", "success", "error", "errors", "message", "data", "image", "uploaded_image", "status", "queueid", "asyncid",
     "forbidden_content", "limits", "foto_limit", "name", "description"]
)  # fmt: skip
answers = st.dictionaries(NAMES, anything | st.dictionaries(NAMES, anything, max_size=4), max_size=6)


@given(answers | anything)
def test_whatever_comes_is_read(said: Any) -> None:
    read = result.read(said)
    assert isinstance(read, result.Waiting | result.Finished | result.NotKnown | result.Failed | result.Unclear)
    if isinstance(read, result.Finished):
        assert read.address
    if isinstance(read, result.Failed):
        assert read.error.charged is not Charged.NO
    assert isinstance(result.credits_left(said), int | None)
    assert isinstance(result.methods_of(said), list | None)
    number = result.number_of(said)
    assert number is None or number == number.strip() != ""
    charged = None
    try:
        assert result.created(said) == number
    except WorkError as error:
        charged = error.charged
    assert charged is not Charged.YES


@given(answers, st.none() | st.booleans() | st.text())
def test_reconnect_means_waiting_whatever_success_says(said: dict[str, Any], success: Any) -> None:
    assert result.read({**said, "action": "reconnect", "success": success}) == result.Waiting()


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(BadAnswer):
        result.parse(text)


@given(st.dictionaries(st.text(), anything, min_size=1), st.sampled_from("]}"), st.booleans())
def test_one_stray_bracket_is_forgiven(said: dict[str, Any], bracket: str, at_the_end: bool) -> None:
    text = json.dumps(said)
    stray = text + bracket if at_the_end or bracket == "}" else text[:-1] + "]}"
    assert json.dumps(result.parse(stray)) == text


@pytest.mark.parametrize("text", ['{"success":true', '{"a":[1,2}', '{"a":1]]}', "", "null]]", '"' + '\\"' * 40_000])
def test_what_is_broken_otherwise_is_not_mended(text: str) -> None:
    with pytest.raises(BadAnswer, match="no JSON"):
        result.parse(text)


def test_a_page_is_called_a_page() -> None:
    with pytest.raises(BadAnswer, match="web page"):
        result.parse("\ufeff\n<html><body>502</body></html>")


ADDRESS = "https://www.turbotext.ru/download.php?f=1.png"


@pytest.mark.parametrize("success", [{}, {"success": True}, {"success": "true"}, {"success": 1}, {"success": "1"}])
@pytest.mark.parametrize(
    "place",
    [
        {"uploaded_image": ADDRESS},
        {"data": {"uploaded_image": ADDRESS}},
        {"data": {"image": [ADDRESS]}},
        {"data": {"image": ADDRESS}},
        {"data": {"image": ["", ADDRESS]}, "uploaded_image": "", "error": ""},
        {"data": {"image": [], "forbidden_content": "False"}, "uploaded_image": f" {ADDRESS} "},
    ],
)
def test_a_picture_is_found_wherever_it_stands(success: dict[str, Any], place: dict[str, Any]) -> None:
    assert result.read({**success, **place}) == result.Finished(ADDRESS)


@pytest.mark.parametrize("flag", [True, "true", "True", 1, "1"])
@pytest.mark.parametrize("place", ["data", "top"])
def test_forbidden_content_is_a_refusal_although_it_succeeded(flag: Any, place: str) -> None:
    inner = {"forbidden_content": flag, "image": [ADDRESS]}
    read = result.read({"success": True, **({"data": inner} if place == "data" else inner)})
    assert isinstance(read, result.Failed)
    assert isinstance(read.error, Refused)


@pytest.mark.parametrize("status", ["processing", "Pending", "In Progress", "IN_QUEUE"])
def test_other_words_for_waiting(status: str) -> None:
    assert result.read({"status": status}) == result.Waiting()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"status": "failed"}, BadAnswer),
        ({"status": "Content Moderated"}, Refused),
        ({"success": False}, BadAnswer),
        ({"success": True, "data": {}}, BadAnswer),
        ({"success": "false", "errors": [{"code": "face_not_detected"}]}, Refused),
        ({"success": 0, "data": {"error": {"text": ["LIMIT"]}}}, OutOfCredit),
        ({"errors": "Сбой"}, BadAnswer),
    ],
)
def test_failures_of_every_shape(said: Any, kind: type[WorkError]) -> None:
    read = result.read(said)
    assert isinstance(read, result.Failed)
    assert type(read.error) is kind


@pytest.mark.parametrize(
    "said", [None, [], "x", {}, {"data": []}, {"success": False, "error": "Слишком много запросов"}]
)
def test_what_says_nothing_of_the_picture_ends_nothing(said: Any) -> None:
    assert isinstance(result.read(said), result.Unclear)


@pytest.mark.parametrize(
    "said",
    [
        {"success": False, "error": "UNKNOWN: queueid не найден"},
        {"success": False, "error": "queueid не найден"},
        {"success": False, "error": "Очередь не найдена"},
        {"success": False, "message": "unknown queue id"},
        {"status": "UNKNOWN"},
    ],
)
def test_a_number_that_is_not_known(said: Any) -> None:
    assert isinstance(result.read(said), result.NotKnown)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("face_not_detected", Refused),
        ("Лицо не обнаружено на фото", Refused),
        ("Не найдено лицо", Refused),
        ("quality_limit", Refused),
        ("Изображение содержит запрещённый контент", Refused),
        ("LIMIT", OutOfCredit),
        ("Недостаточно средств на балансе", OutOfCredit),
        ("No credits left", OutOfCredit),
        ("Неверный ключ API", BadKey),
        ("Доступно только на тарифе VIP", BadKey),
        ("Доступ запрещен", BadKey),
        ("invalid api_key", BadKey),
        ("rate limit exceeded", Busy),
        ("params_error: strength", BadRequest),
        ("url_error", BadRequest),
        ("Сервис временно недоступен", BadAnswer),
        ("Непредвиденное исключение", BadAnswer),
    ],
)
def test_what_complaints_mean(text: str, kind: type[WorkError]) -> None:
    error = explained(text, Charged.NO)
    assert (type(error), error.charged) == (kind, Charged.NO)
    assert text in error.message


def test_links_in_a_complaint_are_not_repeated() -> None:
    read = result.read(
        {"success": False, "error": "url_error: https:\\/\\/b.test\\/media\\/token http://b.test/x.jpg 404"}
    )
    assert isinstance(read, result.Failed)
    assert "b.test" not in read.error.message
    assert "404" in read.error.message


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ({"queueid": 7}, "7"),
        ({"queueid": "7"}, "7"),
        ({"asyncid": 7.0}, "7"),
        ({"data": {"queueid": " a-7 "}}, "a-7"),
        ({"queueid": True, "asyncid": 8}, "8"),
        ({"queueid": "../7"}, None),
        ({"queueid": None}, None),
        ([], None),
    ],
)
def test_queue_numbers(said: Any, number: str | None) -> None:
    assert result.number_of(said) == number


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("image/a.png", "https://www.turbotext.ru/image/a.png"),
        ("/image/a.png", "https://www.turbotext.ru/image/a.png"),
        ("//turbotext.ru/a.png", "https://turbotext.ru/a.png"),
        ("turbotext.ru/a.png", "https://turbotext.ru/a.png"),
        ("WWW.turbotext.ru/a.png", "https://WWW.turbotext.ru/a.png"),
        ("http://turbotext.ru/a.png", "http://turbotext.ru/a.png"),
        ("file:///etc/passwd", "file:///etc/passwd"),
    ],
)
def test_addresses_become_whole(address: str, whole: str) -> None:
    hosts = ("www.turbotext.ru", "turbotext.ru")
    assert result.absolute(address, "https://www.turbotext.ru/api_ai", hosts) == whole


def test_an_address_that_cannot_be_joined_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        result.absolute("//[", "https://www.turbotext.ru/api_ai", ())


@pytest.mark.parametrize(
    ("data", "methods"),
    [
        ([{"name": "a", "description": "A"}, {"name": ""}, "b"], [("a", "A"), ("b", "")]),
        ({"a": "A"}, [("a", "A")]),
        ({"methods": [{"name": "a"}]}, [("a", "")]),
        (None, None),
    ],
)
def test_lists_of_methods(data: Any, methods: Any) -> None:
    assert result.methods_of({"success": True, "data": data}) == methods
