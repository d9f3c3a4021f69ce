"""The reader's language: chosen, asked for by the browser, or the source's; and that nothing is left untranslated."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import boothd
from boothd.base.assets import assets
from boothd.http import Pages
from boothd.http.languages import Languages
from tests.http.http_support import Port, asked, asynchronous

Open = Callable[..., Any]
WEB = assets("web")
METHODS = [("**.html", "jinja2")]
OPTIONS = {"**.html": {"trimmed": "true", "newstyle_gettext": "true"}}


@pytest.fixture(scope="module")
def languages() -> Languages:
    return Languages(WEB / "locale")


@pytest.mark.parametrize(
    ("accept", "cookie", "code"),
    [
        ("", "", "en"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "", "ru"),
        ("de, fr;q=0.9, ru;q=0.1", "", "ru"),
        ("de, fr", "", "en"),
        ("en-US,en;q=0.9,ru;q=0.8", "", "en"),
        ("en", "ru", "ru"),
        ("ru", "en", "en"),
        ("ru", "xx", "ru"),
        (";;q=,,\x00", "\xff", "en"),
    ],
)
def test_the_reader_is_answered_in_their_language(languages: Languages, accept: str, cookie: str, code: str) -> None:
    assert languages.of(asked(accept, cookie)).code == code


def test_numbers_and_dates_are_written_as_the_language_writes_them(languages: Languages) -> None:
    when = datetime(2026, 11, 20, 18, 5, tzinfo=UTC)
    said = {
        each.code: (each.number(1234.56, 1), each.money(Decimal("1234.50")), each.size(5 << 30), each.moment(when))
        for each in languages
    }
    assert said["en"] == ("1,234.6", "1,234.5", "5.0 GiB", "20 Nov 18:05")
    assert said["ru"] == ("1\xa0234,6", "1\xa0234,5", "5,0 GiB", "20 нояб. 18:05")


def test_each_language_is_offered_under_its_own_name(languages: Languages) -> None:
    assert {each.code: each.name for each in languages} == {"en": "English", "ru": "Русский"}


def all_texts() -> set[Any]:
    """Of the templates, and those that modules mark."""
    found = list(extract_from_dir(str(WEB / "templates"), METHODS, OPTIONS))
    found += extract_from_dir(str(Path(boothd.__file__).parent), [("**.py", "python")], keywords={"N_": None})
    return {each[2] for each in found}


@pytest.mark.parametrize("folder", sorted(WEB.glob("locale/*/LC_MESSAGES")), ids=lambda path: path.parts[-2])
def test_every_text_is_translated_and_no_translation_is_left_over(folder: Path) -> None:
    translated: set[Any] = set()
    for file in folder.glob("*.po"):
        with file.open("rb") as source:
            catalogue: Catalog = read_po(source, abort_invalid=True)
        translated |= {
            message.id for message in catalogue if message.id and not message.fuzzy and filled(message.string)
        }
        assert not [error for message in catalogue for error in message.check(catalogue)]
    assert translated == all_texts()


def filled(translation: Any) -> bool:
    return all(translation) if isinstance(translation, tuple | list) else bool(translation)


@asynchronous
async def test_the_reader_switches_languages_and_comes_back_to_the_same_page(open_port: Open) -> None:
    port: Port = await open_port(*Pages(WEB).routes())
    answer = await port.ask("POST", "/language", form={"to": "ru", "back": "/trash?day=2026-11-20"})
    assert (answer.status, answer.headers["location"]) == (303, "/trash?day=2026-11-20")
    assert answer.headers["set-cookie"].startswith("boothd-language=ru; Path=/; Max-Age=")


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "trash", "", "/\r\nSet-Cookie: a=b"]
)
@asynchronous
async def test_the_way_back_never_leads_elsewhere(open_port: Open, back: str) -> None:
    port: Port = await open_port(*Pages(WEB).routes())
    answer = await port.ask("POST", "/language", form={"to": "ru", "back": back})
    assert (answer.status, answer.headers["location"]) == (303, "/")


@asynchronous
async def test_a_language_that_there_is_not_is_not_found(open_port: Open) -> None:
    port: Port = await open_port(*Pages(WEB).routes())
    assert (await port.ask("POST", "/language", form={"to": "xx", "back": "/"})).status == 404
