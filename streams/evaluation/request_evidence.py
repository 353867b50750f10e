"""From the text of every simulated request to the evidence an account plane tells, as in a fleet.

What `streams.evaluation.campaign_evidence` draws by column, here goes the whole way: each prompt is written,
fingerprinted as INGEST does and judged by the detectors of single accounts, whose findings are evidence for
groups as well. Some ten times slower.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import islice

import numpy as np

from schemas.event import RequestEvent
from schemas.evidence import AccountEvidence
from schemas.finding import Finding
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.evaluation.campaign_evidence import Hour
from streams.ingest import REPLAY_MAX_FUTURE_S, Ingest
from streams.plane_output import PlaneOutput
from streams.simulation.calls import Calls, CallStream
from streams.simulation.traffic import Record, Traffic

RUN_EVENTS = 8_000


class RequestEvidence:
    """Summaries of all accounts of a scenario, hour by hour. Iterate once.

    Args:
        traffic: of the scenario, with text.
        secret: of the fingerprints.
    """

    def __init__(self, traffic: Traffic, secret: bytes, config: DetectionConfig) -> None:
        self.population = traffic.population
        self.findings: list[Finding] = []
        """About accounts, so far."""
        self._traffic = traffic
        self._ingest = Ingest("native", secret=secret, generation="k1", max_future_s=REPLAY_MAX_FUTURE_S)
        self._plane = AccountPlane(config)
        self._told: dict[int, list[AccountEvidence]] = defaultdict(list)
        """Hour to its evidence, which comes when the next hour has begun."""
        self._row_of = {self.population.account_id(row): row for row in range(self.population.size)}

    def __iter__(self) -> Iterator[Hour]:
        records, waiting = iter(self._traffic), deque[tuple[int, Calls]]()
        for hour, calls in CallStream(self.population).hours():
            waiting.append((hour, calls))
            left = len(calls.time_ms)
            while left:
                run = self._events(list(islice(records, min(left, RUN_EVENTS))))
                left -= len(run)
                self._take(self._plane.process(run))
            while waiting and waiting[0][0] <= self._plane.closed_hour:
                yield self._hour(*waiting.popleft())
        self._take(self._plane.close_windows())
        for hour, calls in waiting:
            yield self._hour(hour, calls)

    def _events(self, records: list[Record]) -> list[RequestEvent]:
        read = self._ingest.read_many((one.value for one in records), now_ms=records[-1].time_ms)
        events = [event for event in read if isinstance(event, RequestEvent)]
        assert len(events) == len(records), "the native format carries an event in each record"
        return events

    def _take(self, output: PlaneOutput) -> None:
        self.findings += output.findings
        for one in output.evidence:
            self._told[one.hour].append(one)

    def _hour(self, hour: int, calls: Calls) -> Hour:
        evidence = self._told.pop(hour, [])
        rows = np.array([self._row_of[one.account_id] for one in evidence], np.int64)
        aside = self.population.is_aside(calls.account, calls.event, calls.time_ms)
        return Hour(hour, evidence, rows, calls, aside)
