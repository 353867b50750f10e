"""Which accounts have far more neighbours today than they should: those of one source behind many accounts.

A single source shows as a ball that holds far more of today's accounts than of a baseline's: with c of
today's nearer than the K-th of the baseline, c + K - 1 draws had at least c of today's, which is a binomial
tail. Under the null the two are exchangeable, so neither a density model nor the shape of the feature space
matters.

Source: exchangeable two-sample nearest-neighbour counts, N. Henze, Ann. Statist. 16 (1988); the score, the
set of K and the purity guard were chosen by experiment on ten families of prompts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from streams.reference import FEWEST_TOGETHER, Reference, directions
from streams.summary_table import Rows

Hashes = NDArray[np.uint64]

NEIGHBOURS = (1, 4, 16, 64)
"""K of the baseline's nearest that a ball may reach to."""
SEED_NATS = 30.0
"""From which on a ball is one source's."""
FEWEST_NEAR = 12
PURITY = 10.0
"""Today's accounts in the ball are at least so many times those expected: nine in ten of them are strange."""
BLOCK = 256
COMPARED_AT_ONCE = 4096


class Ball(NamedTuple):
    """The neighbourhood of one account that is most surprising."""

    nats: float
    near: Hashes
    """Accounts of today in it, itself included."""


def surprising(fresh: Rows, today: Rows, baseline: Rows) -> list[tuple[int, Ball]]:
    """Accounts among `fresh` with far more neighbours today than the baseline allows, and their balls.

    Args:
        fresh: summaries to compare, all of them among `today`'s.
        today: of every account seen today over as many prompts.
        baseline: the same of days before; not empty.
    """
    found = []
    share = len(today) / (len(today) + len(baseline))
    per_baseline = len(today) / len(baseline)
    here, there = today["mean"].astype(np.float32), baseline["mean"].astype(np.float32)
    here_sq, there_sq = np.einsum("ij,ij->i", here, here), np.einsum("ij,ij->i", there, there)
    ranks = [k for k in NEIGHBOURS if k <= len(baseline)]
    for start in range(0, len(fresh), BLOCK):
        block = fresh[start : start + BLOCK]
        own = block["mean"].astype(np.float32)
        # squared distances less the constant own length: integers below 2**24, so float32 is exact
        to_there = there_sq - 2 * (own @ there.T)
        to_here = here_sq - 2 * (own @ here.T)
        radii = np.sort(np.partition(to_there, [k - 1 for k in ranks], axis=1)[:, : ranks[-1]], axis=1)
        radii = radii[:, [k - 1 for k in ranks]]
        counts = np.stack([(to_here < radii[:, [j]]).sum(axis=1) for j in range(len(ranks))], axis=1) - 1
        usable = (counts >= FEWEST_NEAR) & (counts >= PURITY * per_baseline * np.array(ranks))
        for number in np.flatnonzero(usable.any(axis=1)).tolist():
            near = np.maximum(counts[number], 0)
            nats = -binom.logsf(near - 1, near + np.array(ranks) - 1, share)
            nats = np.where(usable[number], nats, 0.0)
            best = int(np.argmax(nats))
            if nats[best] >= SEED_NATS:
                inside = today["account"][to_here[number] < radii[number, best]]
                found.append((int(block["account"][number]), Ball(float(nats[best]), inside)))
    return found


def writing_alike(others: Rows, core: Rows, reference: Reference) -> int:
    """How many others write like most of a core."""
    unit, count = directions(core, reference.mean()), 0
    others = others[others["prompts"] >= FEWEST_TOGETHER]
    # a tenant's accounts may be a partition's, so not the directions of all at once
    for start in range(0, len(others), COMPARED_AT_ONCE):
        far = directions(others[start : start + COMPARED_AT_ONCE], reference.mean())
        count += int((2 * (far @ unit.T > reference.alike).sum(axis=1) > len(core)).sum())
    return count
