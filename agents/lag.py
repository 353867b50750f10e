"""`Lag`: how many records of each partition the whole fleet has not finished with.

Asked of Kafka itself every few seconds (log ends and the group's committed offsets), so every worker sees
the lag of all workers: whether a raw partition is silent or only behind, and whether the fleet stands
still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

STALE_S = 15.0
"""Figures older than this answer no question."""
TIMEOUT_S = 10.0


class Lag:
    """Lag by partition.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        group: consumer group of the fleet.
        partitions: topic name to number of partitions.
    """

    def __init__(
        self, client_options: Mapping[str, Any], group: str, partitions: Mapping[str, int]
    ) -> None:
        self._options = dict(client_options)
        self._group = group
        self._places = [
            TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)
        ]
        self._records: dict[tuple[str, int], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._answered_s = monotonic()
        self._heard = False
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def refresh(self) -> bool:
        """Ask Kafka. False when it does not answer; then the last figures stay until they are stale."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                consumer, admin = await self._clients()
                # In this order: what was made of a committed raw record is below the ends asked for later,
                # so no lag can hide between two topics.
                offsets = await admin.list_consumer_group_offsets(self._group)
                starts = await consumer.beginning_offsets(self._places)
                ends = await consumer.end_offsets(self._places)
        except (KafkaError, OSError, TimeoutError):
            await self.stop()
            return False
        committed = {place: known.offset for place, known in offsets.items() if known.offset >= 0}
        self._records = {
            place: max(0, ends[place] - max(committed.get(place, 0), starts[place])) for place in self._places
        }
        self._committed = dict(committed)
        self._answered_s, self._heard = monotonic(), True
        return True

    async def _clients(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._consumer is None or self._admin is None:
            self._consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
            self._admin = AIOKafkaAdminClient(**self._options)
            await self._consumer.start()
            await self._admin.start()
        return self._consumer, self._admin

    async def stop(self) -> None:
        """Disconnect."""
        consumer, admin, self._consumer, self._admin = self._consumer, self._admin, None, None
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                if consumer is not None:
                    await consumer.stop()
                if admin is not None:
                    await admin.close()

    @property
    def silent_s(self) -> float:
        """Seconds since Kafka last answered."""
        return monotonic() - self._answered_s

    @property
    def known(self) -> bool:
        """Whether the figures are fresh enough to act on."""
        return self._heard and self.silent_s < STALE_S

    def of(self, topic: str, partition: int) -> int | None:
        """Records of one partition; `None` where not known now."""
        return self._records.get((topic, partition)) if self.known else None

    def committed(self, topic: str, partition: int) -> int:
        """Offset the group would start from, as last heard; 0 before the first commit."""
        return self._committed.get((topic, partition), 0)

    def total(self, topics: Iterable[str]) -> int | None:
        """Sum over all partitions of `topics`; `None` where not known now."""
        wanted = set(topics)
        if not self.known:
            return None
        return sum(records for (topic, _), records in self._records.items() if topic in wanted)
