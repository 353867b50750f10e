"""`Metrics`: what a worker counts, for Prometheus.

Names follow Prometheus' naming practice; no label ever names an account.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from schemas.errors import InvalidSetting
from schemas.finding import Finding, Lifecycle

RUN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "stillwatch_events", "Records handled.", ["source", "outcome"], registry=self.registry
        )
        self.dead_letters = Counter(
            "stillwatch_dead_letters", "Records that could not be used.", ["stage", "reason"],
            registry=self.registry,
        )  # fmt: skip
        self.lost = Counter(
            "stillwatch_lost_records", "Records that Kafka deleted before they were read.", ["topic"],
            registry=self.registry,
        )  # fmt: skip
        self.detections = Counter(
            "stillwatch_detections", "Findings opened.", ["detector", "severity"], registry=self.registry
        )
        self.suppressed = Counter(
            "stillwatch_suppressed", "Findings kept off the alerts topic.", ["reason"], registry=self.registry
        )
        self.run_seconds = Histogram(
            "stillwatch_run_seconds", "Time to handle one run of records.", ["stage"],
            buckets=RUN_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.checkpoint_seconds = Histogram(
            "stillwatch_checkpoint_seconds", "Time to write changed account state.", registry=self.registry
        )
        self.lag = Gauge(
            "stillwatch_lag_records", "Records the fleet has not finished with.", ["topic"],
            registry=self.registry,
        )  # fmt: skip
        self.event_lag = Gauge(
            "stillwatch_event_lag_seconds", "Wall clock less newest event time.", registry=self.registry
        )
        self.accounts = Gauge("stillwatch_tracked_accounts", "Accounts in memory.", registry=self.registry)
        self.open_findings = Gauge("stillwatch_open_findings", "Episodes now open.", registry=self.registry)
        self.partitions = Gauge(
            "stillwatch_partitions", "Partitions of the requests topic owned.", registry=self.registry
        )
        self.groups = Gauge(
            "stillwatch_group_planes", "What link and campaign planes hold and have counted.",
            ["plane", "what"], registry=self.registry,
        )  # fmt: skip
        build = Gauge("stillwatch_build_info", "Version.", ["version"], registry=self.registry)
        build.labels(version("stillwatch")).set(1)

    def handled(self, source: str, outcome: str) -> int:
        """Records counted in `events` under these labels."""
        value = self.registry.get_sample_value(
            "stillwatch_events_total", {"source": source, "outcome": outcome}
        )
        return int(value or 0)

    def note_lost(self, topic: str, records: int) -> None:
        """Count what retention has taken unread."""
        self.lost.labels(topic).inc(records)

    def note_findings(self, findings: Iterable[Finding]) -> None:
        """Count what a plane has said."""
        for finding in findings:
            if finding.lifecycle is Lifecycle.CREATE:
                self.detections.labels(finding.detector, finding.severity.value).inc()
            if finding.suppressed_by is not None:
                self.suppressed.labels("control").inc()

    def serve(self, host: str, port: int) -> None:
        """Answer Prometheus on ``http://host:port/metrics``. Raises `InvalidSetting` if the port is taken."""
        try:
            start_http_server(port, host, self.registry)
        except OSError as error:
            raise InvalidSetting(
                "fleet.metrics_port", f"cannot listen on {host}:{port}: {error}", "Choose another port, or 0"
            ) from error
