"""The ACCOUNT agent: canonical requests through the account planes, findings and profiles out.

Order of durability, per partition: findings, alerts and profiles are acknowledged before the state that
says they were made is written; the state is acknowledged before the runs that led to it are. So a crash
at any moment repeats output (same ids, same content), and never loses any.

State is written every `checkpoint_s`, not after every run: an account that is busy in ten runs is then
written once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from time import monotonic
from typing import Any

import msgspec
import numpy as np
from aiokafka import ConsumerRecord

from agents import emit
from agents.control import Suppressions
from agents.ingest import ORIGIN, put_dead_letter
from agents.metrics import Metrics
from agents.outbox import Outbox
from agents.tables import PlaneTable
from agents.transport import Run
from schemas.errors import MalformedRecord
from schemas.evidence import encode_evidence, spread
from schemas.topics import EVIDENCE
from streams.account_plane import AccountPlane, PlaneOutput
from streams.batch import NO_ORIGIN, ORIGINS

CHECKPOINT_RECORDS = 20_000
"""Records of one partition after which its state is written at once. Bounds what a crash repeats."""


class Lane:
    """What one partition has in hand: runs applied to its plane, their state not yet written."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        """Faust events to acknowledge at the next checkpoint."""
        self.records = 0
        self.changed = False
        self.since_s = 0.0
        """When the oldest change came; monotonic."""
        self.last_record_s = monotonic()
        self.writing = asyncio.Lock()

    def add(self, event: Any | None, records: int) -> None:
        if not self.changed:
            self.changed, self.since_s = True, monotonic()
        if event is not None:
            self.events.append(event)
            self.last_record_s = monotonic()
        self.records += records

    def take(self) -> list[Any]:
        events, self.events = self.events, []
        self.records, self.changed = 0, False
        return events


class AccountAgent:
    """Agent of the requests topic.

    Args:
        checkpoint_s: how often changed state is written.
        before_write: called before each write of state; raises when this worker must not write any more.
        failed: told about an error that ends the process.
    """

    def __init__(
        self,
        table: PlaneTable,
        outbox: Outbox,
        suppressions: Suppressions,
        metrics: Metrics,
        *,
        checkpoint_s: float,
        before_write: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._table = table
        self._outbox = outbox
        self._suppressions = suppressions
        self._metrics = metrics
        self._checkpoint_s = checkpoint_s
        self._before_write = before_write
        self._failed = failed
        self.lanes: dict[int, Lane] = {}
        self.findings = 0

    async def run(self, stream: Any) -> None:
        """Body of the Faust agent."""
        try:
            async for event in stream.noack().events():
                run: Run = event.message
                plane = self._table.planes.get(run.partition)
                if plane is None:
                    continue  # given away while it waited; the new owner has it
                lane = self.lane(run.partition)
                self.publish(self._process(plane, run))
                lane.add(event, run.length)
                if lane.records >= CHECKPOINT_RECORDS:
                    await self.checkpoint(run.partition)
                await self._outbox.room()
        except Exception as error:
            self._failed(error)

    def lane(self, partition: int) -> Lane:
        """The lane of a partition, made when first asked for."""
        return self.lanes.setdefault(partition, Lane())

    async def checkpoint_regularly(self, settled: Callable[[], bool]) -> None:
        """Write the state of partitions whose oldest change has waited long enough. Runs for ever.

        Args:
            settled: whether it is certain which partitions are ours. During a rebalance it is not.
        """
        while True:
            await asyncio.sleep(self._checkpoint_s / 4)
            if not settled():
                continue
            late = monotonic() - self._checkpoint_s
            due = [number for number, lane in self.lanes.items() if lane.changed and lane.since_s <= late]
            await asyncio.gather(*(self.checkpoint(partition) for partition in due))

    async def drain(self) -> None:
        """Write all state now and acknowledge all runs."""
        await asyncio.gather(*(self.checkpoint(partition) for partition in list(self.lanes)))

    def keep_only(self, partitions: set[int]) -> None:
        """Forget the lanes of partitions that were given away."""
        for partition in set(self.lanes) - partitions:
            del self.lanes[partition]

    async def checkpoint(self, partition: int) -> None:
        """Make durable what the partition's runs have led to, then acknowledge them."""
        lane = self.lane(partition)
        async with lane.writing:
            plane = self._table.planes.get(partition)
            if plane is None or not lane.changed:
                return
            started = time.perf_counter()
            # no await in these three: they must speak of the same runs
            events = lane.take()
            published = self._outbox.mark()
            changes = plane.take_changes()
            await published
            self._before_write()
            await self._table.write(partition, changes)
            for event in events:
                event.ack()
            self._metrics.checkpoint_seconds.observe(time.perf_counter() - started)

    def publish(self, output: PlaneOutput) -> None:
        """Put findings, alerts and profiles into the outbox."""
        output.findings = self._suppressions.mark_all(output.findings)
        self._metrics.note_findings(output.findings)
        self.findings += len(output.findings)
        for topic, key, value, headers in emit.records(output):
            self._outbox.put(topic, key, value, headers=headers)
        for account in output.evidence:
            data = encode_evidence(account)
            for item in spread(account):
                self._outbox.put(EVIDENCE.name, item.key, data)
        for mark in output.marks:  # behind the evidence, in every partition
            self._outbox.put_everywhere(EVIDENCE.name, b"mark:%d" % mark.source, encode_evidence(mark))

    def _process(self, plane: AccountPlane, run: Run) -> PlaneOutput:
        started = time.perf_counter()
        decode, records = plane.decode, run.value
        try:
            origins = b"".join([_origin(record) for record in records])
            events = [decode(record.value) for record in records]
        except (msgspec.DecodeError, MalformedRecord, TypeError):
            records = [record for record in records if self._is_readable(decode, record)]
            origins = b"".join([_origin(record) for record in records])
            events = [decode(record.value) for record in records]
        offsets = [record.offset for record in records]
        run.value.clear()
        output = plane.process(events, offsets, np.frombuffer(origins, ORIGINS))
        self._metrics.events.labels("accounts", "accepted").inc(len(events))
        self._metrics.run_seconds.labels("accounts").observe(time.perf_counter() - started)
        return output

    def _is_readable(self, decode: Callable[[bytes], Any], record: ConsumerRecord) -> bool:
        """Whether a record can be used; one that cannot goes to the dead letters."""
        try:
            decode(record.value or b"")
            _origin(record)
        except msgspec.DecodeError as error:
            problem = _malformed(error)
        except MalformedRecord as error:
            problem = error
        else:
            return True
        put_dead_letter(self._outbox, problem, record, "accounts")
        self._metrics.dead_letters.labels("accounts", MalformedRecord.__name__).inc()
        return False


def _origin(record: ConsumerRecord) -> bytes:
    """The record's origin header, as it is."""
    for name, value in record.headers:
        if name == ORIGIN:
            if len(value) != ORIGINS.itemsize:
                raise MalformedRecord(f"header {ORIGIN} has {len(value)} bytes, not {ORIGINS.itemsize}")
            return bytes(value)
    return NO_ORIGIN


def _malformed(error: Exception) -> MalformedRecord:
    """msgspec ends its message with the path of the field: ``... - at `$.time```."""
    text, _, path = str(error).partition(" - at `$.")
    return MalformedRecord(text or repr(error), field=path.rstrip("`") or None)
