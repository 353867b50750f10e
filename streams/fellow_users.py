"""`FellowUsers`: who writes as most others do that send his system prompt uses what they use.

A constant system prompt that several owners send may be a library's example, under which anybody writes
anything; then it names no purpose (`streams.common_systems`). But the users of an application, each with an
account of his own, send one and the same as well, and under it they write alike, whether they fill in a form
or send bare records. So it does name a purpose for an account that writes as at least `FELLOWS` others do,
and as more than half of all who send it, if it asks at a person's hours, or has rested within two days. An
operator gains by this what a system prompt of his own would give him, and only where most of those who send
his are his own accounts.

Compared is the structure of prompts, as `streams.detectors.shift` adds it up. Counted are accounts that
surprised some detector within two days, in few enough hours of each (`streams.visits`), and have not been
found. Of one partition only, judged by hours up to ``h - DELAY_HOURS``, and exact after a crash for the same
reason as `streams.calibration`, in whose marks `KEPT_HOURS` sketches of each such account are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from streams.account_table import AccountTable
from streams.calibration import WINDOW_HOURS, Marks, keep_newest, within
from streams.common_systems import sent
from streams.delayed import Delayed
from streams.features import LENGTH_SQUARED, SCALE
from streams.structure import GROUP
from streams.visits import PLAIN, SITTINGS, active_hours, in_visits, rested, uneven

Floats = NDArray[np.float64]
Slots = NDArray[np.intp]

FELLOWS = 8
"""As many as the smallest group that is judged as one (`streams.group_statistics`): fewer accounts of an
operator are found one by one or not at all."""
MOST = 0.5
SAME_SQUARED = 0.06
"""Two accounts write alike up to this squared distance of their mean prompts, as a share of a prompt's
squared length. Measured on the forty pipelines of `tests.evaluation.held_out_pipelines`, with 15, 30 and 60
prompts a side: of two parts of one pipeline 99 in a hundred are within 0.056, 0.030 and 0.012, of two
pipelines one in a hundred within 0.033, 0.038 and 0.047, and one in twenty within 0.12 to 0.14."""
MIN_PROMPTS = 12
"""With eight, five in a hundred halves are further apart than that."""
MOST_SENDERS = 256
"""Compared at most, of one system prompt."""
KEPT_HOURS = 6
"""Sketches of an account: two hours are open, and what is before those and some late hours is asked for."""

SKETCH = np.dtype([("mean", "i1", (GROUP,)), ("squared", "<f4")])
"""Mean of its prompts, and what the squared length of that is without the noise of few of them. 68 bytes."""


class _Senders(NamedTuple):
    """Accounts under one system prompt."""

    slots: NDArray[np.intp]
    sketches: NDArray[np.void]


class FellowUsers:
    """Accounts under system prompts, by hour.

    Args:
        marks: of `Calibration`, kept up to date by it.
    """

    def __init__(self, marks: Mapping[int, Marks]) -> None:
        self._marks = marks
        self._known = Delayed(self._build)

    def note(self, table: AccountTable, slots: Slots, hours: NDArray[np.int64]) -> None:
        """Keep how these accounts write, which have marks in these hours, where they send a system prompt."""
        new = [
            number
            for number in np.flatnonzero(sent(table, slots)).tolist()
            if int(hours[number]) not in self._marks[int(slots[number])].written
        ]
        if not new:
            return
        sketches, enough = _sketches(table, slots[new])
        for number, sketch, known in zip(new, sketches, enough.tolist(), strict=True):
            if known:
                written = self._marks[int(slots[number])].written
                written[int(hours[number])] = sketch.tobytes()
                keep_newest(written, KEPT_HOURS)

    def among(self, table: AccountTable, slots: Slots, hours: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which accounts write as most others do that send theirs, and rest as people do, (m,)."""
        found = np.zeros(len(slots), np.bool_)
        systems, plain = sent(table, slots), uneven(table, slots, PLAIN.cv)
        sketches, enough = _sketches(table, slots)
        for number in np.flatnonzero(enough).tolist():
            slot, hour = int(slots[number]), int(hours[number])
            senders = self._known.before(hour).get(int(systems[number]))
            active, most = active_hours(table, slot, hour), PLAIN.hours if plain[number] else SITTINGS.hours
            if senders is not None and (in_visits(active, hour, most) or rested(active)):
                others = senders.sketches[senders.slots != slot]
                alike = np.count_nonzero(_apart(sketches[number], others) <= SAME_SQUARED)
                found[number] = alike >= FELLOWS and alike > MOST * len(others)
        return found

    def _build(self, last: int) -> dict[int, _Senders]:
        """System prompt to those who send it; none that too few send."""
        senders: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for slot, marks in self._marks.items():
            known = [hour for hour in marks.written if last - 2 * WINDOW_HOURS < hour <= last]
            if known and marks.found > last and in_visits(marks.hours, last):
                for system in set(within(marks.systems, last).values()):
                    senders[system].append((slot, marks.written[max(known)]))
        return {system: _some(each) for system, each in senders.items() if len(each) >= FELLOWS}


def _some(senders: list[tuple[int, bytes]]) -> _Senders:
    """At most `MOST_SENDERS`, chosen by what they write and not by where their rows are."""
    chosen = sorted(senders, key=lambda one: xxhash.xxh3_64_intdigest(one[1]))[:MOST_SENDERS]
    slots = np.array([slot for slot, _ in chosen], np.intp)
    return _Senders(slots, np.frombuffer(b"".join(sketch for _, sketch in chosen), SKETCH))


def _sketches(table: AccountTable, slots: Slots) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
    """How accounts write, (m,) of `SKETCH`, and of which enough is known; of nobody without `shift`."""
    made = np.zeros(len(slots), SKETCH)
    if "shift" not in (table.dtype.names or ()):
        return made, np.zeros(len(slots), np.bool_)
    mine = table.rows["shift"][slots]
    count, squares = mine["count"].astype(np.float64), mine["squares"].astype(np.float64)
    total = mine["sum"].astype(np.float64)
    enough: NDArray[np.bool_] = count >= MIN_PROMPTS
    made["mean"] = np.rint(total / np.maximum(count, 1.0)[:, None])
    pairs = np.maximum(count**2 - squares, 1.0)
    made["squared"] = ((total**2).sum(axis=1) - mine["own"]) / pairs / SCALE**2
    return made, enough


def _apart(one: np.void, others: NDArray[np.void]) -> Floats:
    """Squared distances of what these write, (k,), as a share of a prompt's squared length."""
    means = others["mean"].astype(np.float64) / SCALE
    mine = one["mean"].astype(np.float64) / SCALE
    apart: Floats = (one["squared"] + others["squared"] - 2 * means @ mine) / LENGTH_SQUARED
    return apart
