"""Writing to the sink's topics, and waiting for what arrives in the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer

from infra.clickhouse.store import Store
from infra.kafka.connection import Connection
from schemas.event import encode_event
from schemas.partitioning import partition_for
from schemas.topics import Topic
from tests.integration.store.records import request

KeyValue = tuple[bytes | None, bytes | None]
PARTITIONS = 4
PATIENCE_S = 90.0
"""Until a test gives up; not a time that anything is held to."""

RAW = "SELECT count() FROM requests"
"""Rows, repetitions included."""
CURRENT = "SELECT count() FROM requests_current"
DISTINCT = "SELECT uniqExact(event_id) FROM requests"


def requests(numbers: Iterable[int]) -> list[KeyValue]:
    """Keys and values of small requests."""
    events = [request(n, account=n % 97) for n in numbers]
    return [(event.account_key.encode(), encode_event(event)) for event in events]


async def produce(bus: Connection, topic: Topic, records: Iterable[KeyValue]) -> None:
    """Write records; by key as Kafka would, without a key to partition 0."""
    producer = AIOKafkaProducer(**bus.client_options(), linger_ms=20)
    await producer.start()
    try:
        spread = topic.partitions or PARTITIONS
        sent = []
        for key, value in records:
            partition = partition_for(key, spread) if key else 0
            sent.append(await producer.send(topic.name, value, key=key, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def until(store: Store, sql: str, expected: Any) -> None:
    """Wait until a query gives `expected`."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := await asyncio.to_thread(store.query, sql)) != [(expected,)]:
        assert time.monotonic() < deadline, f"{sql}: {found}, not {expected}"
        await asyncio.sleep(0.05)
