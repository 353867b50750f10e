"""`Segment`: events of a batch grouped by account, so that sums over accounts are one `numpy.add.reduceat`.

Detectors never see single events. They see a `Segment`: for every account in it a stretch of that account's
events, in arrival order.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from streams.batch import Bools, EventBatch, Ints
from streams.windows import HOUR_MS

FEW = 64
"""Rows up to which a plain sum is faster than a product of matrices."""


def stretches(groups: NDArray[Any]) -> NDArray[np.intp]:
    """Where each stretch of equal values begins.

    >>> stretches(np.array([7, 7, 9])).tolist(), stretches(np.array([])).tolist()
    ([0, 2], [])
    """
    if not len(groups):
        return np.empty(0, np.intp)
    return np.concatenate(([0], np.flatnonzero(groups[1:] != groups[:-1]) + 1))


def stretch_lengths(starts: NDArray[np.intp], total: int) -> NDArray[np.intp]:
    """Lengths of stretches that begin at `starts` and fill `total` places.

    >>> stretch_lengths(np.array([0, 2]), 3).tolist()
    [2, 1]
    """
    lengths = np.empty_like(starts)
    lengths[:-1] = starts[1:]
    lengths[-1:] = total
    lengths -= starts
    return lengths


def sum_stretches(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Sums of rows over stretches, (m, d), as int16.

    Args:
        values: (k, d), bool or integers; their sums fit.
        starts: (m,), where each stretch begins.

    >>> sum_stretches(np.array([[1, 2], [3, 4], [5, 6]]), np.array([0, 2])).tolist()
    [[4, 6], [5, 6]]
    """
    if len(values) <= FEW:
        total: NDArray[Any] = np.add.reduceat(values, starts, axis=0, dtype=np.int16)
        return total
    # along the first axis of many short stretches, reduceat takes ten times as long as this
    length = len(values)
    ends = np.append(starts, length)
    each = csr_array((np.ones(length, np.int16), np.arange(length), ends), shape=(len(starts), length))
    product: NDArray[Any] = each @ values.astype(np.int16)
    return product


class Segment:
    """Events of a batch grouped by account.

    Attributes:
        batch: the batch the events belong to.
        index: intp (k,), positions in the batch, ordered by slot, then arrival.
        slots: intp (m,), the distinct accounts, ascending.
        starts: intp (m,), where each account's stretch begins in `index`.
        counts: int64 (m,), its length.
    """

    def __init__(self, batch: EventBatch, index: NDArray[np.intp]) -> None:
        self.batch = batch
        self.index = index
        slots = batch.slot[index]
        self.event_slots = slots
        self.starts = stretches(slots)
        self.slots = slots[self.starts]
        self.counts = stretch_lengths(self.starts, len(slots))

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def rank(self) -> Ints:
        """int64 (k,): place of each event in its account's stretch, from 0."""
        return np.arange(len(self.index)) - np.repeat(self.starts, self.counts)

    @cached_property
    def times_ms(self) -> Ints:
        """int64 (k,), in `index` order."""
        return self.take(self.batch.time_ms)

    @cached_property
    def hours(self) -> Ints:
        """int64 (k,), event-time hours in `index` order."""
        return self.times_ms // HOUR_MS

    @cached_property
    def last(self) -> NDArray[np.intp]:
        """intp (m,): position in the batch of each account's last event here."""
        last: NDArray[np.intp] = self.index[self.starts + self.counts - 1]
        return last

    def take(self, column: NDArray[Any]) -> NDArray[Any]:
        """Values of a batch column for the events here, in `index` order."""
        values: NDArray[Any] = column[self.index]
        return values

    def sum(self, column: NDArray[Any]) -> NDArray[Any]:
        """Sum of a batch column over each account's stretch, (m,) or (m, d)."""
        total: NDArray[Any] = np.add.reduceat(column[self.index], self.starts, axis=0)
        return total

    def previous(self, column: NDArray[Any], stored: NDArray[Any]) -> NDArray[Any]:
        """Value of the account's preceding event, for each event here.

        Args:
            column: batch column.
            stored: (m,), value of the last event before this segment, for each of `slots`.
        """
        values = column[self.index]
        shifted = np.empty_like(values)
        shifted[1:] = values[:-1]
        shifted[self.starts] = stored
        return shifted


def segments(batch: EventBatch, boundary: Bools, order: NDArray[np.intp]) -> list[Segment]:
    """Split a batch into rounds, so that in each round an account has at most one boundary, at its end.

    Scoring happens at boundaries. They are chosen by how many events an account has sent, never by how
    the records were fetched, so that any split of a stream into runs gives the same scores.

    Args:
        boundary: bool (n,), the event ends a stretch.
        order: intp (n,), positions sorted by slot, then arrival.
    """
    if not len(order):
        return []
    slots = batch.slot[order]
    ends = boundary[order].astype(np.int64)
    before = np.cumsum(ends) - ends
    starts = stretches(slots)
    first = np.repeat(before[starts], stretch_lengths(starts, len(slots)))
    rounds = before - first
    last = int(rounds.max())
    if not last:
        return [Segment(batch, order)]
    by_round = order[np.argsort(rounds, kind="stable")]
    return [Segment(batch, part) for part in np.split(by_round, np.cumsum(np.bincount(rounds))[:-1])]
