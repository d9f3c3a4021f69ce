"""The languages of the pages: texts from catalogues, numbers and dates as each language writes them."""

import gettext
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

COOKIE = "boothd-language"
SOURCE = "en"
"""The language of the templates."""
_WRITTEN_AS = {"en": "en_GB"}
"""Whose numbers and dates; day before month."""
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def N_(text: str) -> str:
    """Marks a text that a catalogue has, where it stands outside templates; it is translated where it is shown."""
    return text


class Language:
    """One language. code: as in `lang=`. name: what it calls itself. texts: its catalogue."""

    def __init__(self, code: str, texts: gettext.NullTranslations) -> None:
        self.code, self.texts = code, texts
        self._locale = Locale.parse(_WRITTEN_AS.get(code, code))
        self.name = (self._locale.get_language_name() or code).capitalize()

    def number(self, value: float | Decimal, digits: int = 0) -> str:
        """With so many digits behind the point."""
        return str(format_decimal(value, f"#,##0{'.' * bool(digits)}{'0' * digits}", locale=self._locale))

    def money(self, amount: Decimal) -> str:
        """At most four digits behind the point, none that say nothing."""
        return str(format_decimal(amount, "#,##0.####", locale=self._locale))

    def size(self, size_bytes: int) -> str:
        """1.5 GiB."""
        factor, unit = next((each for each in _UNITS if size_bytes >= each[0]), _UNITS[-1])
        return f"{self.number(size_bytes / factor, 1 if unit == 'GiB' else 0)} {unit}"

    def clock(self, when: datetime) -> str:
        """The time of day; `when` has the zone that is meant."""
        return str(format_time(when, "HH:mm", locale=self._locale))

    def day(self, day: date) -> str:
        """20 Nov 2026."""
        return str(format_date(day, "medium", locale=self._locale))

    def moment(self, when: datetime) -> str:
        """Day and time of day."""
        return f"{format_datetime(when, 'd MMM', locale=self._locale)} {self.clock(when)}"

    @property
    def filters(self) -> dict[str, Callable[..., str]]:
        """For templates."""
        names = ("number", "money", "size", "clock", "day", "moment")
        return {name: getattr(self, name) for name in names}


class Languages:
    """Those that `folder` has catalogues for, `<code>/LC_MESSAGES/*.po`, and the source's. Raises OSError, PoFileError."""

    def __init__(self, folder: Path) -> None:
        found = {SOURCE: Language(SOURCE, gettext.NullTranslations())}
        for language in sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []:
            catalogues = sorted((language / "LC_MESSAGES").glob("*.po"))
            found[language.name] = Language(language.name, _read(catalogues, language.name))
        self._found = found

    def __iter__(self) -> Any:
        return iter(self._found.values())

    def get(self, code: str) -> Language | None:
        return self._found.get(code)

    def of(self, request: Any) -> Language:
        """What the reader has chosen, else what the browser asks for, else the source's."""
        cookie = request.getCookie(COOKIE.encode()) or b""
        chosen = self._found.get(cookie.decode("ascii", "replace"))
        if chosen is not None:
            return chosen
        accepted = parse_accept_header(request.getHeader("accept-language") or "", LanguageAccept)
        return self._found[accepted.best_match(list(self._found), SOURCE) or SOURCE]


def _read(files: Sequence[Path], code: str) -> gettext.GNUTranslations:
    """One catalogue of a room's each, compiled in memory, so that no compiled file need be kept beside its source."""
    whole = Catalog(locale=code)
    for file in files:
        with file.open("rb") as source:
            for message in read_po(source, locale=code, abort_invalid=True):
                if message.id:
                    whole[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
