"""Capability targeting: an account works through what a model is best at, and asks for nothing else.

Counts of an account's capability classes under two models. Benign: a specialist, who has one use for the
model and is as frequent as its class in the cohort; or a generalist, whose mix scatters widely around the
cohort's. Collector: a blend of coding, agentic work, reasoning and grading, or a specialist in one of
them. The score is the log-odds of the two, so a coding assistant's user scores nothing, a pure stream of
judge prompts a little, and a curriculum of all four much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.batch import TOPICS
from streams.class_mix import ClassMix
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.segment import Segment
from streams.urns import Specialists, Urn, log_likelihood
from streams.windows import HOURS

TARGETS = ("coding", "agentic", "reasoning", "grading")
"""What reported campaigns collected: `TOPICS` with these names."""

MIN_PROMPTS = 12
MEMORY_PROMPTS = 512
"""Counts are halved when they hold this many prompts, so that a change of habit shows."""
_MOST = MEMORY_PROMPTS + 128

SPECIALIST_SHARE = 0.5
"""Benign accounts with a single use for the model. Ours: API keys mostly sit in one application."""
SPREAD = 2.0
"""Dirichlet concentration of generalists around their cohort: small, because people differ."""
_OWN, _STRAY = 12.0, 0.3
"""Dirichlet parameters of a specialist: 87 % of its prompts are recognised as its class."""
_WANTED, _UNWANTED = 1.0, 0.1
"""Dirichlet parameters of a collector's blend."""

MOST_NATS = 12.5
LONG_PROMPTS = 256
"""The model's own errors bound what it can say: what `LONG_PROMPTS` prompts in a row may say at most, and
fewer less, by the logarithm of their number, because anybody may spend an afternoon on anything."""

METADATA = DetectorMetadata(
    name="capability",
    version="1",
    title="Requests target a model's strongest capabilities and nothing else",
    description=__doc__,
    kind="statistical",
    nature="content",
    techniques=("AML.T0024.002", "AML.T0040"),
    runbook=(
        "Count the account's `requests` by `prompt_topic` and day, and compare with its plan's.",
        "Look whether answers are long and whether tools are declared: traces are the usual goal.",
        "Ask the owner what the product is that needs code, tools, proofs and grading at once.",
    ),
    false_positives=(
        "A model evaluation over several benchmarks",
        "An agent framework that also grades its own work",
        "A tutoring company with code and maths courses",
    ),
    references=(
        "Monroe, Colaresi, Quinn: Fightin' Words (Political Analysis 16, 2008): Dirichlet log-odds",
        "Anthropic, 23 Feb 2026: campaigns collected agentic coding, reasoning and grading (secondary)",
    ),
)


class Capability(Detector):
    """Dirichlet log-odds of an account's capability classes against its cohort."""

    metadata = METADATA
    columns = np.dtype([("head", "<i4"), ("votes", "u1", (HOURS,)), ("counts", "<u2", (len(TOPICS),))])

    def __init__(self) -> None:
        self.mix = ClassMix()
        wanted = np.array([name in TARGETS for name in TOPICS])
        self._targets = np.flatnonzero(wanted)
        self._classes = np.arange(len(TOPICS))
        self._blend = Urn(np.where(wanted, _WANTED, _UNWANTED).tolist(), _MOST)
        self._specialists = Specialists(len(TOPICS), _OWN, _STRAY, _MOST)

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, topic = self.mine(table), segment.take(segment.batch.topic)
        hours = segment.hours
        head, slots = mine["head"][segment.slots], segment.event_slots
        if hours.min() > max(int(head.max()), int(hours.max())) - HOURS:
            mine["head"][segment.slots] = np.maximum(np.maximum.reduceat(hours, segment.starts), head)
            mine["votes"][slots, hours % HOURS] = topic + 1
        else:
            # An event counts by how old it is when it comes, so the newest hour runs along with the events.
            offset = np.repeat(np.arange(len(segment.slots)) * (1 << 33), segment.counts)
            start = hours.copy()
            start[segment.starts] = np.maximum(start[segment.starts], head)
            newest = np.maximum.accumulate(start + offset) - offset
            mine["head"][segment.slots] = newest[segment.starts + segment.counts - 1]
            inside = hours > newest - HOURS
            mine["votes"][slots[inside], hours[inside] % HOURS] = topic[inside] + 1
        each = topic[:, None] == self._classes
        mine["counts"][segment.slots] += np.add.reduceat(each, segment.starts, axis=0, dtype="<u2")

    def learn_hour(self, table: AccountTable, slots: Slots, hour: int) -> None:
        votes = self.mine(table)["votes"][slots, hour % HOURS].astype(np.intp)
        voted = votes > 0
        cohorts = table.rows["cohort"][slots[voted]].astype(np.int64)
        self.mix.learn(hour, cohorts, votes[voted] - 1)

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        counts = mine["counts"][slots].astype(np.intp)
        total = counts.sum(axis=1)
        nats = np.zeros(len(slots))
        # the odds of an account with more of other things than of targets are far below 1
        ready = np.flatnonzero((total >= MIN_PROMPTS) & (2 * counts[:, self._targets].sum(axis=1) >= total))
        if len(ready):
            cohorts = table.rows["cohort"][slots[ready]].astype(np.int64)
            shares = self.mix.before(cohorts, context.hours[ready])
            most = MOST_NATS * np.minimum(np.log1p(total[ready]) / np.log1p(LONG_PROMPTS), 1.0)
            nats[ready] = np.clip(self._log_odds(counts[ready], shares), 0.0, most)
        mine["counts"][slots[total >= MEMORY_PROMPTS]] //= 2
        return nats

    def _log_odds(self, counts: NDArray[np.intp], shares: NDArray[np.float64]) -> Scores:
        """Collector against benign account, (m,)."""
        single = self._specialists.log_likelihood(counts)
        general = log_likelihood(counts, SPREAD * shares)
        benign = np.logaddexp(
            np.log1p(-SPECIALIST_SHARE) + general,
            np.log(SPECIALIST_SHARE) + np.logaddexp.reduce(single + np.log(shares), axis=1),
        )
        one_target = np.logaddexp.reduce(single[:, self._targets], axis=1) - np.log(len(TARGETS))
        odds: Scores = np.logaddexp(self._blend.log_likelihood(counts), one_target) - np.log(2) - benign
        return odds

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        counts = self.mine(table)["counts"][slot].astype(np.float64)
        share = counts / max(counts.sum(), 1.0)
        cohort = table.rows["cohort"][slot : slot + 1].astype(np.int64)
        usual = self.mix.before(cohort, context.hours)[0]
        order = [place for place in self._targets[np.argsort(-share[self._targets])].tolist() if share[place]]
        text = ", ".join(f"{share[place]:.0%} {TOPICS[place]} (cohort {usual[place]:.0%})" for place in order)
        return Evidence(
            reason=f"of the last {counts.sum():,.0f} prompts {text}",
            features=tuple(
                Feature(
                    name=f"{TOPICS[place]}_share",
                    value=float(share[place]),
                    baseline=float(usual[place]),
                    contribution=0.0,
                    unit="share",
                )
                for place in order
            ),
        )

    def shared(self) -> bytes:
        return self.mix.dump()

    def restore_shared(self, data: bytes) -> None:
        self.mix.load(data)
