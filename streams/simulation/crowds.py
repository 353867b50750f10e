"""Crowds: benign accounts that belong together, declared by what joins them.

Users of one application, students behind one network, a reseller's keys: each looks like a campaign from
some side. A crowd runs on the same machinery as everybody else; only its declaration differs. What is not
declared is drawn as for a single account of the same habit. **All of it is ours, not measured.**
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from streams.simulation.habits import HABITS, Day
from streams.simulation.identity import DAY_MS, NOBODY, Identities

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Shared = Literal["payment", "device", "network", "email_domain"]
HabitName = Literal[
    "person", "developer", "completion", "agent", "assistant", "processor", "batch", "inline-batch",
    "evaluation",
]  # fmt: skip

KINDS: tuple[Shared, ...] = ("payment", "device", "network", "email_domain")
FRESH = 1 << 40
"""Identifiers of crowds and campaigns lie beyond every value the other accounts use."""


class Crowd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of benign group, and how many there are of it."""

    name: Annotated[str, Meta(min_length=1)]
    """Line of the report that a false campaign among these accounts is counted on."""
    groups: Annotated[int, Meta(ge=1)] = 1
    accounts: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]]
    """Least and most of a group; sizes between are equally likely on a logarithmic scale."""
    habit: HabitName = "person"
    """What is drawn from where nothing else is said: runs, tokens, hours, clients."""
    writer: str | None = None
    """Key of `text.writers.WRITERS` of the group's common source; `None`: the habit's."""
    one_source: bool = True
    """Its accounts write from one seed: one application, one template."""
    own_share: Share = 0.0
    """Share of requests that are the account's own words instead."""
    visits_per_day: Positive | None = None
    """Median across accounts; `None`: as the habit."""
    visits_sigma: Annotated[float, Meta(ge=0)] | None = None
    cv: Positive | None = None
    """Burstiness of visits; `None`: as the habit, whose rates also wander from hour to hour."""
    day: Day | None = None
    starts_after: tuple[Share, Share] = (0.0, 0.0)
    """Share of the simulated span that passes before a group's first request, drawn evenly between."""
    joins_over_h: Annotated[float, Meta(ge=0)] = 0.0
    """Mean time after the start at which an account sends its first request."""
    new_accounts: Share = 0.0
    """Share of its accounts that are made on the day they first send; the others are of any age."""
    share: dict[Shared, Annotated[int, Meta(ge=1)]] = {}
    """How many different cards (devices, networks, domains) a group spreads over."""
    organisation: bool = False
    """One organisation pays and answers for a group."""
    one_setting: bool = False
    """Temperature and most tokens are the application's, not the account's."""
    naive: bool = False
    """Its clients repeat a failed request at once and without end."""
    pivots: Share = 0.0
    """Share of requests that go to the new model from the account's move on, within a day of the release."""
    allowed: bool = False
    """Has a contract for what it does: a finding is expected, and suppressed by policy."""


class Gathered(msgspec.Struct, frozen=True):
    """Accounts of all crowds, one row each."""

    crowd: Ints
    """Index of the declaration."""
    group: Ints
    """Number of the group, over all crowds."""
    identity: Identities
    from_ms: Ints


def group_sizes(crowd: Crowd, rng: np.random.Generator) -> Ints:
    """Accounts of each group.

    >>> group_sizes(Crowd(name="apps", groups=3, accounts=(7, 7)), np.random.default_rng(0)).tolist()
    [7, 7, 7]
    """
    least, most = np.log(min(crowd.accounts)), np.log(max(crowd.accounts))
    sizes: Ints = np.rint(np.exp(least + (most - least) * rng.random(crowd.groups))).astype(np.int64)
    return sizes


def gathered(
    crowds: tuple[Crowd, ...], benign: Identities, start_ms: int, end_ms: int, rng: np.random.Generator
) -> Gathered:
    """Rows of all crowds. What a crowd does not share looks like a random benign account's."""
    sizes = [group_sizes(crowd, rng) for crowd in crowds]
    of_group = np.repeat(np.arange(len(crowds)), [len(one) for one in sizes])
    group = np.repeat(np.arange(len(of_group)), np.concatenate(sizes) if sizes else np.empty(0, np.int64))
    crowd = of_group[group]
    n = len(group)
    identity = strangers(benign, n, FRESH, rng)
    from_ms = np.full(n, start_ms)
    for number, declared in enumerate(crowds):
        mine = np.flatnonzero(crowd == number)
        first, last = declared.starts_after
        starts = start_ms + (first + (last - first) * rng.random(len(of_group))) * (end_ms - start_ms)
        later = rng.exponential(1.0, len(mine)) * declared.joins_over_h * 3_600_000
        from_ms[mine] = (starts[group[mine]] + later).astype(np.int64)
        new = mine[rng.random(len(mine)) < declared.new_accounts]
        identity.created_ms[new] = from_ms[new] - (rng.random(len(new)) * DAY_MS).astype(np.int64)
        for kind, distinct in declared.share.items():
            values = group[mine] * 4096 + rng.integers(0, distinct, len(mine)) % 4096
            getattr(identity, kind)[mine] = (2 + KINDS.index(kind)) * FRESH + values
        if declared.organisation:
            identity.organisation[mine] = FRESH + group[mine]
    return Gathered(crowd, group, identity, from_ms)


def strangers(benign: Identities, n: int, first: int, rng: np.random.Generator) -> Identities:
    """`n` identities that share nothing with anybody, in the picture of random benign ones: same countries,
    providers, clients, ages. Their own identifiers count up from `first`."""
    like = rng.integers(0, len(benign.asn), n)
    columns = {name: getattr(benign, name)[like].copy() for name in Identities._fields}
    columns["organisation"][:] = NOBODY
    for kind in ("payment", "device", "network"):
        columns[kind] = first + np.arange(n)
    return Identities(**columns)


def habit_of(crowd: Crowd) -> int:
    """Index into `HABITS`."""
    return [habit.name for habit in HABITS].index(crowd.habit)
