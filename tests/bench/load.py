"""`Load`: events at a steady rate, dated now, on the requests topic of a running fleet.

Background traffic of a `Workload`, over and over with fresh ids and times; and *probes*: new accounts that
fill a template until they are found, so that findings come all the time and what they take can be measured.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from infra.kafka.connection import Connection
from schemas.event import RequestEvent, encode_event
from schemas.partitioning import partition_for
from schemas.topics import REQUESTS
from tests.bench.workload import Workload, templated_fingerprints

TICK_S = 0.02
PROBE_EVENTS = 60
"""Requests of a probe, one a tick: more than it takes to be found."""
BACKGROUND = 100_000
"""Different background records; they are repeated."""


class Load:
    """A producer that keeps to a rate.

    Args:
        events_per_s: background events.
        probes_per_s: probes begun.
    """

    def __init__(
        self, connection: Connection, workload: Workload, events_per_s: float, probes_per_s: float
    ) -> None:
        self._connection = connection
        self._partitions = workload.partitions
        self._rate = events_per_s
        self._probe_rate = probes_per_s
        self._rng = random.Random(workload.seed)
        self._background = cycle(list(islice(_bodies(workload), BACKGROUND)))
        self._fingerprints = templated_fingerprints(self._rng, PROBE_EVENTS)
        self._probes: list[tuple[str, int]] = []
        self.sent = 0
        self.behind_s = 0.0
        """How far the load has fallen behind its rate, at worst."""

    async def run(self, duration_s: float) -> None:
        """Send for a while."""
        producer = AIOKafkaProducer(**self._connection.client_options(), max_batch_size=512 * 1024)
        await producer.start()
        try:
            started = time.monotonic()
            probes = 0
            while (elapsed_s := time.monotonic() - started) < duration_s:
                while probes < elapsed_s * self._probe_rate:
                    probes += 1
                    self._probes.append((f"probe-{self._rng.getrandbits(64):016x}", PROBE_EVENTS))
                due = int(elapsed_s * self._rate) - self.sent
                await self._send(producer, [*islice(self._background, due), *self._probe_records()])
                self.sent += due
                late_s = time.monotonic() - started - elapsed_s - TICK_S
                self.behind_s = max(self.behind_s, late_s)
                await asyncio.sleep(max(-late_s, 0))
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, bodies: list[tuple[int, bytes, bytes]]) -> None:
        now_s = time.time()
        stamp = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        batches: dict[int, Any] = {}
        for partition, key, body in bodies:
            head = b'{"schema_version":1,"event_id":"%032x","time":"%s"' % (
                self._rng.getrandbits(128), stamp.encode(),
            )  # fmt: skip
            batch = batches.get(partition)
            if batch is None:
                batch = batches[partition] = producer.create_batch()
            if batch.append(key=key, value=head + body, timestamp=round(now_s * 1000)) is None:
                batch.close()
                await producer.send_batch(batch, REQUESTS.name, partition=partition)
                batch = batches[partition] = producer.create_batch()
                batch.append(key=key, value=head + body, timestamp=round(now_s * 1000))
        for partition, batch in batches.items():
            batch.close()
            await producer.send_batch(batch, REQUESTS.name, partition=partition)

    def _probe_records(self) -> Iterator[tuple[int, bytes, bytes]]:
        """The next request of each probe."""
        probes, self._probes = self._probes, []
        for account, left in probes:
            event = RequestEvent(
                schema_version=1,
                event_id="0",
                time=datetime.now(UTC),
                account_id=account,
                account_plan="pro",
                request_model="atlas-4-large",
                input_tokens=300,
                output_tokens=900,
                **msgspec.structs.asdict(self._fingerprints[left - 1]),
            )
            key = event.account_key.encode()
            yield partition_for(key, self._partitions), key, _body(encode_event(event))
            if left > 1:
                self._probes.append((account, left - 1))


def _body(value: bytes) -> bytes:
    """What follows the time in a canonical event."""
    start = value.index(b'"time":"') + len(b'"time":"')
    return value[value.index(b'"', start) + 1 :]


def _bodies(workload: Workload) -> Iterator[tuple[int, bytes, bytes]]:
    for record in workload.records():
        yield record.partition, record.key, _body(record.value)
