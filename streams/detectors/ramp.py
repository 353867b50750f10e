"""Ramp: an account hours or days old sends what others send after months.

Campaigns sign up and go to work. Two things are multiplied: how young the account is, and how far its
mean hourly volume since sign-up lies above its cohort's. Without a creation time there is no evidence:
an account may be new to this stream and old to the provider.
"""

from __future__ import annotations

import numpy as np

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.detectors.burst import tail_nats
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.detectors.pivot import product_nats
from streams.segment import Segment
from streams.windows import HOUR_MS

NEW_SHARE_PER_DAY = 0.004
"""Share of active accounts that signed up on any one day. Ours: half of them within six months."""
NEW_DAYS = 14
MIN_REQUESTS = 100
MOST_NATS = 12.5

METADATA = DetectorMetadata(
    name="ramp",
    version="1",
    title="A new account went straight to heavy volume",
    description=__doc__,
    kind="behavioral",
    nature="conduct",
    techniques=("AML.T0021", "AML.T0040", "AML.T0024.002"),
    runbook=(
        "Check how the account was verified and paid for, and who else uses that payment or device.",
        "List accounts created within the same hour and from the same network.",
        "Ask sales whether the customer was expected to bring this volume.",
    ),
    false_positives=(
        "A company that moves its workload over from another provider",
        "A new account of a known customer",
        "A hackathon",
    ),
    references=(
        "ServeGen: Workload Characterization of LLM Serving (arXiv:2505.09999): tail of hourly rates",
        "R. A. Fisher: Statistical Methods for Research Workers, section 21.1 (product of p-values)",
    ),
)


class Ramp(Detector):
    """Volume since sign-up against age and cohort."""

    metadata = METADATA
    columns = np.dtype([("created_hour", "<i4")])

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, created_at = self.mine(table), segment.batch.created_at
        for number in np.flatnonzero(mine["created_hour"][segment.slots] == 0).tolist():
            first = int(segment.starts[number])
            for place in segment.index[first : first + int(segment.counts[number])].tolist():
                created = created_at[place]
                if created is not None:
                    mine["created_hour"][segment.slots[number]] = int(created.timestamp() * 1000) // HOUR_MS
                    break

    def _compare(self, table: AccountTable, slots: Slots, context: Context) -> tuple[Scores, Scores, Scores]:
        """Age in hours, minus log share of accounts as young, minus log tail of the volume; each (m,)."""
        created = self.mine(table)["created_hour"][slots]
        requests = table.rows["events"][slots].astype(np.float64)
        age = np.maximum(context.hours - created + 1.0, 1.0)
        young, large = np.zeros(len(slots)), np.zeros(len(slots))
        wanted = (created > 0) & (requests >= MIN_REQUESTS) & (age <= 24 * NEW_DAYS)
        at = np.flatnonzero(wanted)
        if len(at):
            cohorts = table.rows["cohort"][slots[at]].astype(np.int64)
            mean, sd = context.cohorts.before(cohorts, context.hours[at])
            young[at] = -np.log(-np.expm1(-NEW_SHARE_PER_DAY * age[at] / 24))
            large[at] = tail_nats((np.log1p(requests[at] / age[at]) - mean) / sd)
        return age, young, large

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        _, young, large = self._compare(table, slots, context)
        return np.where(large > 0, np.minimum(product_nats(young + large), MOST_NATS), 0.0)

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        age = float(self._compare(table, np.array([slot]), context)[0][0])
        requests = int(table.rows["events"][slot])
        cohort = table.rows["cohort"][slot : slot + 1].astype(np.int64)
        usual = float(np.expm1(context.cohorts.before(cohort, context.hours)[0][0]))
        return Evidence(
            reason=f"{requests:,} requests within {age:,.0f} h of sign-up; accounts of its cohort send about "
            f"{usual:,.1f} in an active hour",
            features=(
                Feature(
                    name="requests_per_hour_since_sign_up",
                    value=requests / age,
                    baseline=usual,
                    contribution=0.0,
                    unit="requests",
                ),
            ),
        )
