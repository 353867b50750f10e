"""`RunQueue`: records fetched and runs handed over, by partition: which run is next, and what is done.

Within a topic the partition whose next record is oldest goes first, and for `aligned_topics` a run is cut
before it gets `align_ms` ahead of the other partitions. Otherwise a backfill at full speed would read one
partition far ahead of the rest, and the rest would look late. What was produced together is read together.

What may be committed is the acknowledged *prefix* of the runs delivered, in delivery order, so offsets that
are missing (compaction, transaction markers) need no book-keeping. Nothing in here talks to Kafka.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from time import monotonic

from aiokafka import ConsumerRecord
from faust.types import TP

from agents.runs import Run

GRACE_S = 0.1
"""How long the other partitions of a topic wait for one that has data we do not hold yet."""
PATIENCE_S = 5.0
"""A partition that did not answer within `GRACE_S` is waited for again after this long."""


class RunQueue:
    """What one consumer has in hand.

    Args:
        run_records: most records in one run.
        aligned_topics: topics whose partitions are kept together, by when their records were produced.
        align_ms: how far a run may get ahead of the oldest record held of its topic.
        end: offset after the last record of a partition in Kafka; `None` while not known.
    """

    def __init__(
        self,
        run_records: int,
        aligned_topics: frozenset[str],
        align_ms: int,
        end: Callable[[TP], int | None],
    ) -> None:
        self._run_records = run_records
        self._aligned_topics = aligned_topics
        self._align_ms = align_ms
        self._end = end
        self._fetched: defaultdict[TP, list[ConsumerRecord]] = defaultdict(list)
        self._next_offset: dict[TP, int] = {}
        self._passed: dict[TP, int] = {}
        """Offset of a partition when nothing of it was in hand: beyond all records and trailing gaps."""
        self._starving_since: dict[TP, float] = {}
        self._last_topic = ""
        self.delivered: defaultdict[TP, deque[Run]] = defaultdict(deque)
        """Runs handed over and not yet committed, oldest first."""

    # ---- in

    def add(self, records: Mapping[TP, list[ConsumerRecord]]) -> None:
        """Take what was fetched."""
        for tp, fetched in records.items():
            self._fetched[tp] += fetched
            self._next_offset[tp] = fetched[-1].offset + 1

    def goes_on_at(self, offsets: Mapping[TP, int]) -> None:
        """These are the offsets of the next records."""
        self._next_offset.update(offsets)

    def note_passed(self, offsets: Mapping[TP, int]) -> None:
        """Nothing comes before these. Markers of transactions after the last record are never delivered, but
        are lag until committed."""
        for tp, offset in offsets.items():
            if not self._fetched[tp]:
                self._next_offset[tp] = offset
                if not self.delivered[tp]:
                    self._passed[tp] = offset

    def wanting(self, readable: Iterable[TP]) -> set[TP]:
        """Partitions of which less than a run is held."""
        return {tp for tp in readable if len(self._fetched[tp]) < self._run_records}

    def wanting_to_align(self, partitions: Iterable[TP]) -> set[TP]:
        """Of these, the ones to fetch while others of an aligned topic are waited for. Topics that are not
        aligned go on being read: a raw topic that always waits for some partition of its own would else keep
        the requests that are made of it unread."""
        return {tp for tp in partitions if tp.topic not in self._aligned_topics or not self._fetched[tp]}

    def holds(self, partitions: Iterable[TP]) -> bool:
        """Whether records of any of these wait to be handed over."""
        return any(self._fetched[tp] for tp in partitions)

    # ---- out

    def next(self, readable: Iterable[TP]) -> TP | None:
        """Partition to hand over next: topics take turns, in a topic the oldest record goes first."""
        ready: dict[str, list[TP]] = defaultdict(list)
        for tp in readable:
            if self._fetched[tp]:
                ready[tp.topic].append(tp)
        for topic in sorted(ready, key=lambda name: (name <= self._last_topic, name)):
            if topic not in self._aligned_topics or not self._starving(topic, readable):
                return min(ready[topic], key=lambda tp: (self._fetched[tp][0].timestamp, tp.partition))
        return None

    def _starving(self, topic: str, readable: Iterable[TP]) -> bool:
        """Whether to wait for a partition of `topic` that has records in Kafka, but none here."""
        now, wait = monotonic(), False
        for tp in readable:
            if tp.topic != topic:
                continue
            end = self._end(tp)
            if self._fetched[tp] or (end is not None and end <= self._next_offset.get(tp, 0)):
                self._starving_since.pop(tp, None)
            else:
                since = self._starving_since.setdefault(tp, now)
                wait = wait or (now - since) % PATIENCE_S < GRACE_S
        return wait

    def take(self, tp: TP, generation_id: int) -> Run:
        """The next run of a partition that has records."""
        records = self._fetched[tp]
        length = self._cut(tp, records)
        run = Run(tp, records[:length], generation_id)
        del records[:length]
        self.delivered[tp].append(run)
        self._last_topic = tp.topic
        return run

    def _cut(self, tp: TP, records: list[ConsumerRecord]) -> int:
        """Number of records of the next run."""
        length = min(len(records), self._run_records)
        if tp.topic in self._aligned_topics:
            heads = (
                held[0].timestamp
                for other, held in self._fetched.items()
                if held and other.topic == tp.topic and other != tp
            )
            horizon_ms = min(heads, default=records[length - 1].timestamp) + self._align_ms
            if records[length - 1].timestamp > horizon_ms:
                length = max(1, bisect_right(records, horizon_ms, 0, length, key=attrgetter("timestamp")))
        return length

    # ---- done

    def known(self) -> set[TP]:
        """Partitions that may have something to commit."""
        return {*self.delivered, *self._passed}

    def done(self, tp: TP) -> int | None:
        """Offset up to which a partition may be committed; forgets the runs before it."""
        runs, offset = self.delivered[tp], self._passed.get(tp)
        while runs and runs[0].acked:
            offset = runs.popleft().offset + 1
        return offset

    def unfinished(self) -> bool:
        """Whether runs handed over are not acknowledged yet."""
        return any(run.tracked and not run.acked for runs in self.delivered.values() for run in runs)

    def fetched_to(self, tp: TP) -> int | None:
        """Offset after the last record fetched."""
        return self._next_offset.get(tp)

    def in_hand(self, tp: TP) -> int:
        """Records fetched, or delivered and not yet acknowledged."""
        return len(self._fetched[tp]) + sum(run.length for run in self.delivered[tp])

    def forget(self, partitions: Iterable[TP] | None = None) -> None:
        """The position of these partitions has moved; default all."""
        everything = {*self._fetched, *self.delivered, *self._next_offset, *self._passed}
        for tp in everything if partitions is None else list(partitions):
            for known in (
                self._fetched, self.delivered, self._next_offset, self._passed, self._starving_since
            ):  # fmt: skip
                known.pop(tp, None)
