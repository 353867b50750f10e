"""`AccountTable`: the state of every account of one partition, as one numpy record array.

One row is one account; its columns are the core columns below plus those each detector declares. A row
has a fixed size, so memory is bounded by ``accounts x row size``, and its bytes *are* the stored form.
Beyond `capacity` the least recently active accounts are evicted, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.windows import EMPTY, HOURS, MINUTES

RECENT_EVENTS = 16
"""An `event_id` that repeats within this many events of its account is counted once."""

EVICTION_SHARE = 0.02
"""Share of a full table freed at once, so that eviction costs little per event."""

CORE: list[tuple[str, Any] | tuple[str, Any, tuple[int, ...]]] = [
    ("first_ms", "<i8"),
    ("last_ms", "<i8"),
    ("offset", "<i8"),  # highest offset of the requests partition applied to this row
    ("events", "<u4"),
    ("completed", "<u4"),
    ("cohort", "<u2"),
    ("found", "?"),  # has or had a finding
    ("recent", "<u4", (RECENT_EVENTS,)),
    ("closed_hour", "<i4"),
    ("minute_head", "<i4"),
    ("minute_requests", "<u2", (MINUTES,)),
    ("hour_head", "<i4"),
    ("hour_requests", "<u4", (HOURS,)),
    ("hour_failures", "<u2", (HOURS,)),
    ("hour_input", "<u4", (HOURS,)),
    ("hour_output", "<u4", (HOURS,)),
]
"""Core columns, 921 bytes a row: identity and progress, the minute ring, the hour ring."""


class AccountTable:
    """Rows by account key.

    Args:
        columns: dtype of each detector's columns, by detector name.
        capacity: most accounts kept. Memory is at most ``capacity x row_bytes``; pages of rows not yet
            used are not resident.
        on_remove: called with the row of an account that is forgotten.
    """

    def __init__(
        self,
        columns: Mapping[str, np.dtype[Any]],
        capacity: int,
        on_remove: Callable[[int], None] | None = None,
    ) -> None:
        fields: list[Any] = [*CORE, *((name, dtype) for name, dtype in columns.items() if dtype.itemsize)]
        self.dtype = np.dtype(fields)
        self.capacity = capacity
        self.rows: NDArray[Any] = np.zeros(capacity, self.dtype)
        self.keys: list[str | None] = []
        self.slots: dict[str, int] = {}
        self.dirty: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        self.removed: set[str] = set()
        """Keys forgotten since the last `take_removed`."""
        self.evicted = 0
        self._blank: NDArray[Any] = np.zeros((), self.dtype)
        self._blank["offset"] = -1
        for name in ("closed_hour", "minute_head", "hour_head"):
            self._blank[name] = EMPTY
        self._free: list[int] = []
        self._on_remove = on_remove

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def row_bytes(self) -> int:
        """Bytes of one account's fixed-size state."""
        return self.dtype.itemsize

    def find(
        self, keys: Sequence[str], protected: Iterable[int] = ()
    ) -> tuple[NDArray[np.intp], dict[int, int]]:
        """Row of each key, adding rows for new ones.

        Args:
            protected: rows that must not be evicted (accounts with an open episode).

        Returns:
            intp (n,) rows; and the rows among them that are new, with the place of their first key.
        """
        slots = self.slots
        known = list(map(slots.get, keys))
        if None not in known:
            return np.array(known, np.intp), {}
        missing: dict[str, int] = {}
        for place, slot in enumerate(known):
            if slot is None:
                missing.setdefault(keys[place], place)
        if len(slots) + len(missing) > self.capacity:
            self._evict(len(missing), {*protected, *(slot for slot in known if slot is not None)})
        new = {self._place(key): place for key, place in missing.items()}
        self.rows[list(new)] = self._blank
        return np.fromiter(map(slots.__getitem__, keys), np.intp, len(keys)), new

    def add(self, key: str) -> int:
        """A blank row for a new key. Raises `KeyError` if there is none left or the key is known."""
        if key in self.slots:
            raise KeyError(key)
        slot = self._place(key)
        self.rows[slot] = self._blank
        return slot

    def _place(self, key: str) -> int:
        """Give a new key a row."""
        if self._free:
            slot = self._free.pop()
            self.keys[slot] = key
        elif len(self.keys) < self.capacity:
            slot = len(self.keys)
            self.keys.append(key)
        else:
            raise KeyError(f"table is full ({self.capacity} accounts)")
        self.slots[key] = slot
        self.removed.discard(key)
        return slot

    def remove(self, slot: int) -> None:
        """Forget an account; its row is blanked and reused."""
        key = self.keys[slot]
        if key is None:
            raise KeyError(slot)
        if self._on_remove is not None:
            self._on_remove(slot)
        del self.slots[key]
        self.keys[slot] = None
        self.rows[slot] = np.zeros((), self.dtype)
        self.dirty[slot] = False
        self._free.append(slot)
        self.removed.add(key)

    def _evict(self, wanted: int, keep: set[int]) -> None:
        """Free at least `wanted` rows where possible, least recently active first."""
        count = max(wanted, int(self.capacity * EVICTION_SHARE))
        used = np.fromiter(self.slots.values(), np.intp, len(self.slots))
        oldest_first = used[np.lexsort((used, self.rows["last_ms"][used]))]
        for slot in [int(slot) for slot in oldest_first if int(slot) not in keep][:count]:
            self.remove(slot)
            self.evicted += 1

    def key(self, slot: int) -> str:
        """Key of a row in use."""
        key = self.keys[slot]
        if key is None:
            raise KeyError(slot)
        return key

    def take_removed(self) -> set[str]:
        """Keys forgotten since the last call."""
        removed, self.removed = self.removed, set()
        return removed
