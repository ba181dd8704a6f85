"""What operators see at ``/metrics``. No label ever holds an id."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Monitor:
    """The figures of one service; each has a registry of its own, so that two can live in one process.

    Example:
        >>> monitor = Monitor()
        >>> monitor.requests.labels(route="/livez", method="GET", status="200").inc()
        >>> [line for line in monitor.text().decode().splitlines() if "livez" in line][0]
        'acclimate_requests_total{method="GET",route="/livez",status="200"} 1.0'
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "acclimate_requests", "Answers by route, method and status", ["route", "method", "status"],
            registry=registry,
        )  # fmt: skip
        self.stages = Histogram(
            "acclimate_stage_seconds", "Seconds in each stage: request, log, model", ["stage"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.batch = Histogram(
            "acclimate_batch_size", "Questions that were scored together",
            buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry,
        )  # fmt: skip
        self.records = Counter(
            "acclimate_records", "Records written, by kind: event, item, user, slate, ...", ["kind"],
            registry=registry,
        )  # fmt: skip
        self.duplicates = Counter(
            "acclimate_duplicate_events", "Events that had been written before", registry=registry
        )
        self.lost_slates = Counter(
            "acclimate_lost_slates", "Answers that could not be logged", registry=registry
        )
        self.offset = Gauge("acclimate_log_offset", "The log is applied up to here", registry=registry)
        self.ready = Gauge("acclimate_ready", "1 when the log is caught up", registry=registry)
        self.snapshot = Gauge(
            "acclimate_snapshot_info", "The snapshot that answers", ["snapshot", "model", "policy"],
            registry=registry,
        )  # fmt: skip

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside, as stage ``name``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(stage=name).observe(time.perf_counter() - started)

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self.registry)
