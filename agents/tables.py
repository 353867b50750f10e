"""`PlaneTable`: the planes of one kind of the partitions this worker owns, and their changelog.

The state lives once in memory: the plane itself is the table. Writing takes the rows a plane has changed,
as one stretch of records (`agents.stretches`); restoring feeds the changelog partition back, thousands of
records at a time, and leaves out stretches that a crash has torn.

Faust's own tables are not used. Their recovery handles one record at a time (80-100 us each), ends for
good and in silence when one request takes longer than its time-out, and swallows the exception of a record
that cannot be applied. Faust still decides who owns what: restoring hangs on its ``on_rebalance_complete``
signal, which comes before the first record of a new assignment is fetched.

Kafka's log is the judge of who owns a state. All records of one owner lie side by side: a worker that finds
a foreign record before its own was taken for dead while it was frozen, and ends. A plane that was kept over
a rebalance is used further only if the log still ends with its own last record; else it is restored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from agents.changelog import Changelog
from agents.local_copy import LocalCopies, identity
from agents.outbox import Outbox
from agents.stretches import Change, Stretches, stretch
from schemas.errors import Fatal
from schemas.topics import Topic

log = structlog.get_logger(__name__)


class Plane(Protocol):
    """What a table asks of an account, link or campaign plane."""

    def take_changes(self) -> list[Change]: ...
    def restore(self, records: Iterable[Change]) -> None: ...
    def stats(self) -> dict[str, int]: ...


P = TypeVar("P", bound=Plane)


class PlaneTable(Generic[P]):
    """Planes by partition of the topic they read.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        outbox: where changes are written.
        new_plane: makes the empty plane of a partition.
        topic: the changelog.
        copies: of its partitions on the local disk, where they are wanted.
    """

    def __init__(
        self,
        client_options: Mapping[str, Any],
        outbox: Outbox,
        new_plane: Callable[[int], P],
        topic: Topic,
        copies: LocalCopies | None = None,
    ) -> None:
        self.changelog = Changelog(client_options, topic.name)
        self._outbox = outbox
        self.new_plane = new_plane
        self._topic = topic.name
        self._copies = copies
        self.planes: dict[int, P] = {}
        self.restored = 0
        """Changelog records restored since the start."""
        self._ends: dict[int, int] = {}
        """Offset after the last changelog record that the plane holds or has written."""
        self._torn: dict[int, dict[bytes, bytes | None]] = {}
        """What keys in torn stretches had before; the next write puts it back, before compaction forgets."""

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
        if self._copies is not None:
            self._copies.keep_only(partitions)  # also of planes that were never complete
        if not partitions:
            return True
        async with self.changelog.consumer() as consumer:
            return await self._catch_up(consumer, partitions, still_valid)

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
        planes = {place: self.new_plane(partition) for place, partition in stale.items()}
        if not planes:
            return True
        started, before = monotonic(), self.restored
        stretches = {place: Stretches() for place in planes}
        wanted = {place: ends[place] for place in planes}
        starts = await self._restore_copies(consumer, planes, ends)

        def restore(place: TopicPartition, records: list[ConsumerRecord]) -> None:
            changes = stretches[place].read(records)
            planes[place].restore(changes)
            if self._copies is not None:
                self._copies.apply(place.partition, changes)
            self.restored += len(records)

        if not await self.changelog.read(consumer, wanted, restore, still_valid, starts):
            return False
        if not await self._note_torn(consumer, stretches, wanted, still_valid):
            return False
        for place, partition in stale.items():
            self.planes[partition] = planes[place]
            self._ends[partition] = ends[place]
            if self._copies is not None:
                self._copies.apply(partition, (), ends[place])
        log.info(
            "planes restored",
            topic=self._topic,
            partitions=sorted(stale.values()),
            records=self.restored - before,
            accounts=sum(plane.stats().get("accounts", 0) for plane in planes.values()),
            seconds=round(monotonic() - started, 3),
        )
        return True

    async def _restore_copies(
        self, consumer: AIOKafkaConsumer, planes: dict[TopicPartition, P], ends: Mapping[Any, int]
    ) -> dict[TopicPartition, int]:
        """Restore what lies on the local disk; returns the offsets from which the changelog is to be read. A
        plane whose copy turns out to be unreadable is made anew."""
        if self._copies is None:
            return {}
        await self._copies.open(consumer, {place.partition: place for place in planes}, ends)
        starts = {}
        for place, plane in list(planes.items()):
            if copy := self._copies[place.partition]:
                try:
                    for changes in copy.read():
                        plane.restore(changes)
                        await asyncio.sleep(0)  # heartbeats
                    starts[place] = copy.end
                except OSError as error:
                    self._copies.discard(place.partition, error)
                    planes[place] = self.new_plane(place.partition)
        return starts

    async def _note_torn(
        self,
        consumer: AIOKafkaConsumer,
        stretches: Mapping[TopicPartition, Stretches],
        ends: Mapping[TopicPartition, int],
        still_valid: Callable[[], bool],
    ) -> bool:
        """Find out what torn stretches have written over. Rare, so the partition is simply read again."""
        void = {place: one.void() for place, one in stretches.items()}
        torn = {place: dict.fromkeys(sorted(keys)) for place, keys in void.items() if keys}
        if not torn:
            return True
        again = {place: Stretches() for place in torn}

        def note(place: TopicPartition, records: list[ConsumerRecord]) -> None:
            held = torn[place]
            held.update((key, value) for key, value in again[place].read(records) if key in held)

        log.warning("left out what was not written to its end", records=sum(map(len, torn.values())))
        wanted = {place: ends[place] for place in torn}
        if not await self.changelog.read(consumer, wanted, note, still_valid):
            return False
        self._torn.update((place.partition, held) for place, held in torn.items())
        return True

    def withdraw(self, partition: int) -> None:
        """Nobody may use a plane until it is replaced."""
        self.planes.pop(partition, None)

    def replace(self, partition: int, plane: P) -> None:
        """Put a plane in the place of one that was withdrawn, unless the partition was given away since."""
        if partition in self._ends:
            self.planes[partition] = plane

    def drop(self, partition: int) -> None:
        """Forget a plane; its state is in the changelog."""
        if self._copies is not None:
            self._copies.close(partition)
        for known in (self.planes, self._ends, self._torn):
            known.pop(partition, None)

    def end(self, partition: int) -> int:
        """Offset at which the next write of an owned partition will begin, if nobody else writes."""
        return self._ends[partition]

    async def write(self, partition: int, changes: Iterable[Change]) -> None:
        """Write what `Plane.take_changes` gave, in order, and wait until it is acknowledged.

        Raises:
            BusUnavailable: it was not acknowledged.
            Fatal: somebody else has written to this partition: this worker was taken for dead.
        """
        if partition not in self._ends:
            return  # given away meanwhile
        changes = [*self._torn.pop(partition, {}).items(), *changes]
        begin = [identity()] if self.end(partition) == 0 else []
        for key, value in stretch([*begin, *changes], self.end(partition)):
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
        if self._copies is not None:
            for _, log_id in begin:
                self._copies.begin(partition, log_id)
            self._copies.apply(partition, changes, self._ends[partition])
