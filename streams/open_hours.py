"""`OpenHours`: which accounts have requests in an hour whose profiles are not out yet, or not up to date.

Memory: one byte of each row of the table for each open hour. The watermark closes hours, so these are a
few; `streams.windows.HOURS` at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import utc_from_ms
from schemas.profile import AccountWindow
from streams import windows
from streams.account_table import AccountTable
from streams.windows import HOUR_MS

Slots = NDArray[np.intp]

RINGS = ("hour_requests", "hour_failures", "hour_input", "hour_output")
"""Columns of the table with a bucket for each of the last `streams.windows.HOURS` hours."""


class OpenHours:
    """Rows by hour.

    Args:
        capacity: rows of the table.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows: dict[int, NDArray[np.bool_]] = {}

    @property
    def hours(self) -> list[int]:
        """Ascending."""
        return sorted(self._rows)

    def note(self, slots: Slots, hours: NDArray[np.int64]) -> None:
        """Requests of these rows in these hours, each (n,)."""
        if not len(hours):
            return
        first = int(hours[0])
        if (hours == first).all():
            self._of(first)[slots] = True
            return
        for hour in np.unique(hours).tolist():
            self._of(hour)[slots[hours == hour]] = True

    def _of(self, hour: int) -> NDArray[np.bool_]:
        rows = self._rows.get(hour)
        if rows is None:
            rows = self._rows[hour] = np.zeros(self._capacity, np.bool_)
        return rows

    def note_row(self, slot: int, hours: list[int]) -> None:
        """The same for one row."""
        for hour in hours:
            self._of(hour)[slot] = True

    def take(self, hour: int) -> Slots:
        """Close an hour: its rows, ascending."""
        return np.flatnonzero(self._rows.pop(hour))

    def holds(self, slots: Slots) -> NDArray[np.bool_]:
        """bool (n,): the row has requests in an open hour."""
        held = np.zeros(len(slots), np.bool_)
        for rows in self._rows.values():
            held |= rows[slots]
        return held

    def forget(self, slot: int) -> None:
        """The row is about to be reused."""
        for rows in self._rows.values():
            rows[slot] = False

    def forget_until(self, last: int) -> None:
        """Hours up to this one are closed and up to date."""
        for hour in [hour for hour in self._rows if hour <= last]:
            del self._rows[hour]


def profiles(table: AccountTable, slots: Slots, hour: int) -> list[AccountWindow]:
    """What each row counts in an hour. A later one of the same hour has a higher revision."""
    rows, start, hours = table.rows, utc_from_ms(hour * HOUR_MS), np.full(len(slots), hour, np.int64)
    columns = [windows.at(rows[name], rows["hour_head"], slots, hours).tolist() for name in RINGS]
    found = []
    for slot, requests, failures, tokens_in, tokens_out in zip(slots.tolist(), *columns, strict=True):
        tenant_id, _, account_id = table.key(slot).partition(":")
        found.append(
            AccountWindow(
                tenant_id=tenant_id,
                account_id=account_id,
                window_start=start,
                window_s=HOUR_MS // 1000,
                # the count only grows, so it orders the revisions of a window
                revision=requests,
                requests=requests,
                failures=failures,
                input_tokens=tokens_in,
                output_tokens=tokens_out,
            )
        )
    return found
