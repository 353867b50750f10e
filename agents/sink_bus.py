"""`SinkBus`: the sink's ends of the bus. What it reads, what it commits, and the dead letters it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import structlog
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError, KafkaTimeoutError

from agents.store_writer import Refused
from infra.kafka.connection import Connection
from schemas.dead_letter import dead_letter, encode_dead_letter
from schemas.errors import Rejected
from schemas.finding import utc_from_ms
from schemas.topics import DEAD_LETTERS

log = structlog.get_logger(__name__)

PARTITION_FETCH_BYTES = 4 * 1024 * 1024
DEAD_LETTER_BYTES = 2 * 1024 * 1024
PAUSE_S = 1.0


class Commit(NamedTuple):
    """A committed offset."""

    offset: int
    plan: str
    """See `agents.lane.plan`."""


class SinkBus:
    """Consumer, producer and admin client of one group. Raises `aiokafka.errors.KafkaError`.

    Args:
        connection: the bus.
        group: consumer group of all sinks.
        session_timeout_s: after this long without a sign of life the group goes on without us.
        lost: told how many records of a topic retention has taken unread.
    """

    def __init__(
        self, connection: Connection, group: str, session_timeout_s: float, lost: Callable[[str, int], None]
    ) -> None:
        self._group, self._lost = group, lost
        options = connection.client_options()
        self._admin = AIOKafkaAdminClient(**options)
        self._producer = AIOKafkaProducer(
            **options, enable_idempotence=True, max_request_size=DEAD_LETTER_BYTES
        )
        self._consumer = AIOKafkaConsumer(
            **options,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(session_timeout_s * 1000),
            heartbeat_interval_ms=int(session_timeout_s * 1000 / 3),
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            metadata_max_age_ms=10_000,  # topics made after our start are found within this
        )

    async def start(self, topics: Iterable[str], listener: ConsumerRebalanceListener) -> None:
        """Connect and join the group."""
        await self._admin.start()
        await self._producer.start()
        await self._consumer.start()
        self._consumer.subscribe(list(topics), listener=listener)  # now, or `start` would wait for each topic

    async def stop(self) -> None:
        """Leave the group and disconnect."""
        await self._consumer.stop()
        await self._producer.stop()
        await self._admin.close()

    def hold(self, partitions: set[TopicPartition]) -> None:
        """Fetch from all partitions but these."""
        paused = self._consumer.paused()
        self._consumer.pause(*(partitions - paused))
        self._consumer.resume(*(paused - partitions))

    async def read(self, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What has been fetched. In a rebalance this takes as long as the slowest member."""
        return await self._consumer.getmany(timeout_ms=timeout_ms)

    def end(self, place: TopicPartition) -> int | None:
        """Offset after the last record of a partition, as of the latest fetch."""
        return self._consumer.highwater(place)

    async def rewind(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, Commit]:
        """Read partitions from their committed offsets, or their first where there are none; and those."""
        ordered = sorted(places)
        if not ordered:  # the protocol takes "none" for "all"
            return {}
        # By the admin client, because the consumer gives offsets without their metadata.
        entries = await self._admin.list_consumer_group_offsets(self._group, partitions=ordered)
        commits = {tp: Commit(*entry) for tp, entry in entries.items() if entry.offset >= 0}
        for tp, begin in (await self._consumer.beginning_offsets(ordered)).items():
            commit = commits.setdefault(tp, Commit(begin, ""))
            if commit.offset < begin:
                unread = begin - commit.offset
                log.error("deleted before they were stored: retention is too short", records=unread, place=tp)
                self._lost(tp.topic, unread)
            self._consumer.seek(tp, commit.offset)
        return commits

    async def commit(self, offsets: Mapping[TopicPartition, Commit]) -> bool:
        """Commit; `False` where a partition is no longer ours, and so nobody's loss."""
        try:
            await self._consumer.commit({tp: (commit.offset, commit.plan) for tp, commit in offsets.items()})
        except (CommitFailedError, IllegalStateError) as error:
            log.info("partitions moved on before their commit", reason=str(error))
            return False
        return True

    async def bury(self, refused: Iterable[Refused]) -> None:
        """Send records that cannot be stored to the dead letters; returns when Kafka has them."""
        await asyncio.gather(*(self._bury(record, error) for record, error in refused))

    async def _bury(self, record: ConsumerRecord, error: Rejected) -> None:
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        if record.topic == DEAD_LETTERS.name:  # or it would come back for ever; it stays in its topic
            log.error("a dead letter cannot be stored", reason=str(error), **place)
            return
        time = utc_from_ms(record.timestamp)
        letter = dead_letter(error, record.value or b"", stage="sink", time=time, **place)
        key = f"{record.topic}-{record.partition}-{record.offset}".encode()
        while True:
            try:
                await self._producer.send_and_wait(DEAD_LETTERS.name, encode_dead_letter(letter), key=key)
                return
            except (KafkaConnectionError, KafkaTimeoutError) as failure:
                log.warning("bus unavailable", reason=repr(failure))
                await asyncio.sleep(PAUSE_S)
