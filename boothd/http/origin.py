"""Whether an unsafe request comes from our own pages (CSRF): facts/operations.md §7."""

from collections.abc import Callable
from urllib.parse import urlsplit

from boothd.base.errors import ForeignOrigin

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "https": 443}


def check_origin(header: Callable[[str], str | None]) -> None:
    """Raise ForeignOrigin when a browser sent this from a page that is not ours.

    header: a request's header by name. Browsers send Sec-Fetch-Site to https and localhost only; over plain http on a
    LAN it is Origin (or Referer) that must name the host asked for. A login is sent by the browser of its own accord, so
    a request with none of the three passes only when it is plainly not a browser's: every browser calls itself
    Mozilla, and no page can change that."""
    site = header("sec-fetch-site")
    if site is not None:
        if site.strip().lower() not in {"same-origin", "none"}:
            raise ForeignOrigin()
        return
    source = header("origin") or header("referer")
    if source is None:
        if "mozilla" in (header("user-agent") or "").lower():
            raise ForeignOrigin()
        return
    if not _same(source, header("host") or ""):
        raise ForeignOrigin()


def _same(source: str, host: str) -> bool:
    try:
        page = urlsplit(source.strip())
        asked = urlsplit(f"//{host.strip()}")
        default = _PORTS.get(page.scheme)
        return (
            default is not None
            and page.hostname is not None
            and page.hostname == asked.hostname
            and (page.port or default) == (asked.port or default)
        )
    except ValueError:
        return False
