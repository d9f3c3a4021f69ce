"""All routes behind one port: who may, what is answered, who is being answered."""

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import CancelledError, Deferred
from twisted.web import server
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from boothd.base.clock import Clock
from boothd.base.errors import MethodNotAllowed, NotFound
from boothd.base.threads import Threads
from boothd.config import UploadConfig
from boothd.http.access import GONE, Access
from boothd.http.channel import Channel
from boothd.http.logins import Logins
from boothd.http.origin import SAFE_METHODS, check_origin
from boothd.http.replies import error_reply
from boothd.http.request import Request
from boothd.http.routes import Reply, Route, body_bytes
from boothd.http.send import begin, send
from boothd.http.upload import Gate

_Stock: Any = server.Site  # Twisted has no types for it that a checker could follow


class Site(_Stock):  # type: ignore[misc]
    """The factory of our connections. draining: every answer is its connection's last."""

    protocol = Channel
    noisy = False
    requestFactory = Request

    def __init__(
        self, app: Any, *, gate: Gate, limits: Callable[[], UploadConfig], clock: Clock, access: Access
    ) -> None:
        super().__init__(app.resource(), reactor=clock, timeout=None)
        self._map = app.url_map
        self._names: dict[str, str] = {}
        self.gate, self.limits, self.clock = gate, limits, clock
        self._access = access
        self.draining = False
        self.channels: set[Channel] = set()
        self._all_closed: list[Deferred[None]] = []

    def startFactory(self) -> None:
        """Twisted's own access log is off: it would write paths, and they hold keys."""

    def stopFactory(self) -> None:
        """As `startFactory`."""

    def log(self, request: Any) -> None:
        """As `startFactory`; `ended` writes ours."""

    def ended(self, request: Request, status: int | None) -> None:
        """A request is over. status: None when the client left."""
        self._access.ended(request, GONE if status is None else status, self.clock.seconds() - request.started_s)

    def name_route(self, endpoint: str, name: str) -> None:
        """Remember the route's name of a routing endpoint."""
        self._names[endpoint] = name

    def route_name(self, path: str, method: bytes) -> str:
        """The name of the route that this path leads to, "unrouted" when there is none."""
        try:
            endpoint, _ = self._map.bind("").match(path, method=method.decode("ascii", errors="replace"))
        except HTTPException:
            return "unrouted"
        return self._names.get(str(endpoint), "unrouted")

    def lost(self, channel: Channel) -> None:
        """A connection is closed."""
        self.channels.discard(channel)
        if not self.channels:
            waiting, self._all_closed = self._all_closed, []
            for done in waiting:
                done.callback(None)

    def drain(self) -> Deferred[None]:
        """Close idle connections now and the others after their answers. Fires when all are closed."""
        self.draining = True
        for channel in list(self.channels):
            channel.drain()
        done: Deferred[None] = Deferred(self._all_closed.remove)
        if self.channels:
            self._all_closed.append(done)
        else:
            done.callback(None)
        return done

    def abort(self) -> None:
        """Drop the connections that are left."""
        for channel in list(self.channels):
            channel.forceAbortClient()


def make_site(
    routes: Sequence[Route],
    *,
    gate: Gate,
    limits: Callable[[], UploadConfig],
    logins: Logins,
    clock: Clock,
    disk: Threads,
    registry: CollectorRegistry | None = None,
) -> Site:
    """Put `routes` behind a Site. limits: asked anew for each request. registry: where requests are counted.

    Imports klein, and with it the reactor: call it when the reactor is installed."""
    from klein import Klein

    app: Any = Klein()
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    site = Site(app, gate=gate, limits=limits, clock=clock, access=Access(registry))
    answers = _Answers(logins, clock, disk)
    for number, route in enumerate(routes):
        endpoint = f"{number}:{route.name}"
        site.name_route(endpoint, route.name)
        app.route(route.path, methods=list(route.methods), endpoint=endpoint)(answers.to(route))
    app.handle_errors(HTTPException)(answers.unrouted)
    return site


class _Answers:
    """From a request to its answer."""

    def __init__(self, logins: Logins, clock: Clock, disk: Threads) -> None:
        self._logins, self._clock, self._disk = logins, clock, disk

    def to(self, route: Route) -> Callable[..., Deferred[None]]:
        """What klein calls. It cancels the Deferred when the client leaves."""

        def answer(request: Request, **params: Any) -> Deferred[None]:
            return Deferred.fromCoroutine(self._answer(route, request, params))

        return answer

    async def _answer(self, route: Route, request: Request, params: dict[str, Any]) -> None:
        request.route = route.name
        await send(request, await self._reply(route, request, params), self._clock, self._disk)

    async def _reply(self, route: Route, request: Request, params: dict[str, Any]) -> Reply:
        try:
            if route.login:
                if request.method.decode("ascii") not in SAFE_METHODS:
                    check_origin(request.getHeader)
                request.operator = await self._logins.check(request.getHeader("authorization"), request.address)
            await request.take_upload()
            reply = await route.handler(request, **params)
            if not isinstance(reply, Reply):
                raise TypeError(f"{route.name} answered {type(reply).__name__}, not Reply")
        except CancelledError as error:
            if request.gone:
                request.lose_upload(None)
                raise
            return self._failed(error, route, request)
        except Exception as error:  # noqa: BLE001 (what a handler raises becomes a reply here)
            return self._failed(error, route, request)
        return reply

    def _failed(self, error: Exception, route: Route, request: Request) -> Reply:
        request.lose_upload(error)
        return error_reply(error, route.name)

    def unrouted(self, request: Request, failure: Any) -> bytes:
        """No route has this path, or none takes this method; klein writes what we return."""
        error = NotFound()
        if isinstance(failure.value, WrongMethod):
            error = MethodNotAllowed()  # type: ignore[assignment]
            error.allowed = sorted(failure.value.valid_methods or ())  # type: ignore[attr-defined]
        request.lose_upload(error)
        reply = error_reply(error)
        begin(request, reply)
        return body_bytes(reply)
