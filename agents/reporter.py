"""`Reporter`: gathers how a worker is doing, for its status file and for Prometheus."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from agents.accounts import AccountAgent
from agents.lag import Lag
from agents.metrics import Metrics
from agents.status import WorkerStatus, remove_status, write_status
from agents.tables import PlaneTable
from schemas.topics import EVIDENCE, GROUPS, RAW_FORMATS, REQUESTS
from streams.account_plane import AccountPlane

RAW_TOPICS = tuple(topic.name for topic in RAW_FORMATS.values())


class Reporter:
    """Reads the parts of a worker; changes none.

    Args:
        data_dir: run directory; the status file goes there.
        table: of accounts.
        groups: of links and campaigns, by name.
    """

    def __init__(
        self,
        data_dir: Path,
        table: PlaneTable[AccountPlane],
        groups: Mapping[str, PlaneTable[Any]],
        agent: AccountAgent,
        lag: Lag,
        metrics: Metrics,
    ) -> None:
        self._data_dir = data_dir
        self._table = table
        self._groups = groups
        self._known: dict[str, set[str]] = {name: set() for name in groups}
        """What was told of each, so that it falls to 0 when all planes are given away."""
        self._agent = agent
        self._lag = lag
        self._metrics = metrics
        self._before = (monotonic(), 0, 0)

    def report(self, state: str) -> None:
        """Renew status file and gauges."""
        status = self._status(state)
        write_status(self._data_dir, status)
        self._metrics.accounts.set(status.accounts)
        self._metrics.open_findings.set(status.open_findings)
        self._metrics.partitions.set(len(status.partitions))
        if status.newest_event_ms is not None:
            self._metrics.event_lag.set(status.time - status.newest_event_ms / 1000)
        for topic in (*RAW_TOPICS, REQUESTS.name, EVIDENCE.name, GROUPS.name):
            if (lag := self._lag.total([topic])) is not None:
                self._metrics.lag.labels(topic).set(lag)
        for name, groups in self._groups.items():
            counted: Counter[str] = Counter(dict.fromkeys(self._known[name], 0))
            for plane in groups.planes.values():
                counted.update(plane.stats())
            self._known[name].update(counted)
            for what, number in counted.items():
                self._metrics.groups.labels(name, what).set(number)

    def remove(self) -> None:
        """Take the status file away."""
        remove_status(self._data_dir)

    def _status(self, state: str) -> WorkerStatus:
        planes = self._table.planes.values()
        stats = [plane.stats() for plane in planes]
        newest_ms = max((plane.newest_ms for plane in planes), default=0)
        handled = self._metrics.handled
        now, events, ingested = monotonic(), handled("accounts", "accepted"), handled("ingest", "accepted")
        then, events_then, ingested_then = self._before
        self._before = (now, events, ingested)
        seconds = max(now - then, 1e-3)

        def total(name: str) -> int:
            return sum(one[name] for one in stats)

        return WorkerStatus(
            pid=os.getpid(),
            time=time.time(),
            state=state,
            partitions=sorted(self._table.planes),
            ingested=ingested,
            rejected=handled("ingest", "rejected"),
            events=events,
            events_per_s=(events - events_then) / seconds,
            ingested_per_s=(ingested - ingested_then) / seconds,
            findings=self._agent.findings,
            accounts=total("accounts"),
            open_findings=total("open_findings"),
            leaked=total("leaked"),
            late_events=total("late_events"),
            duplicate_events=total("duplicate_events"),
            evicted_accounts=total("evicted_accounts"),
            raw_lag=self._lag.total(RAW_TOPICS),
            requests_lag=self._lag.total([REQUESTS.name]),
            newest_event_ms=newest_ms if newest_ms > 0 else None,
        )
