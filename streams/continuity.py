"""Continuity: people go on about what they wrote last; a list is taken as it comes.

How much more the words of an account's consecutive prompts resemble each other than those of any two of its
prompts do, in standard deviations of what a list shows by chance. It needs no language and no vocabulary, and
no topic is told from another: only an account's own prompts are compared, by the projection of their words
that `streams.features` makes.

Of 96 prompts in a row of a real conversation the lowest of 23 is 2.3, of 96 prompts from many short
conversations one in fifty is below 3; task lists of eight kinds have 0, with a deviation of 1. The words of
many people behind one key have no continuity either, so its absence accuses nobody by itself. And where the
accounts of a deployment show none at all, because they are applications or simulated, its absence says
nothing.

The sum over all prompts is the one `streams.links` keeps, and is aged with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams import links
from streams.account_table import AccountTable
from streams.features import SCALE
from streams.segment import Segment, stretch_lengths, stretches
from streams.structure import GROUP

Floats = NDArray[np.float64]
Slots = NDArray[np.intp]

COLUMNS = np.dtype(
    [
        ("last", "i1", (GROUP,)),  # words of the last prompt
        ("lag", "<i4"),  # sum of inner products of consecutive prompts
        ("pairs", "<u2"),
        ("squares", "<u2"),  # sum of squared weights of prompts: old ones count half
    ]
)

NOISE = 0.15
"""Deviation of the mean of n inner products less that of all pairs, times the root of n, where prompts are
drawn at random: 0.13 to 0.15 for 64 to 128 prompts of nine task lists."""

LACK = ((64.0, 0.0, 0.0), (80.0, 0.4, 1.0), (96.0, 1.2, 2.5), (128.0, 3.2, 6.2))
"""Prompts to what a lack of it adds to the score of `streams.detectors.shift`: by a model of live accounts,
and by the prior, under which everybody lies nearer. From 128 prompts on, lists of diverse tasks have scores
of 0 to 8 by the first, and keys of 4 to 1,000 people in turns -5 to -7 in the mean and 0.4 at most, at any
look of 400; by the second -3 to 2, and -9 and -5.6. Sooner, a person who works off a list of his own has
shown no continuity either: one of 400 pairs of people in turns, with 4.8 at 83 prompts and 2.4 at 101."""
LONG = LACK[0][0]
NONE, SOME = 1.25, 2.25
"""Deviations at which it is lacking, and at which it is not."""
USUAL = (0.012, 0.024)
"""Mean continuity of the live population up to which a lack of it says nothing, and from which on all."""

_LACK = np.array(LACK).T


def update(mine: NDArray[Any], segment: Segment) -> None:
    """Count a segment's prompts into `COLUMNS` of their accounts."""
    has = segment.take(segment.batch.has_features)
    if not has.any():
        return
    mine["squares"][segment.slots] += np.add.reduceat(has, segment.starts, dtype=np.uint16)
    words = segment.batch.features[segment.index, :GROUP]
    kept = np.flatnonzero(has & words.any(axis=1))
    if not len(kept):
        return
    words, slots = words[kept], segment.event_slots[kept]
    starts = stretches(slots)
    owners = slots[starts]
    before = np.empty_like(words)
    before[1:] = words[:-1]
    before[starts] = mine["last"][owners]
    # an account's first prompt follows on nothing; the same words again are a repetition
    paired = before.any(axis=1) & (words != before).any(axis=1)
    lag = np.where(paired, np.einsum("ij,ij->i", words, before, dtype=np.int32), 0)
    mine["last"][owners] = words[starts + stretch_lengths(starts, len(kept)) - 1]
    mine["lag"][owners] += np.add.reduceat(lag, starts)
    mine["pairs"][owners] += np.add.reduceat(paired, starts, dtype=np.uint16)


def measure(table: AccountTable, mine: NDArray[Any], slots: Slots) -> tuple[Floats, Floats]:
    """Similarity of consecutive prompts beyond any two's, and the same in deviations by chance, (m,)."""
    if links.NAME not in (table.dtype.names or ()):
        return np.zeros(len(slots)), np.full(len(slots), np.inf)
    everything, rows = table.rows[links.NAME][slots], mine[slots]
    total = everything["sum"][:, :GROUP] / SCALE
    count, squares = everything["prompts"].astype(np.float64), rows["squares"].astype(np.float64)
    alike = ((total**2).sum(axis=1) - squares) / np.maximum(count**2 - squares, 1.0)
    pairs = rows["pairs"].astype(np.float64)
    beyond: Floats = rows["lag"] / SCALE**2 / np.maximum(pairs, 1.0) - alike
    effective = pairs * count / np.maximum(squares, 1.0)
    return beyond, np.where(pairs > 0, beyond * np.sqrt(effective) / NOISE, np.inf)


def fade(table: AccountTable, mine: NDArray[Any], slots: Slots) -> None:
    """Let old prompts count less, when and as `streams.links.fade` is about to do."""
    if links.NAME not in (table.dtype.names or ()):
        return
    old = slots[table.rows[links.NAME]["prompts"][slots] >= links.FADE_PROMPTS]
    if len(old):
        mine["lag"][old] = np.fix(mine["lag"][old] / 2)
        mine["pairs"][old] //= 2
        mine["squares"][old] //= 4


def lack(deviations: Floats, n: Floats, usual: float, prior_share: float) -> Floats:
    """What is added to the scores of accounts with n prompts, (m,).

    Args:
        usual: mean continuity of the live population.
        prior_share: how much of the model they are compared with is the prior's.

    >>> lack(np.array([0.0, 0.0, 3.0]), np.array([60.0, 200.0, 200.0]), usual=0.04, prior_share=0.0).tolist()
    [0.0, 3.2, 0.0]
    """
    prompts, live, prior = _LACK
    most = np.interp(np.log(n), np.log(prompts), live + (prior - live) * prior_share)
    share = np.interp(deviations, (NONE, SOME), (1.0, 0.0)) * np.interp(usual, USUAL, (0.0, 1.0))
    added: Floats = most * share
    return added
