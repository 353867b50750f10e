"""`RunConsumerThread`: the thread that talks to Kafka, with a consumer set up for runs."""

from __future__ import annotations

import aiokafka
from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

FETCH_WAIT_MS = 100
"""Longest wait of the broker for new data. While it waits for partitions at their end, aiokafka sends it no
request for those that have data, so this bounds how long a partition with data can stand still."""

METADATA_AGE_MS = 10_000
"""A broker that has just come back may not know its topics at once. Whoever shares partitions out at that
moment leaves them to nobody, and finds out with the next metadata: after five minutes, by default."""

PARTITION_FETCH_BYTES = 4 * 1024 * 1024
"""A run is at most what one fetch brings: some 3,000 requests. In runs of a quarter of that, a request costs
a plane half as much again."""

FETCH_BYTES = 2 * PARTITION_FETCH_BYTES
"""Longest answer of the broker, which takes partitions in turns. Longer ones go through memory that no cache
holds."""


class RunConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that talks to Kafka, with a consumer set up for runs and for our security settings."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = self.app.assignor  # sticky: most state stays where it is when a worker joins
        return aiokafka.AIOKafkaConsumer(
            **transport.client_options,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            fetch_max_bytes=FETCH_BYTES,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            metadata_max_age_ms=METADATA_AGE_MS,
        )

    def highwater(self, tp: TP) -> int | None:
        """End of what may be read: before transactions that are still open. `None` while not known."""
        consumer = self._ensure_consumer()
        return consumer.last_stable_offset(tp) if consumer._subscription.is_assigned(tp) else None

    def reached(self, tp: TP) -> int | None:
        """Offset up to which everything was handed out by aiokafka, or holds no record at all."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        state = assignment.state_value(TopicPartition(*tp)) if assignment is not None else None
        return state.position if state is not None and state.has_valid_position else None

    @property
    def is_member(self) -> bool:
        """False once the group has thrown this worker out: its partitions are somebody else's already."""
        return self._consumer is not None and self._consumer._coordinator.generation >= 0
