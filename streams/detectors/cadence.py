"""Cadence: requests that tick like a machine.

The coefficient of variation (CV) of the gaps between an account's requests. Honest traffic, automated
traffic included, has gaps with a CV around 1; a loop that sends, waits a fixed time and sends again
has a CV near 0. Regularity counts only together with volume: a health check is regular, but slow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams import windows
from streams.account_table import AccountTable
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.segment import Segment
from streams.windows import HOUR_MS

MIN_GAPS = 100
LONGEST_GAP_MS = HOUR_MS
"""A longer pause counts as this long."""

QUICK_MS = 5_000
"""Hardly anybody reads an answer and asks again in less (`streams.visits`)."""

MEMORY_GAPS = 512
"""Sums are halved when they hold this many gaps, so that a change of habit shows."""

MOST_QUICK = 2**16 - 1

REFERENCE_CV = 0.3
REFERENCE_NATS = 4.6
CV_EXPONENT = 2.73
SMALLEST_CV = 0.05
"""P(CV < x) = 0.01 (x / 0.3)^2.73, floored at 0.05. Source: ServeGen clients, 10-minute windows: below
0.3 in 0.2-2.8 %, below 0.1 in 0-0.09 %."""

BUSY_REQUESTS = 200
RARITY_REQUESTS = 4.0
"""P(the busiest 60 minutes around now hold x requests or more) = 4 / x from 200 on. Of clock hours one in a
hundred holds 200 and one in a thousand 2,000, which is the share of heavy customers that
`streams.detectors.burst` assumes; any 60 minutes, wherever they begin, are at most two chances for one. The
chance of regular gaps above was measured on such customers, so the two multiply."""


METADATA = DetectorMetadata(
    name="cadence",
    version="1",
    title="Machine-regular requests at volume",
    description=__doc__,
    kind="behavioral",
    nature="conduct",
    weight=4.0,
    techniques=("AML.T0040", "AML.T0024.002"),
    runbook=(
        "Histogram the gaps between the account's requests in `requests`.",
        "Compare with other accounts of the same organisation, payment or network.",
        "Ask the owner what the job does, if the account is a known customer.",
    ),
    false_positives=(
        "A synthetic monitor or load test",
        "A paced batch job with a client-side rate limit",
    ),
    references=(
        "ServeGen: Workload Characterization of LLM Serving (arXiv:2505.09999): Gamma and Weibull gaps",
    ),
)


class Cadence(Detector):
    """Regularity of inter-arrival gaps."""

    metadata = METADATA
    # Integers, because sums of floats would depend on how a stream is cut into runs.
    columns = np.dtype(
        [
            ("last_ms", "<i8"),
            ("gaps", "<i4"),
            ("quick", "<u2"),  # gaps of less than `QUICK_MS`
            ("sum_ms", "<i8"),
            ("squares_ms2", "<i8"),
        ]
    )

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine = self.mine(table)
        slots, times = segment.slots, segment.batch.time_ms
        before = segment.previous(times, mine["last_ms"][slots])
        known = before > 0
        gap_ms = np.where(known, np.minimum(np.abs(segment.take(times) - before), LONGEST_GAP_MS), 0)
        mine["gaps"][slots] += np.add.reduceat(known, segment.starts, dtype=np.int32)
        quick = np.add.reduceat(known & (gap_ms < QUICK_MS), segment.starts, dtype=np.int64)
        mine["quick"][slots] = np.minimum(mine["quick"][slots] + quick, MOST_QUICK)
        mine["sum_ms"][slots] += np.add.reduceat(gap_ms, segment.starts)
        mine["squares_ms2"][slots] += np.add.reduceat(gap_ms**2, segment.starts)
        mine["last_ms"][slots] = times[segment.last]

    @staticmethod
    def _variation(mine: NDArray[np.void], slots: Slots) -> tuple[Scores, Scores]:
        """Mean gap in seconds and CV, each (m,)."""
        n = np.maximum(mine["gaps"][slots].astype(np.float64), 1.0)
        mean = mine["sum_ms"][slots] / n / 1000
        variance = np.maximum(mine["squares_ms2"][slots] / n / 1e6 - mean**2, 0.0)
        return mean, np.sqrt(variance) / np.maximum(mean, 1e-6)

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine, rows = self.mine(table), table.rows
        n = mine["gaps"][slots].astype(np.float64)
        mean, variation = self._variation(mine, slots)
        count = windows.last_hour(rows, slots).astype(np.float64)
        busy = np.where(count >= BUSY_REQUESTS, np.log(np.maximum(count, 1.0) / RARITY_REQUESTS), 0.0)
        below = np.log(REFERENCE_CV / np.maximum(variation, SMALLEST_CV))
        regular = REFERENCE_NATS + CV_EXPONENT * below
        enough = (n >= MIN_GAPS) & (mean > 0)
        nats = np.where(enough & (regular > 0), regular + busy, 0.0)
        old = slots[n >= MEMORY_GAPS]
        if len(old):
            for name in ("gaps", "quick", "sum_ms", "squares_ms2"):
                mine[name][old] //= 2
        return nats

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        mean, variation = (float(value[0]) for value in self._variation(self.mine(table), np.array([slot])))
        return Evidence(
            reason=f"gaps between requests average {mean:,.2f} s with a coefficient of variation of "
            f"{variation:.2f}; real clients have about 1",
            features=(Feature(name="gap_cv", value=variation, baseline=1.0, contribution=0.0),),
        )
