"""`Outbox`: everything the fleet writes to Kafka, collected into one open batch per partition.

`put` only appends to the open batch. While one batch of a partition is on its way, the next fills, so
under load many small runs share a request, and on an idle bus a record leaves at once. Per partition the
order of `put` is the order in Kafka, also over retries (idempotent producer).

This costs about 1 us per record; ``AIOKafkaProducer.send`` costs a future and two task switches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from schemas.errors import BusUnavailable, Fatal
from schemas.partitioning import partition_for

BATCH_BYTES = 512 * 1024
"""A batch is sent when the partition is free or when it has this size, whichever comes first."""
REQUEST_BYTES = 16 * 1024 * 1024
"""Largest single request, hence largest single record."""
PLACES = 100_000
"""Keys whose partition is remembered; Kafka's hash takes 10 us in Python."""
LEARN_S = 10.0
"""For what brokers know of a topic; one that is not there would be waited for much longer."""
ROOM_BYTES = 32 * 1024 * 1024
"""`room` waits while more than this is not yet acknowledged."""

_NO_HEADERS: list[tuple[str, bytes]] = []
"""Never changed; aiokafka takes nothing but a list."""


class Sent(NamedTuple):
    """An acknowledged batch and where Kafka put it."""

    tp: TP
    first: int
    end: int
    """Offset after its last record."""


class Letter:
    """One batch of one partition on its way: open, then closed, then acknowledged."""

    __slots__ = ("builder", "bytes", "delivered")

    def __init__(self, builder: BatchBuilder, delivered: asyncio.Future[Sent]) -> None:
        self.builder = builder
        self.delivered = delivered
        self.bytes = 0


class Outbox:
    """Writer to Kafka.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        request_timeout_s: how long a batch is retried before the outbox fails.
    """

    def __init__(self, client_options: Mapping[str, Any], *, request_timeout_s: float = 40.0) -> None:
        self._options = dict(client_options)
        self._timeout_s = request_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._letters: dict[TP, list[Letter]] = {}
        """Not yet acknowledged, oldest first; the last one may be open."""
        self._senders: dict[TP, asyncio.Task[None]] = {}
        self._partitions: dict[str, int] = {}
        self._place = lru_cache(PLACES)(partition_for)
        self._room = asyncio.Event()
        self._room.set()
        self._failure: BusUnavailable | None = None
        self.pending_bytes = 0
        self.sent_records = 0

    async def start(self) -> None:
        """Connect. Raises `BusUnavailable`."""
        self._producer = AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        try:
            await self._producer.start()
        except (KafkaConnectionError, KafkaTimeoutError) as error:
            raise BusUnavailable(f"no broker answers: {error}") from error

    async def stop(self) -> None:
        """Send what is left and disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            for sender in self._senders.values():
                sender.cancel()

    async def learn(self, topic: str) -> None:
        """Find out how many partitions a topic has, so that `put` can place keys.

        Raises:
            Fatal: there is no such topic.
        """
        assert self._producer is not None
        try:
            known = await asyncio.wait_for(self._producer.partitions_for(topic), LEARN_S)
        except (KafkaError, TimeoutError) as error:
            raise Fatal(f"topic {topic} is not there. Run `stillwatch topics create`") from error
        self._partitions[topic] = len(known)

    def partition_of(self, topic: str, key: bytes) -> int:
        """Partition of a key in a topic that was learnt before."""
        return self._place(key, self._partitions[topic])

    def put(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: list[tuple[str, bytes]] = _NO_HEADERS,
    ) -> None:
        """Append a record to the open batch of its partition. Does not wait, does not fail."""
        tp = TP(topic, self.partition_of(topic, key) if partition is None else partition)
        letters = self._letters.get(tp)
        letter = letters[-1] if letters else self._open(tp)
        size = letter.builder.append(key=key, value=value, timestamp=None, headers=headers)
        if size is None:
            letter = self._open(tp)
            size = letter.builder.append(key=key, value=value, timestamp=None, headers=headers)
        letter.bytes += size.size
        self.pending_bytes += size.size
        self.sent_records += 1

    def put_everywhere(self, topic: str, key: bytes, value: bytes) -> None:
        """`put` the same record into every partition of a topic that was learnt before."""
        for partition in range(self._partitions[topic]):
            self.put(topic, key, value, partition=partition)

    def _open(self, tp: TP) -> Letter:
        assert self._producer is not None, "start first"
        letter = Letter(self._producer.create_batch(), asyncio.get_running_loop().create_future())
        self._letters.setdefault(tp, []).append(letter)
        if tp not in self._senders:
            self._senders[tp] = asyncio.create_task(self._send(tp))
        return letter

    async def _send(self, tp: TP) -> None:
        """Send the batches of one partition, one after the other, until there is none."""
        assert self._producer is not None
        letters = self._letters[tp]
        while letters:
            letter = letters[0]
            letter.builder.close()
            try:
                sent = await self._producer.send_batch(letter.builder, tp.topic, partition=tp.partition)
                first: int = (await sent).offset
                letter.delivered.set_result(Sent(tp, first, first + letter.builder.record_count()))
            except Exception as error:  # whatever it is, nobody may wait for these records for ever
                self._failure = BusUnavailable(f"{tp.topic}[{tp.partition}] takes no records: {error!r}")
                for one in letters:
                    one.delivered.set_exception(self._failure)
                    one.delivered.exception()  # counts as retrieved, also where nobody waits for it
                self._room.set()
                return
            letters.pop(0)
            self.pending_bytes -= letter.bytes
            if self.pending_bytes <= ROOM_BYTES:
                self._room.set()
        del self._letters[tp], self._senders[tp]

    def mark(self) -> Awaitable[list[Sent]]:
        """Await it to know that everything put before this call is acknowledged.

        Raises (when awaited):
            BusUnavailable: a batch was refused or not acknowledged in time. The outbox is of no more use.
        """
        return _all([one.delivered for letters in self._letters.values() for one in letters])

    async def room(self) -> None:
        """Wait while too much is unacknowledged. The one place where a slow bus slows its writers.

        Raises:
            BusUnavailable: as `mark`.
        """
        if self.pending_bytes > ROOM_BYTES:
            self._room.clear()
            await self._room.wait()
        if self._failure is not None:
            raise self._failure


async def _all(delivered: list[asyncio.Future[Sent]]) -> list[Sent]:
    if delivered:
        await asyncio.wait(delivered)  # unlike `gather`, leaves them alone when the waiter is cancelled
    return [one.result() for one in delivered]
