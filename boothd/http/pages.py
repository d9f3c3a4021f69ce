"""Pages from templates, and the files that they use."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from boothd.base.errors import NotFound
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

    assets: from `boothd.base.assets.assets("web")`. Templates have `static(name)`, the address of a static file."""

    def __init__(self, assets: Path) -> None:
        self.static = StaticFiles(assets / "static")
        self.environment = Environment(
            loader=FileSystemLoader(assets / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals["static"] = self.static.url

    def page_reply(self, template: str, /, *, status: int = 200, **context: object) -> Reply:
        """The page that `template` makes of `context`."""
        html = self.environment.get_template(template).render(context)
        return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, html.encode("utf-8", errors="replace"))

    def routes(self) -> tuple[Route, ...]:
        """The static files' route."""
        return (self.static.route(),)
