"""`AccountTable`: the state of every account of one partition, as one numpy record array.

One row is one account; its columns are the core columns below plus those each detector declares. A row
has a fixed size, so memory is bounded by ``accounts x row size``. Accounts that have been idle are set aside
in their stored form, about half as large, and brought back by their next request, as they were. Beyond
`capacity` the least recently active accounts are evicted, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from streams.windows import EMPTY, HOURS, MINUTES

RECENT_EVENTS = 13
"""An `event_id` that repeats within this many events of its account is counted once."""

EVICTION_SHARE = 0.02
"""Share of a full table freed at once, so that eviction costs little per event."""

HOT_SHARE = 0.2
FEWEST_HOT = 16_384
"""Rows that are not worth setting aside: this share of the capacity, and so many at least."""

CORE: list[tuple[str, Any] | tuple[str, Any, tuple[int, ...]]] = [
    ("first_ms", "<i8"),
    ("last_ms", "<i8"),
    ("offset", "<i8"),  # highest offset of the requests partition applied to this row
    ("events", "<u4"),
    ("completed", "<u4"),
    ("cohort", "<u2"),
    ("found_hour", "<i4"),  # epoch hour of its first finding; 0: never found
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
"""Core columns, 894 bytes a row: identity and progress, the minute ring, the hour ring."""


class AccountTable:
    """Rows by account key.

    Args:
        columns: dtype of each detector's columns, by detector name.
        capacity: most accounts kept. Memory is at most ``capacity x row_bytes``; pages of rows not yet
            used are not resident.
        on_remove: called with the row of an account that is forgotten or set aside.
        on_wake: called with the rows and stored forms of accounts that come back.
    """

    def __init__(
        self,
        columns: Mapping[str, np.dtype[Any]],
        capacity: int,
        on_remove: Callable[[int], None] | None = None,
        on_wake: Callable[[NDArray[np.intp], Sequence[bytes]], None] | None = None,
    ) -> None:
        fields: list[Any] = [*CORE, *((name, dtype) for name, dtype in columns.items() if dtype.itemsize)]
        self.dtype = np.dtype(fields)
        self.capacity = capacity
        self.rows: NDArray[Any] = np.zeros(capacity, self.dtype)
        self.keys: list[str | None] = []
        self.slots: dict[str, int] = {}
        self.hot = max(int(capacity * HOT_SHARE), min(capacity, FEWEST_HOT))
        """Rows in use beyond which idle accounts are to be set aside."""
        self.aside: dict[str, bytes] = {}
        """Accounts set aside, longest idle first."""
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
        self._on_wake = on_wake

    def __len__(self) -> int:
        return len(self.slots) + len(self.aside)

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
        unknown = [place for place, slot in enumerate(known) if slot is None]
        missing: dict[str, int] = {}
        for place in unknown:
            missing.setdefault(keys[place], place)
        asleep = [key for key in missing if key in self.aside]
        awake = self.wake(asleep).tolist() if asleep else []
        for key in asleep:
            del missing[key]
        if len(self) + len(missing) > self.capacity:
            self._evict(len(missing), {*protected, *awake, *(slot for slot in known if slot is not None)})
        new = {self._place(key): place for key, place in missing.items()}
        self.rows[list(new)] = self._blank
        for place in unknown:
            known[place] = slots[keys[place]]
        return np.array(known, np.intp), new

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

    def wake(self, keys: Sequence[str]) -> NDArray[np.intp]:
        """Rows of accounts that were set aside, (n,); as they were."""
        stored = [self.aside.pop(key) for key in keys]
        slots = np.array([self._place(key) for key in keys], np.intp)
        if self._on_wake is not None and len(keys):
            self._on_wake(slots, stored)
        return slots

    def set_aside(self, slot: int, stored: bytes) -> None:
        """Keep an account in its stored form; its row is reused. It has nothing that is not in there."""
        key = self._release(slot)
        self.aside[key] = stored

    def remove(self, slot: int) -> None:
        """Forget an account; its row is reused."""
        self.removed.add(self._release(slot))

    def _release(self, slot: int) -> str:
        key = self.key(slot)
        if self._on_remove is not None:
            self._on_remove(slot)
        del self.slots[key]
        self.keys[slot] = None
        self.rows[slot] = self._blank
        self.dirty[slot] = False
        self._free.append(slot)
        return key

    def slot_of(self, key: str) -> int | None:
        """Row of an account, brought back if need be; `None` where it is not known."""
        if key in self.aside:
            self.wake([key])
        return self.slots.get(key)

    def _evict(self, wanted: int, keep: set[int]) -> None:
        """Free at least `wanted` rows where possible, least recently active first."""
        count = max(wanted, int(self.capacity * EVICTION_SHARE))
        for key in list(islice(self.aside, count)):
            del self.aside[key]
            self.removed.add(key)
            self.evicted += 1
            count -= 1
        if not count:
            return
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

    def keys_of(self, slots: Iterable[int]) -> list[str]:
        """Keys of rows in use."""
        return cast("list[str]", [self.keys[slot] for slot in slots])

    def take_removed(self) -> set[str]:
        """Keys forgotten since the last call."""
        removed, self.removed = self.removed, set()
        return removed
