"""`Houses`: what several accounts of one organisation do alike is a habit of the house.

The end users of a no-code platform, each with an account of its organisation, all fill in the platform's
form; the staff of a company all use its tool. By themselves such accounts look like pipelines. So where
`HOUSE_ACCOUNTS` accounts of one organisation have each surprised a detector of *content* within a day, this
detector may say no more of any of them than of others that show an innocent purpose (`streams.purpose`);
evidence of another nature must join it. How much they ask, and how, is excused by nobody's doing the same.

That costs an attacker his cover: all of his accounts name one customer, who can be asked. What the whole
organisation takes is not added up here. The first users of a tool, before its habit is known, may be found.

Of one partition only, as everything that accounts share. Judged by hours up to ``h - DELAY_HOURS`` and exact
after a crash for the same reason as `streams.calibration`, whose marks are what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streams.calibration import STEP_NATS, WINDOW_HOURS, Marks
from streams.delayed import Delayed
from streams.purpose import PURPOSE_NATS

Floats = NDArray[np.float64]

HOUSE_ACCOUNTS = 4
SURPRISE_NATS = 6.0
"""A claim that one account in four hundred makes in a day: of an organisation of a thousand whose staff has
nothing in common, two or three."""


class Houses:
    """Organisations with habits, by hour.

    Args:
        marks: of `Calibration`, kept up to date by it.
        content: bool (d,), which score columns are about what is asked.
    """

    def __init__(self, marks: Mapping[int, Marks], content: NDArray[np.bool_]) -> None:
        self._marks, self._content = marks, content
        self._known = Delayed(self._build)

    def correct(self, nats: Floats, hours: NDArray[np.int64], owners: NDArray[np.uint64]) -> Floats:
        """What scores (m, d) at events of the given hours are worth, by the organisation of each account (0:
        none)."""
        named = np.flatnonzero(owners)
        if not len(named):
            return nats
        corrected = nats.copy()
        for number in named.tolist():
            habits = self._known.before(int(hours[number])).get(int(owners[number]))
            if habits is not None:
                corrected[number, habits] = np.minimum(corrected[number, habits], PURPOSE_NATS)
        return corrected

    def _build(self, last: int) -> dict[int, NDArray[np.bool_]]:
        """Organisation to which detectors (d,) its habits surprise."""
        window = range(last - WINDOW_HOURS + 1, last + 1)
        counts: dict[int, NDArray[np.int64]] = {}
        for marks in self._marks.values():
            mine = [levels for hour, levels in marks.hours.items() if hour in window]
            if marks.owner and mine:
                highest = np.frombuffer(b"".join(mine), np.uint8).reshape(len(mine), -1).max(axis=0)
                count = counts.setdefault(marks.owner, np.zeros(len(self._content), np.int64))
                count += self._content & (highest * STEP_NATS >= SURPRISE_NATS)
        return {
            owner: count >= HOUSE_ACCOUNTS
            for owner, count in counts.items()
            if (count >= HOUSE_ACCOUNTS).any()
        }
