"""`IdleWatch`: event time goes on where nothing comes any more.

Event time is pushed forward by events. A raw partition that falls silent would hold its reader's
watermark back for ever, and a topic that falls silent would leave the last windows open. Both are decided
on the wall clock, here and not in `streams`, and only when Kafka says that there is no lag: a source that
is behind is not silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic

from agents.accounts import AccountAgent
from agents.ingest import source_of
from agents.lag import Lag
from agents.tables import PlaneTable
from schemas.topics import RAW_FORMATS, REQUESTS

SOURCES: Mapping[int, str] = {source_of(topic.name): topic.name for topic in RAW_FORMATS.values()}


class IdleWatch:
    """Looks at every plane once a second.

    Args:
        idle_source_s: silence after which a raw partition no longer holds event time back.
        idle_close_s: silence of the whole partition after which its open windows are closed.
    """

    def __init__(
        self,
        table: PlaneTable,
        agent: AccountAgent,
        lag: Lag,
        *,
        idle_source_s: float,
        idle_close_s: float,
    ) -> None:
        self._table = table
        self._agent = agent
        self._lag = lag
        self._idle_source_s = idle_source_s
        self._idle_close_s = idle_close_s
        self._seen: dict[tuple[int, int, int], tuple[int, float]] = {}
        """Requests partition, source, raw partition: its highest offset and since when it is the highest."""
        self._closed: dict[int, int] = {}
        """Applied offset at which a partition's windows were closed, so that it happens once."""

    def look(self) -> None:
        """Mark silent sources idle, close what can be closed."""
        now = monotonic()
        raw_lag = self._lag.total(SOURCES.values())
        self._seen = {key: known for key, known in self._seen.items() if key[0] in self._table.planes}
        for partition, plane in self._table.planes.items():
            if self._lag.of(REQUESTS.name, partition) != 0:
                continue
            advanced = self._mark_idle_sources(partition, now)
            if advanced:
                self._agent.publish(plane.process([]))
            quiet_s = now - self._agent.lane(partition).last_record_s
            newly = self._closed.get(partition) != plane.applied_offset
            if raw_lag == 0 and quiet_s >= self._idle_close_s and newly:
                self._agent.publish(plane.close_windows())
                self._closed[partition] = plane.applied_offset
                advanced = True
            if advanced:
                self._agent.lane(partition).add(None, ())

    def _mark_idle_sources(self, partition: int, now: float) -> bool:
        plane, marked = self._table.planes[partition], False
        for (source, number), known in plane.watermark.sources.items():
            key = (partition, source, number)
            offset, since = self._seen.get(key, (None, now))
            if offset != known.offset:
                self._seen[key] = (known.offset, now)
            elif (
                not known.idle
                and now - since >= self._idle_source_s
                and self._lag.of(SOURCES.get(source, ""), number) in (0, None)
            ):
                plane.mark_idle(source, number)
                marked = True
        return marked
