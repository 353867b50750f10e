"""Two tests of a window of prompts against benign ones, on whitened feature vectors.

*Mean*: how far the window's mean lies from the benign mean. It needs the sum of the vectors only, so it
adds up over prompts, accounts and links: what a detector can afford to keep.

*Scan*: whether some part of the window sticks together somewhere. From the direction of the mean it climbs
to the tenth (and other shares) of the prompts that lie furthest in a common direction, and measures how far
off that part's mean lies. It finds a campaign that is one prompt in twenty, but needs all prompts of the
window, so it is a test for pooled traffic, not for account state.

Prompts that repeat carry less independent evidence than their number; both tests use the effective number
of prompts (L. Kish, Survey Sampling, 1965), so a favourite prompt or resampled text is no shift.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

LEAST_RIDGE, MOST_RIDGE = 0.1, 1.0
"""Range of what is added to every variance, as a share of the mean variance: twice the dimensions over the
prompts of the reference. With a few hundred prompts the small variances are noise."""
SCANNED_SHARES = (0.3, 0.1, 0.05)
CLIMBS = 3
FEWEST = 4


class Window(NamedTuple):
    """Some prompts.

    Attributes:
        vectors: float32 (n, dimensions).
        ids: int64 (n,), equal for equal prompts.
    """

    vectors: Floats
    ids: Ints


def effective(ids: Ints) -> float:
    """Number of distinct prompts that would say as much.

    >>> effective(np.array([1, 2, 3])), effective(np.array([1, 1, 1]))
    (3.0, 1.0)
    """
    counts = np.unique(ids, return_counts=True)[1].astype(np.float64)
    return float(counts.sum() ** 2 / (counts**2).sum())


class Whitening:
    """Benign mean and spread of prompts. Subtract the mean, scale every direction to about variance 1.

    Args:
        reference: benign prompts.
    """

    def __init__(self, reference: Window) -> None:
        self.count = effective(reference.ids)
        self.mean = reference.vectors.mean(axis=0)
        centred = reference.vectors - self.mean
        covariance = centred.T @ centred / len(centred)
        values, directions = np.linalg.eigh(covariance.astype(np.float64))
        share = np.clip(2 * len(values) / self.count, LEAST_RIDGE, MOST_RIDGE)
        ridge = share * values.mean()
        self._scale = (directions / np.sqrt(np.maximum(values, 0.0) + ridge)).astype(np.float32)

    def __call__(self, vectors: Floats) -> Floats:
        """Whitened vectors."""
        white: Floats = (vectors - self.mean) @ self._scale
        return white


def mean_distance(white: Floats, ids: Ints, reference_count: float) -> float:
    """Squared distance of the mean from 0, over its variance as far as numbers of prompts make it."""
    mean = white.mean(axis=0)
    return float(mean @ mean) / (1 / reference_count + 1 / effective(ids))


def scan(white: Floats, ids: Ints) -> float:
    """Largest distance of a part's mean from 0, in standard errors, over the parts that the climb visits."""
    direction = white.mean(axis=0)
    best = 0.0
    for share in SCANNED_SHARES:
        size = max(int(share * len(white)), min(FEWEST, len(white)))
        for _ in range(CLIMBS):
            along = white @ direction
            part = np.argpartition(along, len(along) - size)[len(along) - size :]
            direction = white[part].mean(axis=0)
        best = max(best, float(np.sqrt(effective(ids[part])) * np.linalg.norm(direction)))
    return best
