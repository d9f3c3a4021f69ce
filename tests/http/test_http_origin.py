"""Which unsafe requests are believed to come from our own pages."""

import pytest

from boothd.base.errors import ForeignOrigin
from boothd.http.origin import check_origin

MOZILLA = {"user-agent": "Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/140.0"}
OWN = [
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://booth.lan:8000"},
    {"origin": "http://BOOTH.lan:8000"},
    {"referer": "http://booth.lan:8000/slots?x=1"},
    {"host": "booth.lan", "origin": "https://booth.lan"},
    {"host": "booth.lan:80", "origin": "http://booth.lan"},
    {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
    {"user-agent": "curl/7.88.1"},
    {},
]
FOREIGN = [
    {"sec-fetch-site": "cross-site", "origin": "http://booth.lan:8000"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": ""},
    {"origin": "null"},
    {"origin": "http://evil.example"},
    {"origin": "http://booth.lan:8001"},
    {"origin": "http://booth.lan:8000.evil.example"},
    {"origin": "http://evil.example", "referer": "http://booth.lan:8000/"},
    {"origin": "http://booth.lan:99999999"},
    {"referer": "http://evil.example/?http://booth.lan:8000/"},
    {"host": "", "origin": "http://"},
    MOZILLA,
]


@pytest.mark.parametrize("headers", OWN)
def test_own(headers: dict[str, str]) -> None:
    check_origin(({"host": "booth.lan:8000"} | headers).get)


@pytest.mark.parametrize("headers", FOREIGN)
def test_foreign(headers: dict[str, str]) -> None:
    with pytest.raises(ForeignOrigin):
        check_origin(({"host": "booth.lan:8000"} | headers).get)
