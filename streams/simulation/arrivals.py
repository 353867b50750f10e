"""Arrival times: one renewal process per source, all advanced together, slice by slice.

Each source runs on an operational clock that counts expected arrivals; gaps on it have mean 1 and a
Gamma or Weibull distribution with the source's own coefficient of variation. Wall time relates to that
clock through the rate, which may change from slice to slice (day profile, wander). Exact within a slice,
and memory grows with sources and arrivals per slice only.

Source: ServeGen (arXiv:2505.09999) finds customers' gaps Gamma or Weibull, rarely exponential. Modulation
by a change of clock is the usual construction of a non-stationary renewal process.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MIN_CV, MAX_CV = 0.02, 12.0
"""Range of the coefficient of variation that the two families are asked to give."""

_MOST_GAPS = 256
"""Gaps drawn at once per source; busier sources take several passes."""


def gamma_shape(cv: Floats) -> Floats:
    """Shape of a Gamma distribution with that coefficient of variation.

    >>> gamma_shape(np.array([1.0, 0.5])).tolist()
    [1.0, 4.0]
    """
    return 1.0 / np.clip(cv, MIN_CV, MAX_CV) ** 2


_SHAPES = np.exp(np.linspace(np.log(0.2), np.log(70.0), 512))[::-1]
_WEIBULL_CVS = np.sqrt(np.expm1(gammaln(1 + 2 / _SHAPES) - 2 * gammaln(1 + 1 / _SHAPES)))


def weibull_shape(cv: Floats) -> Floats:
    """Shape of a Weibull distribution with that coefficient of variation, by interpolation in a table.

    >>> weibull_shape(np.array([1.0])).round(3).tolist()
    [1.0]
    """
    return np.exp(np.interp(np.log(np.clip(cv, MIN_CV, MAX_CV)), np.log(_WEIBULL_CVS), np.log(_SHAPES)))


class Arrivals(NamedTuple):
    """Arrivals of one slice, not sorted."""

    source: Indices
    time_s: Floats


class Renewals:
    """Renewal processes of `len(cv)` sources, started in equilibrium (no common first arrival).

    Args:
        cv: coefficient of variation of the gaps of each source.
        weibull: which sources are Weibull; the others are Gamma.
        rng: only source of randomness.
    """

    def __init__(self, cv: Floats, weibull: NDArray[np.bool_], rng: np.random.Generator) -> None:
        self._rng = rng
        self._weibull = np.asarray(weibull, np.bool_)
        self._shape = np.where(self._weibull, weibull_shape(cv), gamma_shape(cv))
        self._scale = np.where(self._weibull, np.exp(-gammaln(1 + 1 / self._shape)), 1 / self._shape)
        self._clock = np.zeros(len(self._shape))
        self._next = self._first()

    def _first(self) -> Floats:
        """Time to the first arrival of a process that has always been running: a uniform share of a gap
        drawn with probability proportional to its length (renewal theory: the inspection paradox)."""
        rng, shape = self._rng, self._shape
        biased = rng.standard_gamma(np.where(self._weibull, 1 + 1 / shape, shape + 1))
        gap = np.where(self._weibull, biased ** (1 / shape), biased) * self._scale
        return np.asarray(gap * rng.random(len(shape)), np.float64)

    def _gaps(self, source: Indices, n: int) -> Floats:
        """(len(source), n) gaps with mean 1."""
        rng, size = self._rng, (len(source), n)
        shape, scale = self._shape[source, None], self._scale[source, None]
        weibull = self._weibull[source]
        gaps = np.empty(size)
        gaps[~weibull] = rng.standard_gamma(np.broadcast_to(shape[~weibull], (int((~weibull).sum()), n)))
        gaps[weibull] = rng.weibull(np.broadcast_to(shape[weibull], (int(weibull.sum()), n)))
        return np.asarray(gaps * scale, np.float64)

    def advance(self, start_s: Floats, end_s: Floats, rate: Floats) -> Arrivals:
        """Arrivals of every source in its own ``[start_s, end_s)`` at `rate` per second.

        Each call goes on where the one before ended; `end_s` may equal `start_s` for a source at rest.
        """
        begin = self._clock
        end = begin + np.maximum(end_s - start_s, 0.0) * rate
        sources: list[Indices] = []
        positions: list[Floats] = []
        due = np.flatnonzero(self._next < end)
        while len(due):
            n = int(np.clip((end[due] - self._next[due]).max() * 1.2 + 4, 4, _MOST_GAPS))
            times = np.cumsum(np.column_stack([self._next[due], self._gaps(due, n)]), axis=1)
            inside = times < end[due, None]
            # the last column may lie inside: it is then the next arrival of a further pass
            taken = inside[:, :-1]
            sources.append(np.repeat(due, taken.sum(axis=1)))
            positions.append(times[:, :-1][taken])
            first_outside = np.minimum(inside.sum(axis=1), n)
            self._next[due] = times[np.arange(len(due)), first_outside]
            due = due[inside[:, -1]]
        self._clock = end
        if not sources:
            return Arrivals(np.empty(0, np.int64), np.empty(0))
        source = np.concatenate(sources)
        time_s = start_s[source] + (np.concatenate(positions) - begin[source]) / rate[source]
        return Arrivals(source, time_s)


class Wandering:
    """Slow movement of rates: an AR(1) of the log rate, one step an hour, with mean factor 1.

    Args:
        sigma: stationary standard deviation of the log factor of each source; 0 keeps it at 1.
        correlation: from one hour to the next.
    """

    def __init__(self, sigma: Floats, correlation: float, rng: np.random.Generator) -> None:
        self._rng = rng
        self._moving = np.flatnonzero(sigma > 0)
        self._sigma = np.asarray(sigma, np.float64)[self._moving]
        self._correlation = correlation
        self._log = rng.standard_normal(len(self._moving)) * self._sigma
        self.factor = np.ones(len(sigma))
        self.steps = 0
        self._apply()

    def _apply(self) -> None:
        self.factor[self._moving] = np.exp(self._log - self._sigma**2 / 2)

    def step(self) -> None:
        """One hour on."""
        noise = self._rng.standard_normal(len(self._moving)) * self._sigma
        self.steps += 1
        self._log = self._correlation * self._log + np.sqrt(1 - self._correlation**2) * noise
        self._apply()
