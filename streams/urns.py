"""`Urn`: how likely counts are when every account has a mix of its own.

An account that draws kinds of requests from a mix of its own, itself drawn from a Dirichlet distribution,
is a Pólya urn: each draw makes its kind likelier. The Beta-binomial is the urn of two kinds. Two such
models of an account give a likelihood ratio, which is honest at whatever moment one looks: by Ville's
inequality the chance that it *ever* exceeds ``exp(x)`` on a benign account is at most ``exp(-x)``.
Source: F. Eggenberger, G. Pólya, ZAMM 3 (1923); J. Ville, Étude critique de la notion de collectif (1939).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]


class Urn:
    """Dirichlet-multinomial likelihood of an ordered sequence, by tables.

    Args:
        weights: Dirichlet parameters, one per kind.
        most: largest total that will be asked for.

    >>> fair = Urn([1.0, 1.0], most=10)
    >>> float(np.exp(fair.log_likelihood(np.array([[2, 0]])))[0].round(3))  # 1/2 * 2/3
    0.333
    """

    def __init__(self, weights: Sequence[float], most: int) -> None:
        size = np.arange(most + 1, dtype=np.float64)
        # (kinds, most + 1): log of the rising factorial, w (w + 1) ... (w + n - 1)
        self.rising = np.stack([gammaln(w + size) - gammaln(w) for w in weights])
        total = float(sum(weights))
        self.total = gammaln(total + size) - gammaln(total)
        self._kinds = np.arange(len(weights))

    def log_likelihood(self, counts: NDArray[np.intp]) -> Floats:
        """Log likelihood of counts (m, kinds), (m,)."""
        found: Floats = self.rising[self._kinds, counts].sum(axis=1) - self.total[counts.sum(axis=1)]
        return found


class Urns:
    """Several urns of two kinds, each drawn from as often: Beta-binomials, all at once.

    Args:
        weights: of the first and the second kind, of each urn.
        most: largest total that will be asked for.
    """

    def __init__(self, weights: Sequence[tuple[float, float]], most: int) -> None:
        urns = [Urn(each, most) for each in weights]
        # each has a row for every urn and a column for every count
        self._first = np.stack([urn.rising[0] for urn in urns])
        self._second = np.stack([urn.rising[1] for urn in urns])
        self._total = np.stack([urn.total for urn in urns], axis=1)
        self._urns = np.arange(len(urns))

    def log_likelihood(self, first: NDArray[np.intp], drawn: NDArray[np.intp]) -> Floats:
        """Log likelihood, (m, urns), of how many are of the first kind (m, urns), of those drawn (m,)."""
        second = drawn[:, None] - first
        found: Floats = self._first[self._urns, first] + self._second[self._urns, second] - self._total[drawn]
        return found


class Specialists:
    """Urns that each favour one kind, all at once.

    Args:
        kinds: how many kinds, and so how many urns.
        own, stray: Dirichlet parameter of an urn's own kind, and of every other.
        most: largest total that will be asked for.
    """

    def __init__(self, kinds: int, own: float, stray: float, most: int) -> None:
        size = np.arange(most + 1, dtype=np.float64)
        total = own + (kinds - 1) * stray
        self._stray = gammaln(stray + size) - gammaln(stray)
        self._favour = gammaln(own + size) - gammaln(own) - self._stray
        self._total = gammaln(total + size) - gammaln(total)

    def log_likelihood(self, counts: NDArray[np.intp]) -> Floats:
        """Log likelihood of counts (m, kinds) under each urn, (m, kinds)."""
        rest = self._stray[counts].sum(axis=1) - self._total[counts.sum(axis=1)]
        found: Floats = self._favour[counts] + rest[:, None]
        return found


def log_likelihood(counts: NDArray[np.intp], weights: Floats) -> Floats:
    """The same, (m,), with weights (m, kinds) that differ from row to row."""
    total, n = weights.sum(axis=1), counts.sum(axis=1)
    rising = gammaln(weights + counts) - gammaln(weights)
    found: Floats = rising.sum(axis=1) - (gammaln(total + n) - gammaln(total))
    return found
