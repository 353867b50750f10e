"""Event-time bucket rings: counts per minute and per hour, for many accounts at once.

A ring of `size` buckets covers the last `size` units up to its head (the newest unit seen). Moving the
head forward clears the buckets it passes; an event older than the ring is refused. Everything is
addition into buckets, so the order of events inside the ring does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
MINUTES = 60
HOURS = 48

EMPTY = -(2**31)
"""Head of a ring that has seen nothing."""


def roll(
    rows: NDArray[Any], fields: tuple[str, ...], head: str, slots: NDArray[np.intp], newest: NDArray[np.int64]
) -> None:
    """Move ring heads forward to `newest`, clearing what they pass.

    Args:
        rows: structured table; `fields` are its ring columns, each (n, size); `head` its head column.
        slots: (m,), distinct rows.
        newest: (m,), newest unit (minute or hour number) of each row.
    """
    old = rows[head][slots].astype(np.int64)
    moved = newest > old
    if not moved.any():
        return
    rows[head][slots[moved]] = newest[moved]
    moved &= old != EMPTY  # a ring that has seen nothing has nothing to clear
    slots, newest, old = slots[moved], newest[moved], old[moved]
    size = rows[fields[0]].shape[1]
    distance = np.minimum(newest - old, size)
    bucket = np.arange(size)
    passed = (bucket - (old[:, None] + 1)) % size < distance[:, None]
    for name in fields:
        column = rows[name]
        column[slots] = np.where(passed, 0, column[slots])


def add(
    rows: NDArray[Any],
    amounts: Mapping[str, NDArray[Any] | None],
    slots: NDArray[np.intp],
    units: NDArray[np.int64],
) -> None:
    """Add amounts into the buckets of `units`, saturating at the columns' largest values.

    Args:
        rows: structured table.
        amounts: ring column, (n, size), to what is added to it, (k,); `None` adds one each.
        slots: (k,), ascending: row of each amount.
        units: (k,), minute or hour number of each amount, none outside the ring (see `inside`).
    """
    if not len(slots):
        return
    same = slots[1:] == slots[:-1]
    order = None
    if (same & (units[1:] < units[:-1])).any():  # else one bucket's amounts already lie side by side
        order = np.lexsort((units, slots))
        slots, units = slots[order], units[order]
        same = slots[1:] == slots[:-1]
    starts = np.concatenate(([0], np.flatnonzero(~same | (units[1:] != units[:-1])) + 1))
    owners, units, counts = slots[starts], units[starts], np.append(starts[1:], len(slots)) - starts
    for name, values in amounts.items():
        column = rows[name]
        if values is None:
            totals: NDArray[Any] = counts
        else:
            totals = np.add.reduceat(values if order is None else values[order], starts, dtype=np.int64)
        bucket = units % column.shape[1]
        grown = column[owners, bucket].astype(np.int64) + totals
        column[owners, bucket] = np.minimum(grown, _largest(column.dtype))


@cache
def _largest(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max)


def inside(
    heads: NDArray[Any], slots: NDArray[np.intp], units: NDArray[np.int64], size: int
) -> NDArray[np.bool_]:
    """bool (k,): the unit still has a bucket in its row's ring."""
    return units > heads[slots].astype(np.int64) - size


def at(
    column: NDArray[Any], heads: NDArray[Any], slots: NDArray[np.intp], units: NDArray[np.int64]
) -> NDArray[Any]:
    """(m,): amount in the bucket of `units`, 0 outside the ring."""
    size = column.shape[1]
    head = heads[slots].astype(np.int64)
    valid = (units <= head) & (units > head - size)
    return np.where(valid, column[slots, units % size], 0)


def last_hour(rows: NDArray[Any], slots: NDArray[np.intp]) -> NDArray[np.int64]:
    """(m,): requests in the 60 minutes up to each account's newest one, the minute of which has begun. At
    least what the clock hour holds so far, so that it does not matter when within an hour work begins."""
    total: NDArray[np.int64] = rows["minute_requests"][slots].sum(axis=1, dtype=np.int64)
    return total


def span(
    column: NDArray[Any],
    heads: NDArray[Any],
    slots: NDArray[np.intp],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(m, size): amounts in buckets, 0 where the bucket's unit is outside ``[first, last]``.

    Columns are in ring position order, not in time order.
    """
    size = column.shape[1]
    head = heads[slots].astype(np.int64)[:, None]
    unit = head - (head - np.arange(size)) % size
    wanted = (unit >= first[:, None]) & (unit <= last[:, None])
    amounts: NDArray[np.float64] = column[slots] * wanted.astype(np.float64)
    return amounts
