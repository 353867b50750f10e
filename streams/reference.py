"""`Reference`: what ordinary accounts look like, from a uniform sample of a partition's accounts.

The null of every group statistic. It is taken at the end of an hour and used from the next on, without the
accounts of watched groups, so that neither a burst nor a patient attacker sets its own standard; and where
there are too few accounts yet, the shipped priors stand. Groups of innocent accounts are more alike than
random accounts are (colleagues, users of one application), so every figure here is widened by a stated
factor before it judges a group.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batch import FEATURE_DIMENSIONS

FEWEST_ACCOUNTS = 100
"""Below this the priors hold."""
SAMPLE = 1024
FEWEST_PROMPTS = 5
"""Below this an account's mean prompt says little of it among strangers."""
FEWEST_TOGETHER = 2
"""The same among accounts that a link ties: means of so few prompts are seldom alike by chance (2 of 1,000
pairs of simulated strangers, and 15 of longer means), and those of one task list are."""
FEWEST_REQUESTS = 6
"""Below this an account's hours say little."""
SHORTEST_SPAN_H = 6
PAIR_QUANTILE = 0.99
"""Two accounts are alike when their cosine is beyond this quantile of random pairs ..."""
LEAST_ALIKE = 0.3
"""... and beyond this."""
MOST_TOLD = 255
"""Requests of an hour in a summary: so many or more."""
NEW_H = 7 * 24
STEADY = 0.8
"""Share of the hours that a Poisson process of the same volume would fill; see `steadiness`."""

Floats = NDArray[np.float64]


def volume(rows: NDArray[Any]) -> Floats:
    """float64 (m,): requests of the last 24 hours. Where one of them had more than a summary can tell, which
    would make all such accounts look alike: those of an average day since the account was first seen."""
    hourly = rows["hourly"]
    told: Floats = hourly.sum(axis=1, dtype=np.float64)
    known_h = np.maximum(rows["hour"] - rows["first_hour"] + 1, hourly.shape[1])
    daily: Floats = rows["requests"] * (hourly.shape[1] / known_h)
    return np.where((hourly == MOST_TOLD).any(axis=1), np.maximum(told, daily), told)


def steadiness(rows: NDArray[Any]) -> Floats:
    """float64 (m,): hours with requests, as a share of those that the same number of requests would fill if
    they fell evenly at random from the first active hour on; NaN where too few say anything. About 1 for a
    machine that never sleeps, 0.3 for a person with two sittings."""
    hourly = rows["hourly"]
    active = hourly > 0
    span = hourly.shape[1] - np.argmax(active, axis=1)
    total = volume(rows)
    expected = span * -np.expm1(-total / span)
    share = active.sum(axis=1) / np.maximum(expected, 1e-9)
    usable = (total >= FEWEST_REQUESTS) & (span >= SHORTEST_SPAN_H)
    result: Floats = np.where(usable, share, np.nan)
    return result


def known_hours(rows: NDArray[Any]) -> NDArray[np.int64]:
    """int64 (m,): how many of the hours that a summary tells an account was there for."""
    told = rows["hourly"].shape[1]
    known: NDArray[np.int64] = np.clip(rows["hour"].astype(np.int64) - rows["first_hour"] + 1, 1, told)
    return known


def rest(rows: NDArray[Any]) -> Floats:
    """float64 (m,): how surprising an account's longest pause is, in nats, if its requests of the last day
    fell evenly at random. Who fills the hours of his day as a machine does, and then sleeps, shows here.

    Source: each gap between n points on a circle is longer than a share x of it with probability
    (1 - x)^(n - 1) (W. L. Stevens, Ann. Eugenics 9, 1939). A night may lie on both sides of now.
    """
    hourly, known_h = rows["hourly"], known_hours(rows)
    told = hourly.shape[1]
    # what lies before its first request is no pause
    busy = (hourly > 0) | (np.arange(told) < told - known_h[:, None])
    longest, run = np.zeros(len(rows)), np.zeros(len(rows))
    for hour in (*range(told), *range(told)):
        run = np.where(busy[:, hour], 0.0, run + 1)
        longest = np.maximum(longest, run)
    requests = np.maximum(volume(rows), 1.0)
    longer = requests * (1 - np.minimum(longest / known_h, 1 - 1e-9)) ** (requests - 1)
    surprise: Floats = -np.log(np.clip(longer, 1e-300, 1.0))
    return np.where(requests >= FEWEST_REQUESTS, surprise, 0.0)


def directions(rows: NDArray[Any], centre: Floats) -> Floats:
    """float64 (m, 256): unit vectors from the population's mean prompt to each account's."""
    shifted = rows["mean"].astype(np.float64) - centre
    lengths = np.sqrt(np.einsum("ij,ij->i", shifted, shifted))
    unit: Floats = shifted / np.maximum(lengths, 1e-9)[:, None]
    return unit


class Reference(msgspec.Struct, array_like=True):
    """Ordinary accounts, in figures. The defaults are the priors: ours, from the simulated population."""

    accounts: int = 0
    centre: bytes = b""
    """float64 (256,), mean of the accounts' means."""
    alike: float = 0.6
    """Cosine beyond which two accounts write alike."""
    volume_mean: float = 1.8
    volume_sd: float = 1.1
    """Of the log of daily requests."""
    steady_share: float = 0.1
    """Accounts whose `steadiness` is at least `STEADY`, among those it is known of."""
    steadiness_mean: float = 0.5
    steadiness_sd: float = 0.2
    new_share: float = 0.05
    """Accounts made within the last `NEW_H` hours."""
    constants: dict[int, float] = {}
    """Share of accounts with each set of request constants, where it is more than one in a hundred."""

    def mean(self) -> Floats:
        """float64 (256,)."""
        return np.frombuffer(self.centre) if self.centre else np.zeros(FEATURE_DIMENSIONS)


def reference(rows: NDArray[Any], hour: int) -> Reference:
    """Reference from the summaries of ordinary accounts active in the last day."""
    rows = rows[rows["hour"] > hour - 24]
    if len(rows) < FEWEST_ACCOUNTS:
        return Reference()
    written = rows[rows["prompts"] >= FEWEST_PROMPTS]
    alike, centre = 1.0, b""
    if len(written) >= FEWEST_ACCOUNTS:
        mean = written["mean"].astype(np.float64).mean(axis=0)
        unit = directions(written[:400], mean)
        pairs = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
        alike, centre = max(float(np.quantile(pairs, PAIR_QUANTILE)), LEAST_ALIKE), mean.tobytes()
    logs = np.log(np.maximum(volume(rows), 1.0))
    steady = steadiness(rows)
    steady = steady[~np.isnan(steady)]
    known = len(steady) >= FEWEST_ACCOUNTS // 4
    names, counts = np.unique(rows["constants"], return_counts=True)
    return Reference(
        accounts=len(rows),
        centre=centre,
        alike=alike,
        volume_mean=float(logs.mean()),
        volume_sd=max(float(logs.std()), 0.5),
        steady_share=float((steady >= STEADY).mean()) if known else 0.1,
        steadiness_mean=float(steady.mean()) if known else 0.5,
        steadiness_sd=max(float(steady.std()), 0.1) if known else 0.2,
        new_share=float((rows["created_hour"] > hour - NEW_H).mean()),
        constants={
            int(name): int(count) / len(rows)
            for name, count in zip(names, counts, strict=True)
            if count > len(rows) / 100
        },
    )
