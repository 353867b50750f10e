"""Novelty: an account's hour that looks like no other account's hour, and hours like those analysts
confirmed.

Profiles of closed hours (rate, prompt and answer length, failures, hours active of the last day) of all
accounts go through one river Half-Space Trees model per partition, which learns what is dense. How unusual
its anomaly score is, is read off the live scores: an exponential tail above their 95 % quantile. Beside it, a
river logistic regression learns from analysts' verdicts, where there are any, and adds what it has learned to
say.

Unusual is not malicious: without verdicts the score is bounded below what a lone detector needs for an alert,
so that it only adds to other evidence.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import anomaly

from schemas.finding import Feature
from streams import river_state, verdicts, windows
from streams.account_table import AccountTable
from streams.baselines import DELAY_HOURS
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.windows import HOURS

TREES, HEIGHT, WINDOW = 6, 6, 250
LEARNED_AN_HOUR = 400
"""At most so many accounts teach in a closed hour, evenly by key; one takes about 30 us."""
WARM_UP = 500
"""Account-hours before anything is said."""

FADING = 1 / 2000
EXCESS_STEP = 1 / 40
TAIL_SHARE = 0.05
TAIL_NATS = float(-np.log(TAIL_SHARE))
DAY_NATS = float(np.log(24))
"""An account has up to 24 hours a day to be unusual in."""
MOST_NATS = 8.0
"""An anomaly score ends at 1, a few mean excesses above the quantile: more than this it cannot claim."""
MEMORY_HOURS = 8

METADATA = DetectorMetadata(
    name="novelty",
    version="2",
    title="The account's activity is unlike any other account's",
    description=__doc__,
    kind="learning",
    nature="conduct",
    alone=False,
    techniques=("AML.T0040", "AML.T0024.002"),
    runbook=(
        "Compare the hour with the account's other hours and with its plan's in `account_windows`.",
        "See which other detectors have evidence: this one only says that the hour is unusual.",
        "Record a verdict: the model learns from it.",
    ),
    false_positives=("A customer of a new kind", "A load test or migration"),
    references=(
        "S. C. Tan, K. M. Ting, T. F. Liu: Fast Anomaly Detection for Streaming Data (IJCAI 2011)",
        "river.anomaly.HalfSpaceTrees; river.linear_model.LogisticRegression in `streams.verdicts`",
    ),
)


class _Shared(msgspec.Struct, array_like=True):
    """Stored form of what the accounts of a partition share."""

    models: bytes
    learned: int
    quantile: float
    excess: float


class Novelty(Detector):
    """Half-Space Trees over the profiles of closed hours, and what `streams.verdicts` has learned."""

    metadata = METADATA
    columns = np.dtype(
        [("head", "<i4"), ("nats", "<f2", (HOURS // 4,)), ("profile", "<f2", (len(verdicts.FACTS),))]
    )

    def __init__(self) -> None:
        self.trees: Any = anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=11)
        self.learned = 0
        self.quantile, self.excess = 0.5, 0.05
        """Running 95 % quantile of anomaly scores, and mean excess above it."""
        self._stored: bytes | None = None

    @staticmethod
    def _profiles(table: AccountTable, slots: Slots, hour: int) -> NDArray[np.float64]:
        """float64 (m, 5) in 0..1, of one closed hour; read from the rings, which know it for two days."""
        rows, hours = table.rows, np.full(len(slots), hour, np.int64)

        def read(name: str) -> NDArray[np.float64]:
            return windows.at(rows[name], rows["hour_head"], slots, hours).astype(np.float64)

        day = windows.span(rows["hour_requests"], rows["hour_head"], slots, hours - 23, hours)
        active = (day > 0).sum(axis=1)
        return verdicts.profiles(
            read("hour_requests"),
            read("hour_input"),
            read("hour_output"),
            read("hour_failures"),
            active.astype(np.float64),
        )

    def learn_hour(self, table: AccountTable, slots: Slots, hour: int) -> None:
        chosen = slots[:: max(1, -(-len(slots) // LEARNED_AN_HOUR))]
        for profile in self._profiles(table, chosen, hour):
            named = verdicts.named(profile)
            if self.learned >= WINDOW:
                self._note(self.trees.score_one(named))
            self.trees.learn_one(named)
            self.learned += 1
        self._stored = None

    def _note(self, score: float) -> None:
        """Follow the quantile of live scores and the mean excess above it (stochastic approximation)."""
        step = max(FADING, 1 / (self.learned - WINDOW + 20))
        above = score > self.quantile
        if above:
            # bounded, so that a campaign of novelties does not make novelty usual
            capped = min(score - self.quantile, 4 * self.excess)
            self.excess += EXCESS_STEP * (capped - self.excess)
        self.quantile += step * (above - TAIL_SHARE)

    def close_hour(self, table: AccountTable, slots: Slots, hour: int, context: Context) -> None:
        if self.learned < WARM_UP or not len(slots):
            return
        mine = self.mine(table)
        profiles = self._profiles(table, slots, hour)
        scores = np.array([self.trees.score_one(verdicts.named(profile)) for profile in profiles])
        nats = TAIL_NATS + (scores - self.quantile) / max(self.excess, 1e-3) - DAY_NATS
        nats = np.clip(np.where(scores > self.quantile, nats, 0.0), 0.0, MOST_NATS)
        nats += context.verdicts.nats(profiles, hour)
        mine["profile"][slots] = profiles
        size = mine["nats"].shape[1]
        passed = (np.arange(size) - (mine["head"][slots][:, None] + 1)) % size
        gone = passed < np.minimum(hour - mine["head"][slots], size)[:, None]
        mine["nats"][slots] = np.where(gone, 0.0, mine["nats"][slots])
        mine["nats"][slots, hour % size] = nats
        mine["head"][slots] = hour

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        if not mine["nats"][slots].any():
            return np.zeros(len(slots))
        recent = windows.span(
            mine["nats"], mine["head"], slots, context.hours - MEMORY_HOURS, context.hours - DELAY_HOURS
        )
        nats: Scores = recent.max(axis=1).astype(np.float64)
        return nats

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        profile = self.mine(table)["profile"][slot].astype(np.float64) * verdicts.SPAN
        requests, tokens_in, tokens_out = (float(value) for value in np.exp2(profile[:3]) - 1)
        return Evidence(
            reason=f"an hour unlike other accounts' hours: {requests:,.0f} requests of {tokens_in:,.0f} "
            f"tokens, answers of {tokens_out:,.0f}, {profile[3]:.0%} failed, "
            f"{profile[4]:.0f} of 24 hours active",
            features=(
                Feature(name="requests_per_hour", value=requests, baseline=0.0, contribution=0.0),
                Feature(name="output_tokens", value=tokens_out, baseline=0.0, contribution=0.0),
            ),
        )

    def shared(self) -> bytes:
        if self._stored is None:
            self._stored = _encoder.encode(
                _Shared(
                    models=zlib.compress(river_state.dump(self.trees), 1),
                    learned=self.learned,
                    quantile=self.quantile,
                    excess=self.excess,
                )
            )
        return self._stored

    def restore_shared(self, data: bytes) -> None:
        stored = _decoder.decode(data)
        self.trees = river_state.load(zlib.decompress(stored.models))
        self.learned, self.quantile, self.excess = stored.learned, stored.quantile, stored.excess
        self._stored = data


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Shared)
