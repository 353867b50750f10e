"""The window protocol: can a detector tell a window of traffic with some attack in it from a benign one?

As published (arXiv:2606.05725): windows of W prompts; a share of them from one attack family, the rest
benign; thresholds from benign-to-benign comparisons only; benign text split by root (conversation) into
calibration and test.

Thresholds need a reference and windows that share no text. Both come from the calibration roots, split in
halves `HALVINGS` times; so they hold for half the text and are strict for all of it. Where a window asks
for more prompts than there are, prompts are drawn with replacement, which is counted against the evidence
(see `streams.evaluation.two_sample`). Attack prompts are never repeated within a window: a family too
small for a cell is left out of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.evaluation.baselines import Mmd, Pairs, Prada, Seat
from streams.evaluation.figures import level_at
from streams.evaluation.two_sample import Floats, Ints, Whitening, Window, crowd, mean_distance, scan

SIZES = (100, 500, 1500)
FRACTIONS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)

OURS = "stillwatch"
"""All of our tests, each at an equal part of the false-positive rate."""
PARTS = ("stillwatch_mean", "stillwatch_scan", "stillwatch_crowd")
METHODS = (OURS, *PARTS, "mmd", "prada", "seat")

TARGET_FPR = 0.001
REFERENCE_PROMPTS = 4000
"""Benign prompts that `crowd` looks for neighbours among."""
HALVINGS = 100
"""Splits of the calibration roots behind a threshold. Where text is scarce, windows of one split hold much
the same text, so what counts is the number of splits: with a fifth of them, and as many windows in all, two
test halves of sixteen raised alarms on one benign window in five."""
Scores = dict[str, float]


@dataclass(frozen=True)
class Corpus:
    """Benign or attack prompts.

    Attributes:
        vectors: float32 (n, dimensions).
        roots: int64 (n,), equal for prompts of one conversation.
    """

    vectors: Floats
    roots: Ints

    def __len__(self) -> int:
        return len(self.roots)

    def take(self, which: NDArray[np.bool_]) -> Corpus:
        return Corpus(self.vectors[which], self.roots[which])

    def halves(self, rng: np.random.Generator) -> tuple[Corpus, Corpus]:
        """Two parts that share no root."""
        roots = np.unique(self.roots)
        first = np.isin(self.roots, rng.choice(roots, len(roots) // 2, replace=False))
        return self.take(first), self.take(~first)

    def window(self) -> Window:
        return Window(self.vectors, np.arange(len(self), dtype=np.int64))

    def draw(self, size: int, rng: np.random.Generator, *, again: bool) -> Window:
        """Random prompts; `again`: may repeat, where fewer than twice as many are there."""
        repeat = again and 2 * size > len(self)
        which = rng.choice(len(self), size, replace=repeat)
        return Window(self.vectors[which], which.astype(np.int64))


class Fitted:
    """All methods with one benign reference."""

    def __init__(self, reference: Corpus, rng: np.random.Generator) -> None:
        window = reference.window()
        self._whitening = Whitening(window)
        few = min(REFERENCE_PROMPTS, len(reference))
        self._neighbours = reference.vectors[rng.choice(len(reference), few, replace=False)]
        self._published: dict[str, Mmd | Prada | Seat] = {
            "mmd": Mmd(window, rng),
            "prada": Prada(window, rng),
            "seat": Seat(window, rng),
        }

    def scores(self, window: Window) -> Scores:
        """Score of a window under every single method."""
        white, pairs = self._whitening(window.vectors), Pairs(window)
        found = {
            "stillwatch_mean": mean_distance(white, window.ids, self._whitening.count),
            "stillwatch_scan": scan(white, window.ids),
            "stillwatch_crowd": crowd(window, pairs.distances, self._neighbours),
        }
        for name, method in self._published.items():
            found[name] = method(window, pairs)
        return found


class Thresholds(NamedTuple):
    """Thresholds of the single methods: at the whole rate, and at a part of it for those of `PARTS`."""

    whole: Scores
    part: Scores

    def alarms(self, scores: Scores) -> dict[str, bool]:
        """Which methods of `METHODS` raise an alarm."""
        found = {name: scores[name] > level for name, level in self.whole.items()}
        joined = any(scores[name] > self.part[name] for name in PARTS)
        return {name: joined if name == OURS else found[name] for name in METHODS}


class Cell(NamedTuple):
    """One figure: windows of one family, size and fraction."""

    family: str
    size: int
    fraction: float
    alarms: dict[str, int]
    """Windows with an alarm, by method."""
    windows: int


class Protocol:
    """One run.

    Args:
        benign: all benign prompts.
        families: attack prompts by family.
        windows: windows per cell; benign ones: as many for each family.
        nulls: benign windows behind a threshold.
    """

    def __init__(
        self,
        benign: Corpus,
        families: Mapping[str, Corpus],
        *,
        seed: int,
        windows: int = 50,
        nulls: int = 500,
        target_fpr: float = TARGET_FPR,
    ) -> None:
        self._seed = seed
        self.families = dict(families)
        self.calibration, self.test = benign.halves(self._rng(0))
        self._windows, self._nulls, self.target_fpr = windows, nulls, target_fpr

    def _rng(self, *purpose: int) -> np.random.Generator:
        """Each part of the protocol has randomness of its own, so that parts can run anywhere."""
        return np.random.default_rng([self._seed, 0x57A7, *purpose])

    def null_scores(self, size: int, halving: int) -> list[Scores]:
        """Scores of benign windows against a benign reference that shares no text with them.

        Args:
            halving: which of the `HALVINGS` splits of the calibration roots.
        """
        rng = self._rng(1, size, halving)
        reference, rest = self.calibration.halves(rng)
        fitted = Fitted(reference, rng)
        return [
            fitted.scores(rest.draw(size, rng, again=True)) for _ in range(-(-self._nulls // HALVINGS))
        ]

    def thresholds(self, null: Sequence[Scores]) -> Thresholds:
        """Thresholds of all methods from the null scores of one window size."""
        columns = {name: np.array([scores[name] for scores in null], np.float32) for name in null[0]}
        return Thresholds(
            *(
                {name: level_at(column, rate) for name, column in columns.items()}
                for rate in (self.target_fpr, self.target_fpr / len(PARTS))
            )
        )

    def cells(self, size: int, family: str, levels: Thresholds) -> list[Cell]:
        """All fractions of one window size and family."""
        rng = self._rng(2, size, list(self.families).index(family))
        fitted, attack = Fitted(self.calibration, rng), self.families[family]
        return [
            self._cell(fitted, levels, family, size, fraction, rng)
            for fraction in FRACTIONS
            if round(fraction * size) <= len(attack)
        ]

    def _cell(
        self,
        fitted: Fitted,
        levels: Thresholds,
        family: str,
        size: int,
        fraction: float,
        rng: np.random.Generator,
    ) -> Cell:
        attackers = round(fraction * size)
        alarms = dict.fromkeys(METHODS, 0)
        for _ in range(self._windows):
            benign = self.test.draw(size - attackers, rng, again=True)
            attack = self.families[family].draw(attackers, rng, again=False)
            window = Window(
                np.concatenate([benign.vectors, attack.vectors]),
                np.concatenate([benign.ids, -1 - attack.ids]),
            )
            for name, alarm in levels.alarms(fitted.scores(window)).items():
                alarms[name] += alarm
        return Cell(family, size, fraction, alarms, self._windows)


def table(cells: list[Cell], family: str | None = None) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Method to window size to fraction to ``{"tpr", "n"}``, over all families (equal weights by equal
    numbers of windows) or one. The fraction 0 is the false-positive rate on benign test windows."""
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for method in METHODS:
        for size in SIZES:
            for fraction in FRACTIONS:
                here = [
                    cell
                    for cell in cells
                    if (cell.size, cell.fraction) == (size, fraction) and family in (None, cell.family)
                ]
                n = sum(cell.windows for cell in here)
                if n:
                    rate = sum(cell.alarms[method] for cell in here) / n
                    row = found.setdefault(method, {}).setdefault(str(size), {})
                    row[f"{fraction:g}"] = {"tpr": rate, "n": n}
    return found
