"""One p-value for an account from the p-values of its detectors, whatever their dependence.

Detectors look at the same account, so their scores are dependent in ways nobody knows. The weighted
harmonic mean of p-values stays valid under any dependence where it is small, and lets one strong
detector speak for itself.
Source: D. J. Wilson, The harmonic mean p-value for combining dependent tests, PNAS 116 (2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp


def fuse(nats: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fused surprise in nats, (m,), from per-detector nats (m, d) and weights (d,) that sum to 1.

    >>> fuse(np.array([[20.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.5])).round(2).tolist()
    [19.31, 0.0]
    """
    fused: NDArray[np.float64] = np.asarray(logsumexp(nats, axis=1, b=weights), np.float64)
    return np.maximum(fused, 0.0)


def shares(nats: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each detector's share of the fused evidence, (d,), from its nats (d,); sums to 1."""
    powers = weights * np.exp(nats - nats.max())
    result: NDArray[np.float64] = powers / powers.sum()
    return result
