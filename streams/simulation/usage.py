"""Everything about simulated requests that is drawn per request but their words: columns over `Calls`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.simulation import parameters
from streams.simulation.calls import Calls
from streams.simulation.fit import LogNormal
from streams.simulation.habits import HABITS
from streams.simulation.population import MODELS, NEW_MODEL, OTHER_MODEL_SHARE, Population

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LONGEST_HISTORY = 40
"""Turns whose growth of the input still adds up; older ones are dropped by clients."""
FIRST_CHUNK_S = LogNormal(-0.7, 0.5)
TOKENS_PER_S = LogNormal(4.1, 0.3)
"""Latency of the simulated provider. Ours; no detector rests on it."""
TALKS = frozenset({"person", "developer", "agent", "assistant"})
"""Habits whose requests of one visit are one conversation."""
FAULTS = ((429, "rate_limit_exceeded"), (529, "overloaded"), (500, "internal_error"))
MODEL_NAMES = (*(name for name, _ in MODELS), NEW_MODEL)

TALKING = np.array([habit.name in TALKS for habit in HABITS] + [False])
"""By habit; an attacker, who has none, asks single questions."""
_INPUT_WITHIN = np.array([habit.input_within for habit in HABITS] + [0.3])
_OUTPUT_WITHIN = np.array([habit.output_within for habit in HABITS] + [0.4])
_STREAM_SHARE = np.array([habit.stream_share for habit in HABITS] + [0.1])


class Usage(NamedTuple):
    """Columns, one row per call."""

    tokens_in: Ints
    tokens_out: Ints
    cut: Bools
    """The answer ended at the limit."""
    first_s: Floats
    """Until the first chunk of the answer."""
    duration_s: Floats
    model: Ints
    """Place in `MODEL_NAMES`."""
    end_user: Ints
    """Number of the end user; -1 where the account serves none."""
    stream: Bools
    fault: Ints
    """Place in `FAULTS`; meaningless where the call succeeded."""


def drawn(p: Population, calls: Calls, rng: np.random.Generator) -> Usage:
    """Usage of a slice; the same state of `rng` gives the same columns."""
    account, n = calls.account, len(calls.time_ms)
    habit = p.habit[account]
    growth = np.exp(parameters.TURN_GROWTH.mu + 0.5 * rng.standard_normal(n))
    history = np.where(TALKING[habit], growth * np.minimum(calls.turn, LONGEST_HISTORY), 0.0)
    tokens_in = np.exp(p.input_mu[account] + _INPUT_WITHIN[habit] * rng.standard_normal(n)) + history
    tokens_out = np.exp(p.output_mu[account] + _OUTPUT_WITHIN[habit] * rng.standard_normal(n))
    tokens_in, tokens_out = np.clip(tokens_in, 1, 200_000), np.clip(tokens_out, 1, 32_000)
    limit = np.where(p.max_tokens[account] > 0, p.max_tokens[account], 32_000)
    cut = tokens_out >= limit
    tokens_out = np.where(calls.failed, 0, np.minimum(tokens_out, limit))
    first_s = np.exp(FIRST_CHUNK_S.mu + FIRST_CHUNK_S.sigma * rng.standard_normal(n))
    tokens_per_s = np.exp(TOKENS_PER_S.mu + TOKENS_PER_S.sigma * rng.standard_normal(n))
    other = rng.random(n) < OTHER_MODEL_SHARE
    model = np.where(other, rng.integers(0, len(MODELS), n), p.model[account])
    moved = (calls.time_ms >= p.pivots_from_ms[account]) & (rng.random(n) < p.pivots[account])
    users = p.end_users[account]
    end_user = np.where(users > 0, users * (calls.visit % 8191 / 8191.0) ** 1.5, -1)
    return Usage(
        tokens_in=tokens_in.astype(np.int64),
        tokens_out=tokens_out.astype(np.int64),
        cut=cut,
        first_s=first_s.round(3),
        duration_s=(first_s + tokens_out / tokens_per_s).round(3),
        model=np.where(moved, len(MODELS), model),
        end_user=np.floor(end_user).astype(np.int64),
        stream=rng.random(n) < _STREAM_SHARE[habit],
        fault=rng.integers(0, len(FAULTS), n),
    )
