"""Pages from templates, and the files that they use."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from boothd.base.errors import NotFound
from boothd.http.languages import COOKIE, Language, Languages
from boothd.http.routes import FileBody, Reply, Route

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


KEPT_S = 365 * 86400
"""A reader's language is remembered for so long."""
_SAFE = "/?&=#%-._~:@!$'()*+,;"


class StaticFiles:
    """The files under `static/`, known by name at the start: what is not among them does not exist."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, tuple[Path, str]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _TYPES and path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
                self._files[path.relative_to(folder).as_posix()] = (path, digest)

    def url(self, name: str) -> str:
        """The address of a file; it changes with the file's bytes, so browsers keep it for good. Raises KeyError."""
        return f"/static/{quote(name)}?v={self._files[name][1]}"

    def route(self) -> Route:
        """`/static/<name>`, without login."""
        return Route(("GET",), "/static/<path:name>", "static", self._get, login=False)

    async def _get(self, request: Any, name: str) -> Reply:
        if name not in self._files:
            raise NotFound()
        path, digest = self._files[name]
        fresh = request.field("v") == digest
        keep = "public, max-age=31536000, immutable" if fresh else "no-cache"
        headers = {"Content-Type": _TYPES[path.suffix], "Cache-Control": keep, "ETag": f'"{digest}"'}
        known = (request.getHeader("if-none-match") or "").replace("W/", "")
        if f'"{digest}"' in (tag.strip() for tag in known.split(",")):
            return Reply(304, headers)
        return Reply(200, headers, FileBody(path))


class Pages:
    """Templates: everything is escaped, and a name that is not given is an error.

    assets: from `boothd.base.assets.assets("web")`. Templates have `static(name)`, the address of a static file, the texts
    of the reader's language by `_` and `trans`, and `Language.filters`."""

    def __init__(self, assets: Path) -> None:
        self.static = StaticFiles(assets / "static")
        self.navigation: list[tuple[str, str]] = []
        """Address and (translatable) name of each entry of the menu; rooms add theirs before the first page is shown."""
        self.languages = Languages(assets / "locale")
        loader = FileSystemLoader(assets / "templates")
        self._environments = {language.code: self._environment(loader, language) for language in self.languages}

    def page_reply(self, request: Any, template: str, /, *, status: int = 200, **context: object) -> Reply:
        """The page that `template` makes of `context`, in the reader's language."""
        language = self.languages.of(request)
        html = self._environments[language.code].get_template(template).render(context)
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Language": language.code, "Vary": "Cookie"}
        return Reply(status, headers, html.encode("utf-8", errors="replace"))

    def text(self, request: Any, message: str) -> str:
        """A text that does not stand in a template, in the reader's language."""
        return self.languages.of(request).texts.gettext(message)

    def routes(self) -> tuple[Route, ...]:
        """The static files' route, and the switch between languages."""
        return (self.static.route(), Route(("POST",), "/language", "language", self._switch, login=False))

    def _environment(self, loader: FileSystemLoader, language: Language) -> Environment:
        environment = Environment(
            loader=loader,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True  # a text may be wrapped in its template
        environment.install_gettext_translations(language.texts, newstyle=True)  # type: ignore[attr-defined]
        environment.filters.update(language.filters)
        others = [each for each in self.languages if each is not language]
        environment.globals.update(
            static=self.static.url, language=language, other_languages=others, navigation=self.navigation
        )
        return environment

    async def _switch(self, request: Any) -> Reply:
        """Remember the reader's choice, and go back to the page that they came from."""
        chosen = self.languages.get(request.field("to"))
        if chosen is None:
            raise NotFound()
        back = request.field("back")
        local = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
        cookie = f"{COOKIE}={chosen.code}; Path=/; Max-Age={KEPT_S}; SameSite=Lax; HttpOnly"
        return Reply(303, {"Location": quote(back, safe=_SAFE) if local else "/", "Set-Cookie": cookie})
