"""`Lane`: the records of one partition on their way to the store, and where they are cut into batches.

A batch is known to the store by a token made of its range of offsets, so a batch that is written twice must
be cut twice at the same place. What decides where a live stream is cut is time, which does not come again; so
the range is *planned* first, in the metadata of the partition's committed offset, and whoever reads the
partition again after a crash cuts the planned range again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

BATCH_BYTES = 16 * 1024 * 1024
"""A batch is cut at this size, however few rows it has (dead letters carry up to 512 KiB each)."""
PLAN_PATIENCE_S = 30.0
"""A planned range that has not come again for so long never will: its records are past retention."""

SPARSE_FLUSHES = 5


class Batch(NamedTuple):
    """Consecutive records of one partition; never empty."""

    tp: TopicPartition
    records: Sequence[ConsumerRecord]

    @property
    def first(self) -> int:
        return self.records[0].offset

    @property
    def last(self) -> int:
        return self.records[-1].offset

    @property
    def token(self) -> str:
        """Names the batch in every table it goes to."""
        return f"{self.tp.topic}-{self.tp.partition}-{self.first}-{self.last}"

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of at least one record each."""
        middle = len(self.records) // 2
        return Batch(self.tp, self.records[:middle]), Batch(self.tp, self.records[middle:])


class Lane:
    """Buffer of one partition.

    Args:
        begin: offset of its first record.
        plan: metadata of the partition's committed offset.
        batch_rows: most records of a batch.
        flush_s: a record waits about this long for its batch to fill.
        few_rows: fewer are not worth an insert yet; they wait up to `SPARSE_FLUSHES` times as long.
    """

    def __init__(
        self,
        tp: TopicPartition,
        *,
        begin: int,
        plan: str,
        batch_rows: int,
        flush_s: float,
        few_rows: int = 0,
    ) -> None:
        self.tp = tp
        self.bytes = 0
        self.begin = begin
        """Offset from which on nothing is cut yet."""
        self._planned = plan_end(plan)
        self._batch_rows = batch_rows
        self._flush_s = flush_s
        self._few_rows = min(few_rows, batch_rows)
        self._records: list[ConsumerRecord] = []
        self._since_s = 0.0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Sequence[ConsumerRecord], now_s: float) -> None:
        """Take records, in the order of their offsets."""
        if not self._records:
            self._since_s = now_s
        self._records += records
        self.bytes += sum(map(_size, records))

    @property
    def is_full(self) -> bool:
        """Holds a batch and more; better not fetch now."""
        return len(self._records) >= 2 * self._batch_rows or self.bytes >= 2 * BATCH_BYTES

    @property
    def is_whole(self) -> bool:
        """Whether a cut now is one that can be made again: it has records, and all of a planned range."""
        return bool(self._records) and (self._planned is None or self._records[-1].offset >= self._planned)

    def is_due(self, now_s: float) -> bool:
        """Whether to cut a batch now."""
        if not self._records:
            return False
        age_s = now_s - self._since_s
        if self._planned is not None:
            return self.is_whole or age_s >= PLAN_PATIENCE_S
        patience_s = self._flush_s * (SPARSE_FLUSHES if len(self._records) < self._few_rows else 1)
        return len(self._records) >= self._batch_rows or self.bytes >= BATCH_BYTES or age_s >= patience_s

    def cut(self, now_s: float) -> Batch:
        """Take the next batch out. Needs a record."""
        size = len(self._planned_range()) or self._next_size()
        self._planned = None
        batch = Batch(self.tp, self._records[:size])
        self._records = self._records[size:]
        self.bytes -= sum(map(_size, batch.records))
        self.begin = batch.last + 1
        self._since_s = now_s
        return batch

    def _planned_range(self) -> list[ConsumerRecord]:
        end = self._planned
        return [] if end is None else list(takewhile(lambda record: record.offset <= end, self._records))

    def _next_size(self) -> int:
        size = total = 0
        for record in self._records[: self._batch_rows]:
            total += _size(record)
            if size and total > BATCH_BYTES:
                break
            size += 1
        return size


def plan(batch: Batch) -> str:
    """Commit metadata that says where `batch`, which begins at the committed offset, ends.

    >>> plan_end("until=41"), plan_end("")
    (41, None)
    """
    return f"until={batch.last}"


def plan_end(metadata: str) -> int | None:
    """Last offset of the planned batch in commit metadata; `None` where it holds no plan."""
    name, _, value = metadata.partition("=")
    return int(value) if name == "until" and value.isdigit() else None


def _size(record: ConsumerRecord) -> int:
    return len(record.value or b"") + 500  # and what Python spends on a record, roughly
