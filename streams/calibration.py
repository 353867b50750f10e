"""`Calibration`: do detectors mean what they say here? Their scores against the live accounts of each cohort.

A detector's score claims ``P(score >= x) <= exp(-x)`` for benign accounts, from data of its own. The most an
account scores in an hour is marked for a day, and from the marks of a cohort it is seen, for every hour anew,
how often scores really pass x. Where that is more often than claimed, the claim is corrected:

- up to the highest level that `RELIABLE` accounts passed, to the observed frequency (a conformal p-value);
- beyond, by an exponential tail, slower by as much as the claim was off at that level, at most `SLOWEST`
  times. Nothing rarer than one in all account-hours is ever *observed*: this is a model, on the quiet side.

**Never sharper than claimed**: with few accounts, or quiet ones, the shipped tail holds as it is; that is the
cold start. **Robust**: accounts with a finding are left out from two hours later on, and a share of
`CONTAMINATION` is put down to attackers whom nobody has noticed yet, so that they cannot hide each other.
**Delayed**: an event of hour h is judged by hours up to ``h - DELAY_HOURS``. **Exact after a crash**: marks
are stored with their accounts.

Sources: conformal p-values: V. Vovk et al., Algorithmic Learning in a Random World (2005); excesses over a
threshold: J. Pickands, Annals of Statistics 3 (1975), with shape 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.delayed import Delayed

Floats = NDArray[np.float64]
Slots = NDArray[np.intp]

STEP_NATS = 0.25
LEVELS = 128
"""Levels of scores that are told apart: 0 to 32 nats."""
LOWEST_MARK = 8
"""Marks below two nats are not kept: the count of active accounts stands for them."""

WINDOW_HOURS = 24
RELIABLE = 8
CONTAMINATION = 0.05
SLOWEST = 2.0
MIN_ACCOUNT_HOURS = 400
"""A cohort with fewer is judged by all cohorts together; with fewer of these as well, by the claim alone."""
EVERYBODY = -1
NEVER = 2**31


class Marks(msgspec.Struct, array_like=True):
    """What is kept of one account besides its row: of those that scored anything, or fill in forms."""

    cohort: int
    found: int = NEVER
    """Hour of its first finding."""
    hours: dict[int, bytes] = {}
    """Hour to the highest level of each detector."""
    owner: int = 0
    """Hash of its organisation, as it was when the account was marked first; 0: none."""
    forms: dict[int, int] = {}
    """Hour to the form that it filled in again (see `streams.forms`)."""
    systems: dict[int, int] = {}
    """Hour in which it scored to the system prompt that it sent then (see `streams.common_systems`)."""
    written: dict[int, bytes] = {}
    """Hour in which it scored to how it wrote under a system prompt (see `streams.fellow_users`)."""

    @property
    def newest(self) -> int:
        """Last hour of which anything is kept."""
        return max(max(self.hours, default=0), max(self.forms, default=0))


def keep_newest(by_hour: dict[int, Any], most: int = 2 * WINDOW_HOURS) -> None:
    """Drop an hour of marks where there are more than two windows of them, or whatever is the most."""
    if len(by_hour) > most:
        del by_hour[min(by_hour)]


def within(by_hour: Mapping[int, int], last: int) -> dict[int, int]:
    """Marks of the two days up to an hour."""
    return {hour: mark for hour, mark in by_hour.items() if last - 2 * WINDOW_HOURS < hour <= last}


class Tail:
    """How often the accounts of a cohort pass each level, for every detector.

    Args:
        marks: uint8 (k, d), highest levels in an hour; hours without a mark are not among them.
        account_hours: all active ones.
    """

    def __init__(self, marks: NDArray[np.uint8], account_hours: int) -> None:
        claimed = np.arange(LEVELS) * STEP_NATS
        self.nats: Floats = np.repeat(claimed[:, None], marks.shape[1], axis=1)
        """(LEVELS, d): what each level is worth."""
        if account_hours < MIN_ACCOUNT_HOURS:
            return
        allowed = CONTAMINATION * account_hours
        for detector in range(marks.shape[1]):
            at_level = np.bincount(marks[:, detector], minlength=LEVELS)
            passed = np.cumsum(at_level[::-1])[::-1] - allowed
            top = int(np.flatnonzero(passed >= RELIABLE).max(initial=0))
            if top < LOWEST_MARK:
                continue
            seen = slice(LOWEST_MARK, top + 1)
            observed = -np.log(passed[seen] / account_hours)
            column = self.nats[:, detector]
            column[seen] = np.minimum(column[seen], np.maximum(observed, 0.0))
            slower = np.clip(claimed[top] / max(column[top], 0.1), 1.0, SLOWEST)
            column[top + 1 :] = column[top] + (claimed[top + 1 :] - claimed[top]) / slower
            column[:LOWEST_MARK] = np.minimum(column[:LOWEST_MARK], column[LOWEST_MARK])

    def correct(self, nats: Floats) -> Floats:
        """Calibrated nats (m, d); never more than given."""
        highest = (LEVELS - 1) * STEP_NATS
        level = np.minimum(nats, highest - 1e-9) / STEP_NATS
        below = level.astype(np.intp)
        columns = np.arange(nats.shape[1])
        lower, upper = self.nats[below, columns], self.nats[below + 1, columns]
        worth: Floats = lower + (level - below) * (upper - lower)
        return np.minimum(worth + np.maximum(nats - highest, 0.0), nats)


class Calibration:
    """Marks of accounts by row, and tails by hour and cohort, built when first asked for.

    Args:
        detectors: number of score columns.
    """

    def __init__(self, detectors: int) -> None:
        self.detectors = detectors
        self.marks: dict[int, Marks] = {}
        self.active: dict[int, dict[int, int]] = {}
        """Closed hour to cohort to accounts with requests in it."""
        self._tails = Delayed(self._build)

    def note(
        self,
        slots: Slots,
        hours: NDArray[np.int64],
        cohorts: NDArray[np.int64],
        owners: NDArray[np.uint64],
        systems: NDArray[np.uint32],
        nats: Floats,
    ) -> Slots:
        """Mark the scores (m, d) of accounts in the given hours; which of them have a mark now, by place."""
        levels = np.minimum(nats / STEP_NATS, LEVELS - 1).astype(np.uint8)
        high: Slots = np.flatnonzero((levels >= LOWEST_MARK).any(axis=1))
        for number in high.tolist():
            slot, hour, new = int(slots[number]), int(hours[number]), levels[number]
            marks = self.of(slot, int(cohorts[number]), int(owners[number]))
            before = marks.hours.get(hour)
            if before is not None:
                new = np.maximum(new, np.frombuffer(before, np.uint8))
            marks.hours[hour] = new.tobytes()
            if systems[number]:
                marks.systems.setdefault(hour, int(systems[number]))
            keep_newest(marks.hours)
            keep_newest(marks.systems)
        return high

    def of(self, slot: int, cohort: int, owner: int) -> Marks:
        """Marks of an account, made where there are none."""
        marks = self.marks.get(slot)
        if marks is None:
            new = Marks(cohort=cohort, hours={}, owner=owner, forms={}, systems={}, written={})
            marks = self.marks[slot] = new
        return marks

    def found(self, slot: int, hour: int) -> None:
        """The account has a finding."""
        marks = self.marks.get(slot)
        if marks is not None:
            marks.found = min(marks.found, hour)

    def close_hour(self, hour: int, cohorts: NDArray[np.int64]) -> None:
        """An hour is complete.

        Args:
            cohorts: of each account with requests in it.
        """
        self.active[hour] = dict(Counter(cohorts.tolist()))
        oldest = hour - 2 * WINDOW_HOURS
        for old in [known for known in self.active if known <= oldest]:
            del self.active[old]
        for slot in [slot for slot, marks in self.marks.items() if marks.found == NEVER]:
            if self.marks[slot].newest <= oldest:
                del self.marks[slot]

    def correct(self, nats: Floats, hours: NDArray[np.int64], cohorts: NDArray[np.int64]) -> Floats:
        """Calibrated nats (m, d) of accounts at events of the given hours."""
        corrected = nats.copy()
        for hour in np.unique(hours).tolist():
            tails = self._tails.before(hour)
            for cohort in np.unique(cohorts[hours == hour]).tolist():
                mine = (hours == hour) & (cohorts == cohort)
                corrected[mine] = tails.get(cohort, tails[EVERYBODY]).correct(nats[mine])
        return corrected

    def _build(self, last: int) -> dict[int, Tail]:
        window = range(last - WINDOW_HOURS + 1, last + 1)
        size: Counter[int] = Counter()
        for hour in window:
            size.update(self.active.get(hour, {}))
        rows: dict[int, list[bytes]] = {}
        for marks in self.marks.values():
            if marks.found > last:
                mine = [levels for hour, levels in marks.hours.items() if hour in window]
                rows.setdefault(marks.cohort, []).extend(mine)
        tails = {EVERYBODY: self._tail([one for mine in rows.values() for one in mine], size.total())}
        for cohort, count in size.items():
            if count >= MIN_ACCOUNT_HOURS:
                tails[cohort] = self._tail(rows.get(cohort, []), count)
        return tails

    def _tail(self, levels: Sequence[bytes], account_hours: int) -> Tail:
        marks = np.frombuffer(b"".join(levels), np.uint8).reshape(-1, self.detectors)
        return Tail(marks, account_hours)

    def forget(self, slot: int) -> None:
        """The account's row is being reused."""
        self.marks.pop(slot, None)
