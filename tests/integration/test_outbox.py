"""The outbox against a real broker: order, placement, size, refusal, back-pressure."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from agents.outbox import Outbox
from infra.kafka import admin
from infra.kafka.connection import Connection
from schemas.errors import BusUnavailable, Fatal
from schemas.partitioning import partition_for
from schemas.topics import Topic
from tests.integration.fleet import read_topic

pytestmark = pytest.mark.integration

PARTITIONS = 3
_numbers = itertools.count()


@pytest.fixture
async def topic(kafka: Connection) -> Topic:
    made = Topic(name=f"outbox-{next(_numbers)}", key="any", value="any", partitions=PARTITIONS)
    await admin.create_topics(kafka, PARTITIONS, topics=[made])
    return made


@pytest.fixture
async def outbox(kafka: Connection) -> AsyncIterator[Outbox]:
    outbox = Outbox(kafka.client_options())
    await outbox.start()
    yield outbox
    await outbox.stop()


async def test_each_partition_keeps_the_order_of_put_over_many_batches(
    kafka: Connection, outbox: Outbox, topic: Topic
) -> None:
    await outbox.learn(topic.name)
    values = [b"%d" % number for number in range(4000)]
    values[1000] = b"L" * 900_000  # larger than a batch
    sent = []
    for number, value in enumerate(values):
        outbox.put(topic.name, b"key-%d" % (number % 50), value, headers=[("n", b"%d" % number)])
        if number % 700 == 0:
            sent += await outbox.mark()
    sent += await outbox.mark()
    assert outbox.pending_bytes == 0
    records = await read_topic(kafka, topic)
    assert len(records) == len(values)
    for partition in range(PARTITIONS):
        mine = [record for record in records if record.partition == partition]
        numbers = [int(dict(record.headers)["n"]) for record in mine]
        assert numbers == sorted(numbers)
        assert all(record.value == values[number] for record, number in zip(mine, numbers, strict=True))
        assert all(partition_for(record.key, PARTITIONS) == partition for record in mine)
        batches = sorted((one.first, one.end) for one in sent if one.tp.partition == partition)
        assert [first for first, _ in batches] == [0, *(end for _, end in batches[:-1])]
        assert batches[-1][1] == len(mine)


async def test_a_mark_speaks_of_what_was_put_before_it_only(outbox: Outbox, topic: Topic) -> None:
    outbox.put(topic.name, b"k", b"1", partition=0)
    mark = outbox.mark()
    outbox.put(topic.name, b"k", b"2", partition=1)
    later = outbox.mark()  # before anything is awaited, so nothing can have been acknowledged yet
    assert {one.tp.partition for one in await mark} == {0}
    assert {one.tp.partition for one in await later} == {0, 1}
    assert await outbox.mark() == []


async def test_a_refused_record_fails_whoever_waits(outbox: Outbox, topic: Topic) -> None:
    outbox.put(topic.name, b"k", b"x" * (topic.max_message_bytes + 1000), partition=0)
    outbox.put(topic.name, b"k", b"after it", partition=0)
    with pytest.raises(BusUnavailable, match=topic.name):
        await outbox.mark()
    with pytest.raises(BusUnavailable):
        await outbox.room()


async def test_writers_wait_while_too_much_is_unacknowledged(
    outbox: Outbox, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.outbox.ROOM_BYTES", 10_000)
    outbox.put(topic.name, b"k", b"x" * 9_000, partition=0)
    await outbox.room()
    outbox.put(topic.name, b"k", b"x" * 9_000, partition=0)
    assert outbox.pending_bytes > 10_000
    await asyncio.wait_for(outbox.room(), 30)
    assert outbox.pending_bytes <= 10_000


async def test_an_unknown_topic_is_named(kafka: Connection) -> None:
    outbox = Outbox(kafka.client_options(), request_timeout_s=1)
    await outbox.start()
    with pytest.raises(Fatal, match="no-such-topic"):
        await outbox.learn("no-such-topic")
    await outbox.stop()


async def test_no_broker_is_said_so() -> None:
    outbox = Outbox({"bootstrap_servers": "127.0.0.1:9"}, request_timeout_s=2)
    with pytest.raises(BusUnavailable):
        await outbox.start()
