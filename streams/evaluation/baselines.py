"""Published detectors, adapted to windows of prompts as arXiv:2606.05725 adapts them.

Re-implemented from the papers' descriptions on our own 256-d feature vectors in place of sentence
embeddings, so the figures compare statistics on equal input; they do not repeat the papers' numbers.
Each returns a score that is larger where a window is more suspicious. Where a paper looks at nearest
neighbours or pairs, equal prompts are left out: here they come from resampling scarce text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import shapiro

from streams.evaluation.two_sample import Window, squared_distances

Floats = NDArray[np.float32]

REFERENCE_PROMPTS = 1000
"""Benign prompts that the MMD compares a window with."""
SHAPIRO_PROMPTS = 5000
SIMILAR_QUANTILE = 0.001
"""SEAT's similarity threshold: this share of benign pairs counts as similar."""


class Pairs:
    """Squared distances between the prompts of a window, (n, n), and which pairs are different prompts."""

    def __init__(self, window: Window) -> None:
        self.distances = squared_distances(window.vectors, window.vectors)
        self.different: NDArray[np.bool_] = window.ids[:, None] != window.ids


class Mmd:
    """Squared maximum mean discrepancy with a Gaussian kernel, its width the median benign distance.

    Source: A. Gretton et al., A Kernel Two-Sample Test, JMLR 13 (2012); as a detector arXiv:2606.05725.
    """

    def __init__(self, reference: Window, rng: np.random.Generator) -> None:
        few = min(REFERENCE_PROMPTS, len(reference.ids))
        self._reference = reference.vectors[rng.choice(len(reference.ids), few, replace=False)]
        own = squared_distances(self._reference, self._reference)
        self._width = float(np.median(own[np.triu_indices(few, 1)]))
        self._own = float(np.exp(own / -self._width).mean())

    def __call__(self, window: Window, pairs: Pairs) -> float:
        across = np.exp(squared_distances(window.vectors, self._reference) / -self._width).mean()
        return float(np.exp(pairs.distances / -self._width).mean() + self._own - 2 * across)


class Prada:
    """Departure of nearest-neighbour distances from a normal distribution, 1 - W of Shapiro and Wilk.

    Source: M. Juuti et al., PRADA: Protecting against DNN Model Stealing Attacks, EuroS&P 2019.
    """

    def __init__(self, reference: Window, rng: np.random.Generator) -> None:
        pass  # compares a window with nothing but itself

    def __call__(self, window: Window, pairs: Pairs) -> float:
        nearest = np.sqrt(np.where(pairs.different, pairs.distances, np.inf).min(axis=1))
        nearest = nearest[np.isfinite(nearest)][:SHAPIRO_PROMPTS]
        if len(nearest) < 3 or np.ptp(nearest) == 0:
            return 1.0
        return float(1.0 - shapiro(nearest).statistic)


class Seat:
    """Share of similar pairs of prompts.

    Source: Z. Zhang, Y. Chen, D. Wagner, SEAT: Similarity Encoder by Adversarial Training, AISec 2021. Their
    trained encoder is replaced by our feature vectors.
    """

    def __init__(self, reference: Window, rng: np.random.Generator) -> None:
        few = min(REFERENCE_PROMPTS, len(reference.ids))
        sample = reference.vectors[rng.choice(len(reference.ids), few, replace=False)]
        distances = squared_distances(sample, sample)[np.triu_indices(few, 1)]
        self._near = float(np.quantile(distances, SIMILAR_QUANTILE))

    def __call__(self, window: Window, pairs: Pairs) -> float:
        similar = np.count_nonzero((pairs.distances <= self._near) & pairs.different)
        return int(similar) / max(int(np.count_nonzero(pairs.different)), 1)
