"""`PlaneTime`: what the passing of event time does to the accounts of one partition.

Hours close behind the watermark: their profiles and evidence go out, and what accounts share learns from
them. Episodes end when they have been quiet for long enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.evidence import NO_MORE, HourMark
from schemas.finding import Finding
from streams import links, windows
from streams.config import DetectionConfig
from streams.detectors.detector import Context, Detector
from streams.findings import Judge
from streams.open_hours import profiles
from streams.overrides import Overrides
from streams.plane_output import PlaneOutput
from streams.plane_state import PlaneState
from streams.verdicts import Verdicts
from streams.watermark import NOTHING


class PlaneTime(PlaneState):
    """Hours and episodes of one partition of the requests topic.

    Args:
        verdicts: what analysts say, kept up to date by whoever made it.
        overrides: other budgets that operators grant, likewise. The other arguments as of `PlaneState`.
    """

    def __init__(
        self,
        config: DetectionConfig,
        partition: int = 0,
        detectors: Sequence[Detector] | None = None,
        verdicts: Verdicts | None = None,
        overrides: Overrides | None = None,
    ) -> None:
        super().__init__(config, partition, detectors)
        self.verdicts = Verdicts() if verdicts is None else verdicts
        self.overrides = Overrides() if overrides is None else overrides
        self.judge = Judge(self.detectors, config)
        self._next_close_ms = NOTHING
        """Watermark at which the next hour may have to be closed."""

    def context(self, hours: NDArray[np.int64]) -> Context:
        """What detectors may know at these hours, int64 (m,), one for each account they look at."""
        return Context(
            hours=hours,
            cohorts=self.cohorts,
            verdicts=self.verdicts,
            systems=self.systems,
            fellows=self.fellows,
        )

    def mark_idle(self, source: int, partition: int) -> None:
        """A raw partition is silent: it no longer holds the watermark back."""
        self.watermark.set_idle(source, partition)

    def close_windows(self) -> PlaneOutput:
        """No more events are expected soon: close every window that holds any. Episodes stay open.

        An event that still comes for such a window emits its profile again, with a higher revision.
        """
        self.settle()
        output = PlaneOutput()
        for hour in self.open_hours.hours:
            self._close_hour(hour, output)
        output.marks.append(HourMark(self.partition, NO_MORE))
        return output

    def _advance(self, watermark_ms: int, output: PlaneOutput) -> None:
        """Close hours and episodes that end before the watermark."""
        if watermark_ms == NOTHING:
            return
        due = self.due_hour(watermark_ms)
        for hour in self.open_hours.hours:
            if hour <= due:
                self._close_hour(hour, output)
        self._next_close_ms = self.due_at_ms(due + 1)
        ends = {slot: episode.ends_ms(self.quiet_ms) for slot, episode in self.episodes.items()}
        overdue = [slot for slot, end_ms in ends.items() if end_ms < watermark_ms]
        for slot in sorted(overdue, key=lambda slot: (ends[slot], self.table.key(slot))):
            output.findings.append(self._close(slot))

    def _close_hour(self, hour: int, output: PlaneOutput) -> None:
        """Emit profiles of an hour; the first time, let baselines and detectors learn from it."""
        rows = self.table.rows
        slots = self.open_hours.take(hour)
        hours = np.full(len(slots), hour, np.int64)
        requests = windows.at(rows["hour_requests"], rows["hour_head"], slots, hours)
        slots = slots[requests > 0]
        slots = np.array(sorted(slots.tolist(), key=self.table.key), np.intp)
        hours = np.full(len(slots), hour, np.int64)
        output.profiles += profiles(self.table, slots, hour)
        if hour <= self.closed_hour:
            return
        self.closed_hour = hour
        output.evidence += links.evidence(self.table, slots, hour)
        output.marks.append(HourMark(self.partition, hour))
        requests = windows.at(rows["hour_requests"], rows["hour_head"], slots, hours)
        logs, cohorts = np.log1p(requests.astype(np.float64)), rows["cohort"][slots]
        self.cohorts.learn(hour, {int(number): logs[cohorts == number] for number in np.unique(cohorts)})
        self.calibration.close_hour(hour, cohorts)
        for detector in self.detectors:
            detector.learn_hour(self.table, slots, hour)
        fresh = slots[rows["closed_hour"][slots] < hour]
        context = self.context(np.full(len(fresh), hour, np.int64))
        for detector in self.detectors:
            detector.close_hour(self.table, fresh, hour, context)
        rows["closed_hour"][fresh] = hour
        self.table.dirty[fresh] = True

    def _close(self, slot: int) -> Finding:
        """End an episode, dated when its quiet was complete."""
        episode = self.episodes.pop(slot)
        finding = self.judge.close(self.table.key(slot), episode, episode.ends_ms(self.quiet_ms))
        self.table.dirty[slot] = True
        return finding

    @property
    def quiet_ms(self) -> int:
        return self.config.episode_quiet_s * 1000
