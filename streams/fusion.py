"""One p-value for an account from the p-values of its detectors, whatever their dependence.

Two combinations share the budget:

- **harmonic mean** of all p-values, with weights fixed beforehand. Valid under any dependence where it is
  small, and lets one strong detector speak for itself. Source: D. J. Wilson, The harmonic mean p-value for
  combining dependent tests, PNAS 116 (2019).
- **Fisher's product over natures**: what is asked, how it is asked and what is taken are measured on
  different columns of a request, so surprise in two of them adds up. Within a nature detectors look at the
  same thing and do not add; there the harmonic mean stands for all. What natures have in common all the same
  is paid for by `DEPENDENCE`, a divisor of the sum after M. B. Brown, Biometrics 31 (1975).

A test simulates the null: at a nominal 1e-3, p-values that are uniform and independent give 0.6 of the
nominal alerts, a correlation of 0.2 between natures about 1.0, one of 0.5 about 2.5. Scores of real accounts
are zero most of the time, which leaves room.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

Floats = NDArray[np.float64]

DEPENDENCE = 1.15


class Fusion:
    """Combination of fixed detectors.

    Args:
        natures: of each detector, in the order of score columns.
        weights: of each detector; default equal ones for natures and, within one, for detectors.

    >>> fusion = Fusion(["content", "content", "conduct"])
    >>> fusion.fuse(np.array([[20.0, 0.0, 0.0], [11.0, 0.0, 11.0], [0.0, 0.0, 0.0]])).round(1).tolist()
    [17.9, 14.9, 0.0]
    """

    def __init__(self, natures: Sequence[str], weights: Sequence[float] | None = None) -> None:
        kinds = sorted(set(natures))
        self._columns = [np.flatnonzero([nature == kind for nature in natures]) for kind in kinds]
        if weights is None:
            weights = [1 / natures.count(nature) for nature in natures]
        self.weights: Floats = np.asarray(weights, np.float64) / sum(weights)
        """Of the harmonic mean; sum to 1."""
        self._within = [self.weights[columns] / self.weights[columns].sum() for columns in self._columns]

    def fuse(self, nats: Floats) -> Floats:
        """Fused surprise in nats, (m,), from per-detector nats (m, d)."""
        harmonic = _log_mean_exp(nats, self.weights)
        if len(self._columns) < 2:
            return np.maximum(harmonic, 0.0)
        each = [
            _log_mean_exp(nats[:, columns], weights)
            for columns, weights in zip(self._columns, self._within, strict=True)
        ]
        total = np.maximum(np.stack(each, axis=1), 0.0).sum(axis=1) / DEPENDENCE
        both = np.maximum(harmonic, product_nats(total, len(each)))
        fused: Floats = np.maximum(both - np.log(2), 0.0)
        return fused

    def most(self, nats: Floats) -> Floats:
        """Upper bound of `fuse` for these scores and all lower ones, (m,), at a fraction of its cost."""
        highest = np.stack([nats[:, columns].max(axis=1) for columns in self._columns], axis=1)
        bound: Floats = np.maximum(highest.max(axis=1), highest.sum(axis=1) / DEPENDENCE)
        return bound

    def shares(self, nats: Floats) -> Floats:
        """Each detector's share of the evidence, (d,), from its nats (d,); sums to 1. By nats, because what
        adds up in the product shall be seen to have added up; small ones are left to the strong."""
        strength = np.where(nats > 0, np.exp((nats - nats.max()) / 3), 0.0)
        return strength / strength.sum() if strength.any() else self.weights


def _log_mean_exp(nats: Floats, weights: Floats) -> Floats:
    """Logarithm of the weighted mean of ``exp(nats)`` over the second axis."""
    highest = nats.max(axis=1)
    mean: Floats = np.log((weights * np.exp(nats - highest[:, None])).sum(axis=1)) + highest
    return mean


def product_nats(total: Floats, count: int) -> Floats:
    """Minus log of the chance that `count` independent exponential surprises sum to `total` or more.

    >>> product_nats(np.array([0.0, 20.0, 900.0]), 3).round(1).tolist()
    [-0.0, 14.6, 887.1]
    """
    near = -np.log(np.maximum(np.asarray(gammaincc(count, np.minimum(total, 500.0)), np.float64), 1e-300))
    # far out, the leading term of the tail: total^(count-1) exp(-total) / (count-1)!
    factorial = float(np.log(np.arange(1, count)).sum())
    far = total - (count - 1) * np.log(np.maximum(total, 1.0)) + factorial
    return np.where(total < 500.0, near, far)
