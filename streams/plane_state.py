"""`PlaneState`: all that the accounts of one partition have and share, and how it survives a crash.

`streams.account_plane` says what events do to it. Here is where it lies, how it goes to the changelog
and how it comes back: rows that have changed first, what they share last, so that a crash in between
leaves accounts ahead of the partition, never behind it.

Memory: at most ``max_accounts_per_partition`` rows of `AccountTable.row_bytes`, plus bounded extras.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from streams import links, windows
from streams.account_state import AccountExtras, PartitionState, StateCodec
from streams.account_table import AccountTable
from streams.baselines import CohortBaselines
from streams.calibration import Calibration
from streams.config import DetectionConfig
from streams.detectors import registry
from streams.detectors.detector import Detector
from streams.episodes import Episode
from streams.open_hours import OpenHours
from streams.watermark import NOTHING, Watermark
from streams.windows import HOUR_MS, HOURS

NO_HOUR = windows.EMPTY


class PlaneState:
    """State of one partition of the requests topic.

    Args:
        config: parameters; state written under another `DetectionConfig.parameter_hash` is refused.
        partition: number of the partition, for the partition record's key only.
        detectors: default all of `streams.detectors.registry`.
    """

    def __init__(
        self, config: DetectionConfig, partition: int = 0, detectors: Sequence[Detector] | None = None
    ) -> None:
        self.config = config
        self.partition = partition
        self.detectors = tuple(detectors) if detectors is not None else registry.build()
        self.table = AccountTable(
            {links.NAME: links.COLUMNS, **{one.name: one.columns for one in self.detectors}},
            config.max_accounts_per_partition,
            self._forget,
        )
        self.watermark = Watermark(lateness_ms=config.lateness_s * 1000)
        self.cohorts = CohortBaselines()
        self.episodes: dict[int, Episode] = {}
        """Row to its open episode."""
        self.calibration = Calibration(len(self.detectors))
        self.codec = StateCodec(config, self.table.dtype)
        self.closed_hour = NO_HOUR
        """Hours up to this one are closed."""
        self.open_hours = OpenHours(self.table.capacity)
        self.applied_offset = -1
        self.events = self.late = self.duplicates = 0

    def _forget(self, slot: int) -> None:
        """A row is about to be reused."""
        for detector in self.detectors:
            detector.forget(slot)
        self.open_hours.forget(slot)
        self.episodes.pop(slot, None)
        self.calibration.forget(slot)

    # ---- to the changelog ---------------------------------------------------------------------------

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changelog records since the last call; the partition's own record last."""
        records: list[tuple[bytes, bytes | None]] = []
        records += [(key.encode(), None) for key in sorted(self.table.take_removed())]
        for slot in np.flatnonzero(self.table.dirty).tolist():
            extras = AccountExtras(
                episode=self.episodes.get(slot),
                detectors={
                    detector.name: data for detector in self.detectors if (data := detector.extras(slot))
                },
                marks=self.calibration.marks.get(slot),
            )
            records.append((self.table.key(slot).encode(), self.codec.encode(self.table.rows[slot], extras)))
        self.table.dirty[:] = False
        state = PartitionState(
            applied_offset=self.applied_offset,
            closed_hour=self.closed_hour,
            watermark=self.watermark,
            cohorts=self.cohorts.snapshot(),
            counters=[self.events, self.late, self.duplicates, self.table.evicted],
            active=self.calibration.active,
            detectors={detector.name: data for detector in self.detectors if (data := detector.shared())},
        )
        records.append((self.codec.partition_key(self.partition), self.codec.encode_partition(state)))
        return records

    # ---- and back -----------------------------------------------------------------------------------

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records, oldest first. May be called with one stretch after another.

        Raises:
            schemas.errors.IncompatibleState: the state was written with other parameters.
        """
        for key, value in records:
            if self.codec.is_partition_key(key):
                if value is not None and key == self.codec.partition_key(self.partition):
                    self._restore_partition(self.codec.decode_partition(value))
                continue
            name = key.decode()
            slot = self.table.slots.get(name)
            if value is None:
                if slot is not None:
                    self.table.remove(slot)
                    self.table.take_removed()
                continue
            if slot is None:
                if len(self.table) >= self.table.capacity:
                    continue
                slot = self.table.add(name)
            self._restore_account(slot, value)

    def _restore_partition(self, state: PartitionState) -> None:
        self.applied_offset = state.applied_offset
        self.closed_hour = state.closed_hour
        self.watermark = state.watermark
        self.cohorts = CohortBaselines()
        self.cohorts.restore(state.cohorts)
        self.events, self.late, self.duplicates, self.table.evicted = state.counters
        self.calibration.active = state.active
        for detector in self.detectors:
            if detector.name in state.detectors:
                detector.restore_shared(state.detectors[detector.name])
        self.open_hours.forget_until(self._settled_hour())

    def _restore_account(self, slot: int, value: bytes) -> None:
        row, extras = self.codec.decode(value)
        for detector in self.detectors:
            detector.forget(slot)
        self.calibration.forget(slot)
        self.table.rows[slot] = row
        self.episodes.pop(slot, None)
        if extras.episode is not None:
            self.episodes[slot] = extras.episode
        if extras.marks is not None:
            self.calibration.marks[slot] = extras.marks
        for detector in self.detectors:
            if detector.name in extras.detectors:
                detector.restore_extras(slot, extras.detectors[detector.name])
        head = int(row["hour_head"])
        kept = range(max(self._settled_hour() + 1, head - HOURS + 1), head + 1)
        self.open_hours.note_row(slot, [hour for hour in kept if row["hour_requests"][hour % HOURS]])

    def _settled_hour(self) -> int:
        """Hours up to this one are behind the watermark, so their profiles are out and up to date."""
        mark = self.watermark.floor_ms
        return NO_HOUR if mark == NOTHING else mark // HOUR_MS - 1

    # ---- for operators ------------------------------------------------------------------------------

    def stats(self) -> dict[str, int]:
        """Counters. `leaked` are answers given to accounts that have or had a finding."""
        rows = self.table.rows[: len(self.table.keys)]
        return {
            "accounts": len(self.table),
            "open_findings": len(self.episodes),
            "events": self.events,
            "late_events": self.late,
            "duplicate_events": self.duplicates,
            "leaked": int(rows["completed"][rows["found"]].sum()),
            "evicted_accounts": self.table.evicted,
        }

    @property
    def newest_ms(self) -> int:
        """Newest event time seen; `streams.watermark.NOTHING` before the first event."""
        return self.watermark.newest_ms
