"""`PlaneState`: all that the accounts of one partition have and share, and how it survives a crash.

`streams.account_plane` says what events do to it. Here is where it lies, how it goes to the changelog
and how it comes back: rows that have changed first, what they share last, so that a crash in between
leaves accounts ahead of the partition, never behind it.

Memory: at most ``max_accounts_per_partition`` rows of `AccountTable.row_bytes`, plus bounded extras; about
half of it for accounts that are idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from streams import forms, links, windows
from streams.account_state import NO_EXTRAS, AccountExtras, PartitionState, StateCodec
from streams.account_table import AccountTable
from streams.baselines import CohortBaselines
from streams.calibration import Calibration
from streams.common_systems import CommonSystems
from streams.config import DetectionConfig
from streams.detectors import registry
from streams.detectors.detector import Detector
from streams.episodes import Episode
from streams.fellow_users import FellowUsers
from streams.forms import Forms
from streams.houses import Houses
from streams.open_hours import OpenHours
from streams.watermark import NOTHING, Watermark
from streams.windows import HOUR_MS, HOURS

NO_HOUR = windows.EMPTY

CROWD_SHARE = 0.05
"""Idle accounts are set aside when so many rows too many are in use, all at once."""
STAGGER_MS = 2_000
STAGGERED = 64
"""An hour closes so much later, in event time, in every next partition: it takes some 30 us an account, which
all partitions of a worker would else spend at the same moment, with requests waiting."""

SETTLED_AT_ONCE = 4096
"""Restored accounts looked through in one step."""


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
            {
                links.NAME: links.COLUMNS,
                forms.NAME: forms.COLUMNS,
                **{one.name: one.columns for one in self.detectors},
            },
            config.max_accounts_per_partition,
            self._forget,
            self._wake,
        )
        self.watermark = Watermark(lateness_ms=config.lateness_s * 1000)
        self.cohorts = CohortBaselines()
        self.episodes: dict[int, Episode] = {}
        """Row to its open episode."""
        self.calibration = Calibration(len(self.detectors))
        content = np.array([one.metadata.nature == "content" for one in self.detectors], np.bool_)
        self.houses = Houses(self.calibration.marks, content)
        self.systems = CommonSystems(self.calibration.marks)
        self.fellows = FellowUsers(self.calibration.marks)
        self.forms = Forms(self.calibration, self.systems, content)
        self.codec = StateCodec(config, self.table.dtype)
        self.closed_hour = NO_HOUR
        """Hours up to this one are closed."""
        self.open_hours = OpenHours(self.table.capacity)
        self._unsettled = False
        """Accounts were restored, and which of them must have a row is not known yet."""
        self._with_extras = [one for one in self.detectors if type(one).extras is not Detector.extras]
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
        self.settle()
        records: list[tuple[bytes, bytes | None]] = []
        records += [(key.encode(), None) for key in sorted(self.table.take_removed())]
        dirty = np.flatnonzero(self.table.dirty)
        slots = dirty.tolist()
        values = self.codec.encode(self.table.rows[dirty], self._each_extras(slots))
        records += zip(map(str.encode, self.table.keys_of(slots)), values, strict=True)
        self.table.dirty[:] = False
        self._set_idle_aside()
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

    def _each_extras(self, slots: Sequence[int]) -> list[AccountExtras]:
        """What accounts have besides their rows; most have nothing."""
        asked = set(slots)
        known = [one.extra_slots() for one in self._with_extras]
        known += [self.episodes.keys(), self.calibration.marks.keys()]
        holders = set[int]().union(*(some & asked for some in known))
        return [self._extras(slot) if slot in holders else NO_EXTRAS for slot in slots]

    def _extras(self, slot: int) -> AccountExtras:
        return AccountExtras(
            episode=self.episodes.get(slot),
            detectors={one.name: data for one in self._with_extras if (data := one.extras(slot))},
            marks=self.calibration.marks.get(slot),
        )

    def _set_idle_aside(self) -> None:
        """Where many accounts have rows, take them from those idle longest that have nothing else. What is
        due in an open hour, and all that other accounts are compared with, stays."""
        table, rows = self.table, self.table.rows
        crowd = len(table.slots) - table.hot
        if crowd <= table.hot * CROWD_SHARE:
            return
        used = np.fromiter(table.slots.values(), np.intp, len(table.slots))
        over = (rows["hour_head"][used] <= self._settled_hour()) & ~self.open_hours.holds(used)
        idle = used[over & (rows["found_hour"][used] == 0)]
        idle = idle[np.argsort(rows["last_ms"][idle], kind="stable")]
        longest = idle[: 2 * crowd].tolist()
        alone = [slot for slot, more in zip(longest, self._each_extras(longest), strict=True) if not more]
        idle = np.array(alone[:crowd], np.intp)
        stored = self.codec.encode(rows[idle], [NO_EXTRAS] * len(idle))
        for slot, value in zip(idle.tolist(), stored, strict=True):
            table.set_aside(slot, value)

    # ---- and back -----------------------------------------------------------------------------------

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records, oldest first. May be called with one stretch after another.

        Raises:
            schemas.errors.IncompatibleState: the state was written with other parameters.
        """
        table, mine = self.table, self.codec.partition_key(self.partition)
        for key, value in records:
            if self.codec.is_partition_key(key):
                if value is not None and key == mine:
                    self._restore_partition(self.codec.decode_partition(value))
                continue
            name = key.decode()
            slot = table.slots.get(name)
            if slot is not None:
                table.remove(slot)
                table.removed.discard(name)
            table.aside.pop(name, None)
            if value is not None and len(table) < table.capacity:
                self.codec.check(value)
                table.aside[name] = value
        self._unsettled = True
        if len(table) <= table.hot:
            self.settle()

    def settle(self) -> None:
        """After a restore, and before anything else: give rows to all accounts if they are few, else to those
        that something may happen to without a request of theirs."""
        if not self._unsettled:
            return
        self._unsettled = False
        table = self.table
        keys = list(table.aside)
        if len(table) <= table.hot:
            table.wake(keys)
            return
        settled = self._settled_hour()
        for start in range(0, len(keys), SETTLED_AT_ONCE):
            some = keys[start : start + SETTLED_AT_ONCE]
            rows, extras = self.codec.decode([table.aside[key] for key in some])
            due = (rows["hour_head"] > settled) | (rows["found_hour"] > 0)
            both = zip(some, due.tolist(), extras, strict=True)
            table.wake([key for key, now, more in both if now or more])

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

    def _wake(self, slots: NDArray[np.intp], stored: Sequence[bytes]) -> None:
        """Accounts get rows again."""
        rows, extras = self.codec.decode(stored)
        self.table.rows[slots] = rows
        first = self._settled_hour() + 1
        for number in np.flatnonzero(rows["hour_head"] >= first).tolist():
            head, requests = int(rows["hour_head"][number]), rows["hour_requests"][number]
            kept = range(max(first, head - HOURS + 1), head + 1)
            self.open_hours.note_row(int(slots[number]), [hour for hour in kept if requests[hour % HOURS]])
        for slot, more in zip(slots.tolist(), extras, strict=True):
            if more:
                self._restore_extras(slot, more)

    def _restore_extras(self, slot: int, extras: AccountExtras) -> None:
        if extras.episode is not None:
            self.episodes[slot] = extras.episode
        if extras.marks is not None:
            self.calibration.marks[slot] = extras.marks
        for detector in self._with_extras:
            if detector.name in extras.detectors:
                detector.restore_extras(slot, extras.detectors[detector.name])

    def _settled_hour(self) -> int:
        """Hours up to this one are behind the watermark, so their profiles are out and up to date."""
        mark = self.watermark.floor_ms
        return NO_HOUR if mark == NOTHING else self.due_hour(mark)

    def due_hour(self, watermark_ms: int) -> int:
        """Newest hour that is closed once event time has come so far."""
        return (watermark_ms - self.partition % STAGGERED * STAGGER_MS) // HOUR_MS - 1

    def due_at_ms(self, hour: int) -> int:
        """Watermark at which an hour is closed."""
        return (hour + 1) * HOUR_MS + self.partition % STAGGERED * STAGGER_MS

    # ---- for operators ------------------------------------------------------------------------------

    def stats(self) -> dict[str, int]:
        """Counters. `leaked` are answers given to accounts that have or had a finding."""
        self.settle()
        rows = self.table.rows[: len(self.table.keys)]
        return {
            "accounts": len(self.table),
            "open_findings": len(self.episodes),
            "events": self.events,
            "late_events": self.late,
            "duplicate_events": self.duplicates,
            "leaked": int(rows["completed"][rows["found_hour"] > 0].sum()),
            "evicted_accounts": self.table.evicted,
        }

    @property
    def newest_ms(self) -> int:
        """Newest event time seen; `streams.watermark.NOTHING` before the first event."""
        return self.watermark.newest_ms
