"""What a command has cost so far: time, processor, memory; its own and that of processes it has ended."""

from __future__ import annotations

import resource
import time

import msgspec


class Spent(msgspec.Struct, frozen=True):
    """One reading."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    """Of the largest process."""

    def __str__(self) -> str:
        return f"{self.wall_s:,.0f} s, {self.cpu_s:,.0f} s of processor, peak {self.peak_rss_mb:,.0f} MB"


class Spending:
    """Counts from when it is made; memory from the start of the process."""

    def __init__(self) -> None:
        self._began_s, self._used_s = time.perf_counter(), _cpu_s()

    def so_far(self) -> Spent:
        """A reading."""
        peak_kb = max(resource.getrusage(who).ru_maxrss for who in _WHO)
        return Spent(
            wall_s=round(time.perf_counter() - self._began_s, 3),
            cpu_s=round(_cpu_s() - self._used_s, 3),
            peak_rss_mb=round(peak_kb / 1024, 1),
        )


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in _WHO]
    return sum(one.ru_utime + one.ru_stime for one in used)
