"""`Snapshots`: what accounts wrote on average at the time of their comparison, one of each account.

At most `CAPACITY`, the smallest hashes, which is a uniform sample whatever the order of what comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.batch import FEATURE_DIMENSIONS

CAPACITY = 20_000
SNAPSHOT = np.dtype(
    [
        ("account", "<u8"),  # hash of the account key
        ("hour", "<i4"),
        ("known_h", "<i4"),  # since the account was first seen, then
        ("mean", "i1", (FEATURE_DIMENSIONS,)),
    ]
)
"""272 bytes."""

Rows = NDArray[Any]


def snapshots_of(summaries: Rows) -> Rows:
    """Snapshots of accounts from their summaries (`streams.summary_table.ROW`)."""
    rows = np.empty(len(summaries), SNAPSHOT)
    for name in ("account", "hour", "mean"):
        rows[name] = summaries[name]
    rows["known_h"] = summaries["hour"] - summaries["first_hour"]
    return rows


class Snapshots:
    """Rows of `SNAPSHOT`, ascending by account."""

    def __init__(self) -> None:
        self.rows: Rows = np.empty(0, SNAPSHOT)
        self._stored = self.rows["account"], self.rows["hour"]
        """As the changelog knows them."""

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, rows: Rows) -> None:
        """Add or replace."""
        others = self.rows[~np.isin(self.rows["account"], rows["account"])]
        joint = np.concatenate([others, rows])
        self.rows = joint[np.argsort(joint["account"])[:CAPACITY]]

    def take(self, which: NDArray[np.bool_]) -> Rows:
        """Remove some and return them."""
        taken, self.rows = self.rows[which], self.rows[~which]
        return taken

    def take_changes(self) -> list[tuple[int, bytes | None]]:
        """Account and its snapshot, or none, of what has changed since the last call; by account."""
        accounts, hours = self.rows["account"], self.rows["hour"]
        changed = ~np.isin(accounts, self._stored[0])
        known = np.flatnonzero(~changed)
        place = np.searchsorted(self._stored[0], accounts[known])
        changed[known] = self._stored[1][place] != hours[known]
        gone = self._stored[0][~np.isin(self._stored[0], accounts)]
        changes: list[tuple[int, bytes | None]] = [(account, None) for account in gone.tolist()]
        changes += [(int(row["account"]), row.tobytes()) for row in self.rows[changed]]
        self._stored = accounts, hours
        return changes

    def restore(self, changes: Mapping[int, bytes | None]) -> None:
        """Apply changes."""
        self.take(np.isin(self.rows["account"], np.fromiter(changes, np.uint64, len(changes))))
        self.put(np.frombuffer(b"".join(filter(None, changes.values())), SNAPSHOT))
        self._stored = self.rows["account"], self.rows["hour"]
