"""Which events of a run count, whose they are, and after which of them an account is looked at.

What may repeat: a stretch of the topic that a row has applied before a crash (its offset tells), and an
event its sender has sent twice (its id is among the account's last ones).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams import checkpoints, windows
from streams.account_table import RECENT_EVENTS, AccountTable
from streams.baselines import CohortBaselines
from streams.batch import EventBatch
from streams.segment import stretch_lengths, stretches
from streams.windows import HOUR_MS


def arrange(
    table: AccountTable, cohorts: CohortBaselines, batch: EventBatch, protected: Iterable[int]
) -> NDArray[np.intp]:
    """Give every event its account's row.

    Args:
        protected: rows that must not be evicted to make room.

    Returns:
        intp (n,): places in the batch, ordered by row, then arrival.
    """
    batch.slot, new = table.find(batch.account_keys, protected)
    if new:
        slots, first = list(new), list(new.values())
        events = [batch.events[place] for place in first]
        table.rows["first_ms"][slots] = batch.time_ms[first]
        table.rows["cohort"][slots] = [
            cohorts.id_of(f"{event.tenant_id}:{event.account_plan or ''}") for event in events
        ]
    return np.argsort(batch.slot, kind="stable")


def repeated_ids(table: AccountTable, batch: EventBatch, order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """bool (n,) over `order`: the event's id is among the last `RECENT_EVENTS` of its account."""
    repeated = np.zeros(len(order), np.bool_)
    slots, hashes = batch.slot[order], batch.event_hash[order]
    suspects = set(slots[(table.rows["recent"][slots] == hashes[:, None]).any(axis=1)].tolist())
    pair = slots.astype(np.uint64) << np.uint64(32) | hashes
    pair.sort()
    twice = pair[1:] == pair[:-1]
    if twice.any():
        suspects.update((pair[1:][twice] >> np.uint64(32)).tolist())
    for slot in suspects:
        recent = [value for value in _recent(table, slot) if value]
        for place in np.flatnonzero(slots == slot).tolist():
            value = int(hashes[place])
            if value in recent[-RECENT_EVENTS:]:
                repeated[place] = True
            else:
                recent.append(value)
    return repeated


def _recent(table: AccountTable, slot: int) -> list[int]:
    """Hashes of an account's last events, oldest first."""
    next_place = int(table.rows["events"][slot]) % RECENT_EVENTS
    ring: list[int] = table.rows["recent"][slot].tolist()
    return ring[next_place:] + ring[:next_place]


def looks(table: AccountTable, batch: EventBatch, order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """bool (n,) over the batch: look at the account after this event (see `streams.checkpoints`)."""
    due = np.zeros(len(batch), np.bool_)
    rows, slots = table.rows, batch.slot[order]
    hours = batch.time_ms[order] // HOUR_MS
    rank = _rank(slots)
    lifetime = rows["events"][slots].astype(np.int64) + rank + 1
    in_hour = windows.at(rows["hour_requests"], rows["hour_head"], slots, hours).astype(np.int64)
    in_hour += (rank if hours.min() == hours.max() else _rank(slots.astype(np.int64) << 32 | hours)) + 1
    due[order] = checkpoints.LIFETIME.due(lifetime) | checkpoints.HOURLY.due(in_hour)
    return due


def _rank(groups: NDArray[Any]) -> NDArray[np.int64]:
    """int64 (n,): how many earlier elements are equal to this one."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = stretches(ordered)
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(starts, stretch_lengths(starts, len(groups)))
    return rank
