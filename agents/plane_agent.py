"""`PlaneAgent`: runs of records through the planes of one kind, and what comes out of them to Kafka.

Order of durability, per partition: output is acknowledged before the state that says it was made is
written; the state is acknowledged before the runs that led to it are. So a crash at any moment repeats
output (same ids, same content), and never loses any.

State is written every `checkpoint_s`, not after every run: an account that is busy in ten runs is then
written once.

A record that a plane cannot be fed, because of a defect, would end every worker that reads it. It is sifted
out instead (`agents.sift`): the plane is made anew as it was before, and goes on without the one record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord

from agents import emit
from agents.controls import Controls
from agents.ingest import put_dead_letter
from agents.metrics import Metrics
from agents.outbox import Outbox
from agents.runs import Run
from agents.sift import sift
from agents.tables import PlaneTable
from schemas.errors import MalformedRecord, StillwatchError
from streams.plane_output import PlaneOutput

log = structlog.get_logger(__name__)

CHECKPOINT_RECORDS = 20_000
"""Records of one partition after which its state is written at once. Bounds what a crash repeats."""
UNREADABLE = (msgspec.DecodeError, MalformedRecord, TypeError, ValueError)


class Lane:
    """What one partition has in hand: runs applied to its plane, their state not yet written."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        """Faust events to acknowledge at the next checkpoint."""
        self.applied: list[Sequence[ConsumerRecord]] = []
        """The records of their runs."""
        self.records = 0
        self.changed = False
        self.since_s = 0.0
        """When the oldest change came; monotonic."""
        self.last_record_s = monotonic()
        self.writing = asyncio.Lock()

    def add(self, event: Any | None, records: Sequence[ConsumerRecord]) -> None:
        if not self.changed:
            self.changed, self.since_s = True, monotonic()
        if event is not None:
            self.events.append(event)
            self.applied.append(records)
            self.last_record_s = monotonic()
        self.records += len(records)

    def take(self) -> list[Any]:
        events, self.events = self.events, []
        self.applied, self.records, self.changed = [], 0, False
        return events


class PlaneAgent:
    """Agent of the topic that planes of one kind read.

    Args:
        checkpoint_s: how often changed state is written.
        before_write: called before each write of state; raises when this worker must not write any more.
        failed: told about an error that ends the process.
    """

    stage: str
    """Name in metrics and dead letters."""

    def __init__(
        self,
        table: PlaneTable[Any],
        outbox: Outbox,
        controls: Controls,
        metrics: Metrics,
        *,
        checkpoint_s: float,
        before_write: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._table = table
        self._outbox = outbox
        self._controls = controls
        self._metrics = metrics
        self._checkpoint_s = checkpoint_s
        self._before_write = before_write
        self._failed = failed
        self.lanes: dict[int, Lane] = {}
        self.findings = 0
        """Published so far."""

    # ---- what the kinds of planes differ in

    def decode(self, plane: Any, records: Sequence[ConsumerRecord]) -> Any:
        """What `feed` takes. Raises one of `UNREADABLE` when a record is none of the topic's."""
        raise NotImplementedError

    def feed(self, plane: Any, decoded: Any) -> Any:
        """Run decoded records through a plane; returns its output."""
        raise NotImplementedError

    def publish(self, output: Any) -> None:
        """Put output into the outbox."""
        raise NotImplementedError

    def _publish_findings(self, output: PlaneOutput) -> None:
        output.findings = self._controls.mark_all(output.findings)
        self._metrics.note_findings(output.findings)
        self.findings += len(output.findings)
        for topic, key, value, headers in emit.records(output):
            self._outbox.put(topic, key, value, headers=headers)

    # ---- runs

    async def run(self, stream: Any) -> None:
        """Body of the Faust agent."""
        try:
            async for event in stream.noack().events():
                run: Run = event.message
                plane = self._table.planes.get(run.partition)
                if plane is None:
                    continue  # given away while it waited; the new owner has it
                await self._take(plane, run.partition, event)
                if self.lane(run.partition).records >= CHECKPOINT_RECORDS:
                    await self.checkpoint(run.partition)
                await self._outbox.room()
        except Exception as error:
            self._failed(error)

    async def _take(self, plane: Any, partition: int, event: Any) -> None:
        started = time.perf_counter()
        records: list[ConsumerRecord] = event.message.value
        try:
            decoded = self.decode(plane, records)
        except UNREADABLE:
            records = [record for record in records if self._is_readable(plane, record)]
            decoded = self.decode(plane, records)
        try:
            output = self.feed(plane, decoded)
        except StillwatchError:
            raise
        except Exception as error:
            log.exception("a plane failed", stage=self.stage, partition=partition)
            records = await self._sift(partition, records, error)
        else:
            self.publish(output)
        self.lane(partition).add(event, records)
        self._metrics.events.labels(self.stage, "accepted").inc(len(records))
        self._metrics.run_seconds.labels(self.stage).observe(time.perf_counter() - started)

    def _is_readable(self, plane: Any, record: ConsumerRecord) -> bool:
        """Whether a record can be used; one that cannot goes to the dead letters."""
        try:
            self.decode(plane, [record])
        except UNREADABLE as error:
            self._refuse(record, error if isinstance(error, MalformedRecord) else _malformed(error))
            return False
        return True

    def _refuse(self, record: ConsumerRecord, error: MalformedRecord) -> None:
        put_dead_letter(self._outbox, error, record, self.stage)
        self._metrics.dead_letters.labels(self.stage, MalformedRecord.__name__).inc()

    async def _sift(
        self, partition: int, records: list[ConsumerRecord], error: Exception
    ) -> list[ConsumerRecord]:
        """Make the plane anew as it was before these records, apply those that it can take; returns them."""
        lane = self.lane(partition)
        self._table.withdraw(partition)
        async with lane.writing:
            changes = await self._table.changelog.written(partition)

            def anew() -> Any:
                plane = self._table.new_plane(partition)
                plane.restore(changes)
                for applied in lane.applied:
                    self.feed(plane, self.decode(plane, applied))  # what came of it is published already
                return plane

            def feed(plane: Any, some: Sequence[ConsumerRecord]) -> Any:
                return self.feed(plane, self.decode(plane, some))

            plane, outputs, bad = await sift(anew, feed, records, error)
            for output in outputs:
                self.publish(output)
            for record, problem in bad:
                self._refuse(record, MalformedRecord(f"the plane failed: {problem!r}"))
            self._table.replace(partition, plane)
            refused = {record.offset for record, _ in bad}
            return [record for record in records if record.offset not in refused]

    # ---- state

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


def _malformed(error: Exception) -> MalformedRecord:
    """msgspec ends its message with the path of the field: ``... - at `$.time```."""
    text, _, path = str(error).partition(" - at `$.")
    return MalformedRecord(text or repr(error), field=path.rstrip("`") or None)
