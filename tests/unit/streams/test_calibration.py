import numpy as np
import pytest

from streams.calibration import MIN_ACCOUNT_HOURS, Calibration

HOUR = 1000


def lived(scores: np.ndarray, accounts: int, hour: int = HOUR) -> Calibration:
    """One closed hour: `scores` of the first accounts, nothing from the others."""
    calibration = Calibration(1)
    n = len(scores)
    nothing = np.zeros(n, np.int64)
    owners, systems = nothing.astype(np.uint64), nothing.astype(np.uint32)
    calibration.note(np.arange(n), np.full(n, hour), nothing, owners, systems, scores[:, None])
    calibration.close_hour(hour, np.zeros(accounts, np.int64))
    return calibration


def worth(calibration: Calibration, nats: float, hour: int = HOUR + 2, cohort: int = 0) -> float:
    return float(calibration.correct(np.array([[nats]]), np.array([hour]), np.array([cohort]))[0, 0])


def exponential(accounts: int, scale: float, seed: int = 1) -> np.ndarray:
    return scale * np.random.default_rng(seed).exponential(size=accounts)


def test_honest_scores_are_left_alone() -> None:
    calibration = lived(exponential(5000, 1.0), 5000)
    for nats in (1.0, 6.0, 14.0, 40.0):
        assert worth(calibration, nats) == pytest.approx(nats)


def test_scores_that_claim_too_much_are_corrected_beyond_what_was_seen() -> None:
    calibration = lived(exponential(5000, 3.0), 5000)
    seen, beyond = worth(calibration, 6.0), worth(calibration, 20.0)
    assert 1.5 < seen < 3.0  # one in seven passes 6
    assert 6.0 < beyond < 13.0


def test_never_sharper_than_claimed() -> None:
    assert worth(lived(exponential(5000, 0.2), 5000), 10.0) == pytest.approx(10.0)


def test_few_accounts_prove_nothing() -> None:
    assert worth(lived(exponential(100, 3.0), MIN_ACCOUNT_HOURS - 1), 10.0) == pytest.approx(10.0)


def test_attackers_cannot_hide_each_other() -> None:
    """Four in a hundred accounts score high, and none of them loses by it."""
    scores = np.concatenate([np.full(40, 13.0), exponential(960, 1.0)])
    assert worth(lived(scores, 1000), 14.0) > 13.9


def test_it_is_used_two_hours_later_and_forgotten_after_a_day() -> None:
    calibration = lived(exponential(5000, 3.0), 5000)
    assert worth(calibration, 10.0, HOUR + 1) == pytest.approx(10.0)
    assert worth(calibration, 10.0, HOUR + 2) < 10.0
    assert worth(calibration, 10.0, HOUR + 30) == pytest.approx(10.0)


def test_accounts_with_a_finding_are_left_out_two_hours_later() -> None:
    calibration = lived(np.full(300, 20.0), 1000)
    for slot in range(300):
        calibration.found(slot, HOUR + 2)
    assert worth(calibration, 20.0, HOUR + 3) < 20.0
    assert worth(calibration, 20.0, HOUR + 4) == pytest.approx(20.0)


def test_a_large_cohort_is_judged_by_itself() -> None:
    calibration = lived(exponential(5000, 3.0), 5000)
    calibration.close_hour(HOUR, np.concatenate([np.zeros(5000, np.int64), np.ones(2000, np.int64)]))
    assert worth(calibration, 10.0, cohort=0) < 8.0
    assert worth(calibration, 10.0, cohort=1) == pytest.approx(10.0)


def test_scores_do_not_change_order() -> None:
    calibration = lived(exponential(3000, 2.5), 3000)
    values = [worth(calibration, nats) for nats in np.linspace(0, 40, 161)]
    assert (np.diff(values) > -1e-9).all()
