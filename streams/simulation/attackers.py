"""Attackers: accounts that belong to a campaign, declared by what the campaign wants.

A campaign's accounts run on the same machinery as everybody else's; only its declaration differs. Two
ready ones follow DESIGN's A1 (a single heavy account) and a templated pipeline; a hydra is the same
declaration with many accounts, few requests each and its own choice of what they share.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from streams.simulation.identity import DAY_MS, NOBODY, Identities

Positive = Annotated[float, Meta(gt=0)]
Shared = Literal["payment", "device", "network", "email_domain"]


class Campaign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operator who collects answers."""

    name: str
    text: Literal["pipeline", "reasoning", "grading", "tasks"]
    """Key of `text.attacks.ATTACK_TEXTS`."""
    accounts: Annotated[int, Meta(ge=1)] = 1
    requests_per_day: Positive
    """Of one account."""
    starts_after: Annotated[float, Meta(ge=0, le=1)] = 0.4
    """Share of the simulated span that passes before its first request."""
    ends_after: Annotated[float, Meta(ge=0, le=1)] = 1.0
    cv: Positive = 1.0
    """Of the gaps between an account's requests: 1 is jittered like chance, near 0 a timer."""
    model: Annotated[int, Meta(ge=0)] = 0
    """Index into `population.MODELS`."""
    temperature: float | None = 1.0
    max_tokens: int | None = 4096
    input_tokens: Positive = 300.0
    output_tokens: Positive = 900.0
    """Medians."""
    age_days: Annotated[float, Meta(ge=0)] = 3.0
    """Before the campaign's first request, its accounts were made within this many days."""
    share: dict[Shared, Annotated[int, Meta(ge=1)]] = {}
    """How many different cards (devices, networks, domains) its accounts spread over; one each where a
    kind is not named."""


HEAVY = Campaign(
    name="heavy",
    text="tasks",
    requests_per_day=86_400.0,
    cv=0.05,
    model=1,
    output_tokens=1200.0,
)
"""A1: one account that works through a task list, one request a second (the published cases lie between
0.2 and 5), paced by a client-side rate limit as collection scripts are."""

TEMPLATED = Campaign(
    name="templated",
    text="pipeline",
    requests_per_day=2_000.0,
    cv=1.0,
    starts_after=0.5,
    output_tokens=1500.0,
)
"""One account that fills a self-instruction template; its volume is nothing special."""


def recruited(
    campaigns: tuple[Campaign, ...],
    benign: Identities,
    start_ms: int,
    end_ms: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Identities]:
    """Accounts of all campaigns: (campaign index of each, identities appended to the benign ones).

    Everything that a campaign does not share looks like a random benign account's: same countries, same
    providers, same clients (the residential-proxy picture).
    """
    campaign = np.repeat(np.arange(len(campaigns)), [c.accounts for c in campaigns])
    n = len(campaign)
    like = rng.integers(0, len(benign.asn), n)
    columns = {name: getattr(benign, name)[like].copy() for name in Identities._fields}
    fresh = 1 << 40  # beyond every value the benign population uses
    columns["organisation"][:] = NOBODY
    for kind in ("payment", "device", "network"):
        columns[kind] = fresh + np.arange(n)
    for number, declared in enumerate(campaigns):
        mine = np.flatnonzero(campaign == number)
        for kind, distinct in declared.share.items():
            columns[kind][mine] = 2 * fresh + (number << 20) + rng.integers(0, distinct, len(mine))
        first_ms = start_ms + declared.starts_after * (end_ms - start_ms)
        columns["created_ms"][mine] = (first_ms - rng.random(len(mine)) * declared.age_days * DAY_MS).astype(
            np.int64
        )
    return campaign, Identities(
        **{name: np.concatenate([getattr(benign, name), columns[name]]) for name in Identities._fields}
    )
