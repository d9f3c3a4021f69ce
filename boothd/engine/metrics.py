"""What monitoring sees of the engine and the spool: Prometheus metrics, fed by the journals and asked of the parts."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from boothd.base.errors import Charged
from boothd.engine.breaker import BreakerState
from boothd.engine.services import Services
from boothd.spool import Job, Spool
from boothd.spool.journal import Answered, AttemptEnded, Entry, FellBack, Finished, Received, Shared

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 25, 35, 48, 60, 120)


class Metrics:
    """Registers everything at `registry`. stall_s: the reactor's longest stall since it was last asked."""

    def __init__(
        self, registry: CollectorRegistry, spool: Spool, services: Services, stall_s: Callable[[], float]
    ) -> None:
        self._spool, self._services, self._stall_s = spool, services, stall_s
        self._received = Counter("boothd_photos_received", "Photos accepted", ["slot"], registry=registry)
        self._answered = Counter(
            "boothd_photos_answered", "Replies, by what they said", ["slot", "code"], registry=registry
        )
        self._seconds = Histogram(
            "boothd_answer_seconds",
            "From a request's first byte to its picture",
            ["slot"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._late = Counter("boothd_photos_late", "Pictures that came after the reply", ["slot"], registry=registry)
        self._saved = Counter(
            "boothd_answers_reused", "Calls saved by an answer that existed or came", ["slot"], registry=registry
        )
        self._fell_back = Counter("boothd_fallbacks", "Chains that went on", ["slot", "provider"], registry=registry)
        self._attempts = Counter("boothd_attempts", "Calls to providers", ["provider", "outcome"], registry=registry)
        self._charged = Counter(
            "boothd_attempts_charged", "Calls that cost money", ["provider", "sure"], registry=registry
        )
        self._money = Counter("boothd_money", "What calls cost", ["provider"], registry=registry)
        registry.register(self)
        spool.journaled.append(self.count)

    def count(self, job: Job, entries: Sequence[Entry]) -> None:
        """Add what a job's new entries say."""
        for entry in entries:
            if isinstance(entry, Received):
                self._received.labels(job.slot).inc()
            elif isinstance(entry, Answered):
                self._answered.labels(job.slot, entry.code).inc()
                if entry.status == 200:
                    self._seconds.labels(job.slot).observe(entry.seconds)
            elif isinstance(entry, Finished) and entry.late:
                self._late.labels(job.slot).inc()
            elif isinstance(entry, Shared):
                self._saved.labels(job.slot).inc()
            elif isinstance(entry, FellBack):
                self._fell_back.labels(job.slot, entry.provider).inc()
            elif isinstance(entry, AttemptEnded):
                self._count_attempt(entry)

    def _count_attempt(self, entry: AttemptEnded) -> None:
        self._attempts.labels(entry.provider, entry.outcome).inc()
        if entry.charged is not Charged.NO:
            self._charged.labels(entry.provider, "yes" if entry.charged is Charged.YES else "maybe").inc()
            self._money.labels(entry.provider).inc(float(entry.cost))

    def collect(self) -> Iterable[Metric]:
        """Asked by the registry at each scrape."""
        yield _gauge("boothd_disk_free_bytes", "Free space where the spool lies", {(): self._spool.free_bytes}, ())
        yield _gauge("boothd_spool_healthy", "1 unless the disk failed", {(): float(self._spool.unhealthy is None)}, ())
        yield _gauge("boothd_reactor_stall_seconds", "Longest stall since the last scrape", {(): self._stall_s()}, ())
        services = dict(self._services)
        one = ("provider",)
        yield _gauge(
            "boothd_turns_waiting",
            "Photos waiting for a turn",
            {(n,): s.turns.waiting for n, s in services.items()},
            one,
        )
        yield _gauge(
            "boothd_turns_taken", "Photos being worked on", {(n,): s.turns.taken for n, s in services.items()}, one
        )
        closed = {(n,): float(s.breaker.state is BreakerState.CLOSED) for n, s in services.items()}
        yield _gauge("boothd_provider_up", "0 while its breaker is open", closed, one)
        spent = {(n,): float(s.spending.today) for n, s in services.items()}
        yield _gauge("boothd_spent_today", "Money since the operator's day began", spent, one)
        budgets = {n: s.spending.budget for n, s in services.items()}
        limits = {(n,): float(budget) for n, budget in budgets.items() if budget is not None}
        yield _gauge("boothd_daily_budget", "Money that may be spent a day, where there is a limit", limits, one)


def _gauge(name: str, text: str, values: dict[Any, float], labels: tuple[str, ...]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for at, value in values.items():
        family.add_metric(at, value)
    return family
