"""The window protocol on made-up vectors, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from streams.evaluation.baselines import Mmd, Pairs, Prada, Seat
from streams.evaluation.figures import level_at
from streams.evaluation.two_sample import (
    Whitening,
    Window,
    crowd,
    effective,
    mean_distance,
    scan,
    squared_distances,
)
from streams.evaluation.windows import FRACTIONS, HALVINGS, METHODS, Cell, Corpus, Protocol, table

DIMENSIONS = 16


def cloud(n: int, seed: int, shift: float = 0.0, spread: float = 1.0) -> Corpus:
    """Prompts around a point; four to a root."""
    rng = np.random.default_rng(seed)
    scales = np.linspace(1, 5, DIMENSIONS)
    vectors = spread * scales * rng.standard_normal((n, DIMENSIONS)) + shift * scales
    return Corpus(vectors.astype(np.float32), np.arange(n) // 4)


def window(corpus: Corpus, n: int, seed: int = 0) -> Window:
    return corpus.draw(n, np.random.default_rng(seed), again=True)


def test_halves_share_no_root_and_lose_nothing() -> None:
    corpus = cloud(403, 1)
    first, second = corpus.halves(np.random.default_rng(0))
    assert not set(first.roots.tolist()) & set(second.roots.tolist())
    assert len(first) + len(second) == 403


def test_whitened_prompts_have_no_mean_and_little_spread_left() -> None:
    corpus = cloud(4000, 2, shift=3.0)
    white = Whitening(corpus.window())(corpus.vectors)
    assert np.abs(white.mean(axis=0)).max() < 1e-3
    spread = white.std(axis=0)
    assert spread.max() / spread.min() < np.sqrt(1 + 25)  # was 5 in spread; the ridge keeps some of it


def test_repeating_prompts_is_no_evidence() -> None:
    """A thousand copies of five benign prompts look no stranger than the five."""
    corpus = cloud(2000, 3)
    whitening = Whitening(corpus.window())
    five = window(corpus, 5)
    copies = Window(np.repeat(five.vectors, 200, axis=0), np.repeat(five.ids, 200))
    for found, expected in (
        (mean_distance(whitening(copies.vectors), copies.ids, whitening.count),
         mean_distance(whitening(five.vectors), five.ids, whitening.count)),
    ):  # fmt: skip
        assert found == pytest.approx(expected, rel=1e-3)
    assert effective(copies.ids) == pytest.approx(5)
    assert scan(whitening(copies.vectors), copies.ids) < 2 * scan(whitening(five.vectors), five.ids)


def test_scan_finds_a_small_part_that_the_mean_does_not_show() -> None:
    benign, attack = cloud(4000, 4), cloud(100, 5, shift=2.5, spread=0.1)
    whitening = Whitening(benign.window())
    plain = [window(benign, 600, seed) for seed in range(30)]
    mixed = [
        Window(
            np.concatenate([one.vectors[30:], attack.vectors[:30]]),
            np.concatenate([one.ids[30:], -1 - np.arange(30)]),
        )
        for one in plain
    ]
    scores = [[scan(whitening(one.vectors), one.ids) for one in group] for group in (plain, mixed)]
    assert max(scores[0]) < min(scores[1])


def crowded(one: Window, reference: Corpus) -> float:
    return crowd(one, squared_distances(one.vectors, one.vectors), reference.vectors)


def test_crowd_finds_a_few_prompts_that_crowd_where_others_are_rare() -> None:
    """Three in a hundred, within the spread of the rest, so that neither mean nor scan moves."""
    benign, attack = cloud(1000, 13), cloud(60, 14, shift=0.7, spread=0.25)
    plain = [window(cloud(3000, 15), 600, seed) for seed in range(15)]
    mixed = [
        Window(
            np.concatenate([one.vectors[18:], attack.vectors[:18]]),
            np.concatenate([one.ids[18:], -1 - np.arange(18)]),
        )
        for one in plain
    ]
    scores = [[crowded(one, benign) for one in group] for group in (plain, mixed)]
    assert max(scores[0]) < min(scores[1])
    whitening = Whitening(benign.window())
    scans = [[scan(whitening(one.vectors), one.ids) for one in group] for group in (plain, mixed)]
    assert max(scans[0]) > min(scans[1])


def test_one_prompt_sent_by_many_is_no_crowd() -> None:
    benign, some = cloud(1000, 16), window(cloud(1000, 17), 200)
    viral = Window(
        np.concatenate([some.vectors, np.repeat(some.vectors[:1], 100, axis=0)]),
        np.concatenate([some.ids, np.repeat(some.ids[:1], 100)]),
    )
    assert crowded(viral, benign) == pytest.approx(crowded(some, benign))


def test_crowd_takes_a_reference_smaller_than_its_largest_ball() -> None:
    assert crowded(window(cloud(100, 18), 20), cloud(5, 19)) >= 0.0


def test_threshold_extrapolates_beyond_its_sample() -> None:
    null = np.random.default_rng(0).exponential(1.0, 2000).astype(np.float32)
    assert level_at(null, 0.01) == pytest.approx(np.log(100), abs=0.4)
    assert level_at(null, 1e-5) == pytest.approx(np.log(1e5), rel=0.15)
    assert level_at(null, 1e-5) >= null.max()


@pytest.mark.parametrize("method", [Mmd, Seat])
def test_published_methods_score_a_pure_attack_higher(method: type[Mmd] | type[Seat]) -> None:
    benign, attack = cloud(1000, 6), cloud(300, 7, shift=0.5, spread=0.2)
    fitted = method(benign.window(), np.random.default_rng(0))
    scores = [fitted(one, Pairs(one)) for one in (window(benign, 100, 1), window(attack, 100, 1))]
    assert scores[1] > scores[0]


def test_prada_scores_distances_that_are_not_normal() -> None:
    rng = np.random.default_rng(8)
    points = np.sort(rng.normal(size=200)).astype(np.float32)
    normal_gaps = Window(np.cumsum(2 + 0.1 * points)[:, None].astype(np.float32), np.arange(200))
    two_kinds = Window(
        np.cumsum(np.repeat([1.0, 9.0], 100))[:, None].astype(np.float32), np.arange(200)
    )
    prada = Prada(normal_gaps, rng)
    assert prada(two_kinds, Pairs(two_kinds)) > prada(normal_gaps, Pairs(normal_gaps))


def test_protocol_keeps_its_false_positive_rate_and_finds_a_pure_attack() -> None:
    families = {"narrow": cloud(300, 10, shift=1.0, spread=0.3), "small": cloud(20, 11, shift=1.0)}
    protocol = Protocol(cloud(2000, 9), families, seed=1, windows=20, nulls=100, target_fpr=0.02)
    null = [scores for halving in range(HALVINGS) for scores in protocol.null_scores(100, halving)]
    cells = protocol.cells(100, "narrow", protocol.thresholds(null))
    assert [cell.fraction for cell in cells] == list(FRACTIONS)
    assert cells[0].alarms["stillwatch"] <= 3
    assert cells[-1].alarms["stillwatch"] == 20
    assert cells[-1].alarms["mmd"] == 20
    # 20 prompts do not fill 25 % of a window of 100, and are not repeated to do so
    small = protocol.cells(100, "small", protocol.thresholds(null))
    assert [cell.fraction for cell in small] == [0.0, 0.05, 0.1]
    assert protocol.cells(100, "narrow", protocol.thresholds(null)) == cells


def test_table_has_the_published_form() -> None:
    alarms = dict.fromkeys(METHODS, 10)
    cells = [Cell("a", 100, 0.05, alarms, 50), Cell("b", 100, 0.05, {**alarms, "mmd": 20}, 50)]
    assert table(cells)["mmd"] == {"100": {"0.05": {"tpr": 0.3, "n": 100}}}
    assert table(cells, "b")["mmd"]["100"]["0.05"] == {"tpr": 0.4, "n": 50}
