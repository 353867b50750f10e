"""What a group of accounts has in common, measured against ordinary accounts, in nats.

Five families of evidence. What explains one of them innocently seldom explains another:

- **sameness**: they write alike (and set the same request constants). So do users of one application.
- **machine**: their daily volumes are as even as a scheduler's shares, and they do not sleep. Innocent
  groups are heavy-tailed whatever joins them: people, shops and customers differ by orders of magnitude.
- **identity**: more *owners* behind one card, device or network than that kind of link usually shows. An
  organisation's accounts count as one owner, so a corporate card and a tool for its staff say nothing.
- **age**: made at about the same time. So are the first users of a new application.
- **conduct**: the account plane has found them one by one.

A verdict needs two families, and machine evidence among them; or identity and sameness together with either
age or sleeplessness, however uneven their volumes: many owners' services on one card are one operator's; or
conduct alone: whom the account plane has found is alerted on anyway, so that to say that they belong together
costs no false alert. A shared template, a new single-purpose application, a campus, a reseller each have at
most what one cause brings. Content is judged on the group's *core*: the largest set that writes alike, so
that a link with mostly innocent accounts still shows the others.

Source: SynchroTrap (CCS 2014) and EvilCohort (USENIX Security 2015) for judging groups rather than accounts;
the thresholds and the widening factors are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, chdtr

from schemas.evidence import LinkKind, Measure
from streams.reference import FEWEST_TOGETHER, NEW_H, STEADY, Reference, directions, steadiness, volume

Rows = NDArray[Any]
Floats = NDArray[np.float64]

FEWEST_MEMBERS = 8
FEWEST_OWNERS = 8
FAMILY_CAP = 12.0
"""No family of evidence counts for more: beyond, the model of innocent groups is a guess."""
NEEDED = 4.0
"""Nats for a family to count as evidence at all."""
TOTAL = 16.0
"""Nats needed together: ln(1e6 / 10) = 11.5 for ten false campaigns per million accounts and day, and
ln(100) for the looks at a group and the links of an account. 8 + 8 or 12 + 4, then."""
TOTAL_BY_WORDS = 20.0
"""Needed, age aside, by a group that nothing but its words has formed: that it writes alike is how it was
found, and every new application does and has new users, so its clockwork must be beyond doubt by itself."""

COHERENT_SHARE = 0.1
"""Share of an innocent group that may be alike to one member where random pairs are in one of a hundred."""
INNOCENT_LOG_SD = 0.6
"""Spread of log daily volumes in the most even innocent group we allow for. Measured customers: 2.3; users
of one product in our simulation: 0.9."""
EVEN_FROM = 8.0
"""Median requests a day from which evenness can be told from chance."""
INNOCENT_EXCESS = 0.35
"""Mean log excess over a high bound in an innocent group. For log-normal volumes of standard deviation 1
it is 0.54 beyond the 80 % quantile and 0.42 beyond the 95 %; for the measured 2.3 more than one."""
CHANCE_SDS = 2.2
MAD_TO_SD = 1.4826
MAD_EFFICIENCY = 0.37
"""Of the median absolute deviation beside the variance, for normal values."""
WIDENED = 2.0
"""Innocent groups may have this many times the reference's share of a property."""
SMALLEST_STEADY, SMALLEST_NEW, SMALLEST_CONSTANTS = 0.25, 0.2, 0.3
FOUND_SHARE = 0.5
"""Of the core: from which on it is a group of accounts found by themselves, not one that has some."""
USUALLY_FOUND = 0.01
"""Accounts with a finding in an innocent group: a thousand times what the budget allows of all accounts."""

SIZE_EXPONENTS: Mapping[int, float] = {
    LinkKind.PAYMENT: 2.2,
    LinkKind.DEVICE: 2.2,
    LinkKind.NETWORK: 0.5,
    LinkKind.EMAIL_DOMAIN: 0.2,
}
"""P(owners >= n) ~ (n / 2)**-exponent for innocent links, as long as live links do not show a heavier tail.
Kinds that are content are not named: their size is no second kind of evidence."""
WORDS = frozenset({
    LinkKind.TEMPLATE, LinkKind.SYSTEM_PROMPT, LinkKind.BEHAVIOUR,
    LinkKind.TLS, LinkKind.ASN, LinkKind.SIGNUP, LinkKind.SCHEDULE,
})  # fmt: skip
"""Kinds of links that are content, or that the users of one application share as they share its words: its
client, its cloud, the hour it was announced, its time zone."""


BUSY = frozenset({LinkKind.BEHAVIOUR, LinkKind.SCHEDULE})
"""Kinds that nobody is behind who sends little: even from below by that alone."""


class Verdict(NamedTuple):
    """What was measured of one group."""

    measures: tuple[Measure, ...]
    families: dict[str, float]
    nats: float
    suspicious: bool
    core: NDArray[np.bool_]
    """(m,), over the rows judged."""


