"""What prompts of one source score, and what that is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.one_source import ALIKE, WANDERING, score, surprise

FAR = 3.6
"""As people are."""


@pytest.mark.parametrize("n", [6.0, 30.0, 100.0, 400.0])
def test_what_is_alike_far_and_does_not_wander_scores_higher(n: float) -> None:
    people = np.array([ALIKE, FAR, WANDERING])
    others = people + np.array([[0.1, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, -0.5]])
    usual, *higher = score(np.vstack([people, others]), np.full(4, n)).tolist()
    assert all(one > usual for one in higher)


@given(low=st.floats(-10, 20), more=st.floats(0, 5), n=st.floats(6, 1000), later=st.floats(1, 10))
def test_a_higher_score_is_worth_no_less_nor_is_one_of_more_prompts(
    low: float, more: float, n: float, later: float
) -> None:
    base, higher, lasting = surprise(np.array([low, low + more, low]), np.array([n, n, n * later])).tolist()
    assert 0 <= base <= higher
    assert base <= lasting
