"""Reasoning elicitation: prompt after prompt presses the model to write down how it thinks.

Each prompt carries an elicitation score (`streams.capability`). A CUSUM adds up how much likelier each
score is in a reasoning harvest than in ordinary use, and starts over when ordinary use resumes, so it
finds the moment an account turns and is not diluted by what came before. How far that can be held
against an account is bounded by how hard it presses: tutors and evaluations ask for steps all day too.
"""

from __future__ import annotations

import numpy as np

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.detectors.detector import (
    LOOKS_NATS,
    Context,
    Detector,
    DetectorMetadata,
    Evidence,
    Scores,
    Slots,
)
from streams.segment import Segment

BANDS = (1, 400, 600, 850)
"""Lower ends of the score bands after the first, in thousandths."""
BENIGN = (0.94, 0.035, 0.015, 0.007, 0.003)
HARVEST = (0.25, 0.10, 0.25, 0.20, 0.20)
"""Share of prompts in each band. Benign: 980 public user prompts gave 0.972, 0.014, 0.012, 0, 0.001; the
higher bands are raised by us, because a single person may ask for steps for an evening. Harvest: ours; a
quarter of the wrappers go unrecognised, and no band carries it alone."""
STEPS = np.round(1000 * np.log(np.array(HARVEST) / np.array(BENIGN))).astype(np.int64)
"""Log-likelihood ratio of one prompt, in thousandths of a nat: integers, so that any split of a stream
into runs gives the same sums."""

MIN_PROMPTS = 5
MEMORY_PROMPTS = 256
"""Sums are halved when they hold this many prompts, so that a change of habit shows."""

MOST_NATS = 12.5
HABIT_EXPONENT = 2.0
LONG_STRETCH = 128
"""Accounts that press at a mean score above x for `LONG_STRETCH` prompts on end: one in ``exp(12.5 x^2)``.
Ours: 0.5 ("step by step" in every prompt, a tutor) one in 23, 0.7 ("show your work") one in 460, 0.85
(both) one in 8,400, 1 (several demands for the whole chain of thought in every prompt) one in 270,000.
Shorter stretches are commoner, a sitting of 8 prompts by the power 0.45 (by the logarithm of the length)."""

METADATA = DetectorMetadata(
    name="reasoning",
    version="1",
    title="Prompts press for the model's chain of thought, one after another",
    description=__doc__,
    kind="behavioral",
    nature="content",
    techniques=("AML.T0024.002", "AML.T0040"),
    runbook=(
        "Plot `reasoning_elicitation` of the account's `requests` over time and look where it rises.",
        "Check `reasoning_output_tokens` and answer lengths: a harvest pays for long reasoning.",
        "Look for several languages with the same demand, and for accounts with the same template.",
    ),
    false_positives=(
        "A tutoring application that asks for worked solutions",
        "A chain-of-thought evaluation",
        "A prompt-writing course or a person who always asks for steps",
    ),
    references=(
        "E. S. Page: Continuous inspection schemes, Biometrika 41 (1954)",
        "Google Threat Intelligence Group, 12 Feb 2026: prompts that coerce reasoning traces (secondary)",
    ),
)


class Reasoning(Detector):
    """CUSUM on the elicitation score, bounded by its mean."""

    metadata = METADATA
    columns = np.dtype([("cusum", "<i4"), ("scores", "<u4"), ("prompts", "<u2")])

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, score = self.mine(table), segment.take(segment.batch.elicitation)
        if score.max() <= 0 and not mine["cusum"][segment.slots].any():
            return  # nobody presses, and nothing is held against anybody
        known = score >= 0
        step = np.where(known, STEPS[np.searchsorted(BANDS, score, side="right")], 0)
        # max(0, s + x) repeated is the running sum less its running minimum, floored by what came before.
        before = mine["cusum"][segment.slots].astype(np.int64)
        step[segment.starts] += before
        total = np.cumsum(step)
        ends = segment.starts + segment.counts - 1
        own = total - np.repeat(total[segment.starts] - step[segment.starts], segment.counts)
        apart = np.repeat(np.arange(len(segment.slots)) * (1 << 40), segment.counts)
        lowest = np.minimum.accumulate(own - apart) + apart
        level = own - np.minimum(lowest, 0)
        mine["cusum"][segment.slots] = np.minimum(level[ends], np.iinfo(np.int32).max)
        # The sums cover what came since it was last at zero: the stretch that is held against the account.
        place = np.arange(len(segment))
        restart = np.maximum.reduceat(np.where(level <= 0, place, -1), segment.starts)
        since = known & (place > np.repeat(restart, segment.counts))
        restarted = segment.slots[restart >= 0]
        for name in ("scores", "prompts"):
            mine[name][restarted] = 0
        scores = np.add.reduceat(np.where(since, score, 0), segment.starts)
        mine["scores"][segment.slots] += scores.astype(np.uint32)
        mine["prompts"][segment.slots] += np.add.reduceat(since, segment.starts, dtype="<u2")

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        prompts = mine["prompts"][slots].astype(np.float64)
        mean = mine["scores"][slots] / np.maximum(prompts, 1.0) / 1000
        length = np.minimum(np.log1p(prompts) / np.log1p(LONG_STRETCH), 1.0)
        habit = MOST_NATS * mean**HABIT_EXPONENT * length
        evidence = mine["cusum"][slots] / 1000 - LOOKS_NATS
        nats = np.where(prompts >= MIN_PROMPTS, np.clip(evidence, 0.0, habit), 0.0)
        old = slots[prompts >= MEMORY_PROMPTS]
        if len(old):
            for name in ("scores", "prompts"):
                mine[name][old] //= 2
        return nats

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        row = self.mine(table)[slot]
        mean = float(row["scores"]) / max(int(row["prompts"]), 1) / 1000
        usual = float(np.dot(BENIGN, (0.0, 0.35, 0.5, 0.7, 0.9)))
        return Evidence(
            reason=f"the last {int(row['prompts']):,} prompts press for visible reasoning with a mean score "
            f"of {mean:.2f} (0 to 1; {usual:.2f} is usual)",
            features=(
                Feature(
                    name="reasoning_elicitation", value=mean, baseline=usual, contribution=0.0, unit="score"
                ),
            ),
        )
