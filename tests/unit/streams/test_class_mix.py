"""Shares of capability classes, learned with a delay and from one vote per account and hour."""

import numpy as np
import pytest

from streams.batch import TOPICS
from streams.class_mix import PRIOR_SHARES, PRIOR_VOTES, ClassMix

GRADING = TOPICS.index("grading")


def votes(mix: ClassMix, hour: int, count: int, cohort: int = 1) -> None:
    mix.learn(hour, np.full(count, cohort), np.full(count, GRADING))


def grading_share(mix: ClassMix, hour: int, cohort: int = 1) -> float:
    return float(mix.before(np.array([cohort]), np.array([hour]))[0, GRADING])


def test_a_cohort_starts_from_the_prior() -> None:
    found = ClassMix().before(np.array([0, 7]), np.array([5, 9]))
    assert found == pytest.approx(np.array([PRIOR_SHARES] * 2))
    assert sum(PRIOR_SHARES) == pytest.approx(1.0)


def test_votes_count_two_hours_later_and_in_their_cohort_only() -> None:
    mix = ClassMix()
    votes(mix, 10, 1000)
    prior = PRIOR_SHARES[GRADING]
    assert grading_share(mix, 11) == pytest.approx(prior)
    assert grading_share(mix, 12) == pytest.approx((1000 + prior * PRIOR_VOTES) / 2000, rel=0.05)
    assert grading_share(mix, 12, cohort=2) == pytest.approx(prior)


def test_an_older_version_is_used_for_an_event_that_comes_a_little_late() -> None:
    mix = ClassMix()
    votes(mix, 10, 10)
    votes(mix, 11, 3000)
    both = mix.before(np.array([1, 1]), np.array([12, 13]))[:, GRADING]
    assert both[0] < 0.05 < 0.5 < both[1]


def test_no_class_is_ever_impossible() -> None:
    mix = ClassMix()
    for hour in range(100):
        votes(mix, hour, 5000)
    assert mix.before(np.array([1]), np.array([101])).min() > 0


def test_stored_and_restored() -> None:
    mix, other = ClassMix(), ClassMix()
    votes(mix, 10, 700)
    other.load(mix.dump())
    assert grading_share(other, 12) == grading_share(mix, 12)
    assert other.dump() == mix.dump()
