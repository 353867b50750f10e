"""Event-time bucket rings: counts per minute and per hour, for many accounts at once.

A ring of `size` buckets covers the last `size` units up to its head (the newest unit seen). Moving the
head forward clears the buckets it passes; an event older than the ring is refused. Everything is
addition into buckets, so the order of events inside the ring does not matter.
"""

from __future__ import annotations

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
    slots, newest, old = slots[moved], newest[moved], old[moved]
    size = rows[fields[0]].shape[1]
    distance = np.minimum(newest - old, size)
    bucket = np.arange(size)
    passed = (bucket - (old[:, None] + 1)) % size < distance[:, None]
    for name in fields:
        column = rows[name]
        column[slots] = np.where(passed, 0, column[slots])
    rows[head][slots] = newest


def add(
    column: NDArray[Any],
    heads: NDArray[Any],
    slots: NDArray[np.intp],
    units: NDArray[np.int64],
    amounts: NDArray[Any],
) -> None:
    """Add amounts into the buckets of `units`, saturating at the column's largest value.

    Args:
        column: (n, size) ring column.
        heads: (n,) head column; units older than the ring are ignored (see `inside`).
        slots: (k,), row of each amount, repeats allowed.
        units: (k,), minute or hour number of each amount.
    """
    size = column.shape[1]
    keep = inside(heads, slots, units, size)
    flat = slots[keep] * size + units[keep] % size
    distinct, back = np.unique(flat, return_inverse=True)
    totals = np.bincount(back, weights=amounts[keep], minlength=len(distinct))
    where = (distinct // size, distinct % size)
    limit = np.iinfo(column.dtype).max
    column[where] = np.minimum(column[where].astype(np.float64) + totals, limit).astype(column.dtype)


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


def span(
    column: NDArray[Any],
    heads: NDArray[Any],
    slots: NDArray[np.intp],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(m, size): amounts in buckets, NaN where the bucket's unit is outside ``[first, last]``.

    Columns are in ring position order, not in time order.
    """
    size = column.shape[1]
    head = heads[slots].astype(np.int64)[:, None]
    unit = head - (head - np.arange(size)) % size
    wanted = (unit >= first[:, None]) & (unit <= last[:, None])
    return np.where(wanted, column[slots].astype(np.float64), np.nan)