def tail_nats(count: int, trials: int, share: float) -> float:
    """Minus log probability of at least `count` of `trials` at `share` each.

    >>> round(tail_nats(10, 10, 0.1), 1), tail_nats(0, 10, 0.1)
    (23.0, 0.0)
    """
    return -float(np.log(max(bdtrc(count - 1, trials, share), 1e-304))) if count > 0 else 0.0


def judge(
    rows: Rows,
    reference: Reference,
    hour: int,
    *,
    kind: int,
    owners: float,
    exponent: float,
    alike_nats: float | None = None,
    by_clock: bool = False,
) -> Verdict | None:
    """Measure a group; `None` where there is too little of it.

    Args:
        rows: summaries (`streams.summary_table.ROW`) of its accounts, or a uniform sample of them, active in
            the last day.
        owners: estimate of the different owners behind the link.
        exponent: of the sizes of this kind of link, see `SIZE_EXPONENTS`.
        alike_nats: evidence that they write alike, where the group was formed by that.
        by_clock: it was formed among accounts that never sleep, which is no evidence then.
    """
    if len(rows) < FEWEST_MEMBERS:
        return None
    if alike_nats is None:
        core, measure = largest_alike(rows, reference)
        alike_nats = measure.nats
    else:
        core = np.ones(len(rows), np.bool_)
        usual = "among those that never sleep than by chance" if by_clock else "today than days before"
        text = f"far more accounts write alike {usual} (p = {np.exp(-alike_nats):.0e})"
        measure = Measure("alike", "sameness", alike_nats, 0.0, min(alike_nats, FAMILY_CAP), text)
    inside = rows[core]
    owners_inside = len(np.unique(inside["owner"])) / len(rows) * max(owners, len(np.unique(rows["owner"])))
    if len(inside) < FEWEST_MEMBERS or len(np.unique(inside["owner"])) < FEWEST_OWNERS:
        return None
    constants = _constants(inside, reference)
    even, steady = _even(inside, None if kind in BUSY else rows), _steady(inside, reference)
    identity, age = _identity(kind, owners_inside, exponent), _age(inside, reference, hour)
    # what a link was formed by is no evidence of its own
    if kind == LinkKind.SCHEDULE:
        steady = msgspec.structs.replace(steady, nats=0.0)
    if kind == LinkKind.SIGNUP:
        age = msgspec.structs.replace(age, nats=0.0)
    found = _found(inside)
    awake = 0.0 if by_clock else 0.5 * steady.nats
    families = {
        "sameness": measure.nats + (min(constants.nats, 3.0) if measure.nats >= NEEDED else 0.0),
        # who never sleeps may be a service; only with even shares it is a scheduler's
        "machine": even.nats + awake if even.nats >= 2.0 else min(awake, 3.0),
        "identity": identity.nats,
        "age": age.nats,
        "conduct": found.nats,
    }
    families = {name: min(nats, FAMILY_CAP) for name, nats in families.items()}
    two = families["machine"] >= NEEDED and max(families["sameness"], families["identity"]) >= NEEDED
    tied = min(families["identity"], families["sameness"]) >= 1.5 * NEEDED
    three = tied and max(families["age"], awake) >= NEEDED
    total = sum(families.values())
    known = measure, constants, even, steady, identity, age, found
    measures = tuple(sorted(known, key=lambda one: -one.nats))
    enough = total - families["age"] >= TOTAL_BY_WORDS if kind in WORDS else total >= TOTAL
    return Verdict(measures, families, total, ((two or three) and enough) or found.nats > 0, core)


def largest_alike(rows: Rows, reference: Reference) -> tuple[NDArray[np.bool_], Measure]:
    """The largest set that writes alike, and how surprising its size is; everybody where nothing is."""
    everybody = np.ones(len(rows), np.bool_)
    written = np.flatnonzero(rows["prompts"] >= FEWEST_TOGETHER)
    nothing = Measure("alike", "sameness", 0.0, COHERENT_SHARE, 0.0, "they write about different things")
    if len(written) < FEWEST_MEMBERS or not reference.centre:
        return everybody, nothing
    unit = directions(rows[written], reference.mean())
    alike = unit @ unit.T > reference.alike
    counts = alike.sum(axis=1) - 1
    best = int(np.argmax(counts))
    near, trials = int(counts[best]), len(written) - 1
    nats = max(tail_nats(near, trials, COHERENT_SHARE) - float(np.log(len(written))), 0.0)
    if near + 1 < FEWEST_MEMBERS or nats < 1.0:
        return everybody, nothing
    core = np.zeros(len(rows), np.bool_)
    core[written[alike[best]]] = True
    share = near / trials
    text = f"{share:.0%} of the accounts behind the link write alike; {COHERENT_SHARE:.0%} would be usual"
    return core, Measure("alike", "sameness", share, COHERENT_SHARE, min(nats, FAMILY_CAP), text)


