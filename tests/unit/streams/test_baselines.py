"""Cohort baselines: prior first, live data later, always two hours late."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import IncompatibleState
from streams import river_state
from streams.baselines import MAX_COHORTS, PRIOR, CohortBaselines


def test_a_new_cohort_answers_with_the_prior() -> None:
    cohorts = CohortBaselines()
    number = cohorts.id_of("tenant:plan")
    mean, sd = cohorts.before(np.array([number]), np.array([100]))
    assert (mean[0], sd[0]) == (pytest.approx(PRIOR.mean), pytest.approx(PRIOR.sd))


def test_live_data_outweighs_the_prior() -> None:
    cohorts = CohortBaselines()
    number = cohorts.id_of("tenant:plan")
    rng = np.random.default_rng(1)
    for hour in range(50):
        cohorts.learn(hour, {number: rng.normal(5.0, 0.5, 500)})
    mean, sd = cohorts.before(np.array([number]), np.array([52]))
    assert mean[0] == pytest.approx(5.0, abs=0.1)
    assert sd[0] == pytest.approx(0.5, abs=0.1)


def test_an_hour_cannot_raise_its_own_bar() -> None:
    cohorts = CohortBaselines()
    number = cohorts.id_of("t:")
    for hour in range(10):
        cohorts.learn(hour, {number: np.full(400, 1.0)})
    before = cohorts.before(np.array([number]), np.array([11]))
    cohorts.learn(10, {number: np.full(4000, 9.0)})
    assert cohorts.before(np.array([number]), np.array([11])) == before
    assert cohorts.before(np.array([number]), np.array([12]))[0][0] > before[0][0] + 1


def test_cohorts_are_bounded() -> None:
    cohorts = CohortBaselines()
    ids = {cohorts.id_of(f"tenant-{number}:") for number in range(2 * MAX_COHORTS)}
    assert len(cohorts.cohorts) == MAX_COHORTS
    assert 0 in ids


def test_snapshot_and_restore_agree() -> None:
    cohorts, copy = CohortBaselines(), CohortBaselines()
    number = cohorts.id_of("t:pro")
    cohorts.learn(5, {number: np.array([1.0, 2.0, 4.0])})
    copy.restore(cohorts.snapshot())
    for each in (cohorts, copy):
        each.learn(6, {number: np.array([3.0])})
    assert copy.before(np.array([number]), np.array([8])) == cohorts.before(np.array([number]), np.array([8]))


def test_state_that_is_not_rivers_is_refused() -> None:
    import pickle
    from fractions import Fraction

    with pytest.raises(IncompatibleState, match="fractions"):
        river_state.load(pickle.dumps(Fraction(1, 2)))
    with pytest.raises(IncompatibleState):
        river_state.load(b"not a pickle")
