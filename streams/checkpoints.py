"""When an account is looked at: at fixed counts of its own events, never when a batch happens to end.

Two schedules. By events since the account was first seen (5, 6, 7 ... then every 12 % more), so that a
new account is judged within a handful of requests; and by events within the current hour (20, 25, 32
... up to every 128), so that an old account that changes is judged as soon. Because the schedule
depends on the account's own sequence only, replay and fleet score at the same events. An account is
looked at about 50 times on a busy day, which `LOOKS_NATS` in `streams.detectors.detector` pays for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_GAP = 128
"""Most events between two looks at a busy account. Detectors may rely on it: what a row gathers between
two looks is bounded by this many events."""


def _schedule(first: int, ratio: float, last: int) -> NDArray[np.int64]:
    points = [first]
    while points[-1] < last:
        points.append(points[-1] + min(max(1, round(points[-1] * (ratio - 1))), MAX_GAP))
    return np.asarray(points, np.int64)


LIFETIME = _schedule(5, 1.12, 50_000)
HOURLY = _schedule(20, 1.25, 50_000)


def due(counts: NDArray[np.int64], schedule: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool (n,): is this count (the event included) a point of the schedule?

    >>> due(np.array([4, 5, 6, 1000]), LIFETIME).tolist()
    [False, True, True, False]
    """
    last = int(schedule[-1])
    place = np.minimum(np.searchsorted(schedule, counts), len(schedule) - 1)
    beyond = (counts > last) & ((counts - last) % MAX_GAP == 0)
    hit: NDArray[np.bool_] = (schedule[place] == counts) | beyond
    return hit
