"""Small Faust apps on the run transport, and what tests of them need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from agents.app import FleetApp, build_app, runs_of
from agents.settings import Settings
from infra.kafka.connection import Connection
from schemas.topics import Topic

PARTITIONS = 4
Handle = Callable[[Any], Awaitable[None]]


async def send(
    kafka: Connection, topic: Topic, partition: int, timestamps_ms: list[int], transaction: str | None = None
) -> None:
    """One record per timestamp; ``transaction``: inside one that is committed, or aborted."""
    options = {"transactional_id": f"{topic.name}-{partition}"} if transaction else {}
    producer = AIOKafkaProducer(**kafka.client_options(), **options)
    await producer.start()
    try:
        if transaction:
            await producer.begin_transaction()
        for number, timestamp_ms in enumerate(timestamps_ms):
            value = str(number).encode()
            await producer.send(topic.name, value, partition=partition, timestamp_ms=timestamp_ms)
        await producer.flush()
        if transaction == "commit":
            await producer.commit_transaction()
        elif transaction == "abort":
            await producer.abort_transaction()
    finally:
        await producer.stop()


async def committed(kafka: Connection, group: str, topic: Topic) -> dict[int, int | None]:
    consumer = AIOKafkaConsumer(**kafka.client_options(), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return {
            number: await consumer.committed(TopicPartition(topic.name, number))
            for number in range(PARTITIONS)
        }
    finally:
        await consumer.stop()


async def delete(kafka: Connection, topic: Topic, before: dict[int, int]) -> None:
    """Records of some partitions below an offset, as retention does."""
    client = AIOKafkaAdminClient(**kafka.client_options())
    await client.start()
    try:
        below = {TopicPartition(topic.name, n): RecordsToDelete(offset) for n, offset in before.items()}
        await client.delete_records(below)
    finally:
        await client.close()


async def until(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic, handle: Handle, **fleet: Any
) -> AsyncIterator[FleetApp]:
    """An app of one agent that hands every Faust event to `handle`."""
    settings = make_settings(fleet={"application_id": topic.name, "session_timeout_s": 6, **fleet})
    app = build_app(settings, kafka.client_options())
    app.transport.aligned_topics = frozenset([topic.name])

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            await handle(event)

    app.agent(runs_of(app, topic), name="agent")(agent)
    starting = asyncio.create_task(app.start())
    try:
        yield app
    finally:
        await app.stop()
        await starting
