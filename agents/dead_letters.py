"""Dead letters on the bus: read them, and send what they hold to where it came from once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from infra.kafka import admin
from infra.kafka.connection import Connection
from schemas.dead_letter import DeadLetter, decode_dead_letter
from schemas.errors import BusUnavailable
from schemas.topics import DEAD_LETTERS, RAW_FORMATS, RAW_MAX_BYTES

RAW_TOPICS = frozenset(topic.name for topic in RAW_FORMATS.values())
AT_ONCE = 500

Wanted = Callable[[DeadLetter], bool]


class Resent(NamedTuple):
    """What a replay did with the letters that were new to it."""

    sent: int
    skipped: int
    """Not wanted, cut, or not from a raw topic."""


def can_be_sent(letter: DeadLetter) -> bool:
    """Whether the original is whole, and came from a raw topic: INGEST will read it again."""
    return letter.origin_topic in RAW_TOPICS and letter.payload_bytes == len(letter.payload)


def newest(connection: Connection, wanted: Wanted, limit: int) -> list[DeadLetter]:
    """The last letters that are wanted, oldest first. Raises `BusUnavailable`."""

    async def read() -> list[DeadLetter]:
        found: list[tuple[int, DeadLetter]] = []
        async with _consumer(connection) as consumer:
            await consumer.seek_to_beginning()
            async for timestamp_ms, letter in _letters(consumer):
                if wanted(letter):
                    found.append((timestamp_ms, letter))
                if len(found) > 2 * limit + AT_ONCE:  # bounded, whatever lies there
                    found = sorted(found, key=lambda one: one[0])[-limit:]
        return [letter for _, letter in sorted(found, key=lambda one: one[0])[-limit:]]

    return asyncio.run(read())


def resend(connection: Connection, group_id: str, wanted: Wanted) -> Resent:
    """Send the originals of letters that no earlier call has looked at to their topics.

    Args:
        group_id: consumer group that remembers how far calls have come.

    Raises:
        BusUnavailable: the bus does not answer; a part may have been sent, and will be again.
    """

    async def copy() -> Resent:
        sent = skipped = 0
        producer = AIOKafkaProducer(
            **connection.client_options(), acks="all", max_request_size=RAW_MAX_BYTES
        )
        async with _consumer(connection, group_id) as consumer:
            await producer.start()
            try:
                async for _, letter in _letters(consumer):
                    if wanted(letter) and can_be_sent(letter):
                        # one by one: what was not acknowledged must not count as looked at
                        await producer.send_and_wait(letter.origin_topic, letter.payload)
                        sent += 1
                    else:
                        skipped += 1
                await consumer.commit()
            finally:
                await producer.stop()
        return Resent(sent, skipped)

    return asyncio.run(copy())


@asynccontextmanager
async def _consumer(connection: Connection, group_id: str | None = None) -> Any:
    """Of all partitions; with a group, from where it stands."""
    state = (await admin.describe_topics(connection, 1, (DEAD_LETTERS,)))[DEAD_LETTERS.name]
    options = {**connection.client_options(), "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(**options, group_id=group_id)
    try:
        await consumer.start()
        partitions = range(state.partitions if state else 0)
        consumer.assign([TopicPartition(DEAD_LETTERS.name, number) for number in partitions])
        yield consumer
    except KafkaError as error:
        raise BusUnavailable(f"cannot read {DEAD_LETTERS.name}: {error!r}") from error
    finally:
        await consumer.stop()


async def _letters(consumer: AIOKafkaConsumer) -> Any:
    """(timestamp in ms, letter) up to what is there now; what is no dead letter is left out."""
    ends = await consumer.end_offsets(list(consumer.assignment()))
    missing = {place for place, end in ends.items() if end > 0}
    while missing := {place for place in missing if await consumer.position(place) < ends[place]}:
        fetched = await consumer.getmany(*missing, timeout_ms=300, max_records=AT_ONCE)
        for place, records in fetched.items():
            for record in records:
                if record.offset >= ends[place]:
                    break  # came meanwhile, perhaps from what we send
                try:
                    yield record.timestamp, decode_dead_letter(record.value or b"")
                except msgspec.DecodeError:
                    continue
