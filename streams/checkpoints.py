"""When an account is looked at: at fixed counts of its own events, never when a batch happens to end.

Two schedules. By events since the account was first seen (5, 6, 7 ... then every 12 % more), so that a
new account is judged within a handful of requests; and by events within the current hour (20, 25, 32
... 640), so that an old account that changes is judged as soon. Because the schedule
depends on the account's own sequence only, replay and fleet score at the same events. An account is
looked at about 50 times on a busy day, which `LOOKS_NATS` in `streams.detectors.detector` pays for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_GAP = 128
"""Most events between two looks at a busy account. Detectors may rely on it: what a row gathers between
two looks is bounded by this many events."""


class Schedule:
    """Counts at which an account is looked at: each by a ratio beyond the one before, by `MAX_GAP` at most.

    Args:
        endless: whether it goes on at every `MAX_GAP` after `last`.

    >>> LIFETIME.due(np.array([4, 5, 6, 1000])).tolist()
    [False, True, True, False]
    """

    def __init__(self, first: int, ratio: float, last: int, endless: bool) -> None:
        points = [first]
        while points[-1] < last:
            points.append(points[-1] + min(max(1, round(points[-1] * (ratio - 1))), MAX_GAP))
        self.last = points[-1]
        self._endless = endless
        self._points: NDArray[np.bool_] = np.zeros(self.last + 2, np.bool_)
        self._points[points] = True

    def due(self, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool (n,): is this count (the event included) a point of the schedule?"""
        hit: NDArray[np.bool_] = self._points[np.minimum(counts, self.last + 1)]
        if self._endless:
            hit |= (counts > self.last) & ((counts - self.last) % MAX_GAP == 0)
        return hit


LIFETIME = Schedule(5, 1.12, 50_000, endless=True)
HOURLY = Schedule(20, 1.25, 640, endless=False)
"""Ends where its gaps would be `MAX_GAP`: `LIFETIME` has none longer."""
