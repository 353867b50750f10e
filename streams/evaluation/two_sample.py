"""Three tests of a window of prompts against benign ones, on feature vectors; the first two on whitened ones.

*Mean*: how far the window's mean lies from the benign mean. It needs the sum of the vectors only, so it
adds up over prompts, accounts and links: what a detector can afford to keep.

*Scan*: whether some part of the window sticks together somewhere. From the direction of the mean it climbs
to the tenth (and other shares) of the prompts that lie furthest in a common direction, and measures how far
off that part's mean lies. It finds a campaign that is one prompt in twenty, but needs all prompts of the
window, so it is a test for pooled traffic, not for account state.

*Crowd*: whether different prompts crowd where benign ones are rare. Around each prompt of the window it
counts the others that lie nearer than its first, second, fourth ... benign neighbour, and compares with how
many would. It needs no common direction, so it finds a small, narrow task list that moves neither mean nor
scan; it needs all prompts as well. It works on unwhitened vectors: whitening blows up directions that hardly
vary.

Prompts that repeat carry less independent evidence than their number: mean and scan use the effective number
of prompts (L. Kish, Survey Sampling, 1965), crowd counts each different prompt once, so a favourite prompt or
resampled text is no shift.

Source of crowd: a scan statistic (M. Kulldorff, Communications in Statistics 26, 1997) over balls, their
sizes in benign neighbours as in nearest-neighbour density estimates (D. Loftsgaarden, C. Quesenberry, Annals
of Mathematical Statistics 36, 1965).
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
NEIGHBOURS = (1, 2, 4, 8, 16, 32, 64)
"""Sizes of the balls: benign prompts inside."""


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


def squared_distances(left: Floats, right: Floats) -> Floats:
    """(n, m) squared Euclidean distances."""
    product = left @ right.T
    product *= -2
    product += (left**2).sum(axis=1)[:, None]
    product += (right**2).sum(axis=1)
    found: Floats = np.maximum(product, 0.0, out=product)
    return found


def crowd(window: Window, distances: Floats, reference: Floats) -> float:
    """Most surprising number of different prompts around one of them, in nats of a Poisson count.

    Args:
        distances: (n, n) squared ones between the prompts of the window.
        reference: (m, dimensions) different benign prompts.
    """
    _, different = np.unique(window.ids, return_index=True)
    own = distances[np.ix_(different, different)]
    radii = np.sort(squared_distances(window.vectors[different], reference), axis=1)
    others = len(different) - 1
    best = 0.0
    for neighbours in (size for size in NEIGHBOURS if size <= len(reference)):
        count = (own <= radii[:, neighbours - 1, None]).sum(axis=1) - 1.0
        # one more on both sides, so that the first neighbour's luck is not taken for emptiness
        usual = others * (neighbours + 1) / (len(reference) + 1)
        most = max(float(count.max()), usual)
        best = max(best, most * np.log(most / usual) - most + usual)
    return best
