"""Who belongs to a suspicious group: log odds of each account behind its link, precision first.

An account shares its link with the campaign's accounts and perhaps with innocent ones. It belongs to the
core as far as it writes, sends and sleeps like the core and unlike everybody else: a sum of bounded log
likelihood ratios. A quality counts only if the core is remarkable in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.evidence import Measure
from streams.group_statistics import MAD_TO_SD, NEEDED, USUALLY_FOUND
from streams.reference import (
    FEWEST_TOGETHER,
    NEW_H,
    Reference,
    directions,
    known_hours,
    rest,
    steadiness,
    volume,
)

Rows = NDArray[Any]
Floats = NDArray[np.float64]

BELOW_SLACK = 0.05
"""Cosine that an account may fall short of the farthest of the core."""
ACCEPTED = 2.2
"""Log odds from which an account is named: nine to one."""
MOST_FOR, MOST_AGAINST = 2.0, 6.0
"""Bounds of what volume and sleep say: of many accounts that send as the core does most are not its
operator's, but one that sleeps where the core never does is hardly ever."""
MOST_OF_CORE = 0.8
"""Who pauses no longer than so many of the core do is not held against."""
REMARKABLE = 2.0
"""Nats of the core in a quality from which on it counts for, or against, each account."""
SAME_SOURCE = 1.5
"""Log odds that words, settings and a late sign-up reach together in a group that nothing but its words ties:
a new application's users have all three. What they do by the clock must say the rest."""


def heading(core: Rows, reference: Reference) -> Floats:
    """float64 (256,): unit vector from the population's mean prompt to the core's; zeros without content."""
    written = core[core["prompts"] >= FEWEST_TOGETHER]
    if not len(written) or not reference.centre:
        return np.zeros(core["mean"].shape[1])
    centre: Floats = directions(written, reference.mean()).mean(axis=0)
    return centre / max(float(np.sqrt(centre @ centre)), 1e-9)


def log_odds(
    rows: Rows,
    core: Rows,
    outside: Rows,
    prior: float,
    measures: tuple[Measure, ...],
    reference: Reference,
    hour: int,
    *,
    by_words: bool,
) -> Floats:
    """float64 (m,), for each of `rows`.

    Args:
        core: summaries of the core that was judged.
        outside: summaries of ordinary accounts.
        prior: log odds of any account behind the link.
        measures: of the verdict.
        by_words: nothing but its words ties the group.
    """
    nats = {measure.name: measure.nats for measure in measures}
    source = np.full(len(rows), float(np.clip(prior, -4.0, 2.0)))
    if nats["alike"] >= NEEDED and reference.centre:
        source += _writing(rows, core, outside, reference)
    if nats["new"] >= NEEDED:
        inside = float((core["created_hour"] > hour - NEW_H).mean())
        source += _yes_or_no(rows["created_hour"] > hour - NEW_H, inside, reference.new_share)
    if nats["constants"] >= NEEDED:
        settings, counts = np.unique(core["constants"], return_counts=True)
        best = int(np.argmax(counts))
        usual = reference.constants.get(int(settings[best]), 0.01)
        source += _yes_or_no(rows["constants"] == settings[best], float(counts[best] / len(core)), usual)
    clockwork = np.zeros(len(rows))
    if nats["even_volume"] >= REMARKABLE:
        own, cores = np.log(np.maximum(volume(rows), 0.5)), np.log(np.maximum(volume(core), 0.5))
        clockwork += _normal(own, cores, 0.3, reference.volume_mean, reference.volume_sd)
    if nats["steady"] >= REMARKABLE:
        own, cores = steadiness(rows), steadiness(core)
        known = cores[~np.isnan(cores)]
        clockwork += _normal(own, known, 0.1, reference.steadiness_mean, reference.steadiness_sd)
        # whose day is as full may yet sleep, where hardly any of the core does
        clockwork += np.clip(np.quantile(rest(core), MOST_OF_CORE) - rest(rows), -MOST_AGAINST, 0.0)
    # who has been seen for less of a day than the core has said that much less
    seen = np.minimum(known_hours(rows) / np.median(known_hours(core)), 1.0)
    clockwork = np.where(clockwork > 0, clockwork * seen, clockwork)
    conduct = np.zeros(len(rows))
    if nats["found"] >= NEEDED:
        conduct += _yes_or_no(rows["found"], float(core["found"].mean()), USUALLY_FOUND)
    return (np.minimum(source, SAME_SOURCE) if by_words else source) + clockwork + conduct


def _writing(rows: Rows, core: Rows, outside: Rows, reference: Reference) -> Floats:
    """Share of the core that is no nearer to its centre, against the share of ordinary accounts that is no
    farther: a likelihood ratio without a model of either."""
    written = core[core["prompts"] >= FEWEST_TOGETHER]
    outside = outside[outside["prompts"] >= FEWEST_TOGETHER]
    if not len(written):
        return np.zeros(len(rows))
    mean, centre = reference.mean(), heading(core, reference)
    own = directions(rows, mean) @ centre
    low = np.sort(directions(written, mean) @ centre) - BELOW_SLACK
    others = np.sort(directions(outside, mean) @ centre)
    below = (np.searchsorted(low, own, side="right") + 1e-6) / len(low)
    above = (len(others) - np.searchsorted(others, own) + 0.5) / (len(others) + 1)
    # nearer than usual for the core is no evidence against belonging to it
    # who writes otherwise is not named for being as new, even and sleepless as another operator's accounts
    ratio = np.clip(np.log(np.minimum(2 * below, 1.0) / above), -12.0, 6.0)
    return np.where(rows["prompts"] >= FEWEST_TOGETHER, ratio, 0.0)


def _yes_or_no(own: NDArray[np.bool_], inside: float, outside: float) -> Floats:
    """Bounded log ratio of a property's shares."""
    inside, outside = float(np.clip(inside, 0.05, 0.95)), float(np.clip(outside, 0.01, 0.95))
    no_yes = np.log(np.array([(1 - inside) / (1 - outside), inside / outside]))
    ratio: Floats = np.clip(no_yes, -3.0, 3.0)[own.astype(np.intp)]
    return ratio


def _normal(own: Floats, core: Floats, least_sd: float, mean: float, sd: float) -> Floats:
    """Bounded log ratio of two normal densities; 0 where `own` is not known."""
    middle = float(np.median(core))
    spread = max(MAD_TO_SD * float(np.median(np.abs(core - middle))), least_sd)
    inside = -0.5 * ((own - middle) / spread) ** 2 - np.log(spread)
    outside = -0.5 * ((own - mean) / sd) ** 2 - np.log(sd)
    ratio: Floats = np.clip(inside - outside, -MOST_AGAINST, MOST_FOR)
    return np.where(np.isnan(own), 0.0, ratio)
