"""`SummaryTable`: the latest summary of every account that some link of a partition still needs.

One numpy record per account, counted by its holders: a link that samples the account, a meeting place. A
row without holders is free again. The bytes of a row are its stored form, as in `streams.account_table`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.evidence import HOURS_TOLD, AccountEvidence
from streams.batch import FEATURE_DIMENSIONS
from streams.hashing import hash64

ROW = np.dtype(
    [
        ("account", "<u8"),  # hash of the account key
        ("owner", "<u8"),
        ("constants", "<u8"),
        ("hour", "<i4"),
        ("created_hour", "<i4"),
        ("first_hour", "<i4"),
        ("found", "?"),  # by itself
        ("met", "?"),  # held by the meeting place of its tenant ...
        ("level", "u1"),  # ... and the doubling of its requests at which it was compared there last
        ("prompts", "<u4"),
        ("requests", "<u4"),
        ("completed", "<u4"),
        ("hourly", "u1", (HOURS_TOLD,)),
        ("mean", "i1", (FEATURE_DIMENSIONS,)),
    ]
)
"""331 bytes."""
BLANK_HOUR = -(2**31)
"""Hour of a row whose account has not been told of yet."""

Rows = NDArray[Any]
_START = 1024


class SummaryTable:
    """Rows by hash of the account key."""

    def __init__(self) -> None:
        self.rows: Rows = np.zeros(_START, ROW)
        self.slots: dict[int, int] = {}
        self.keys: list[str] = []
        """Account key of each row; empty where it is not known yet."""
        self.holders: list[int] = []
        self._dirty: set[int] = set()
        self._stored: set[int] = set()
        """Rows whose account the changelog knows."""
        self._freed: set[int] = set()
        """Accounts that the changelog knows and we no longer."""
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.slots)

    def put(self, evidence: AccountEvidence) -> tuple[int, int]:
        """Write a summary, if it is newer; returns hash and row. The row may have no holder yet."""
        key = evidence.account_key
        account = hash64(key)
        slot = self.slots.get(account)
        if slot is None:
            slot = self._new(account)
        row = self.rows[slot]
        if row["hour"] >= evidence.hour:
            return account, slot
        self.keys[slot] = key
        row["owner"] = evidence.owner
        row["constants"] = evidence.constants
        row["hour"] = evidence.hour
        row["created_hour"] = evidence.created_hour
        row["first_hour"] = evidence.first_hour
        row["found"] = evidence.found
        row["prompts"] = evidence.prompts if evidence.mean else 0
        row["requests"] = min(evidence.requests, 2**32 - 1)
        row["completed"] = min(evidence.completed, 2**32 - 1)
        row["hourly"] = np.frombuffer(evidence.hourly, np.uint8)
        row["mean"] = np.frombuffer(evidence.mean, np.int8) if evidence.mean else 0
        self._dirty.add(slot)
        return account, slot

    def of(self, account: int) -> int:
        """Row of an account, blank where it has not been told of yet."""
        slot = self.slots.get(account)
        return self._new(account) if slot is None else slot

    def _new(self, account: int) -> int:
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self.keys)
            self.keys.append("")
            self.holders.append(0)
            if slot >= len(self.rows):
                self.rows = np.concatenate([self.rows, np.zeros(len(self.rows), ROW)])
        self.rows["account"][slot] = account
        self.rows["hour"][slot] = BLANK_HOUR
        self.slots[account] = slot
        if account in self._freed:
            self._freed.discard(account)
            self._stored.add(slot)
        return slot

    def hold(self, slot: int) -> None:
        """One more holder."""
        self.holders[slot] += 1

    def release(self, slot: int) -> None:
        """One holder less; without any, the row is free."""
        self.holders[slot] -= 1
        self.drop_unheld(slot)

    def drop_unheld(self, slot: int) -> None:
        """Free a row that nobody holds."""
        if self.holders[slot] > 0:
            return
        account = int(self.rows["account"][slot])
        if self.slots.pop(account, None) is None:
            return
        self.keys[slot] = ""
        self.rows[slot] = np.zeros((), ROW)
        self._dirty.discard(slot)
        if slot in self._stored:
            self._stored.discard(slot)
            self._freed.add(account)
        self._free.append(slot)

    def note(self, slots: Iterable[int]) -> None:
        """Rows that were changed from outside."""
        self._dirty.update(slots)

    def take_changes(self) -> list[tuple[int, bytes | None]]:
        """Account and stored row, or none, of what has changed since the last call; by account."""
        gone: list[tuple[int, bytes | None]] = [(account, None) for account in self._freed]
        kept: list[tuple[int, bytes | None]] = [
            (int(self.rows["account"][slot]), self.rows[slot].tobytes() + self.keys[slot].encode())
            for slot in self._dirty
        ]
        self._stored |= self._dirty
        self._dirty, self._freed = set(), set()
        return sorted([*gone, *kept], key=lambda change: change[0])

    def restore(self, account: int, data: bytes | None) -> None:
        """Apply one change. Holders are counted anew by their owners."""
        slot = self.slots.get(account)
        if data is None:
            if slot is not None:
                self.holders[slot] = 0
                self._stored.discard(slot)
                self.drop_unheld(slot)
            return
        if slot is None:
            slot = self._new(account)
        self.rows[slot] = np.frombuffer(data[: ROW.itemsize], ROW)[0]
        self.keys[slot] = data[ROW.itemsize :].decode()
        self._stored.add(slot)
