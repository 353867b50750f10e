"""`ClassMix`: what accounts of each cohort use the model for, as shares of capability classes.

One account, one vote an hour: the class of its last request in it. So a heavy account, an attacker above
all, weighs no more than any other. Shares start from a shipped prior, fade, and are used two hours after
they were learned (see `streams.baselines`).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.baselines import DELAY_HOURS, KEPT_HOURS, MAX_COHORTS
from streams.batch import TOPICS

Floats = NDArray[np.float64]

PRIOR_SHARES = (0.13, 0.02, 0.08, 0.005, 0.03, 0.72, 0.015)
"""By `streams.batch.TOPICS`. Measured with `streams.fingerprint` on 980 public user prompts (arena-hard,
OpenAssistant): coding 0.18, reasoning 0.05, agentic and translation below 0.01, grading 0.002; agents and
translation raised by us, because those collections hold few of them."""
PRIOR_VOTES = 1000.0
MEMORY_VOTES = 20_000.0
"""A cohort remembers about this many votes."""


class _State(msgspec.Struct, array_like=True):
    votes: dict[int, list[float]]
    versions: dict[int, dict[int, list[float]]]


class ClassMix:
    """Votes by cohort and their frozen shares by hour."""

    def __init__(self) -> None:
        self._votes: dict[int, Floats] = {}
        self._versions: dict[int, dict[int, Floats]] = {}
        """Hour to the shares that were known when it was closed."""
        self._tables: dict[int, Floats] = {}
        """Closed hour to (cohorts, classes), made from its version when first asked for."""

    def learn(self, hour: int, cohorts: NDArray[np.int64], classes: NDArray[np.intp]) -> None:
        """Add the votes of one closed hour.

        Args:
            cohorts: cohort of each voter, (m,).
            classes: place in `TOPICS`, (m,).
        """
        size = len(TOPICS)
        counts = np.bincount(cohorts * size + classes, minlength=MAX_COHORTS * size).reshape(-1, size)
        for cohort in np.flatnonzero(counts.sum(axis=1)).tolist():
            new = counts[cohort].astype(np.float64)
            old = self._votes.get(cohort, PRIOR_VOTES * np.array(PRIOR_SHARES))
            self._votes[cohort] = old * np.exp(-new.sum() / MEMORY_VOTES) + new
        self._versions[hour] = {cohort: votes / votes.sum() for cohort, votes in self._votes.items()}
        for known in [known for known in self._versions if known <= hour - KEPT_HOURS]:
            del self._versions[known]
        self._tables.clear()

    def before(self, cohorts: NDArray[np.int64], hours: NDArray[np.int64]) -> Floats:
        """Shares (m, classes) that events of `hours` are judged against; a class never has share 0."""
        first, last = int(hours.min()), int(hours.max())
        if first == last:
            return self._table(first)[cohorts]
        shares = np.empty((len(cohorts), len(TOPICS)))
        for hour in np.unique(hours).tolist():
            here = hours == hour
            shares[here] = self._table(hour)[cohorts[here]]
        return shares

    def _table(self, hour: int) -> Floats:
        """Shares (cohorts, classes) that events of an hour are judged against."""
        closed = max((known for known in self._versions if known <= hour - DELAY_HOURS), default=-1)
        table = self._tables.get(closed)
        if table is None:
            prior = np.array(PRIOR_SHARES)
            table = np.tile(prior, (MAX_COHORTS, 1))
            for cohort, shares in self._versions.get(closed, {}).items():
                # A class nobody voted for is rare, not impossible.
                table[cohort] = np.maximum(shares, prior / PRIOR_VOTES)
            self._tables[closed] = table
        return table

    def dump(self) -> bytes:
        """Stored form."""
        state = _State(
            votes={cohort: votes.tolist() for cohort, votes in self._votes.items()},
            versions={
                hour: {cohort: shares.tolist() for cohort, shares in version.items()}
                for hour, version in self._versions.items()
            },
        )
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Inverse of `dump`."""
        state = msgspec.msgpack.decode(data, type=_State)
        self._tables.clear()
        self._votes = {cohort: np.array(votes) for cohort, votes in state.votes.items()}
        self._versions = {
            hour: {cohort: np.array(shares) for cohort, shares in version.items()}
            for hour, version in state.versions.items()
        }
