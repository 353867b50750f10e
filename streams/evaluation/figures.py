"""Small statistics of an evaluation: intervals, quantiles with misses, recall at a false-positive rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Floats = NDArray[np.floating]

TAIL_SHARE = 0.05
"""A level beyond the sample is extrapolated by an exponential tail above this share."""


def level_at(null: Floats, rate: float) -> float:
    """Level that a benign score exceeds with probability `rate`. Where the sample is too small to show it: an
    exponential tail above the 95 % quantile, and never below the largest score seen.

    >>> level_at(np.arange(1000.0), 0.1)
    899.1
    """
    if len(null) * rate >= 1:
        return float(np.quantile(null, 1 - rate))
    start = np.quantile(null, 1 - TAIL_SHARE)
    mean_excess = float((null[null > start] - start).mean()) if (null > start).any() else 0.0
    return max(float(start + mean_excess * np.log(TAIL_SHARE / rate)), float(null.max()))


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
