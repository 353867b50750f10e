"""Urns against the definition: product of predictive probabilities, draw by draw."""

import numpy as np
import pytest

from streams.urns import Specialists, Urn, log_likelihood


def drawn(sequence: list[int], weights: list[float]) -> float:
    """Log likelihood of a sequence of kinds, one draw after another."""
    counts, total = list(weights), 0.0
    for kind in sequence:
        total += np.log(counts[kind] / sum(counts))
        counts[kind] += 1
    return total


@pytest.mark.parametrize("sequence", [[0], [0, 1, 2, 0, 0], [2] * 30, [0, 1] * 20])
def test_likelihood_is_that_of_the_draws(sequence: list[int]) -> None:
    weights = [0.3, 2.0, 1.2]
    counts = np.bincount(sequence, minlength=3)[None, :]
    expected = drawn(sequence, weights)
    assert Urn(weights, most=50).log_likelihood(counts)[0] == pytest.approx(expected)
    assert log_likelihood(counts, np.array([weights]))[0] == pytest.approx(expected)


def test_specialists_are_urns_with_one_favourite() -> None:
    counts = np.array([[5, 0, 2], [0, 0, 9], [1, 1, 1]])
    found = Specialists(3, own=12.0, stray=0.3, most=20).log_likelihood(counts)
    for kind in range(3):
        weights = [12.0 if place == kind else 0.3 for place in range(3)]
        assert found[:, kind] == pytest.approx(Urn(weights, most=20).log_likelihood(counts))


def test_a_likelihood_ratio_rarely_exceeds_what_it_may() -> None:
    """Ville: the chance that the ratio of two urns ever exceeds e^x under the second is at most e^-x."""
    rng = np.random.default_rng(0)
    attack, benign = Urn([4.0, 1.0], most=200), Urn([0.3, 1.7], most=200)
    share = rng.beta(0.3, 1.7, 4000)
    hits = np.cumsum(rng.random((4000, 200)) < share[:, None], axis=1)
    trials = np.arange(1, 201)
    best = np.full(4000, -np.inf)
    for column in range(200):
        counts = np.stack([hits[:, column], trials[column] - hits[:, column]], axis=1)
        best = np.maximum(best, attack.log_likelihood(counts) - benign.log_likelihood(counts))
    for nats in (1.0, 2.0, 3.0):
        allowed = np.exp(-nats)
        assert (best > nats).mean() <= allowed + 3 * np.sqrt(allowed / 4000)
