"""Python's search for cyclic garbage, set for a worker: it holds many objects and makes hardly any cycles.

At its default it starts after every 700 new objects, which a run of records brings with every hundred
requests: a sixth of the worker's time, for nothing. References are counted all the same; only cycles wait.
"""

from __future__ import annotations

import gc

THRESHOLDS = 100_000, 20, 50
"""New objects before the youngest are searched; searches of one generation before the next is."""


def search_seldom() -> None:
    """For the rest of the process."""
    gc.set_threshold(*THRESHOLDS)


def keep_for_good() -> None:
    """What lives now is never searched again, until the next call: modules, and state that was restored."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
