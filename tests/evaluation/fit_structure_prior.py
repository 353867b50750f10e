"""Fits what `streams.structure_prior` ships: ``python -m tests.evaluation.fit_structure_prior FILE``

FILE is JSON Lines, one prompt a line, in order: ``{"root": "conversation", "prompt": ...}``. Used are the
conversations on the even side of their id's hash (the others are left for evaluation) with `FEWEST` or more
different prompts of `MIN_CHARS` characters, and the first `MOST` of these. Nothing is random: a file always
gives the same figures.

Random effects by moments: within is the pooled scatter around conversation means, between the scatter of
these means less what within adds to it, with conversations far from the rest weighted down as live samples
are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from agents.prompt_collections import benign_file
from streams import structure_prior
from streams.detectors.shift import MIN_CHARS, STRUCTURE
from streams.features import SCALE
from streams.fingerprint import Fingerprinter
from streams.population import FAR, diagonalised

FEWEST, MOST = 6, 16
ROUNDS = 3
Floats = NDArray[np.float64]


def chosen(root: str) -> bool:
    """Is the conversation for fitting? Half of them are, whatever their file is called."""
    return xxh3_64_intdigest(root.partition("/")[2].encode()) % 2 == 0


def conversations(path: Path) -> list[Floats]:
    """Structure of the prompts of each conversation used, (n, 64)."""
    texts: dict[str, dict[str, None]] = {}
    for root, text in benign_file(path):
        if chosen(root) and len(text) >= MIN_CHARS:
            texts.setdefault(root, {})[text] = None
    printer = Fingerprinter(b"any: this group of features does not depend on it", "k1")
    found = []
    for each in texts.values():
        if len(each) >= FEWEST:
            prints = [printer.fingerprint(text).prompt_embedding or b"" for text in list(each)[:MOST]]
            found.append(np.stack([np.frombuffer(one, np.int8)[STRUCTURE] / SCALE for one in prints]))
    return found


def random_effects(prompts: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """Mean (64,), covariance within and between conversations (64, 64)."""
    means = np.stack([each.mean(axis=0) for each in prompts])
    n = np.array([len(each) for each in prompts], np.float64)
    deviations = np.concatenate([each - each.mean(axis=0) for each in prompts])
    within = deviations.T @ deviations / (n - 1).sum()
    weights = np.ones(len(means))
    for _ in range(ROUNDS):
        center = weights @ means / weights.sum()
        apart = means - center
        scatter = (apart * weights[:, None]).T @ apart - (weights / n).sum() * within
        between = scatter / weights.sum()
        distance = diagonalised(center, within, between, len(means)).distance(means, 1 / n)
        weights = np.minimum(1.0, FAR / np.maximum(distance, 1e-9))
    return center, within, between


if __name__ == "__main__":
    used = conversations(Path(sys.argv[1]))
    packed = structure_prior.pack(*random_effects(used))
    print(f"{len(used):,} conversations, {sum(map(len, used)):,} prompts")
    print("\n".join(f"    {packed[place : place + 100]!r}" for place in range(0, len(packed), 100)))
