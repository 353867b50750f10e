import numpy as np
import pytest
from scipy.stats import norm

from streams.fusion import Fusion

NATURES = ["content"] * 4 + ["conduct"] * 5 + ["yield"]


def null_nats(rng: np.random.Generator, accounts: int, correlation: float) -> np.ndarray:
    """Scores of benign accounts at their worst: every p-value uniform, detectors of one nature nearly the
    same, natures correlated."""
    common = rng.standard_normal((accounts, 1))
    by_nature = {kind: rng.standard_normal((accounts, 1)) for kind in set(NATURES)}
    own = rng.standard_normal((accounts, len(NATURES)))
    natures = np.hstack([by_nature[nature] for nature in NATURES])
    shared = np.sqrt(correlation) * common + np.sqrt(0.9 - correlation) * natures
    return -norm.logsf(shared + np.sqrt(0.1) * own)


@pytest.mark.parametrize("weights", [None, [4, 4, 1, 1, 4, 1, 1, 1, 1, 2]], ids=["equal", "unequal"])
@pytest.mark.parametrize(("correlation", "most"), [(0.0, 1.0), (0.2, 1.3), (0.5, 4.0)])
def test_false_alerts_stay_near_what_is_allowed(
    correlation: float, most: float, weights: list[float] | None
) -> None:
    nats = null_nats(np.random.default_rng(1), 400_000, correlation)
    rate = (Fusion(NATURES, weights).fuse(nats) >= np.log(1e3)).mean() / 1e-3
    assert rate < most


def test_a_detector_with_more_weight_needs_less() -> None:
    nats = np.zeros((2, len(NATURES)))
    nats[0, 0], nats[1, 1] = 14.0, 14.0
    heavy, light = Fusion(NATURES, [4.0, *[1.0] * 9]).fuse(nats)
    assert heavy == pytest.approx(light + np.log(4), abs=0.01)


def test_two_natures_add_up_and_two_detectors_of_one_do_not() -> None:
    fusion = Fusion(NATURES)
    two_natures, one_nature, alone = np.zeros((3, len(NATURES)))
    alone[0] = two_natures[0] = two_natures[5] = one_nature[0] = one_nature[1] = 12.0
    fused = fusion.fuse(np.stack([alone, two_natures, one_nature]))
    assert fused[1] > 11.5 > fused[2]
    assert fused[2] < fused[0] + 0.8


def test_one_detector_can_speak_alone() -> None:
    nats = np.zeros((1, len(NATURES)))
    nats[0, 0] = 30.0
    assert Fusion(NATURES).fuse(nats)[0] > 25


def test_shares_add_up_to_one() -> None:
    fusion = Fusion(NATURES)
    for nats in (np.zeros(len(NATURES)), np.linspace(0, 20, len(NATURES))):
        assert fusion.shares(nats).sum() == pytest.approx(1.0)


def test_the_bound_is_never_below_what_it_bounds() -> None:
    fusion = Fusion(["content", "content", "conduct", "volume"])
    nats = np.random.default_rng(3).gamma(0.7, 6.0, (2000, 4))
    assert (fusion.most(nats) >= fusion.fuse(nats)).all()
    lower = nats * np.random.default_rng(4).random(nats.shape)
    assert (fusion.most(nats) >= fusion.fuse(lower)).all()
