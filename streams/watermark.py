"""`Watermark`: how far event time has certainly come in one partition, and which records are repeats.

The requests of one partition come from several raw partitions, each in its own order and at its own
pace. The watermark is the *slowest* of them, less the allowed lateness, so a worker that stalls while
another takes over makes nothing late. A source that is really silent must be declared idle by the
caller, who has a clock; this module has none.
Source: T. Akidau et al., The Dataflow Model, VLDB 2015; per-split watermarks with idleness as in
Apache Flink's "Generating Watermarks".
"""

from __future__ import annotations

import msgspec

from streams.batch import Origin

MAX_SOURCES = 4096
"""Raw partitions remembered; 24 bytes each. The least advanced one is forgotten beyond it."""

NOTHING = -(2**62)


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
            source = self.sources.get((origin.source, origin.partition))
            if source is None:
                source = self._remember(origin)
            if origin.offset <= source.offset:
                return False
            source.offset = origin.offset
            source.newest_ms = max(source.newest_ms, time_ms)
            source.idle = False
        self.newest_ms = max(self.newest_ms, time_ms)
        return True

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
