"""`ControlReader`: keeps a worker's `Controls` up to date.

Every worker reads the whole control topic (one partition, compacted) for itself, outside the consumer
group, and has read it to its end before it handles its first record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from agents.controls import Controls
from schemas.errors import BusUnavailable
from schemas.topics import CONTROL


class ControlReader:
    """Follows the control topic.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        controls: kept up to date.
    """

    def __init__(self, client_options: Mapping[str, Any], controls: Controls) -> None:
        self._options = dict(client_options)
        self._controls = controls
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Read from the beginning, for ever; `caught_up` is set once what was there at first is read.

        Raises:
            BusUnavailable: the topic cannot be read.
        """
        place = TopicPartition(CONTROL.name, 0)
        consumer = AIOKafkaConsumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            end = (await consumer.end_offsets([place]))[place]
            while True:
                if await consumer.position(place) >= end:
                    self.caught_up.set()
                fetched: dict[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(timeout_ms=500)
                for record in fetched.get(place, ()):
                    self._controls.apply(record.key or b"", record.value)
        except KafkaError as error:
            raise BusUnavailable(f"cannot read {CONTROL.name}: {error!r}") from error
        finally:
            await consumer.stop()
