"""`PlaneTable`: the planes of one kind of the partitions this worker owns, and their changelog.

The state lives once in memory: the plane itself is the table. Writing takes the rows a plane has changed,
as one stretch of records; restoring feeds the changelog partition back, thousands of records at a time.

Faust's own tables are not used. Their recovery handles one record at a time (80-100 us each), ends for
good and in silence when one request takes longer than its time-out, and swallows the exception of a record
that cannot be applied. Faust still decides who owns what: restoring hangs on its ``on_rebalance_complete``
signal, which comes before the first record of a new assignment is fetched.

Kafka's log is the judge of who owns a state. All records of one owner lie side by side: a worker that finds
a foreign record before its own was taken for dead while it was frozen, and ends. A plane that was kept over
a rebalance is used further only if the log still ends with its own last record; else it is restored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.outbox import Outbox
from schemas.errors import BusUnavailable, Fatal
from schemas.topics import ACCOUNT_STATE, Topic

log = structlog.get_logger(__name__)

RESTORE_RECORDS = 5000
"""Records restored between two looks at the event loop."""
RESTORE_FETCH_BYTES = 4 * 1024 * 1024
REPORT_S = 5.0


class Plane(Protocol):
    """What a table asks of an account, link or campaign plane."""

    def take_changes(self) -> list[tuple[bytes, bytes | None]]: ...
    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None: ...
    def stats(self) -> dict[str, int]: ...


P = TypeVar("P", bound=Plane)


class PlaneTable(Generic[P]):
    """Planes by partition of the topic they read.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        outbox: where changes are written.
        new_plane: makes the empty plane of a partition.
        topic: the changelog; default that of accounts.
    """

    def __init__(
        self,
        client_options: Mapping[str, Any],
        outbox: Outbox,
        new_plane: Callable[[int], P],
        topic: Topic | None = None,
    ) -> None:
        self._options = dict(client_options)
        self._outbox = outbox
        self._new_plane = new_plane
        self._topic = (topic or ACCOUNT_STATE).name
        self.planes: dict[int, P] = {}
        self.restored = 0
        """Changelog records restored since the start."""
        self._ends: dict[int, int] = {}
        """Offset after the last changelog record that the plane holds or has written."""

    async def assign(self, partitions: Collection[int], still_valid: Callable[[], bool]) -> bool:
        """Own exactly `partitions`: drop the other planes, restore the new ones.

        Args:
            still_valid: asked between two stretches; restoring ends early when it says no.

        Returns:
            True when every plane is complete.

        Raises:
            BusUnavailable: the changelog cannot be read.
            IncompatibleState: it was written with other parameters.
        """
        for partition in set(self.planes) - set(partitions):
            self.drop(partition)
        if not partitions:
            return True
        consumer = AIOKafkaConsumer(
            **self._options,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=RESTORE_FETCH_BYTES,
        )
        try:
            await consumer.start()
            return await self._catch_up(consumer, partitions, still_valid)
        except KafkaError as error:
            raise BusUnavailable(f"cannot read {self._topic}: {error!r}") from error
        finally:
            await consumer.stop()

    async def _catch_up(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[int], still_valid: Callable[[], bool]
    ) -> bool:
        places = {partition: TopicPartition(self._topic, partition) for partition in partitions}
        ends = await consumer.end_offsets(list(places.values()))
        stale = {
            place: partition
            for partition, place in places.items()
            if partition not in self.planes or self._ends.get(partition) != ends[place]
        }
        for partition in stale.values():
            self.drop(partition)
        planes = {place: self._new_plane(partition) for place, partition in stale.items()}
        if not planes:
            return True
        started = reported = monotonic()
        before, missing = self.restored, {place for place in planes if ends[place] > 0}
        consumer.assign(list(planes))
        await consumer.seek_to_beginning(*planes)
        while missing:
            if not still_valid():
                return False
            fetched = await consumer.getmany(*missing, timeout_ms=200, max_records=RESTORE_RECORDS)
            for place, records in fetched.items():
                planes[place].restore((record.key, record.value) for record in records)
                self.restored += len(records)
            # the position also passes records that were compacted away; the last fetched offset does not
            missing = {place for place in missing if await consumer.position(place) < ends[place]}
            if monotonic() - reported > REPORT_S:
                reported = monotonic()
                log.info("restoring planes", records=self.restored - before, partitions_left=len(missing))
        for place, partition in stale.items():
            self.planes[partition] = planes[place]
            self._ends[partition] = ends[place]
        log.info(
            "planes restored",
            topic=self._topic,
            partitions=sorted(stale.values()),
            records=self.restored - before,
            accounts=sum(plane.stats().get("accounts", 0) for plane in planes.values()),
            seconds=round(monotonic() - started, 3),
        )
        return True

    def drop(self, partition: int) -> None:
        """Forget a plane; its state is in the changelog."""
        self.planes.pop(partition, None)
        self._ends.pop(partition, None)

    async def write(self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Write what `AccountPlane.take_changes` gave, in order, and wait until it is acknowledged.

        Raises:
            BusUnavailable: it was not acknowledged.
            Fatal: somebody else has written to this partition: this worker was taken for dead.
        """
        for key, value in changes:
            self._outbox.put(self._topic, key, value, partition=partition)
        for sent in await self._outbox.mark():
            if sent.tp == (self._topic, partition):
                expected = self._ends.get(partition)
                if expected is None:
                    return  # given away meanwhile
                if sent.first != expected:
                    raise Fatal(
                        f"another worker writes the state of partition {partition} (found at {sent.first}, "
                        f"expected {expected}). This one was taken for dead; start it again"
                    )
                self._ends[partition] = sent.end
