"""`SinkMetrics`: what the sink counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ROUND_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class SinkMetrics:
    """Metrics of one sink, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter(
            "stillwatch_sink_rows", "Rows the store has taken.", ["table"], registry=self.registry
        )
        self.refused = Counter(
            "stillwatch_sink_refused", "Records that cannot be stored.", ["topic"], registry=self.registry
        )
        self.lost = Counter(
            "stillwatch_sink_lost_records", "Records that Kafka deleted before they were stored.", ["topic"],
            registry=self.registry,
        )  # fmt: skip
        self.retries = Counter(
            "stillwatch_sink_retries", "Times the store did not take a batch.", registry=self.registry
        )
        self.round_seconds = Histogram(
            "stillwatch_sink_round_seconds", "Time to store one batch of each partition that was due.",
            buckets=ROUND_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.lag = Gauge(
            "stillwatch_sink_lag_records", "Records of our partitions not yet stored.", registry=self.registry
        )
        self.buffered_bytes = Gauge(
            "stillwatch_sink_buffered_bytes", "Records read and not yet stored.", registry=self.registry
        )

    def note_lost(self, topic: str, records: int) -> None:
        """Count what retention has taken unread."""
        self.lost.labels(topic).inc(records)
