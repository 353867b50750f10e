"""The INGEST agent: raw records in, canonical requests and dead letters out.

One bad record costs one dead letter, never its run. A run is acknowledged when Kafka has taken all that
was made of it; after a crash the next owner makes the same records again, and the account plane drops
those it has by their origin.
"""

from __future__ import annotations

import asyncio
import struct
import time
from binascii import crc32
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog
from aiokafka import ConsumerRecord

from agents.metrics import Metrics
from agents.outbox import Outbox
from agents.runs import Run
from schemas.dead_letter import dead_letter, encode_dead_letter
from schemas.errors import MalformedRecord, Rejected
from schemas.event import RequestEvent, encode_event
from schemas.finding import utc_from_ms
from schemas.topics import DEAD_LETTERS, REQUESTS
from streams.origins import Origin

log = structlog.get_logger(__name__)

ORIGIN = "origin"
"""Header of a canonical request that says which raw record it was made of."""
_ORIGIN = struct.Struct(">IIQ")


def source_of(topic: str) -> int:
    """The number that stands for a raw topic in an `Origin`."""
    return crc32(topic.encode())


def pack_origin(origin: Origin) -> bytes:
    """16 bytes: source, partition, offset, big-endian.

    >>> unpack_origin(pack_origin(Origin(7, 1, 99)))
    Origin(source=7, partition=1, offset=99)
    """
    return _ORIGIN.pack(*origin)


def unpack_origin(data: bytes) -> Origin:
    """Inverse of `pack_origin`. Raises `struct.error`."""
    return Origin(*_ORIGIN.unpack(data))


def put_dead_letter(outbox: Outbox, error: Rejected, record: ConsumerRecord, stage: str) -> None:
    """Write a record that cannot be used to the dead letters, with its origin."""
    letter = dead_letter(
        error,
        record.value or b"",
        stage=stage,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        time=_broker_time(record),
    )
    key = f"{record.topic}-{record.partition}-{record.offset}".encode()
    outbox.put(DEAD_LETTERS.name, key, encode_dead_letter(letter))


def _broker_time(record: ConsumerRecord) -> datetime | None:
    """Kafka's timestamp; `None` where the sender wrote one that is no date."""
    try:
        return utc_from_ms(record.timestamp) if record.timestamp >= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


class Reader(Protocol):
    """Reads the raw records of one format, see `streams.ingest.Ingest`."""

    def read_many(
        self, payloads: Iterable[bytes], *, now_ms: int
    ) -> list[RequestEvent | Rejected | None]: ...


class IngestAgent:
    """Agent of all raw topics.

    Args:
        readers: by raw topic.
        failed: told about an error that ends the process.
    """

    def __init__(
        self,
        readers: Mapping[str, Reader],
        outbox: Outbox,
        metrics: Metrics,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._readers = readers
        self._outbox = outbox
        self._metrics = metrics
        self._failed = failed
        self._unacknowledged: set[asyncio.Task[None]] = set()

    async def run(self, stream: Any) -> None:
        """Body of the Faust agent."""
        try:
            async for event in stream.noack().events():
                self._take(event.message)
                task = asyncio.create_task(self._acknowledge(event, self._outbox.mark()))
                self._unacknowledged.add(task)
                task.add_done_callback(self._unacknowledged.discard)
                await self._outbox.room()
        except Exception as error:
            self._failed(error)

    async def drain(self) -> None:
        """Wait until everything taken so far is acknowledged."""
        if self._unacknowledged:
            await asyncio.wait(set(self._unacknowledged))

    async def _acknowledge(self, event: Any, written: Awaitable[Any]) -> None:
        try:
            await written
        except Exception as error:
            self._failed(error)
        else:
            event.ack()

    def _take(self, run: Run) -> None:
        reader, source = self._readers[run.topic], source_of(run.topic)
        put, now_ms = self._outbox.put, round(time.time() * 1000)
        rejected = skipped = 0
        started = time.perf_counter()
        for record, event in zip(run.value, self._read(reader, run.value, now_ms), strict=True):
            if isinstance(event, Rejected):
                rejected += 1
                put_dead_letter(self._outbox, event, record, "ingest")
                self._metrics.dead_letters.labels("ingest", type(event).__name__).inc()
                continue
            if event is None:  # carries no request by design, such as a CSV header
                skipped += 1
                continue
            put(
                REQUESTS.name,
                event.account_key.encode(),
                encode_event(event),
                headers=[(ORIGIN, pack_origin(Origin(source, record.partition, record.offset)))],
            )
        run.value.clear()
        self._metrics.events.labels("ingest", "accepted").inc(run.length - rejected - skipped)
        self._metrics.events.labels("ingest", "rejected").inc(rejected)
        self._metrics.run_seconds.labels("ingest").observe(time.perf_counter() - started)

    @staticmethod
    def _read(
        reader: Reader, records: Sequence[ConsumerRecord], now_ms: int
    ) -> list[RequestEvent | Rejected | None]:
        try:
            return reader.read_many([record.value or b"" for record in records], now_ms=now_ms)
        except Exception as error:
            # A defect of an adapter. One record must not stop the fleet, again and again after each restart.
            if len(records) > 1:
                return [IngestAgent._read(reader, [record], now_ms)[0] for record in records]
            where = {"topic": records[0].topic, "partition": records[0].partition}
            log.exception("adapter failed", offset=records[0].offset, **where)
            return [MalformedRecord(f"the adapter failed: {error!r}")]