def _even(core: Rows, everybody: Rows | None) -> Measure:
    """Daily volumes nearer to each other than those of innocent accounts ever are.

    Two tests, of which the weaker counts. The spread of the logs against `INNOCENT_LOG_SD`; and how few
    lie far above the median, because a core leaves out those who sent little, which makes any group look
    even from below: the volumes of innocent accounts beyond *any* bound fall off like ``INNOCENT_EXCESS``.
    Of `everybody` behind a link nobody has been left out, so there the variance of the logs alone tells of
    ten accounts what the median deviation tells of thirty. What tells more counts.
    """
    requests = volume(core)
    middle = float(np.median(requests))
    logs = np.log(np.maximum(requests, 0.5))
    spread = MAD_TO_SD * float(np.median(np.abs(logs - np.median(logs))))
    usual = float(np.sqrt(INNOCENT_LOG_SD**2 + 1 / max(middle, 1.0)))
    nats = 0.0
    if middle >= EVEN_FROM:
        freedom = MAD_EFFICIENCY * (len(core) - 1)
        narrow = -float(chdtr_log(freedom, freedom * (spread / usual) ** 2))
        # so far above the median that chance alone, as in a Poisson process, seldom gets there
        factor = max(1.5, 1 + CHANCE_SDS / float(np.sqrt(middle)))
        beyond = int((requests > factor * middle).sum())
        share = 0.5 * factor ** (-1 / INNOCENT_EXCESS)
        nats = min(narrow, -float(np.log(bdtr(beyond, len(core), share))))
    if everybody is not None:
        nats = max(nats, _varied(everybody))
    text = (
        f"daily volumes lie within a factor of {np.exp(spread):.1f} of {middle:.0f} requests; "
        f"a factor of {np.exp(usual):.1f} or more is usual"
    )
    return Measure("even_volume", "machine", spread, usual, float(np.clip(nats, 0.0, FAMILY_CAP)), text)


def _varied(everybody: Rows) -> float:
    """Nats for so small a variance of the logs of daily volumes."""
    requests = volume(everybody)
    middle = float(np.median(requests))
    if middle < EVEN_FROM:
        return 0.0
    logs = np.log(np.maximum(requests, 0.5))
    varied = float(((logs - logs.mean()) ** 2).sum()) / (INNOCENT_LOG_SD**2 + 1 / middle)
    return -chdtr_log(len(everybody) - 1, varied)


def chdtr_log(freedom: float, value: float) -> float:
    """Log of the chi-square distribution function, never below -700."""
    return float(np.log(max(chdtr(freedom, value), 1e-304)))


def _steady(rows: Rows, reference: Reference) -> Measure:
    """Active around the clock."""
    share_of_hours = steadiness(rows)
    known = share_of_hours[~np.isnan(share_of_hours)]
    usual = float(np.clip(WIDENED * reference.steady_share, SMALLEST_STEADY, 0.9))
    count = int((known >= STEADY).sum())
    nats = tail_nats(count, len(known), usual) if len(known) >= FEWEST_MEMBERS else 0.0
    share = count / max(len(known), 1)
    text = f"{share:.0%} of them are active around the clock; at most {usual:.0%} would be usual"
    return Measure("steady", "machine", share, usual, min(nats, FAMILY_CAP), text)


def _identity(kind: int, owners: float, exponent: float) -> Measure:
    """More owners behind the link than this kind shows."""
    label = LinkKind(kind).label
    nats = exponent * float(np.log(max(owners / 2, 1.0)))
    text = f"about {owners:,.0f} owners share one {label}"
    return Measure(f"owners_per_{label}", "identity", owners, 2.0, min(nats, FAMILY_CAP), text)


def _age(rows: Rows, reference: Reference, hour: int) -> Measure:
    """Made lately, all of them."""
    count = int((rows["created_hour"] > hour - NEW_H).sum())
    usual = float(np.clip(WIDENED * reference.new_share, SMALLEST_NEW, 0.9))
    share = count / len(rows)
    text = f"{share:.0%} of them were made within {NEW_H // 24} days; at most {usual:.0%} would be usual"
    return Measure("new", "age", share, usual, min(tail_nats(count, len(rows), usual), FAMILY_CAP), text)


def _found(rows: Rows) -> Measure:
    """Found by themselves; 0 nats unless they are a group by that alone."""
    count = int(rows["found"].sum())
    share = count / len(rows)
    nats = tail_nats(count, len(rows), USUALLY_FOUND) if share >= FOUND_SHARE else 0.0
    nats = nats if len(np.unique(rows["owner"][rows["found"]])) >= FEWEST_OWNERS else 0.0
    text = f"{share:.0%} of them have findings of their own; {USUALLY_FOUND:.0%} would be many"
    return Measure("found", "conduct", share, USUALLY_FOUND, min(nats, FAMILY_CAP), text)


def _constants(rows: Rows, reference: Reference) -> Measure:
    """The same request settings."""
    names, counts = np.unique(rows["constants"], return_counts=True)
    best = int(np.argmax(counts))
    count, seen = int(counts[best]), reference.constants.get(int(names[best]), 0.01)
    usual = float(np.clip(WIDENED * seen, SMALLEST_CONSTANTS, 0.95))
    share = count / len(rows)
    text = f"{share:.0%} of them send the same request settings, as {seen:.0%} of all accounts do"
    nats = min(tail_nats(count, len(rows), usual), FAMILY_CAP)
    return Measure("constants", "sameness", share, usual, nats, text)
