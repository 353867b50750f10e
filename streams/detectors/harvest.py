"""Output harvest: requests set up to get as much out of the model as one call can give.

A request bears marks: an answer that ran into a generous limit, a long answer to a short prompt, several
answers at once, token probabilities, a sampling temperature with room for thousands of tokens. Each mark
alone is ordinary. Counted is how many requests bear at least one, two, three and four, and each count is
weighed as a likelihood ratio of two urns. The four ratios are averaged, which stays honest however much
they depend on each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.batch import EventBatch
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.segment import Segment
from streams.urns import Urns

LONG_TOKENS = 512
EXPANSION = 3.0
ROOM_TOKENS = 2048
SAMPLING_TEMPERATURE = 0.6
"""When a request bears a mark. 97 % of the answers of the Azure conversation trace (2023) are shorter."""

LEVELS = 4
USUAL_SHARE = (0.15, 0.02, 0.003, 0.0005)
"""Requests of an ordinary account with at least so many marks. Ours; in the Azure conversation trace, which
knows lengths only, 2.9 % of answers are long and 0.03 % also expand their prompt."""
HABIT_SHARE = (0.2, 0.02, 2e-4, 1e-6)
"""Accounts whose every request has at least so many marks. Ours: writers have one or two, researchers who
sample several long answers three, and whoever takes all at once in every call nearly nobody."""
_SPREAD = 2.0
_ALWAYS = (8.0, 1.0)
_HARVEST = (4.0, 1.0)

MIN_REQUESTS = 12
MEMORY_REQUESTS = 512
"""Counts are halved when they hold this many requests, so that a change of habit shows."""
MOST_NATS = 12.5

METADATA = DetectorMetadata(
    name="harvest",
    version="1",
    title="Requests squeeze as much output as possible out of the model",
    description=__doc__,
    kind="statistical",
    nature="yield",
    weight=2.0,
    techniques=("AML.T0024.002", "AML.T0034"),
    runbook=(
        "Compare `output_tokens` with `max_tokens` and with `input_tokens` in the account's `requests`.",
        "Look for `choice_count` above 1 and `logprobs`: soft labels are worth most to a student model.",
        "Ask what the customer does with several long answers to one question.",
    ),
    false_positives=(
        "A writing product with long drafts and several variants",
        "Best-of-n sampling in research",
        "A permitted synthetic-data customer",
    ),
    references=(
        "Vovk, Wang: E-values: calibration, combination and applications (Annals of Statistics 49, 2021)",
        "Azure LLM inference trace 2023 (CC-BY-4.0): lengths of answers",
    ),
)


def marks(batch: EventBatch) -> NDArray[np.int64]:
    """int64 (n,): marks each request of a batch bears, 0 to 5."""
    long = batch.output_tokens >= LONG_TOKENS
    with np.errstate(invalid="ignore"):
        cut = long & (batch.output_tokens >= batch.max_tokens)
        room = (batch.max_tokens >= ROOM_TOKENS) & (batch.temperature >= SAMPLING_TEMPERATURE)
    expanding = long & (batch.output_tokens >= EXPANSION * batch.input_tokens)
    several = batch.choices > 1
    total: NDArray[np.int64] = np.sum([cut, expanding, several, batch.logprobs, room], axis=0, dtype=np.int64)
    return total


class Harvest(Detector):
    """Marks of maximal output, as averaged likelihood ratios."""

    metadata = METADATA
    columns = np.dtype([("bearing", "<u2", (LEVELS,)), ("requests", "<u2")])

    def __init__(self) -> None:
        most = MEMORY_REQUESTS + 128
        self._harvest = Urns([_HARVEST] * LEVELS, most)
        self._always = Urns([_ALWAYS] * LEVELS, most)
        self._usual = Urns([(_SPREAD * share, _SPREAD * (1 - share)) for share in USUAL_SHARE], most)
        self._habit = np.log(HABIT_SHARE)
        self._no_habit = np.log1p(-np.array(HABIT_SHARE))
        self._marked: EventBatch | None = None
        self._borne: NDArray[np.int64] = np.empty(0, np.int64)
        """Marks of the events of the batch in hand; -1 where the request got no answer."""

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, batch = self.mine(table), segment.batch
        if batch is not self._marked:
            self._marked, self._borne = batch, np.where(batch.completed, marks(batch), -1)
        borne = segment.take(self._borne)
        reached = borne[:, None] >= np.arange(1, LEVELS + 1)
        mine["bearing"][segment.slots] += np.add.reduceat(reached, segment.starts, axis=0, dtype="<u2")
        mine["requests"][segment.slots] += np.add.reduceat(borne >= 0, segment.starts, dtype="<u2")

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        requests = mine["requests"][slots].astype(np.intp)
        bearing = mine["bearing"][slots].astype(np.intp)
        nats = np.zeros(len(slots))
        ready = np.flatnonzero((requests >= MIN_REQUESTS) & (bearing[:, 0] > 0))
        if len(ready):
            nats[ready] = np.clip(self._log_odds(bearing[ready], requests[ready]), 0.0, MOST_NATS)
        old = slots[requests >= MEMORY_REQUESTS]
        if len(old):
            for name in ("bearing", "requests"):
                mine[name][old] //= 2
        return nats

    def _log_odds(self, bearing: NDArray[np.intp], requests: NDArray[np.intp]) -> Scores:
        """Average of the likelihood ratios of all levels, as a logarithm, (m,)."""
        usual, always, harvest = (
            urns.log_likelihood(bearing, requests) for urns in (self._usual, self._always, self._harvest)
        )
        benign = np.logaddexp(self._no_habit + usual, self._habit + always)
        mean: Scores = np.logaddexp.reduce(harvest - benign, axis=1) - np.log(LEVELS)
        return mean

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        row = self.mine(table)[slot]
        total = max(int(row["requests"]), 1)
        shares = [int(count) / total for count in row["bearing"]]
        level = max((place for place, share in enumerate(shares) if share >= 0.1), default=0)
        return Evidence(
            reason=f"{shares[level]:.0%} of the last {total:,} answered requests bear {level + 1} or more "
            f"marks of maximal output (limit reached, long answer to a short prompt, several answers, token "
            f"probabilities, sampling with room); {USUAL_SHARE[level]:.1%} is usual",
            features=(
                Feature(
                    name=f"maximal_output_{level + 1}",
                    value=shares[level],
                    baseline=USUAL_SHARE[level],
                    contribution=0.0,
                    unit="share",
                ),
            ),
        )
