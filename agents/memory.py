"""How a worker's process handles memory: it holds many objects, makes hardly any cycles, and asks for buffers
of megabytes all the time.

**Cyclic garbage**: by default Python searches for it after every 700 new objects, which a run of records
brings with every hundred requests: a sixth of the worker's time, for nothing. References are counted all the
same; only cycles wait.

**Freed buffers**: by default glibc gives them back to the system at once, and the next fetch pays for fresh
pages.
"""

from __future__ import annotations

import ctypes
import gc

THRESHOLDS = 100_000, 20, 50
"""New objects before the youngest are searched; searches of one generation before the next is."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
KEPT_BYTES = 128 * 1024 * 1024
"""Freed memory that the process keeps at most, at the end of its heap."""
LARGEST_BUFFER_BYTES = 32 * 1024 * 1024
"""Up to this size buffers come from the heap."""


def suit_a_worker() -> None:
    """For the rest of the process."""
    gc.set_threshold(*THRESHOLDS)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BUFFER_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def keep_for_good() -> None:
    """What lives now is never searched again, until the next call: modules, and state that was restored."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
