"""Pivot: an account throws its weight on a new model within a day, well before others do.

Campaigns follow releases. Adopting a new model early is human as well, so two things are multiplied: how
few accounts have moved yet (global adoption, learned live), and how large the moved volume is for the
cohort. Both must be extraordinary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.batch import EventBatch
from streams.detectors.burst import tail_nats
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.releases import DAY_HOURS, NO_RELEASE, Releases
from streams.segment import Segment
from streams.windows import HOUR_MS, span

WATCH_HOURS = 24
"""How long after a release a move still counts."""
FIRST_LOOK_HOURS = 4
"""Before that, too few hours of adoption are known."""
MIN_MOVED = 50
MIN_SHARE = 0.25
"""Of the account's requests since the release. Reported: nearly half of a campaign's traffic."""
MOST_NATS = 12.5

METADATA = DetectorMetadata(
    name="pivot",
    version="1",
    title="Large volume moved to a new model before anybody else",
    description=__doc__,
    kind="behavioral",
    nature="conduct",
    techniques=("AML.T0040", "AML.T0024.002"),
    runbook=(
        "Chart the account's `requests` by `response_model` and hour around the release.",
        "List other accounts that moved in the same hours, and what they share (payment, network, template).",
        "Check whether the customer was told of the release in advance.",
    ),
    false_positives=(
        "An early-access customer",
        "An application that always uses the newest model",
        "A benchmark of the new model",
    ),
    references=(
        "Anthropic, 23 Feb 2026: nearly half of a campaign's traffic moved within a day (secondary)",
        "R. A. Fisher: Statistical Methods for Research Workers, section 21.1 (product of p-values)",
    ),
)


def product_nats(nats: Scores) -> Scores:
    """Minus log of the p-value of a product of two independent p-values, from minus its log.

    Source: R. A. Fisher; for two uniforms P(U V <= t) = t (1 - ln t).

    >>> product_nats(np.array([0.0, 10.0])).round(1).tolist()
    [0.0, 7.6]
    """
    return np.maximum(nats - np.log1p(nats), 0.0)


class Pivot(Detector):
    """Moved volume against adoption of the newest model."""

    metadata = METADATA
    columns = np.dtype(
        [
            ("release", "<i4"),
            ("since", "<i4"),  # hour of the first move to it
            ("earlier", "<i4"),  # the same for the release before, which a crash may make us count again
            ("total", "<u4"),
            ("moved", "<u4"),
        ]
    )

    def __init__(self) -> None:
        self.releases = Releases()
        self._known: EventBatch | None = None
        self._release: tuple[NDArray[np.int64], NDArray[np.uint64]] | None = None
        """Hour and model of the newest release at each event of the batch in hand; `None`: nothing is new."""

    def observe(self, batch: EventBatch) -> None:
        answered = batch.completed
        self.releases.observe(batch.model_hash[answered], batch.time_ms[answered] // HOUR_MS)

    def update(self, table: AccountTable, segment: Segment) -> None:
        if segment.batch is not self._known:
            self._known, self._release = segment.batch, self._releases(segment.batch)
        if self._release is None:
            return
        mine, slots = self.mine(table), segment.event_slots
        hours = segment.hours
        release, model = (segment.take(column) for column in self._release)
        # The newest release an account has lived through only grows; what comes late for another is left out.
        offset = np.repeat(np.arange(len(segment.slots)) * (1 << 33), segment.counts)
        start = release.copy()
        start[segment.starts] = np.maximum(start[segment.starts], mine["release"][segment.slots])
        newest = np.maximum.accumulate(start + offset) - offset
        counted = (release == newest) & (release != NO_RELEASE)
        moved = segment.take(segment.batch.model_hash) == model
        for number in np.unique(release[counted]).tolist():
            here = counted & (release == number)
            fresh = np.unique(slots[here])
            fresh = fresh[mine["release"][fresh] < number]
            since = mine["since"][fresh]
            mine["earlier"][fresh] = np.where(since > 0, since, mine["earlier"][fresh])
            for name in ("since", "total", "moved"):
                mine[name][fresh] = 0
            mine["release"][fresh] = number
            np.add.at(mine["total"], slots[here], 1)
            here &= moved
            np.add.at(mine["moved"], slots[here], 1)
            unset = here & (mine["since"][slots] == 0)
            mine["since"][slots[unset][::-1]] = hours[unset][::-1]  # the first one stands

    def _releases(self, batch: EventBatch) -> tuple[NDArray[np.int64], NDArray[np.uint64]] | None:
        known, place = np.unique(batch.time_ms // HOUR_MS, return_inverse=True)
        newest = [self.releases.newest(hour) for hour in known.tolist()]
        if all(release.hour == NO_RELEASE for release in newest):
            return None
        hours = np.array([release.hour for release in newest], np.int64)
        models = np.array([release.model for release in newest], np.uint64)
        return hours[place], models[place]

    def learn_hour(self, table: AccountTable, slots: Slots, hour: int) -> None:
        rows = table.rows
        morning, now = np.full(len(slots), hour // DAY_HOURS * DAY_HOURS), np.full(len(slots), hour)
        earlier = span(rows["hour_requests"], rows["hour_head"], slots, morning, now - 1)
        new_today = earlier.sum(axis=1) == 0
        mine = self.mine(table)
        adopted = (mine["since"][slots] == hour) | (mine["earlier"][slots] == hour)
        self.releases.learn(hour, int(new_today.sum()), int(adopted.sum()))

    def _compare(self, table: AccountTable, slots: Slots, context: Context) -> tuple[Scores, Scores]:
        """Minus log adoption, and minus log tail of the moved volume; each (m,), 0 where not to be judged."""
        mine = self.mine(table)
        moved, total = mine["moved"][slots].astype(np.float64), mine["total"][slots]
        early, large = np.zeros(len(slots)), np.zeros(len(slots))
        if moved.max(initial=0) < MIN_MOVED:
            return early, large
        age = context.hours - mine["release"][slots]
        wanted = (moved >= MIN_MOVED) & (moved >= MIN_SHARE * total) & (mine["release"][slots] != NO_RELEASE)
        wanted &= (age >= FIRST_LOOK_HOURS) & (age <= WATCH_HOURS)
        for hour in np.unique(context.hours[wanted]).tolist():
            here = wanted & (context.hours == hour)
            release = self.releases.newest(hour)
            here &= mine["release"][slots] == release.hour
            early[here] = -np.log(self.releases.adoption(release, hour))
        judged = np.flatnonzero(early > 0)
        if len(judged):
            hours = context.hours[judged]
            mean, sd = context.cohorts.before(table.rows["cohort"][slots[judged]].astype(np.int64), hours)
            per_hour = moved[judged] / np.maximum(hours - mine["since"][slots[judged]] + 1, 1)
            large[judged] = tail_nats((np.log1p(per_hour) - mean) / sd)
        return early, large

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        early, large = self._compare(table, slots, context)
        return np.minimum(product_nats(early + large), MOST_NATS)

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        row = self.mine(table)[slot]
        early, _ = self._compare(table, np.array([slot]), context)
        moved, total = int(row["moved"]), max(int(row["total"]), 1)
        age = int(context.hours[0]) - int(row["release"])
        adoption = float(np.exp(-early[0]))
        return Evidence(
            reason=f"{moved:,} requests ({moved / total:.0%} of its traffic) went to a model that appeared "
            f"{age} h ago and that at most {adoption:.2%} of active accounts use",
            features=(
                Feature(
                    name="moved_share", value=moved / total, baseline=adoption, contribution=0.0, unit="share"
                ),
            ),
        )

    def shared(self) -> bytes:
        return self.releases.dump()

    def restore_shared(self, data: bytes) -> None:
        self.releases.load(data)
