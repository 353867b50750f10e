"""`CommonSystems`: system prompts that are nobody's own, such as "You are a helpful assistant."

A constant system prompt shows an application (`streams.purpose`): somebody has written down what it is for.
One that accounts of `SYSTEM_OWNERS` owners send shows nothing: it is a library's example, a client that
everybody runs, or one operator's. Counted are accounts of which some detector was surprised in that hour,
since of the others nothing has to be excused.

Of one partition only, judged by hours up to ``h - DELAY_HOURS``, and exact after a crash for the same
reason as `streams.calibration`, in whose marks they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streams.account_table import AccountTable
from streams.calibration import Marks
from streams.delayed import Delayed

Tags = NDArray[np.uint32]

SYSTEM_OWNERS = 3
WINDOW_HOURS = 48


def sent(table: AccountTable, slots: NDArray[np.intp]) -> Tags:
    """The system prompt that each account sent last, (m,), by `streams.detectors.template`; 0: none."""
    if "template" not in (table.dtype.names or ()):
        return np.zeros(len(slots), np.uint32)
    last: Tags = table.rows["template"]["last_system"][slots]
    return last


class CommonSystems:
    """System prompts of several owners, by hour.

    Args:
        marks: of `Calibration`, kept up to date by it.
    """

    def __init__(self, marks: Mapping[int, Marks]) -> None:
        self._marks = marks
        self._known = Delayed(self._build)

    def common(self, systems: Tags, hours: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these, sent in these hours, are nobody's own, (m,)."""
        found = np.zeros(len(systems), np.bool_)
        for hour in set(hours.tolist()):
            here = hours == hour
            found[here] = np.isin(systems[here], self._known.before(hour))
        return found

    def _build(self, last: int) -> Tags:
        owners: dict[int, set[int]] = {}
        for slot, marks in self._marks.items():
            for system in {one for hour, one in marks.systems.items() if last - WINDOW_HOURS < hour <= last}:
                # without an organisation an account is its own
                owners.setdefault(system, set()).add(marks.owner or ~slot)
        shared = [system for system, several in owners.items() if len(several) >= SYSTEM_OWNERS]
        return np.array(sorted(shared), np.uint32)
