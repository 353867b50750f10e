"""`Changelog`: reading what the partitions of a changelog topic hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from agents.stretches import Change, Stretches
from schemas.errors import BusUnavailable

log = structlog.get_logger(__name__)

RESTORE_RECORDS = 5000
"""Records restored between two looks at the event loop."""
RESTORE_FETCH_BYTES = 4 * 1024 * 1024
REPORT_S = 5.0


class Changelog:
    """One changelog topic, outside any consumer group.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        topic: its name.
    """

    def __init__(self, client_options: Mapping[str, Any], topic: str) -> None:
        self._options = dict(client_options)
        self.topic = topic

    @asynccontextmanager
    async def consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer that has no partition yet. Raises `BusUnavailable`, of what is done with it too."""
        consumer = AIOKafkaConsumer(
            **self._options,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=RESTORE_FETCH_BYTES,
        )
        try:
            await consumer.start()
            yield consumer
        except KafkaError as error:
            raise BusUnavailable(f"cannot read {self.topic}: {error!r}") from error
        finally:
            await consumer.stop()

    @staticmethod
    async def read(
        consumer: AIOKafkaConsumer,
        ends: Mapping[TopicPartition, int],
        handle: Callable[[TopicPartition, list[ConsumerRecord]], None],
        still_valid: Callable[[], bool],
        starts: Mapping[TopicPartition, int] | None = None,
    ) -> bool:
        """Read partitions from the beginning, or from where `starts` says, to `ends`. False where that has
        become pointless on the way."""
        reported, records = monotonic(), 0
        begin = {place: (starts or {}).get(place, 0) for place in ends}
        missing = {place for place, end in ends.items() if end > begin[place]}
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*(place for place, start in begin.items() if not start))
        for place, start in begin.items():
            if start:
                consumer.seek(place, start)
        while missing:
            if not still_valid():
                return False
            fetched = await consumer.getmany(*missing, timeout_ms=200, max_records=RESTORE_RECORDS)
            for place, some in fetched.items():
                handle(place, some)
                records += len(some)
            # the position also passes records that were compacted away; the last fetched offset does not
            missing = {place for place in missing if await consumer.position(place) < ends[place]}
            if monotonic() - reported > REPORT_S:
                reported = monotonic()
                log.info("restoring planes", records=records, partitions_left=len(missing))
        return True

    async def written(self, partition: int) -> list[Change]:
        """All that counts in the changelog of a partition, oldest first. Raises `BusUnavailable`."""
        place = TopicPartition(self.topic, partition)
        stretches, changes = Stretches(), list[Change]()

        def keep(_: TopicPartition, records: list[ConsumerRecord]) -> None:
            changes.extend(stretches.read(records))

        async with self.consumer() as consumer:
            await self.read(consumer, await consumer.end_offsets([place]), keep, lambda: True)
        return changes
