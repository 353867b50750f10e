"""Small statistics of an evaluation: intervals, quantiles with misses, recall at a false-positive rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Floats = NDArray[np.floating]

TAIL_SHARE = 0.05
"""A level beyond the sample is extrapolated by an exponential tail above this share."""


def level_at(null: Floats, rate: float, *, bounded: bool = False) -> float:
    """Level that a benign score exceeds with probability `rate`. Where the sample is too small to show it: a
    tail above the 95 % quantile, and never below the largest score seen.

    Args:
        bounded: scores have a ceiling of their own, which an exponential tail would look far beyond: the tail
            is a generalised Pareto distribution by probability-weighted moments, with an end if the sample
            has one (J. Hosking, J. Wallis, Technometrics 29, 1987).

    >>> level_at(np.arange(1000.0), 0.1)
    899.1
    >>> [round(level_at(np.arange(1000.0), 1e-5, bounded=one)) for one in (False, True)]
    [1166, 1000]
    """
    if len(null) * rate >= 1:
        return float(np.quantile(null, 1 - rate))
    start = np.quantile(null, 1 - TAIL_SHARE)
    excess = np.sort(null[null > start] - start).astype(np.float64)
    if len(excess) < 2:
        return float(null.max())
    mean = float(excess.mean())
    shape, scale = 0.0, mean
    if bounded:
        weighted = float((np.arange(len(excess))[::-1] / (len(excess) - 1) * excess).mean())
        shape = float(np.clip(mean / (mean - 2 * weighted) - 2, 0.0, 1.0))
        scale = mean * (1 + shape)
    beyond = np.log(TAIL_SHARE / rate)
    reach = scale * beyond if shape == 0 else scale / shape * -np.expm1(-shape * beyond)
    return max(float(start + reach), float(null.max()))


def poisson_interval(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a Poisson mean.

    Source: F. Garwood, Biometrika 28 (1936).

    >>> tuple(round(limit, 2) for limit in poisson_interval(0))
    (0.0, 3.69)
    """
    outside = (1 - confidence) / 2
    low = float(chi2.ppf(outside, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(1 - outside, 2 * count + 2)) / 2


def quantile_with_misses(found: Sequence[float], misses: int, share: float) -> float | None:
    """Smallest value that `share` of all reach, those never found counted as infinite; None if that is.

    >>> quantile_with_misses([3, 5, 9], 1, 0.5), quantile_with_misses([3, 5, 9], 3, 0.95)
    (5, None)
    """
    place = int(np.ceil(share * (len(found) + misses))) - 1
    return sorted(found)[max(place, 0)] if 0 <= place < len(found) else None
