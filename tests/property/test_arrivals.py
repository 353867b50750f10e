import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.simulation.arrivals import Renewals, Wandering, gamma_shape, weibull_shape


def run(cv, weibull, rate, slices, slice_s, seed):
    n = len(cv)
    process = Renewals(np.asarray(cv, float), np.asarray(weibull), np.random.default_rng(seed))
    source, time_s = [], []
    for i in range(slices):
        start, end = np.full(n, i * slice_s), np.full(n, (i + 1) * slice_s)
        arrivals = process.advance(start, end, np.asarray(rate, float))
        assert (arrivals.time_s >= i * slice_s - 1e-6).all()
        assert (arrivals.time_s <= (i + 1) * slice_s + 1e-6).all()
        source.append(arrivals.source)
        time_s.append(arrivals.time_s)
    return np.concatenate(source), np.concatenate(time_s)


@settings(max_examples=12, deadline=None)
@given(
    cv=st.floats(0.3, 3.0), weibull=st.booleans(), rate=st.floats(0.01, 0.5), seed=st.integers(0, 2**32)
)
def test_rate_and_burstiness_come_out_as_asked(cv, weibull, rate, seed):
    sources, slices, slice_s = 300, 6, 2000.0
    source, time_s = run([cv] * sources, [weibull] * sources, [rate] * sources, slices, slice_s, seed)
    expected = sources * rate * slices * slice_s
    # variance of the count of an equilibrium renewal process is about cv**2 per arrival; five sigma
    assert abs(len(source) - expected) < 5 * max(cv, 1) * np.sqrt(expected) + sources * cv**2
    order = np.lexsort((time_s, source))
    gaps = np.diff(time_s[order])[np.diff(source[order]) == 0]
    if len(gaps) > 20_000:
        assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_the_process_does_not_depend_on_how_time_is_sliced(seed):
    """The same rate and seed: one long slice or many short ones have the same law at their borders."""
    few = run([1.5] * 400, [False] * 400, [0.02] * 400, 1, 12_000.0, seed)
    many = run([1.5] * 400, [False] * 400, [0.02] * 400, 60, 200.0, seed)
    expected = 400 * 0.02 * 12_000
    for _, time_s in (few, many):
        assert abs(len(time_s) - expected) < 6 * 1.5 * np.sqrt(expected)
        early = (time_s < 1200).sum()
        assert abs(early - expected / 10) < 6 * 1.5 * np.sqrt(expected / 10)


def test_a_source_at_rest_sends_nothing_and_goes_on_later():
    process = Renewals(np.array([1.0, 1.0]), np.array([False, True]), np.random.default_rng(3))
    rest = process.advance(np.zeros(2), np.array([0.0, 1000.0]), np.array([1.0, 1.0]))
    assert set(rest.source.tolist()) == {1}
    later = process.advance(np.full(2, 1000.0), np.full(2, 2000.0), np.array([1.0, 0.0]))
    assert set(later.source.tolist()) == {0}
    assert (later.time_s >= 1000).all()


def test_a_machine_is_regular():
    _, time_s = run([0.02], [False], [1.0], 1, 1000.0, 5)
    gaps = np.diff(np.sort(time_s))
    assert gaps.std() / gaps.mean() < 0.03


def test_families_agree_at_the_exponential():
    one = np.array([1.0])
    assert gamma_shape(one) == pytest.approx(1.0)
    assert weibull_shape(one) == pytest.approx(1.0, abs=1e-3)


def test_wander_keeps_its_mean_spread_and_memory():
    wandering = Wandering(np.r_[np.full(4000, 0.8), 0.0], 0.6, np.random.default_rng(1))
    before = np.log(wandering.factor[:-1])
    wandering.step()
    after = np.log(wandering.factor[:-1])
    assert wandering.factor[-1] == 1.0
    assert wandering.factor[:-1].mean() == pytest.approx(1.0, abs=0.08)
    assert after.std() == pytest.approx(0.8, abs=0.04)
    assert np.corrcoef(before, after)[0, 1] == pytest.approx(0.6, abs=0.06)
