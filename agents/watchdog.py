"""What ends a worker that no longer does its work: `Lease`, `StallDetector`, `LoopGuard`.

A worker that hangs is worse than one that is gone: its partitions stay with it and nobody works on them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from time import monotonic
from typing import NamedTuple

from schemas.errors import Fatal

GUARD_S = 0.25


class Lease:
    """Notices that this process was stopped for so long that its partitions may have been given away.

    A process that is frozen (SIGSTOP, a suspended machine) goes on, when it wakes, exactly where it was:
    about to write state that by then belongs to another worker. A thread of its own renews the lease, as a
    thread of its own sends the heartbeats: a busy event loop loses neither.

    Args:
        limit_s: longest gap that is surely shorter than the session at the group's coordinator.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """From now on."""
        self._renewed, self._gap_s = self._clock(), 0.0

    def renew(self) -> None:
        """Nothing froze until now."""
        now = self._clock()
        self._gap_s, self._renewed = max(self._gap_s, now - self._renewed), now

    def check(self) -> None:
        """Raises `Fatal` where the process was frozen for too long since the lease was made."""
        gap_s = max(self._gap_s, self._clock() - self._renewed)
        if gap_s > self._limit_s:
            raise Fatal(
                f"this worker was frozen for {gap_s:.1f} s; its partitions may have another owner by now. "
                "Start it again"
            )


class Work(NamedTuple):
    """How one partition stands."""

    place: tuple[str, int]
    progress: Hashable
    """Anything that changes while the partition is worked on."""
    waiting: int
    """Records that wait."""


class StallDetector:
    """Partitions on which nothing moved for too long although records wait.

    >>> stall = StallDetector(10)
    >>> stall.look([Work(("t", 0), 5, 100)], now_s=0), stall.look([Work(("t", 0), 5, 100)], now_s=11)
    ([], [('t', 0)])
    >>> stall.look([Work(("t", 0), 6, 100)], now_s=12)
    []
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._before: dict[tuple[str, int], tuple[Work, float]] = {}

    def look(self, works: Iterable[Work], now_s: float) -> list[tuple[str, int]]:
        """Take in how all partitions of this worker stand; gives the stalled ones."""
        before, self._before = self._before, {}
        stalled = []
        for work in works:
            last, since_s = before.get(work.place, (work, now_s))
            if last.waiting == 0 or work.waiting == 0 or last.progress != work.progress:
                since_s = now_s
            self._before[work.place] = (work, since_s)
            if now_s - since_s >= self._limit_s:
                stalled.append(work.place)
        return stalled


class LoopGuard:
    """A thread that renews the lease, and ends the process when the event loop stands still.

    Args:
        limit_s: how long the event loop may not call `loop_runs`.
        end: called once, from the thread, with the reason.
    """

    def __init__(self, lease: Lease, limit_s: float, end: Callable[[str], None]) -> None:
        self._lease = lease
        self._limit_s = limit_s
        self._end = end
        self._loop_ran = monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop-guard", daemon=True)

    def start(self) -> None:
        self._lease.begin()
        self.loop_runs()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def loop_runs(self) -> None:
        """The event loop is alive."""
        self._loop_ran = monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(min(GUARD_S, self._limit_s / 2)):
            self._lease.renew()
            still_s = monotonic() - self._loop_ran
            if still_s > self._limit_s:
                self._end(f"the event loop has not run for {still_s:.0f} s")
                return
