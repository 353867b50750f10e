"""`Watermark`: how far event time has certainly come in one partition, and which records are repeats.

The requests of one partition come from several raw partitions, each in its own order and at its own
pace. The watermark is the *slowest* of them, less the allowed lateness, so a worker that stalls while
another takes over makes nothing late. A source that is really silent must be declared idle by the
caller, who has a clock; this module has none.
Source: T. Akidau et al., The Dataflow Model, VLDB 2015; per-split watermarks with idleness as in
Apache Flink's "Generating Watermarks".
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batch import Bools, Ints
from streams.origins import Origin

MAX_SOURCES = 4096
"""Raw partitions remembered; 24 bytes each. The least advanced one is forgotten beyond it."""

NOTHING = -(2**62)
_NEVER = 2**62
_NOWHERE = 2**64 - 1
"""`NO_ORIGIN`, read as source and partition."""
_LARGEST_TRACE = 1 << 22
"""Sources times events looked at in one step; bounds the memory of `Watermark.admit_run`."""


class Source(msgspec.Struct):
    """One raw partition: highest offset taken, newest event time, whether it may hold time back."""

    offset: int = -1
    newest_ms: int = NOTHING
    idle: bool = False


class Watermark(msgspec.Struct):
    """Progress of one requests partition.

    >>> mark = Watermark(lateness_ms=1000)
    >>> mark.admit(Origin(1, 0, 5), 10_000), mark.admit(Origin(1, 0, 5), 10_000)
    (True, False)
    >>> mark.admit(Origin(1, 1, 0), 4_000), mark.time_ms
    (True, 3000)
    >>> mark.set_idle(1, 1); mark.time_ms
    9000
    """

    lateness_ms: int
    sources: dict[tuple[int, int], Source] = {}
    newest_ms: int = NOTHING
    floor_ms: int = NOTHING
    """The watermark never goes back below this."""

    def admit(self, origin: Origin | None, time_ms: int) -> bool:
        """Take note of an event. False: its raw record was taken before, do not count it again.

        A raw partition reaches a requests partition in increasing offset order, except that a crash
        repeats a stretch; so "not above the highest seen" is exactly "seen before".
        """
        if origin is not None:
            source = self._source(origin)
            if origin.offset <= source.offset:
                return False
            source.offset = origin.offset
            source.newest_ms = max(source.newest_ms, time_ms)
            source.idle = False
        self.newest_ms = max(self.newest_ms, time_ms)
        return True

    def admit_run(self, origins: NDArray[Any], time_ms: Ints) -> tuple[Bools, Ints]:
        """`admit` for each event of a run, and the watermark after each.

        Args:
            origins: (n,) of `streams.origins.ORIGINS`.
            time_ms: int64 (n,), event times.

        Returns:
            bool (n,), what `admit` says; int64 (n,), `time_ms` as it is just after each event.
        """
        length = len(time_ms)
        offsets = origins["offset"].astype(np.int64)
        places = origins["source"].astype(np.uint64) << np.uint64(32) | origins["partition"].astype(np.uint64)
        distinct, number = np.unique(places, return_inverse=True)
        if len(distinct) * length > _LARGEST_TRACE and length > 1:
            half = length // 2
            first = self.admit_run(origins[:half], time_ms[:half])
            second = self.admit_run(origins[half:], time_ms[half:])
            return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
        new = np.ones(length, np.bool_)
        before = {key: source.newest_ms for key, source in self.sources.items() if not source.idle}
        lines = []
        """For each source of the run: its newest time after each event."""
        for row, place in enumerate(distinct.tolist()):
            if place == _NOWHERE:
                continue
            mine = np.flatnonzero(number == row)
            source = self._source(Origin(place >> 32, place & 0xFFFFFFFF, -1))
            highest = np.maximum.accumulate(np.r_[source.offset, offsets[mine]])
            fresh = highest[1:] > highest[:-1]
            new[mine[~fresh]] = False
            mine, times = mine[fresh], time_ms[mine[fresh]]
            line = np.full(length, NOTHING)
            line[mine] = np.maximum(times, source.newest_ms)
            line = np.maximum.accumulate(line)
            start = before.pop((place >> 32, place & 0xFFFFFFFF), _NEVER)
            lines.append(np.where(line == NOTHING, start, line))
            if len(mine):
                source.offset = int(highest[-1])
                source.newest_ms = int(line[-1])
                source.idle = False
        newest = np.maximum(np.maximum.accumulate(np.where(new, time_ms, NOTHING)), self.newest_ms)
        slowest = np.full(length, min(before.values(), default=_NEVER))
        for line in lines:
            np.minimum(slowest, line, out=slowest)
        slowest = np.where(slowest == _NEVER, newest, slowest)
        mark = np.maximum(np.maximum.accumulate(slowest - self.lateness_ms), self.floor_ms)
        if length:
            self.newest_ms, self.floor_ms = int(newest[-1]), int(mark[-1])
        return new, mark

    def _source(self, origin: Origin) -> Source:
        return self.sources.get((origin.source, origin.partition)) or self._remember(origin)

    def _remember(self, origin: Origin) -> Source:
        if len(self.sources) >= MAX_SOURCES:
            del self.sources[min(self.sources, key=lambda key: self.sources[key].newest_ms)]
        return self.sources.setdefault((origin.source, origin.partition), Source())

    def set_idle(self, source: int, partition: int) -> None:
        """A silent source no longer holds the watermark back (until its next event)."""
        known = self.sources.get((source, partition))
        if known is not None:
            known.idle = True

    @property
    def time_ms(self) -> int:
        """Event time that no in-time event can be older than; `NOTHING` before the first event."""
        if self.newest_ms == NOTHING:
            return NOTHING
        active = [source.newest_ms for source in self.sources.values() if not source.idle]
        slowest = min(active, default=self.newest_ms)
        self.floor_ms = max(self.floor_ms, slowest - self.lateness_ms)
        return self.floor_ms
