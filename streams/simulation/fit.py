"""How `parameters` were fitted: pure functions from trace arrays to constants.

The test ``tests/unit/streams/simulation/test_fit.py`` runs them on the traces, where these are at hand,
and compares the result with the constants in the repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL_P90 = 1.2815515594


class LogNormal(NamedTuple):
    """Mean and standard deviation of the natural logarithm."""

    mu: float
    sigma: float


def log_normal(values: Floats) -> LogNormal:
    """Moments of the logarithm; values below 1 count as 1 (token counts of zero).

    >>> log_normal(np.array([1.0, np.e**2]))
    LogNormal(mu=1.0, sigma=1.0)
    """
    logs = np.log(np.maximum(values, 1.0))
    return LogNormal(float(logs.mean()), float(logs.std()))


def quantile_sigma(p10: Floats, p90: Floats) -> Floats:
    """Sigma of a log-normal from its 10 % and 90 % quantiles."""
    logs = np.log(np.maximum(p90, 1.0)) - np.log(np.maximum(p10, 1.0))
    return logs / (2 * _NORMAL_P90)


def pooled_log_sigma(groups: Iterable[Floats]) -> float:
    """Standard deviation of log values around the mean of their own group; zeros are left out."""
    residuals = []
    for group in groups:
        logs = np.log(group[group > 0])
        residuals.append(logs - logs.mean())
    return float(np.concatenate(residuals).std())


def day_profile(hourly: Floats) -> Floats:
    """Shape of the day, mean 1, from rates of shape (clients, hours): median over clients.

    Args:
        hourly: mean rate by client and hour; the number of hours is a multiple of 24.
    """
    clients = hourly.shape[0]
    by_hour = hourly.reshape(clients, -1, 24).mean(axis=1)
    shape = np.median(by_hour / by_hour.mean(axis=1, keepdims=True), axis=0)
    return np.asarray(shape / shape.mean(), np.float64)


class Wander(NamedTuple):
    """How one client's hourly rate moves around its own daily profile."""

    sigma: float
    """Standard deviation of the log ratio."""
    correlation: float
    """Correlation of the log ratio with that of the hour before."""


def wander(hourly: Floats) -> Wander:
    """`Wander` of one client from its hourly rates (a multiple of 24); hours without requests are left out.

    Raises:
        ValueError: fewer than 20 pairs of consecutive active hours.
    """
    profile = np.tile(hourly.reshape(-1, 24).mean(axis=0), len(hourly) // 24)
    active = (hourly > 0) & (profile > 0)
    logs = np.log(np.where(active, hourly, 1.0) / np.where(active, profile, 1.0))
    logs = logs - logs[active].mean()
    pairs = active[1:] & active[:-1]
    if pairs.sum() < 20:
        raise ValueError("fewer than 20 pairs of consecutive active hours")
    correlation = np.corrcoef(logs[1:][pairs], logs[:-1][pairs])[0, 1]
    return Wander(float(logs[active].std()), float(correlation))


class Call(NamedTuple):
    """One request of a trace with prefix blocks."""

    time_s: float
    input_tokens: int
    blocks: Sequence[int]
    """Ids of the blocks of the prompt; equal ids mean an equal prompt up to and including the block."""


class Turns(NamedTuple):
    """Conversations recovered from shared prefixes."""

    turn: NDArray[np.int64]
    """Turn of each request within its conversation, from 1."""
    gap_s: Floats
    """Time since the turn before, for turns after the first."""
    growth_tokens: Floats
    """Input tokens more than the turn before, for the same."""


def conversation_turns(calls: Sequence[Call]) -> Turns:
    """A request continues another if its prompt begins with all full blocks of the other's.

    The last block of a prompt is partly filled and changes with the next turn, so it need not match; a
    match of a single block is a shared system prompt, not a conversation.
    """
    newest: dict[int, tuple[int, Call]] = {}  # block -> turn and call that last contained it
    turns, gaps, growth = [], [], []
    for call in calls:
        shared, parent = 0, None
        for n in range(len(call.blocks), 0, -1):
            parent = newest.get(call.blocks[n - 1])
            if parent is not None:
                shared = n
                break
        turn = 1
        if parent is not None and shared >= 2 and shared >= len(parent[1].blocks) - 1:
            turn = parent[0] + 1
            gaps.append(call.time_s - parent[1].time_s)
            growth.append(call.input_tokens - parent[1].input_tokens)
        turns.append(turn)
        for block in call.blocks:
            newest[block] = (turn, call)
    return Turns(np.array(turns), np.array(gaps, float), np.array(growth, float))


def turn_tail(turn: NDArray[np.int64], *, longest: int = 12) -> float:
    """Exponent `a` of P(turns >= t) = t**-a: regression through the origin on log-log scale.

    >>> turn_tail(np.repeat([1, 2, 4], [16, 4, 1]), longest=4)
    2.0
    """
    counts = np.bincount(turn, minlength=longest + 1)[1 : longest + 1]
    seen = counts > 0
    x = np.log(np.arange(1, longest + 1))[seen]
    y = np.log(counts[seen] / counts[0])
    return round(float(-(x * y).sum() / (x * x).sum()), 6)
