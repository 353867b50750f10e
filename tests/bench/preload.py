"""Puts a `Workload` on a Kafka, and reads back what the engines wrote there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.kafka import admin
from infra.kafka.connection import Connection
from schemas.topics import ACCOUNT_STATE, ALERTS, ALL, FINDINGS, PROFILES, REQUESTS, Topic
from tests.bench.workload import Record, Workload

BATCH_BYTES = 256 * 1024
OUTPUTS = (ACCOUNT_STATE, PROFILES, FINDINGS, ALERTS)


def for_ever(topic: Topic) -> Topic:
    """The events lie in the past: Kafka would delete them under the eyes of the bench."""
    return msgspec.structs.replace(topic, retention_ms=-1)


async def load(connection: Connection, records: Iterable[Record], topic: str = REQUESTS.name) -> int:
    """Write records as one producer would; gives their number."""
    producer = AIOKafkaProducer(
        **connection.client_options(), max_batch_size=BATCH_BYTES, max_request_size=4 * BATCH_BYTES
    )
    await producer.start()
    open_batches: dict[int, Any] = {}
    sent: set[asyncio.Future[Any]] = set()
    count = 0

    async def send(partition: int) -> None:
        batch = open_batches.pop(partition)
        batch.close()
        sent.add(await producer.send_batch(batch, topic, partition=partition))

    try:
        for partition, key, value, timestamp_ms, headers in records:
            count += 1
            for _ in range(2):
                batch = open_batches.get(partition)
                if batch is None:
                    batch = open_batches[partition] = producer.create_batch()
                if batch.append(key=key, value=value, timestamp=timestamp_ms, headers=headers) is not None:
                    break
                await send(partition)
        for partition in list(open_batches):
            await send(partition)
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return count


async def create(connection: Connection, partitions: int) -> None:
    """Make the fleet's topics."""
    await admin.create_topics(connection, partitions, topics=[for_ever(topic) for topic in ALL])


async def preload(connection: Connection, workload: Workload) -> None:
    """Make the fleet's topics and fill the requests topic."""
    await create(connection, workload.partitions)
    count = await load(connection, workload.records())
    assert count == workload.records_in_all


async def renew(connection: Connection, partitions: int, topics: Sequence[Topic] = OUTPUTS) -> None:
    """Empty topics, whatever was in them."""
    client = AIOKafkaAdminClient(**connection.client_options())
    await client.start()
    try:
        await client.delete_topics([topic.name for topic in topics])
        while {topic.name for topic in topics} & set(await client.list_topics()):
            await asyncio.sleep(0.1)
    finally:
        await client.close()
    await admin.create_topics(connection, partitions, topics=[for_ever(topic) for topic in topics])


async def make_topic(connection: Connection, name: str, partitions: int) -> None:
    """An output topic of a peer."""
    client = AIOKafkaAdminClient(**connection.client_options())
    await client.start()
    try:
        await client.create_topics([NewTopic(name, partitions, 1, topic_configs={"retention.ms": "-1"})])
    finally:
        await client.close()


async def read_all(connection: Connection, topic: str, partitions: int) -> list[dict[str, Any]]:
    """Every JSON value of a topic."""
    consumer = AIOKafkaConsumer(**connection.client_options(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        values: list[dict[str, Any]] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            fetched = await consumer.getmany(timeout_ms=500)
            values += [json.loads(record.value) for records in fetched.values() for record in records]
        return values
    finally:
        await consumer.stop()
