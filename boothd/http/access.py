"""One log line and one count per request, by the route's name: paths hold keys, so they are written nowhere."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from twisted.logger import Logger

from boothd.http.replies import ERROR_HEADER, JOB_HEADER

GONE = 499  # the status that is logged, as nginx does it, when the client left before its answer


class Access:
    """registry: where the counts are kept; None: nowhere."""

    log = Logger()

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._count = self._time = None
        if registry is not None:
            labels = ("route", "status")
            self._count = Counter("boothd_http_requests", "Requests answered.", labels, registry=registry)
            buckets = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 40, 48, 60, 120)
            self._time = Histogram(
                "boothd_http_seconds",
                "From a request's first byte to the end of its answer.",
                ("route",),
                registry=registry,
                buckets=buckets,
            )

    def ended(self, request: Any, status: int, seconds: float) -> None:
        """A request has been answered, refused, or left."""
        job = request.responseHeaders.getRawHeaders(JOB_HEADER, [""])[0]
        code = request.responseHeaders.getRawHeaders(ERROR_HEADER, [""])[0]
        self.log.info(
            "{route} {status}{why} {size_bytes} B {seconds:.3f} s{whose}",
            route=request.route,
            status=status,
            size_bytes=request.sentLength,
            seconds=seconds,
            code=code,
            job=job,
            why=f" {code}" if code else "",
            whose=f" {job}" if job else "",
        )
        if self._count is not None and self._time is not None:
            self._count.labels(request.route, str(status)).inc()
            self._time.labels(request.route).observe(seconds)
