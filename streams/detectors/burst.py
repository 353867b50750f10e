"""Burst: far more requests in an hour than the account, and accounts like it, ever send.

The count of the last 60 minutes, in logs, against a predictive distribution: the account's own earlier
hours shrunk towards its cohort's baseline (the posterior of a normal mean with a normal prior). On its
own a burst is weak evidence, because honest customers burst as well; the tail below says how often.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams import windows
from streams.account_table import AccountTable
from streams.baselines import DELAY_HOURS
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.windows import HOURS

WITHIN_VARIANCE = 0.5
"""Variance of one account's log hourly count before its own is known, worth `WITHIN_HOURS` hours."""
WITHIN_HOURS = 4.0

MIN_REQUESTS = 20

ANYWHERE_NATS = float(np.log(2))
"""Baselines and tail are of clock hours; 60 minutes that begin anywhere are at most two chances for one."""

HEAVY_SHARE = 1e-3
HEAVY_LEVEL = 1.2
HEAVY_DECAY = 0.36
"""Daily maximum of z among heavy customers: P(z > x) <= 1.2 exp(-0.36 x). Measured on the 248 language
clients of the ServeGen trace, 2,432 client-days: 10 % above 3.7, 1 % above 8.6, 0.1 % above 15.3; the
curve lies above all three. One account in a thousand is taken to be such a customer."""

LIGHT_DECAY = 1.75
"""The same for light accounts, P(z > x) <= exp(-1.75 (x - 1)). Ours: one account-day in 400 holds a
scripted batch of about 1,000 requests."""


def tail_nats(z: Scores) -> Scores:
    """Minus log of the chance that a benign account's daily maximum of z exceeds this.

    >>> tail_nats(np.array([0.0, 8.6, 20.0])).round(1).tolist()
    [0.0, 9.8, 13.9]
    """
    heavy = HEAVY_SHARE * np.minimum(1.0, HEAVY_LEVEL * np.exp(-HEAVY_DECAY * z))
    light = np.minimum(1.0, np.exp(-LIGHT_DECAY * (z - 1)))
    return np.abs(np.log(np.minimum(1.0, heavy + light)))


METADATA = DetectorMetadata(
    name="burst",
    version="1",
    title="Request rate far above the account's own and its cohort's baseline",
    description=__doc__,
    kind="statistical",
    nature="conduct",
    techniques=("AML.T0040", "AML.T0024.002"),
    runbook=(
        "Plot the account's requests per hour over the last two days in `account_windows`.",
        "Look at what it asks: models, token lengths and templates in `requests` for the burst hour.",
        "Check age, plan and verification of the account and whether its owner announced a launch.",
    ),
    false_positives=(
        "An application that went viral or was launched",
        "A batch evaluation or back-fill job",
        "A retry storm after an outage",
    ),
    references=(
        "ServeGen: Workload Characterization of LLM Serving (arXiv:2505.09999), client rate traces",
        "Gelman et al., Bayesian Data Analysis, section 2.5 (normal mean, normal prior)",
    ),
)


class Burst(Detector):
    """Requests of the last 60 minutes against own and cohort baseline."""

    metadata = METADATA

    def _compare(
        self, table: AccountTable, slots: Slots, context: Context
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Requests in 60 minutes, expected log1p of them, and predictive standard deviation; each (m,)."""
        rows, hours = table.rows, context.hours
        count = windows.last_hour(rows, slots).astype(np.float64)
        earlier = windows.span(
            rows["hour_requests"], rows["hour_head"], slots, hours - HOURS + 1, hours - DELAY_HOURS
        )
        active = earlier > 0
        log = np.log1p(earlier)
        n = active.sum(axis=1)
        own = log.sum(axis=1) / np.maximum(n, 1)
        squares = np.where(active, (log - own[:, None]) ** 2, 0.0).sum(axis=1)
        within = (squares + WITHIN_HOURS * WITHIN_VARIANCE) / (n + WITHIN_HOURS)
        cohort_mean, cohort_sd = context.cohorts.before(rows["cohort"][slots].astype(np.int64), hours)
        prior_weight = within / cohort_sd**2
        expected = (n * own + prior_weight * cohort_mean) / (n + prior_weight)
        spread = np.sqrt(within + within / (n + prior_weight))
        return count, expected, spread

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        nats = np.zeros(len(slots))
        busy = np.flatnonzero(windows.last_hour(table.rows, slots) >= MIN_REQUESTS)
        if len(busy):
            here = replace(context, hours=context.hours[busy])
            count, expected, spread = self._compare(table, slots[busy], here)
            surprise = tail_nats((np.log1p(count) - expected) / spread) - ANYWHERE_NATS
            nats[busy] = np.maximum(surprise, 0.0)
        return nats

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        count, expected, spread = (
            float(value[0]) for value in self._compare(table, np.array([slot]), context)
        )
        usual = float(np.expm1(expected))
        z = (float(np.log1p(count)) - expected) / spread
        return Evidence(
            reason=f"{count:,.0f} requests in 60 minutes; {usual:,.1f} are usual for this account and its "
            f"cohort (z = {z:.1f} on a log scale)",
            features=(
                Feature(
                    name="requests_per_hour", value=count, baseline=usual, contribution=0.0, unit="requests"
                ),
            ),
        )
